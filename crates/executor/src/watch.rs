//! The watch: a worker that is stuck in one long poll must not keep the others from events, timers and its own backlog.
//!
//! # The problem
//!
//! The worker that was waiting in the driver leaves it to run a task. While it runs, nobody waits for events; if the poll is
//! long, they wait, and so do the timers in its wheel and the tasks in its deque, although other workers sleep. (The one in
//! its slot waits in any case: nobody steals that.)
//! Handing the driver over at every departure would cost a system call and a context switch for each event.
//!
//! # The protocol
//!
//! While somebody works, *one* of the sleepers sleeps with a limit. When the limit is over it fires the timers that are due,
//! looks for work as any worker does, and goes to sleep again, in the driver if that has been deserted. When nobody works
//! and nobody has since the last look, it sleeps without a limit: an idle runtime does not wake up.
//!
//! The one on watch does not take the driver at once, but only when nobody has been there for a whole limit: the one who
//! has just left it is mostly back in microseconds, and if the two changed places at each event, each event would cost a
//! wake-up. Only the last to fall asleep never leaves the driver empty.
//!
//! The limit is [`ALERT`] at first. As long as each look finds somebody in the driver, or back from it in no time, the limit
//! doubles, up to [`CALM`]: a program whose polls are short pays four wake-ups in a second. A look that finds the driver
//! deserted makes it [`ALERT`] again. So an event waits for a stuck worker no longer than twice [`ALERT`] in a program
//! that sticks again and again, and no longer than twice [`CALM`] if all had been well.
//!
//! | state | meaning | moves to |
//! |---|---|---|
//! | `NONE` | nobody watches | `REQUESTED` by a worker that begins to work; `HELD` by one that goes to sleep |
//! | `REQUESTED` | somebody is being woken to take the watch | `HELD` by the first that goes to sleep |
//! | `HELD` | a sleeper has the limit | `NONE` by that sleeper, when it wakes |
//!
//! A worker that begins to work counts itself, and then reads the state; the watch is given up by leaving `HELD`, and then
//! reading the count. With a fence between the two on both sides one of them sees the other: either the one who gave up finds
//! that there was work and takes the watch again, or the one who works finds nobody watching and requests it.

use aioli_primitives::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use std::time::Duration;

/// How long the driver may be empty before the one on watch takes it.
pub const ALERT: Duration = Duration::from_millis(20);

/// How long at most the one on watch sleeps.
pub const CALM: Duration = Duration::from_millis(250);

/// As many times somebody came to the driver or went between two looks, if they are back in no time.
const BUSTLE: usize = 32;

const NONE: usize = 0;
const REQUESTED: usize = 1;
const HELD: usize = 2;

/// Whether somebody watches.
pub struct Watch {
    state: AtomicUsize,
    /// How often a worker began to work after it had slept.
    starts: AtomicUsize,
    /// How often somebody went to wait in the driver, or came back: odd while somebody is there. Written by whoever drives.
    drives: AtomicUsize,
    /// In milliseconds, while the driver is visited. Written by the one on watch.
    limit: AtomicU64,
}

/// What the one on watch finds when it goes to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Somebody waits in the driver, or has done so many times since the last look.
    Visited,
    /// Nobody does, but somebody may be back soon.
    Empty,
    /// Nobody has since the last look.
    Deserted,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// Nobody watches, and nobody works.
    pub fn new() -> Self {
        Self {
            state: AtomicUsize::new(NONE),
            starts: AtomicUsize::new(0),
            drives: AtomicUsize::new(0),
            limit: AtomicU64::new(ALERT.as_millis() as u64),
        }
    }

    /// Somebody goes to wait in the driver, or comes back from there.
    pub fn driver_changes(&self) {
        // Not a read-modify-write: only whoever holds the driver writes it. Relaxed: it says only how long to sleep.
        self.drives.store(self.drives.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// The one on watch looks at the driver; `seen` is what it saw the last time, if it has been on watch since.
    pub fn look(&self, seen: &mut Option<usize>) -> Look {
        let drives = self.drives.load(Relaxed);
        let since = seen.replace(drives).map(|seen| drives.wrapping_sub(seen));
        match since {
            _ if drives % 2 == 1 => Look::Visited,
            Some(0) => Look::Deserted,
            Some(BUSTLE..) => Look::Visited,
            _ => Look::Empty,
        }
    }

    /// How long the one on watch, who has just looked, is to sleep.
    pub fn limit(&self, look: Look) -> Duration {
        let limit = match look {
            Look::Empty => return ALERT,
            Look::Deserted => ALERT,
            Look::Visited => CALM.min(Duration::from_millis(self.limit.load(Relaxed)) * 2),
        };
        self.limit.store(limit.as_millis() as u64, Relaxed);
        limit
    }

    /// A worker that has slept begins to work. `true`: somebody has to be woken to watch it.
    #[must_use]
    pub fn work_begins(&self) -> bool {
        self.starts.fetch_add(1, Relaxed);
        fence(SeqCst);
        match self.state.load(Relaxed) {
            NONE => self.state.compare_exchange(NONE, REQUESTED, SeqCst, SeqCst).is_ok(),
            // Perhaps this is the one who was woken for it, and it has found work instead: the next, then.
            REQUESTED => true,
            _ => false,
        }
    }

    /// A worker goes to sleep, and knows of `starts` until now. `true`: with a limit.
    pub fn take(&self, seen: &mut usize, all_asleep: bool) -> bool {
        fence(SeqCst);
        let starts = self.starts.load(Relaxed);
        let quiet = all_asleep && *seen == starts;
        *seen = starts;
        match self.state.load(Relaxed) {
            HELD => false,
            NONE if quiet => false,
            free => self.state.compare_exchange(free, HELD, SeqCst, SeqCst).is_ok(),
        }
    }

    /// The one on watch wakes.
    pub fn give_up(&self) {
        self.state.store(NONE, SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_grows_while_the_driver_is_visited_and_falls_when_it_is_deserted() {
        let (watch, mut seen) = (Watch::new(), None);
        assert_eq!(watch.look(&mut seen), Look::Empty);
        assert_eq!(watch.look(&mut seen), Look::Deserted);
        watch.driver_changes();
        assert_eq!(watch.look(&mut seen), Look::Visited);
        let limits = [(); 5].map(|()| watch.limit(Look::Visited).as_millis());
        assert_eq!(limits, [40, 80, 160, 250, 250]);
        watch.driver_changes();
        assert_eq!(watch.look(&mut seen), Look::Empty);
        assert_eq!(watch.limit(Look::Empty), ALERT);
        assert_eq!(watch.limit(Look::Visited), CALM);
        assert_eq!(watch.limit(Look::Deserted), ALERT);
        assert_eq!(watch.limit(Look::Visited), 2 * ALERT);
        (0..BUSTLE).for_each(|_| watch.driver_changes());
        assert_eq!(watch.look(&mut seen), Look::Visited);
    }
}
