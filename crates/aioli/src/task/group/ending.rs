//! Waiting for the end of a group.

use super::Members;
use crate::task::{Finished, TaskError};
use aioli_executor::roster::Over;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Waits until nobody is left in a group, closes it, and gives its errors. To be polled when there is no body any more.
pub(super) struct Ending<E> {
    members: Arc<Members<E>>,
    /// Who has left the group, and is still to be over.
    straggler: Option<Finished>,
}

impl<E> Ending<E> {
    pub(super) fn new(members: Arc<Members<E>>) -> Self {
        Self {
            members,
            straggler: None,
        }
    }
}

// Nothing is pinned in here.
impl<E> Unpin for Ending<E> {}

impl<E> Future for Ending<E> {
    type Output = Vec<TaskError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if let Some(straggler) = &mut self.straggler {
                ready!(Pin::new(straggler).poll(cx));
                self.straggler = None;
            }
            match ready!(self.members.poll_over(cx)) {
                Over::But(task) => self.straggler = Some(task.finished()),
                Over::With(errors) => return Poll::Ready(errors),
            }
        }
    }
}
