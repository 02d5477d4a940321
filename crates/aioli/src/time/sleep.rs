//! One timer: a deadline, and a place in the wheel of the worker that first waited for it.

use crate::{
    runtime::{clock, driver::with_driver},
    task::poll_budget,
};
use aioli_timers::{Entry, Timers};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

/// Waits for `duration`; zero gives other tasks one turn.
///
/// As `asyncio.sleep()`. It never returns early; it returns late by the time that the system takes to wake a thread, by the
/// time that other tasks take, and by up to 66 microseconds to which timers are rounded so that they can be waited for
/// together. `Duration::MAX`, and whatever else ends after the clock does, never returns.
///
/// The time counts from when this is called, also if it is awaited later; asyncio's counts from the await.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// aioli::run(async {
///     let start = Instant::now();
///     aioli::sleep(Duration::from_millis(5)).await;
///     assert!(start.elapsed() >= Duration::from_millis(5));
/// });
/// ```
///
/// # Panics
///
/// When it is first awaited, if no event loop runs on this thread.
///
/// # Cancel safety
///
/// Dropping it stops the timer; nothing is lost.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::until(match duration {
        Duration::ZERO => Deadline::NextTurn,
        _ => clock::now().checked_add(duration).map_or(Deadline::Never, Deadline::At),
    })
}

/// Waits until `deadline`; one that has passed gives other tasks a turn. Otherwise as [`sleep`].
///
/// The counterpart of awaiting `loop.call_at()`.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(Deadline::At(deadline))
}

/// When a timer ends.
#[derive(Clone, Copy, Debug)]
enum Deadline {
    /// At the next turn.
    NextTurn,
    /// It is over.
    Passed,
    At(Instant),
    /// Beyond the clock's range.
    Never,
}

/// A future that is ready when a deadline has passed. Made by [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    deadline: Deadline,
    entry: Entry,
    /// Where the entry is registered, once it is.
    wheel: Option<Arc<Timers>>,
}

impl Sleep {
    fn until(deadline: Deadline) -> Self {
        Self {
            deadline,
            entry: Entry::new(),
            wheel: None,
        }
    }

    /// When it will be over; `None`: at the next turn, or never.
    pub fn deadline(&self) -> Option<Instant> {
        match self.deadline {
            Deadline::At(instant) => Some(instant),
            Deadline::NextTurn | Deadline::Passed | Deadline::Never => None,
        }
    }

    /// Begins anew, with another deadline.
    pub fn reset(&mut self, deadline: Instant) {
        self.unregister();
        self.deadline = Deadline::At(deadline);
    }

    fn unregister(&mut self) {
        if let Some(wheel) = self.wheel.take() {
            wheel.cancel(&mut self.entry);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(wheel) = &this.wheel {
            ready!(poll_budget(cx));
            return wheel.poll(&mut this.entry, 0, cx);
        }
        match this.deadline {
            Deadline::NextTurn => {
                this.deadline = Deadline::Passed;
                cx.waker().wake_by_ref();
            }
            Deadline::Passed => return Poll::Ready(()),
            Deadline::At(deadline) => with_driver(|driver, worker| {
                let wheel = driver.wheel(worker);
                let _ = wheel.poll(&mut this.entry, driver.count(deadline), cx);
                this.wheel = Some(wheel.clone());
            }),
            // Nobody will wake it but a cancellation.
            Deadline::Never => {}
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.unregister();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
