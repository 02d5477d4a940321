//! The driver: one reactor for all workers, and one timer wheel for each, joined into what the executor sleeps on.

use aioli_executor::Driver;
use aioli_reactor::Reactor;
use aioli_timers::{Alarm, Timers};
use std::{
    any::Any,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// The reactor and the wheels. Wheels count nanoseconds since `origin`.
///
/// Whoever waits in the reactor waits for the timers of all wheels, so that one thread wakes for them and not each for its
/// own; the [`Alarm`] says until when, to those who go to sleep elsewhere.
pub(crate) struct JoinedDriver {
    pub(crate) reactor: Reactor,
    wheels: Box<[Arc<Timers>]>,
    origin: Instant,
    alarm: Alarm,
}

impl JoinedDriver {
    pub(crate) fn new(workers: usize) -> io::Result<Self> {
        Ok(Self {
            reactor: Reactor::new()?,
            wheels: (0..workers).map(|_| Arc::new(Timers::new())).collect(),
            // A little ago, as the alarm wants it.
            origin: Instant::now()
                .checked_sub(Duration::from_secs(1))
                .unwrap_or_else(Instant::now),
            alarm: Alarm::new(),
        })
    }

    /// The wheel of one worker.
    pub(crate) fn wheel(&self, worker: usize) -> &Arc<Timers> {
        &self.wheels[worker]
    }

    /// An instant as the wheels count it. Those before the start are 0, and those beyond 584 years the end of time.
    pub(crate) fn nanos(&self, instant: Instant) -> u64 {
        instant
            .saturating_duration_since(self.origin)
            .as_nanos()
            .try_into()
            .unwrap_or(u64::MAX)
    }

    /// How long it is until `deadline`.
    fn until(&self, deadline: u64) -> Duration {
        Duration::from_nanos(deadline.saturating_sub(self.nanos(Instant::now())))
    }

    /// The next expiry of any wheel.
    fn next_expiry(&self) -> Option<u64> {
        self.wheels.iter().filter_map(|wheel| wheel.next_expiry()).min()
    }
}

impl Driver for JoinedDriver {
    fn park(&self, limit: Option<Duration>) -> io::Result<()> {
        {
            let alarm = self.alarm.set(|| self.next_expiry());
            let timer = alarm.expiry().map(|next| self.until(next));
            self.reactor.wait(limit.into_iter().chain(timer).min())?;
        }
        self.fire_timers();
        Ok(())
    }

    fn poll(&self) -> io::Result<()> {
        self.reactor.wait(Some(Duration::ZERO))?;
        self.fire_timers();
        Ok(())
    }

    fn unpark(&self) {
        self.reactor.notify();
    }

    fn sleep_limit(&self, worker: usize) -> Option<Duration> {
        let next = self.wheels[worker].next_expiry()?;
        match self.alarm.covers(next) {
            None => Some(self.until(next)),
            Some(covered) => {
                if !covered {
                    self.reactor.notify();
                }
                None
            }
        }
    }

    fn fire_timers(&self) {
        let Some(next) = self.next_expiry() else { return };
        let now = self.nanos(Instant::now());
        if next <= now {
            for wheel in &self.wheels {
                if wheel.next_expiry().is_some_and(|next| next <= now) {
                    wheel.fire(now);
                }
            }
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Lends the driver of the loop that runs on this thread, and the number of the worker.
///
/// # Panics
///
/// If no loop runs here.
#[inline]
#[track_caller]
pub(crate) fn with_driver<R>(f: impl FnOnce(&JoinedDriver, usize) -> R) -> R {
    // Not inside the closure, which does not know the caller.
    let here = |driver: &dyn Driver| driver.as_any().downcast_ref::<JoinedDriver>().map(std::ptr::from_ref);
    match aioli_executor::with_driver(|found| found.and_then(|(driver, worker)| Some((here(driver)?, worker)))) {
        // SAFETY: this thread is a worker, and its runtime outlives this call, which is on the worker's stack.
        Some((driver, worker)) => f(unsafe { &*driver }, worker),
        None => aioli_executor::no_loop(),
    }
}
