//! The tests of `process`, as they are where there are no pidfds: one thread is told of exits by `SIGCHLD`.

#[path = "../common/mod.rs"]
mod common;

#[path = "../process/chaos.rs"]
mod chaos;
#[path = "../process/communicate.rs"]
mod communicate;
#[path = "../process/exit.rs"]
mod exit;
#[path = "../process/lifetimes.rs"]
mod lifetimes;
#[path = "../process/starting.rs"]
mod starting;
#[path = "../process/streams.rs"]
mod streams;

use aioli::{process::watch_by_sigchld, wait_for};
use std::{future::Future, io, time::Duration};

/// What is passed when a test hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `main` on each number of workers.
fn on_all<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    for workers in common::WORKERS {
        run(workers, main()).unwrap();
    }
}

fn run<F: Future>(workers: usize, main: F) -> F::Output {
    watch_by_sigchld();
    common::run(workers, async { wait_for(main, LIMIT).await.expect("the test hangs") })
}
