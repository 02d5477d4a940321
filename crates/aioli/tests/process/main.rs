//! Child processes: what is started, what is said to it and heard from it, and how it ends.
//!
//! `process_sigchld` runs the same tests where there are no pidfds.

#[path = "../common/mod.rs"]
mod common;

mod chaos;
mod communicate;
mod exit;
mod lifetimes;
#[cfg(target_os = "linux")]
mod sandbox;
mod starting;
mod streams;

use aioli::wait_for;
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
    common::run(workers, async { wait_for(main, LIMIT).await.expect("the test hangs") })
}
