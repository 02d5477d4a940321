//! For what cancellation this thread is dropping something just now.
//!
//! A future that is dropped because of a cancellation may hold joins, gatherings and groups, which cancel their tasks as they are
//! dropped. They do so for the same cause: the tasks may have been told of it by another way.

use super::issue::CancelCause;
use aioli_primitives::thread_local;
use std::cell::RefCell;

thread_local! {
    static CAUSE: RefCell<Option<CancelCause>> = RefCell::new(None);
}

/// Calls `drop`, which drops something because of `cause`.
pub(crate) fn dropping_for<R>(cause: Option<CancelCause>, drop: impl FnOnce() -> R) -> R {
    /// Even if a destructor panics.
    struct Restore(Option<CancelCause>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = CAUSE.try_with(|current| current.replace(self.0.take()));
        }
    }
    let _restore = Restore(CAUSE.try_with(|current| current.replace(cause)).ok().flatten());
    drop()
}

/// The cause for which something is being dropped around here, if that is known.
pub(crate) fn cause() -> Option<CancelCause> {
    // A thread that ends has none.
    CAUSE.try_with(|current| current.borrow().clone()).ok().flatten()
}
