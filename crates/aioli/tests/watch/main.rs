//! Watches of foreign descriptors: callbacks that are called as long as one is ready.

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod lives;

use aioli::EventLoop;
use common::until;
use rustix::pipe::{PipeFlags, pipe_with};
use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

fn pipe() -> (File, File) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

fn counter() -> Arc<AtomicUsize> {
    Arc::default()
}

/// Waits until all callbacks that were posted before have been called, and what they have posted.
async fn callbacks_are_over() {
    for _ in 0..3 {
        let over = Arc::new(AtomicBool::new(false));
        let set = over.clone();
        EventLoop::current().call_soon(move || set.store(true, SeqCst));
        until(|| over.load(SeqCst)).await;
    }
}
