//! Waiting for several tasks at once.

use super::{Join, JoinError};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

pub use aioli_executor::IntoTask;

/// Runs all `items` at the same time, and gives their values in the order of the items.
///
/// All items are of one type. As `asyncio.gather()`: futures become tasks at once, when this is called, and tasks are taken as they are. Dropping
/// the result before it is ready, as a cancelled task does, cancels those that are not over and defers waiting for them.
///
/// ```
/// aioli::run(async {
///     let squares = aioli::gather((1..=3).map(|n| async move { n * n })).await.unwrap();
///     assert_eq!(squares, [1, 4, 9]);
/// });
/// ```
///
/// # Errors
///
/// That of the first item, in order, that was cancelled or panicked; it is given when the items before it are over. The
/// items behind it are then cancelled, and waited for by the scope around (see [`defer`](super::defer)). An `Err` that is an
/// item's *value* is a value like any other.
///
/// # Panics
///
/// If an item is a future and no event loop runs on this thread.
///
/// # Cancel safety
///
/// The values of items that were over are lost.
#[track_caller]
pub fn gather<I>(items: I) -> Gather<<I::Item as IntoTask>::Output>
where
    I: IntoIterator,
    I::Item: IntoTask,
{
    let joins: Vec<_> = items.into_iter().map(|item| item.into_task().join()).collect();
    Gather {
        values: Vec::with_capacity(joins.len()),
        joins: joins.into(),
    }
}

/// Waits for several tasks. Made by [`gather`].
#[derive(Debug)]
#[must_use = "dropping it cancels the tasks that are not over; await it"]
pub struct Gather<T> {
    /// Those whose value is not there yet, in order.
    joins: VecDeque<Join<T>>,
    values: Vec<T>,
}

// Neither joins nor values are pinned in here.
impl<T> Unpin for Gather<T> {}

impl<T> Future for Gather<T> {
    type Output = Result<Vec<T>, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // One after the other: they run at the same time all the same, and a wake-up costs one look.
        while let Some(join) = self.joins.front_mut() {
            let value = ready!(Pin::new(join).poll(cx))?;
            self.joins.pop_front();
            self.values.push(value);
        }
        Poll::Ready(Ok(std::mem::take(&mut self.values)))
    }
}
