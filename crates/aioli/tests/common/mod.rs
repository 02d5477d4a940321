//! What the tests of the facade share. Tests wait for conditions, never for time; where time is the matter, they ask that it
//! was not less than it should be.

// Each test binary uses some of it.
#![allow(dead_code)]

use aioli::{Builder, yield_now};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

/// The numbers of workers that behaviour must not depend on.
pub const WORKERS: [usize; 3] = [1, 2, 4];

/// Longer than any test takes.
pub const LONG: Duration = Duration::from_secs(3600);

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Runs `main` on a loop of its own.
pub fn run<F: Future>(workers: usize, main: F) -> F::Output {
    Builder::new().workers(workers).build().unwrap().run(main)
}

/// Runs `main` on each number of workers, with a clock that stands still while anything is left to do.
pub fn on_all<F: Future<Output = ()>>(main: impl Fn() -> F) {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(main());
    }
}

/// The same, for a program that tells what happens: these lines, in this order.
pub fn check<F: Future<Output = ()>>(expected: &[&str], program: impl Fn(Log) -> F) {
    for workers in WORKERS {
        let log = Log::default();
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program(log.clone()));
        drop(runner);
        assert_eq!(log.lines(), expected, "with {workers} workers");
    }
}

/// Gives way until `condition` holds.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// Polls once, with the waker of the current task.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Counts how many of its guards there were, and how many are gone.
#[derive(Clone, Default)]
pub struct Census(Arc<(AtomicUsize, AtomicUsize)>);

impl Census {
    pub fn guard(&self) -> CensusGuard {
        self.0.0.fetch_add(1, SeqCst);
        CensusGuard(self.clone())
    }

    pub fn made(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    pub fn gone(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

pub struct CensusGuard(Census);

impl Drop for CensusGuard {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, SeqCst);
    }
}

/// Lines in the order in which they were written.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// The text of a panic.
pub fn message(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().unwrap()).to_owned(),
    }
}
