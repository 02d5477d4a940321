//! For what cancellation this thread is dropping something just now.
//!
//! A future that is dropped because of a cancellation may hold joins, gatherings and groups, which cancel their tasks as they are
//! dropped. They do so for the same cause: the tasks may have been told of it by another way. Every future that is cancelled
//! comes by here and few ask, so what is kept is where to look.

use super::issue::CancelCause;
use crate::here;
use aioli_primitives::thread_local;
use std::{cell::Cell, ptr::NonNull};

#[derive(Clone, Copy)]
enum Dropping {
    /// Nothing, or for no cancellation.
    Nothing,
    /// Set by one up the stack, who keeps the cause.
    For(NonNull<CancelCause>),
    /// The future of a task that keeps no cause: if there is one it is that of the end of the runtime.
    Bare,
}

thread_local! {
    static NOW: Cell<Dropping> = Cell::new(Dropping::Nothing);
}

/// Calls `drop`, which drops something because of `cause`.
pub(crate) fn dropping_for<R>(cause: Option<&CancelCause>, drop: impl FnOnce() -> R) -> R {
    let cause = cause.map(|cause| Dropping::For(NonNull::from(cause)));
    dropping(cause.unwrap_or(Dropping::Nothing), drop)
}

/// Calls `drop`, which drops the future of a task that keeps no cause.
pub(crate) fn dropping_bare<R>(drop: impl FnOnce() -> R) -> R {
    dropping(Dropping::Bare, drop)
}

fn dropping<R>(what: Dropping, drop: impl FnOnce() -> R) -> R {
    /// Even if a destructor panics.
    struct Restore(Dropping);
    impl Drop for Restore {
        fn drop(&mut self) {
            NOW.with(|now| now.set(self.0));
        }
    }
    let _restore = Restore(NOW.with(|now| now.replace(what)));
    drop()
}

/// The cause for which something is being dropped around here, if that is known.
pub(crate) fn cause() -> Option<CancelCause> {
    match NOW.with(Cell::get) {
        Dropping::Nothing => None,
        // SAFETY: the one who set it is up the stack, and keeps the cause until it has set another.
        Dropping::For(cause) => Some(unsafe { cause.as_ref() }.clone()),
        Dropping::Bare => here::closing_cause(),
    }
}
