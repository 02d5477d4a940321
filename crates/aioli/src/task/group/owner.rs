//! What becomes of a group that is dropped: its children are cancelled, and the scope around waits for them.

use super::{GroupError, GroupHandle, Members, child::cancel, ending::Ending, error::is_echo};
use crate::task::{CancelCause, TaskError, defer};
use aioli_executor::{roster::Roster, spawn_fallible, worker_index};
use std::{
    fmt::Display,
    future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Whoever has this owns a group. Dropped before the group has ended, it ends it.
///
/// What needs to know more of `E` is found through pointers, so that neither this nor a future that has it inside has bounds
/// on `E`: see [`BodyOutput`](super::BodyOutput).
pub(super) struct Owner<E> {
    pub(super) handle: GroupHandle<E>,
    /// Ends the group, and sees to it that it is waited for.
    abandon: fn(&Arc<Members<E>>),
    /// Nobody is left who would see these errors: they go to the exception handler.
    pub(super) report: fn(Vec<TaskError<E>>),
}

impl<E> Owner<E>
where
    E: Display + Send + 'static,
{
    /// Of a new group.
    pub(super) fn new() -> Self {
        Self {
            handle: GroupHandle(Arc::new(Roster::new(is_echo))),
            abandon,
            report,
        }
    }
}

impl<E> Drop for Owner<E> {
    fn drop(&mut self) {
        (self.abandon)(&self.handle.0);
    }
}

fn abandon<E>(members: &Arc<Members<E>>)
where
    E: Display + Send + 'static,
{
    let cause = CancelCause::of_drop();
    members.end_body().each(cancel(&cause));
    members.end().each(cancel(&cause));
    let mut ending = Ending::new(members.clone());
    match Pin::new(&mut ending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(errors) => report(errors),
        Poll::Pending => drop(defer(async { report(ending.await) })),
    }
}

fn report<E>(errors: Vec<TaskError<E>>)
where
    E: Display + Send + 'static,
{
    if !errors.is_empty() && worker_index().is_some() {
        spawn_fallible(future::ready(Err::<(), _>(GroupError::new(errors)))).detach();
    }
}
