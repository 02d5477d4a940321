//! The driver: one reactor for all workers, and one timer wheel for each, joined into what the executor sleeps on.

use super::{clock::Clock, state::LoopState};
use aioli_executor::Driver;
use aioli_primitives::sync::Mutex;
use aioli_reactor::Reactor;
use aioli_timers::{Alarm, Timers};
use std::{
    any::Any,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// The reactor and the wheels.
///
/// Whoever waits in the reactor waits for the timers of all wheels, so that one thread wakes for them and not each for its
/// own; the [`Alarm`] says until when, to those who go to sleep elsewhere. With a virtual clock nobody waits for timers, and all
/// workers have one wheel, so that timers fire in the order of their deadlines and, where these are the same, of their
/// registration, on whatever worker.
pub(crate) struct JoinedDriver {
    pub(crate) reactor: Reactor,
    wheels: Box<[Arc<Timers>]>,
    clock: Clock,
    alarm: Alarm,
    /// A virtual clock moves and the timers that are due then fire in one step: somebody who saw the new time and fired them in
    /// between would have the one who moved the clock believe that there were none, and move it on.
    firing: Mutex<()>,
    /// For those who find the loop through its driver.
    state: Arc<LoopState>,
}

impl JoinedDriver {
    pub(super) fn new(workers: usize, state: Arc<LoopState>) -> Self {
        let clock = state.clock.clone();
        let first = Arc::new(Timers::new());
        let others = (1..workers).map(|_| {
            if clock.is_virtual() {
                first.clone()
            } else {
                Arc::default()
            }
        });
        Self {
            reactor: state.reactor.clone(),
            wheels: std::iter::once(first.clone()).chain(others).collect(),
            clock,
            alarm: Alarm::new(),
            firing: Mutex::new(()),
            state,
        }
    }

    /// What the loop has besides its executor.
    pub(crate) fn state(&self) -> &Arc<LoopState> {
        &self.state
    }

    /// The wheel of one worker.
    pub(crate) fn wheel(&self, worker: usize) -> &Arc<Timers> {
        &self.wheels[worker]
    }

    /// An instant as the wheels count it.
    #[inline]
    pub(crate) fn count(&self, instant: Instant) -> u64 {
        self.clock.count(instant)
    }

    /// How long it is until `deadline`, in real time.
    fn until(&self, deadline: u64) -> Duration {
        Duration::from_nanos(deadline.saturating_sub(self.count(Instant::now())))
    }

    /// The next expiry of any wheel.
    fn next_expiry(&self) -> Option<u64> {
        self.wheels.iter().filter_map(|wheel| wheel.next_expiry()).min()
    }
}

impl Driver for JoinedDriver {
    fn park(&self, limit: Option<Duration>) -> io::Result<()> {
        if self.is_virtual() {
            return self.reactor.wait(limit).map(drop);
        }
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
        if self.is_virtual() {
            return None;
        }
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
        let _firing = self.is_virtual().then(|| self.firing.lock());
        let Some(next) = self.next_expiry() else { return };
        let now = self.count(self.clock.now());
        if next <= now {
            for wheel in &self.wheels {
                if wheel.next_expiry().is_some_and(|next| next <= now) {
                    wheel.fire(now);
                }
            }
        }
    }

    fn is_virtual(&self) -> bool {
        self.clock.is_virtual()
    }

    fn can_advance(&self) -> bool {
        self.is_virtual() && self.wheels[0].next_expiry().is_some()
    }

    fn advance(&self) {
        let _firing = self.firing.lock();
        // Some expiries only sort timers.
        while let Some(next) = self.wheels[0].next_expiry() {
            if self.wheels[0].fire(self.clock.advance(next)) > 0 {
                return;
            }
        }
    }

    fn closed(&self) {
        // A call that blocks may wait for one of them.
        self.state.children.close();
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
    match try_with_driver(f) {
        Some(result) => result,
        None => aioli_executor::no_loop(),
    }
}

/// Lends the driver of the loop that runs on this thread, and the number of the worker, if one does.
#[inline]
pub(crate) fn try_with_driver<R>(f: impl FnOnce(&JoinedDriver, usize) -> R) -> Option<R> {
    aioli_executor::with_driver(|found| {
        let (driver, worker) = found?;
        Some(f(driver.as_any().downcast_ref()?, worker))
    })
}
