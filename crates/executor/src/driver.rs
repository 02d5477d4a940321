//! What an idle worker sleeps on.

use std::{any::Any, io, time::Duration};

/// Joins the sources of outside events: readiness of descriptors, timers. The executor knows no more of them than this.
///
/// One worker at a time *drives*: it waits in [`park`](Self::park), for the timers of all workers, or looks in with
/// [`poll`](Self::poll). The others sleep each on a lock of its own, and say so before with
/// [`sleep_limit`](Self::sleep_limit). Whoever is awake fires timers now and then.
pub trait Driver: Send + Sync + 'static {
    /// Waits until an event arrives, a timer is due, `limit` is over or [`unpark`](Self::unpark) is called; then wakes
    /// whom they concern. May return early for no reason, and may pass on the panic of a waker.
    ///
    /// # Errors
    ///
    /// That waiting is impossible, for good: the process is aborted.
    fn park(&self, limit: Option<Duration>) -> io::Result<()>;

    /// As `park`, without waiting.
    ///
    /// # Errors
    ///
    /// As `park`.
    fn poll(&self) -> io::Result<()>;

    /// Makes the current or, if there is none, the next [`park`](Self::park) return. From any thread.
    fn unpark(&self);

    /// `worker` is about to sleep elsewhere. Sees to it that whoever drives wakes in time for its timers, or else gives
    /// how long it may sleep; `None`: as long as it likes.
    fn sleep_limit(&self, worker: usize) -> Option<Duration>;

    /// Wakes whom the timers concern that are due. May pass on the panic of a waker.
    fn fire_timers(&self);

    /// Whether the clock is a virtual one, which stands still while anybody works and is moved by
    /// [`advance`](Self::advance) alone. [`park`](Self::park) fires no timers then.
    fn is_virtual(&self) -> bool {
        false
    }

    /// Whether a virtual clock has a timer to advance to.
    fn can_advance(&self) -> bool {
        false
    }

    /// No timer is due, and nothing can happen before the next one is: moves a virtual clock there, and wakes whom it concerns.
    /// [`fire_timers`](Self::fire_timers) may be called at the same time, by somebody who has got up for no reason. May pass on the
    /// panic of a waker.
    fn advance(&self) {}

    /// The runtime's workers have ended: nobody parks here any more. Calls that block may still go on, and are waited for when this
    /// has returned; it has to see to it that they need not wait for events.
    fn closed(&self) {}

    /// The driver itself, for those who know its type and find it through [`with_driver`](crate::with_driver).
    fn as_any(&self) -> &dyn Any;
}
