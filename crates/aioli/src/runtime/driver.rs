//! The driver: one reactor for all workers, and one timer wheel for each, joined into what the executor sleeps on.

use aioli_executor::Driver;
use aioli_reactor::Reactor;
use aioli_timers::Timers;
use std::{
    any::Any,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// The reactor and the wheels. Wheels count nanoseconds since `origin`.
pub(crate) struct JoinedDriver {
    pub(crate) reactor: Reactor,
    wheels: Box<[Arc<Timers>]>,
    origin: Instant,
}

impl JoinedDriver {
    pub(crate) fn new(workers: usize) -> io::Result<Self> {
        Ok(Self {
            reactor: Reactor::new()?,
            wheels: (0..workers).map(|_| Arc::new(Timers::new())).collect(),
            origin: Instant::now(),
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

    fn wait(&self, limit: Option<Duration>) {
        if let Err(error) = self.reactor.wait(limit) {
            // Nothing that a program does makes epoll or kqueue fail; somebody closed a descriptor that is not theirs.
            panic!("waiting for events failed, as if the event loop's own descriptor had been closed: {error}");
        }
    }
}

impl Driver for JoinedDriver {
    fn park(&self, worker: usize, limit: Option<Duration>) {
        self.wait(limit.into_iter().chain(self.sleep_limit(worker)).min());
        self.fire_timers(worker);
    }

    fn poll(&self, worker: usize) {
        self.wait(Some(Duration::ZERO));
        self.fire_timers(worker);
    }

    fn unpark(&self) {
        self.reactor.notify();
    }

    fn sleep_limit(&self, worker: usize) -> Option<Duration> {
        let next = self.wheels[worker].next_expiry()?;
        Some(Duration::from_nanos(next.saturating_sub(self.nanos(Instant::now()))))
    }

    fn fire_timers(&self, worker: usize) {
        let wheel = &self.wheels[worker];
        if wheel.next_expiry().is_some() {
            wheel.fire(self.nanos(Instant::now()));
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
        None => no_loop(),
    }
}

#[cold]
#[track_caller]
pub(crate) fn no_loop() -> ! {
    panic!("no event loop runs on this thread: call this from inside `aioli::run`, or use an `EventLoop` handle")
}
