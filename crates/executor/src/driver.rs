//! What an idle worker sleeps on.

use std::{any::Any, time::Duration};

/// Joins the sources of outside events: readiness of descriptors, timers. The executor knows no more of them than this.
///
/// Timers belong to workers, so each call names one. `park` and `poll` are made by one worker at a time; the others
/// sleep on a lock, no longer than [`sleep_limit`](Self::sleep_limit) says, and then call
/// [`fire_timers`](Self::fire_timers).
pub trait Driver: Send + Sync + 'static {
    /// Waits until an event arrives, a timer of `worker` is due, `limit` is over or [`unpark`](Self::unpark) is called;
    /// then wakes whom they concern. May return early for no reason.
    fn park(&self, worker: usize, limit: Option<Duration>);

    /// As `park`, without waiting.
    fn poll(&self, worker: usize);

    /// Makes the current or, if there is none, the next [`park`](Self::park) return. From any thread.
    fn unpark(&self);

    /// How long `worker` may sleep elsewhere; `None`: as long as it likes.
    fn sleep_limit(&self, worker: usize) -> Option<Duration>;

    /// Wakes whom the timers of `worker` concern that are due.
    fn fire_timers(&self, worker: usize);

    /// The driver itself, for those who know its type and find it through [`with_driver`](crate::with_driver).
    fn as_any(&self) -> &dyn Any;
}
