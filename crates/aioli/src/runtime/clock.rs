//! What time it is: the system's clock, or a virtual one, which jumps to the next timer whenever nothing else is left to do.
//!
//! # How wheels count
//!
//! A wheel counts in ticks of 2^16 and rounds deadlines up to them, but fires what is due at one tick in the order of the
//! deadlines themselves. Real time is counted in nanoseconds, so that a tick is 65 us. Virtual time has a tick for each
//! microsecond, with the nanoseconds below it as the tick's fraction: the clock stands on a whole microsecond, each timer fires
//! on the first that is not before its deadline, and those that fire together do so in order. That reaches as far as 2^48
//! microseconds, which is almost nine years.
//!
//! # Who moves a virtual clock
//!
//! A sleeper who has found everybody at rest (see the executor's `idle`), and has taken itself out of the list of sleepers in the same
//! moment. So there is one at a time: nobody else finds everybody at rest before that one lies down again. Each worker has fired
//! what was due before it lay down, and only workers register timers; so no timer is due, and the next expiry that the mover reads
//! is that of all timers (the lock of the list orders it after whatever those who lie there did).
//!
//! What the list does not know of is a worker that gets up *for no reason*: the limit of its watch is over. It may be awake before
//! the mover has asked, and still be in the list; and then it does what anybody does who gets up, it fires timers. The mover's step is
//! to move the clock *and* to fire what is due then, and `JoinedDriver::firing` makes one of the two:
//!
//! | the other one fires | and finds |
//! |---|---|
//! | before the step | nothing that is due: everything was fired before everybody was at rest |
//! | after the step | nothing that is due: the step has fired it |
//! | within the step | is not possible |
//!
//! (Within the step it would take the timers from under the mover, who would believe that there were none at that time, and move the
//! clock on to the next ones before the tasks of the first have run.)
//!
//! In either case it has nothing to run but what the step has woken, as anybody else has, and it moves no clock: the mover is not in
//! the list. Whoever comes from *outside* at that moment (a thread that creates a task, a descriptor) races with the clock in any
//! case, and sees the time before or after the step.
//!
//! All loads and stores of the time can be relaxed. A step is ordered after the one before it by the lock, and a task that it wakes is
//! handed over by a queue.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

/// The bits of a wheel's count below its ticks.
const TICK: u32 = 16;

/// This process has, or had, a loop with a virtual clock. Until then nobody has to find out which clock is meant.
static VIRTUAL: AtomicBool = AtomicBool::new(false);

/// What time it is for the code that runs on this thread: by the clock of its loop, if one runs here.
#[inline]
pub(crate) fn now() -> Instant {
    // Relaxed: whoever runs on a virtual clock has come to know its loop after the flag was set.
    if VIRTUAL.load(Relaxed) {
        now_here()
    } else {
        Instant::now()
    }
}

#[cold]
fn now_here() -> Instant {
    super::driver::try_with_driver(|driver, _| driver.state().clock.now()).unwrap_or_else(Instant::now)
}

/// The clock of a loop; clones are the same clock.
#[derive(Clone)]
pub(crate) struct Clock {
    /// Where wheels begin to count.
    origin: Instant,
    /// The microseconds that have passed since, unless time passes by itself. Written by the one worker that is awake.
    micros: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    pub(super) fn real() -> Self {
        let now = Instant::now();
        Self {
            // A little ago, as the alarm wants it.
            origin: now.checked_sub(Duration::from_secs(1)).unwrap_or(now),
            micros: None,
        }
    }

    /// A clock that stands still, at what is now, until it is moved.
    pub(super) fn standing() -> Self {
        VIRTUAL.store(true, SeqCst);
        Self {
            origin: Instant::now(),
            micros: Some(Arc::new(AtomicU64::new(0))),
        }
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.micros.is_some()
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Instant {
        match &self.micros {
            None => Instant::now(),
            // Relaxed: a task that the new time has woken was handed over by a queue.
            Some(micros) => self.origin + Duration::from_micros(micros.load(Relaxed)),
        }
    }

    /// An instant as the wheels count it. Those before the origin are 0, and those too far off are the end of time.
    #[inline]
    pub(super) fn count(&self, instant: Instant) -> u64 {
        let nanos = instant.saturating_duration_since(self.origin).as_nanos();
        let count = if self.is_virtual() {
            ((nanos / 1000) << TICK) + nanos % 1000
        } else {
            nanos
        };
        count.try_into().unwrap_or(u64::MAX)
    }

    /// Moves a virtual clock on to where a wheel's count says, if that is ahead, and gives the count of the time that it is then.
    pub(super) fn advance(&self, count: u64) -> u64 {
        let micros = self.micros.as_ref().expect("time passes by itself");
        let ahead = count >> TICK;
        let now = micros.fetch_max(ahead, Relaxed).max(ahead);
        now << TICK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_stands_on_the_first_microsecond_that_is_not_before_a_deadline() {
        for (nanos, micros) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            let clock = Clock::standing();
            let mut wheel = aioli_timers::Wheel::new();
            let start = clock.now();
            wheel.insert(clock.count(start + Duration::from_nanos(nanos)), ());
            let count = clock.advance(wheel.next_expiry().unwrap());
            let mut due = Vec::new();
            wheel.advance(count, &mut due);
            assert_eq!(
                (due.len(), clock.now() - start),
                (1, Duration::from_micros(micros)),
                "{nanos} ns"
            );
        }
    }

    #[test]
    fn what_is_beyond_the_range_of_the_wheels_is_the_end_of_time() {
        let clock = Clock::standing();
        let year = Duration::from_secs(365 * 24 * 3600);
        assert!(clock.count(clock.now() + 8 * year) < u64::MAX);
        assert_eq!(clock.count(clock.now() + 9 * year), u64::MAX);
    }
}
