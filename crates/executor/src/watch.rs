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
//! While somebody works, *one* of the sleepers sleeps with a limit of [`WATCH`]. When the limit is over it fires the timers
//! that are due, looks for work as any worker does, and goes to sleep again, in the driver if that is free. So an event
//! waits for a stuck worker no longer than two limits. When nobody works and nobody has since the last look, it sleeps
//! without a limit: an idle runtime does not wake up.
//!
//! The one on watch does not take the driver at once, but only when nobody has been there for a whole limit: the one who
//! has just left it is mostly back in microseconds, and if the two changed places at each event, each event would cost a
//! wake-up. Only the last to fall asleep never leaves the driver empty.
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
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use std::time::Duration;

/// Half of how long an event may have to wait for a worker that is stuck.
pub const WATCH: Duration = Duration::from_millis(20);

const NONE: usize = 0;
const REQUESTED: usize = 1;
const HELD: usize = 2;

/// Whether somebody watches.
pub struct Watch {
    state: AtomicUsize,
    /// How often a worker began to work after it had slept.
    starts: AtomicUsize,
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
        }
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
