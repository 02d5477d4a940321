//! A clock that ticks.

use super::sleep::{Sleep, sleep_until};
use crate::runtime::clock;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

/// Ticks every `period`, for the first time at once. asyncio has no counterpart; programs write a loop with `sleep`,
/// which drifts, and this does not.
///
/// ```
/// use std::time::Duration;
///
/// aioli::run(async {
///     let mut clock = aioli::interval(Duration::from_millis(2));
///     let first = clock.tick().await;
///     let second = clock.tick().await;
///     assert_eq!(second - first, Duration::from_millis(2));
/// });
/// ```
///
/// # Panics
///
/// If the period is zero.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(clock::now(), period)
}

/// Ticks every `period`, for the first time at `start`. See [`interval`].
///
/// # Panics
///
/// If the period is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period above zero");
    Interval {
        sleep: sleep_until(start),
        next: Some(start),
        period,
        missed: MissedTicks::Burst,
    }
}

/// What an [`Interval`] does when nobody waited for its ticks in time. By default, [`Burst`](Self::Burst).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissedTicks {
    /// Makes up for them at once, one after the other, until it is back on its grid.
    #[default]
    Burst,
    /// Forgets them, and ticks next on its grid.
    Skip,
    /// Forgets them, and ticks next a period after the late one.
    Delay,
}

/// A clock that ticks. Made by [`interval`] and [`interval_at`].
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    /// When the next tick is; `None`: after the clock's end.
    next: Option<Instant>,
    period: Duration,
    missed: MissedTicks,
}

impl Interval {
    /// Says what becomes of ticks that nobody waited for in time.
    pub fn with_missed_ticks(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick, and gives the instant that it was meant for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// As [`tick`](Self::tick), for hand-written futures.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(this) = self.next else { return Poll::Pending };
        ready!(Pin::new(&mut self.sleep).poll(cx));
        self.next = match self.missed {
            MissedTicks::Burst => this.checked_add(self.period),
            MissedTicks::Delay => {
                let now = clock::now();
                let missed = now.saturating_duration_since(this) >= self.period;
                let from = if missed { now } else { this };
                from.checked_add(self.period)
            }
            MissedTicks::Skip => {
                let late = clock::now().saturating_duration_since(this).as_nanos();
                let period = self.period.as_nanos();
                // Of the grid, the first tick that is still to come.
                u64::try_from((late / period + 1) * period)
                    .ok()
                    .and_then(|ahead| this.checked_add(Duration::from_nanos(ahead)))
            }
        };
        if let Some(next) = self.next {
            self.sleep.reset(next);
        }
        Poll::Ready(this)
    }
}
