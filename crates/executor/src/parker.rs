//! Where one worker sleeps, and how it is woken: by name, from any thread, without a wake-up lost.
//!
//! # States
//!
//! | state | meaning | moves to |
//! |---|---|---|
//! | `EMPTY` | awake | `ASLEEP`, `DRIVING` by its worker; `NOTIFIED` by anybody |
//! | `ASLEEP` | waits for the condition variable | `EMPTY` by its worker, in time; `NOTIFIED` by anybody |
//! | `DRIVING` | waits in the driver | as above |
//! | `NOTIFIED` | to be woken, or not to fall asleep | `EMPTY` by its worker |
//!
//! The one who moves `ASLEEP` or `DRIVING` to `NOTIFIED` makes the one system call that wakes the sleeper; everybody
//! after that finds `NOTIFIED` and does nothing. A worker goes to sleep by moving `EMPTY` to a sleeping state, which fails
//! if it was notified since it last looked.
//!
//! All transitions are sequentially consistent read-modify-writes of one word, so they are totally ordered: either the
//! notification comes before the worker falls asleep, which then does not, or after, and then it wakes it. What was done before
//! `unpark` is seen after `park` returns.

use crate::driver::Driver;
use aioli_primitives::sync::{
    Condvar, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use std::time::Duration;

const EMPTY: usize = 0;
const ASLEEP: usize = 1;
const DRIVING: usize = 2;
const NOTIFIED: usize = 3;

/// One worker's bed.
pub struct Parker {
    state: AtomicUsize,
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// A parker whose worker is awake.
    pub fn new() -> Self {
        Self {
            state: AtomicUsize::new(EMPTY),
            lock: Mutex::new(()),
            condvar: Condvar::new(),
        }
    }

    /// Sleeps until [`unpark`](Self::unpark), which may have come before, or for `limit`.
    pub fn park(&self, limit: Option<Duration>) {
        let mut guard = self.lock.lock();
        if self.fall_asleep(ASLEEP) {
            match limit {
                None => {
                    while self.state.load(SeqCst) == ASLEEP {
                        self.condvar.wait(&mut guard);
                    }
                }
                Some(limit) => {
                    // Once: a wake-up for no reason is as good as one for a timer, and the caller looks again.
                    self.condvar.wait_for(&mut guard, limit);
                }
            }
        }
        self.state.swap(EMPTY, SeqCst);
    }

    /// Waits in the driver, by `wait`, which [`unpark`](Self::unpark) makes return.
    pub fn drive(&self, wait: impl FnOnce()) {
        if self.fall_asleep(DRIVING) {
            wait();
        }
        self.state.swap(EMPTY, SeqCst);
    }

    /// Wakes the worker, or keeps it from falling asleep next.
    pub fn unpark(&self, driver: &dyn Driver) {
        match self.state.swap(NOTIFIED, SeqCst) {
            ASLEEP => {
                // The sleeper holds the lock from its transition until it waits: taking it once means that it waits.
                drop(self.lock.lock());
                self.condvar.notify_one();
            }
            DRIVING => driver.unpark(),
            _ => {}
        }
    }

    /// `false`: notified.
    fn fall_asleep(&self, state: usize) -> bool {
        self.state.compare_exchange(EMPTY, state, SeqCst, SeqCst).is_ok()
    }
}
