//! A queue as a stream of its items.

use super::{Queue, shared::Shared, store::Order, waiting::Get};
use aioli_primitives::sync::Arc;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// The items of a queue, one after the other, until it is shut down and empty. Made by [`Queue::stream`].
    ///
    /// It waits in the queue's line as [`get`](Queue::get) does, and takes an item when it is polled, and not before.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, or the future that waits for its next item is, no item is lost: one that was promised to it is there for the
    /// next getter. While it is kept, and not polled, it keeps its place in the line, and what was promised to it.
    pub struct QueueStream<T, O>
    where
        O: Order<T>,
    {
        #[pin]
        get: Get<T, O, Arc<Shared<T, O>>>,
    }
}

impl<T, O: Order<T>> QueueStream<T, O> {
    pub(super) fn new(queue: &Queue<T, O>) -> Self {
        Self {
            get: Get::new(queue.0.clone()),
        }
    }
}

impl<T, O: Order<T>> Stream for QueueStream<T, O> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.project().get.poll(cx).map(Result::ok)
    }
}

impl<T, O: Order<T>> fmt::Debug for QueueStream<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueStream")
            .field("len", &self.get.shared().len())
            .finish_non_exhaustive()
    }
}
