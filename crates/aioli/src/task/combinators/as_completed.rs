//! One outcome after the other, in the order in which tasks end.

use super::{
    arrivals::Arrivals,
    rule::Settle,
    slot::{AnySlot, Slot},
};
use crate::{
    task::{IntoTask, JoinError},
    time::{Sleep, TimeoutError, sleep},
};
use futures_core::Stream;
use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// Runs all `items` at the same time, and gives their outcomes one by one, in the order in which they come.
///
/// As `asyncio.as_completed()`: futures become tasks at once, when this is called, and tasks are taken as they are. It is a
/// [`Stream`](https://docs.rs/futures-core/latest/futures_core/stream/trait.Stream.html), too.
///
/// It only looks: a cancellation of the one who waits does not reach the tasks, and dropping it detaches those that are left, as
/// leaving the loop does in asyncio. To have them end with you, create them in a task group.
///
/// ```
/// use aioli::{as_completed, sleep};
/// use std::time::Duration;
///
/// aioli::run(async {
///     let mut outcomes = as_completed([30, 10, 20].map(|n| async move {
///         sleep(Duration::from_millis(n)).await;
///         n
///     }));
///     while let Some(outcome) = outcomes.next().await {
///         println!("{}", outcome.unwrap()); // 10, then 20, then 30
///     }
/// });
/// ```
///
/// # Panics
///
/// If an item is a future and no event loop runs on this thread; if a task is among its own items.
#[track_caller]
pub fn as_completed<I>(items: I) -> AsCompleted<<I::Item as IntoTask>::Output>
where
    I: IntoIterator,
    I::Item: IntoTask,
{
    let mut completed = AsCompleted {
        slots: Vec::new(),
        left: 0,
        arrivals: Arrivals::new(),
    };
    // A loop, so that the tasks are created where the caller is.
    for item in items {
        let number = completed.left;
        let mut slot = Slot::Running(item.into_task());
        // From the start, so that the order is that in which they end.
        let waker = completed.arrivals.waker(number);
        if AnySlot::<Settle>::poll(&mut slot, &mut Context::from_waker(&waker)).is_ready() {
            completed.arrivals.add(number);
        }
        completed.slots.push(slot);
        completed.left += 1;
    }
    completed
}

/// The outcomes of several tasks, as they come. Made by [`as_completed`].
#[must_use = "dropping it detaches the tasks; ask for what is `next`"]
pub struct AsCompleted<T> {
    slots: Vec<Slot<T, Result<T, JoinError>>>,
    /// How many were not given yet.
    left: usize,
    arrivals: Arrivals,
}

// No value is pinned in here.
impl<T> Unpin for AsCompleted<T> {}

impl<T> AsCompleted<T> {
    /// The next outcome; `None`: all were given.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: the next call gives what this one would have.
    pub async fn next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits no longer than this for all of them together, counted from now (`None`: as long as it takes).
    ///
    /// As `asyncio.as_completed(timeout=..)`: when the time is up, the next item is a [`TimeoutError`], and the last. The tasks
    /// that are left go on, and [`into_inner`](AsCompletedWithin::into_inner) gives them back.
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> AsCompletedWithin<T> {
        AsCompletedWithin {
            outcomes: self,
            timer: limit.into().map(sleep),
            is_late: false,
        }
    }
}

impl<T> Stream for AsCompleted<T> {
    type Item = Result<T, JoinError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while this.left > 0 {
            let number = ready!(this.arrivals.poll_next(cx));
            let slot = &mut this.slots[number];
            if this.arrivals.poll_slot::<Settle>(number, slot, cx).is_pending() {
                this.arrivals.put_back(number);
                return Poll::Pending;
            }
            if let Slot::Over(_) = slot {
                this.left -= 1;
                return Poll::Ready(Some(mem::replace(slot, Slot::Given).into_value()));
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// The outcomes of several tasks, as they come, until the time is up. Made by [`AsCompleted::timeout`].
#[must_use = "dropping it detaches the tasks; ask for what is `next`"]
pub struct AsCompletedWithin<T> {
    outcomes: AsCompleted<T>,
    timer: Option<Sleep>,
    /// The time is up, and that was said.
    is_late: bool,
}

impl<T> AsCompletedWithin<T> {
    /// Those that were not given yet, without the limit.
    pub fn into_inner(self) -> AsCompleted<T> {
        self.outcomes
    }

    /// The next outcome, or that the time is up; `None`: there is nothing more to come.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`], once, if the time is up and not all outcomes were there.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: the next call gives what this one would have.
    pub async fn next(&mut self) -> Option<Result<Result<T, JoinError>, TimeoutError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T> Stream for AsCompletedWithin<T> {
    type Item = Result<Result<T, JoinError>, TimeoutError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_late {
            return Poll::Ready(None);
        }
        // What is there at the same time comes first.
        if let Poll::Ready(outcome) = Pin::new(&mut this.outcomes).poll_next(cx) {
            return Poll::Ready(outcome.map(Ok));
        }
        let Some(timer) = &mut this.timer else {
            return Poll::Pending;
        };
        ready!(Pin::new(timer).poll(cx));
        this.is_late = true;
        Poll::Ready(Some(Err(TimeoutError)))
    }
}

impl<T> fmt::Debug for AsCompletedWithin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompletedWithin")
            .field("outcomes", &self.outcomes)
            .field("timer", &self.timer)
            .finish()
    }
}
