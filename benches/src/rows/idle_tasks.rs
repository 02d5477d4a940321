//! A million detached tasks that wait for ever: the memory of each, the time to spawn and first poll it, and the time in
//! which the runtime drops them all as it stops.
//!
//! The future has no size, so the memory is the runtime's own: `heap` is what malloc has handed out (usable size and
//! header), `resident` what the process grew by, fragmentation included. A guard in each future proves that none was
//! dropped before its time and all were in the end.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{Metric, Row, Sample, Setting, milliseconds};
use crate::meter;
use crate::peers::Peer;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "idle_tasks",
        metrics: vec![
            Metric::cost("heap", "bytes/task"),
            Metric::cost("resident", "bytes/task"),
            Metric::cost("spawn", "ns/task"),
            Metric::cost("shutdown", "ms"),
        ],
        measure: Box::new(measure::<P>),
    }
}

static STARTED: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

fn measure<P: Peer>(setting: &Setting) -> Sample {
    let tasks = setting.scale(1_000_000, 5000);
    let (heap, resident, spawning, stopping) = P::run(setting.workers, move |_| async move {
        let (heap, resident) = (meter::heap_bytes(), meter::resident_bytes());
        let start = Instant::now();
        for _ in 0..tasks {
            P::spawn_detached(idle());
        }
        while STARTED.load(Ordering::Relaxed) < tasks {
            P::yield_now().await;
        }
        let spawning = start.elapsed();
        let (heap, resident) = (
            grown(heap, meter::heap_bytes()),
            grown(resident, meter::resident_bytes()),
        );
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0, "idle tasks stay");
        (heap, resident, spawning, Instant::now())
    });
    let stopping = stopping.elapsed();
    assert_eq!(
        DROPPED.load(Ordering::Relaxed),
        tasks,
        "a stopped runtime has dropped its tasks"
    );
    let each = |total: f64| total / tasks as f64;
    Ok(vec![
        each(heap as f64),
        each(resident as f64),
        each(spawning.as_nanos() as f64),
        milliseconds(stopping),
    ])
}

/// A runtime may also give memory back meanwhile, if only in a run with few tasks.
fn grown(before: usize, after: usize) -> usize {
    after.saturating_sub(before)
}

async fn idle() {
    let _guard = Guard;
    STARTED.fetch_add(1, Ordering::Relaxed);
    pending().await
}
