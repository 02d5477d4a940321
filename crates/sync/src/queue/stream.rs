//! A queue as a stream of its items.

use super::{Queue, shared::Shared, store::Order, waiting::Get};
use aioli_primitives::sync::Arc;
use futures_core::Stream;
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

/// The items of a queue, one after the other, until it is shut down and empty. Made by [`Queue::stream`].
///
/// [`next`](Self::next) gives them one by one; as a `Stream`, it has the methods of any extension trait for streams, such as
/// `futures_lite::StreamExt`. It waits in the queue's line as [`get`](Queue::get) does, and takes an item when it is polled, and
/// not before.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let queue = aioli::Queue::new();
/// queue.put_nowait(1).unwrap();
/// queue.put_nowait(2).unwrap();
/// queue.shutdown(false);
/// let mut items = queue.stream();
/// while let Some(item) = items.next().await {
///     println!("{item}");
/// }
/// # });
/// ```
///
/// # Cancel safety
///
/// When it is dropped, no item is lost: one that was handed to it is there for the next getter. While it is kept, and not polled, it keeps its
/// place in the line, and what was handed to it.
#[must_use = "streams do nothing unless polled"]
pub struct QueueStream<T, O: Order<T>> {
    /// In a place of its own, so that the stream can be moved.
    get: Pin<Box<OwningGet<T, O>>>,
}

type OwningGet<T, O> = Get<T, O, Arc<Shared<T, O>>>;

impl<T, O: Order<T>> QueueStream<T, O> {
    pub(super) fn new(queue: &Queue<T, O>) -> Self {
        Self {
            get: Box::pin(Get::new(queue.0.clone())),
        }
    }

    /// The next item; `None` when the queue is shut down and empty.
    ///
    /// # Cancel safety
    ///
    /// No item is lost when it is dropped: one that was handed to the stream by then is what the next call gives.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T, O: Order<T>> Stream for QueueStream<T, O> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().get.as_mut().poll(cx).map(Result::ok)
    }
}

impl<T, O: Order<T>> fmt::Debug for QueueStream<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueStream")
            .field("len", &self.get.shared().len())
            .finish_non_exhaustive()
    }
}
