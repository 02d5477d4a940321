//! A worker that is stuck in one poll is watched by one that sleeps.

mod common;

use aioli_executor::{Config, Driver, Executor};
use common::*;
use std::{
    any::Any,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

/// A bed that counts how often timers were looked at.
#[derive(Default)]
struct Clockwork {
    bed: Bed,
    looks: AtomicUsize,
}

impl Driver for Clockwork {
    fn park(&self, limit: Option<Duration>) -> io::Result<()> {
        self.bed.park(limit)
    }

    fn poll(&self) -> io::Result<()> {
        self.bed.poll()
    }

    fn unpark(&self) {
        self.bed.unpark();
    }

    fn sleep_limit(&self, worker: usize) -> Option<Duration> {
        self.bed.sleep_limit(worker)
    }

    fn fire_timers(&self) {
        self.looks.fetch_add(1, SeqCst);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_worker_that_was_away_is_watched_from_its_first_turn() {
    for workers in [2, 4] {
        let driver = Arc::new(Clockwork::default());
        let mut executor = Executor::new(Config::new(workers), driver.clone()).unwrap();
        for _ in 0..3 {
            // The others have gone to sleep, one of them in the driver, before this thread comes.
            let start = Instant::now();
            while driver.bed.parks() == 0 {
                thread::yield_now();
            }
            let stuck = driver.clone();
            let watched = executor.run(async move {
                let looks = stuck.looks.load(SeqCst);
                while stuck.looks.load(SeqCst) == looks {
                    if start.elapsed() > Duration::from_secs(20) {
                        return false;
                    }
                    thread::yield_now();
                }
                true
            });
            assert!(watched.unwrap(), "{workers} workers");
        }
    }
}
