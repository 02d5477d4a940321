//! A thread that is not part of the runtime spawns detached tasks and waits until all have run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use futures_channel::oneshot;

use super::{Metric, Row, Sample, Setting};
use crate::peers::{Peer, Spawner};

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "spawn_outside",
        metrics: vec![Metric::cost("", "ns/task")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: Peer>(setting: &Setting) -> Sample {
    let tasks = setting.scale(300_000, 2000);
    let elapsed = P::run(setting.workers, |spawner| {
        let (done, outcome) = oneshot::channel();
        thread::spawn(move || {
            spawn_all(&spawner, tasks / 10);
            // A program that is cancelled meanwhile no longer wants to know.
            let _ = done.send(spawn_all(&spawner, tasks));
        });
        async { outcome.await.expect("the thread always answers") }
    });
    Ok(vec![elapsed.as_nanos() as f64 / tasks as f64])
}

/// How long it takes from the first spawn until the last of `count` tasks has run.
fn spawn_all(spawner: &impl Spawner, count: usize) -> Duration {
    let (all_ran, wait) = mpsc::channel();
    let counter = Arc::new(Countdown {
        left: AtomicUsize::new(count),
        all_ran,
    });
    let start = Instant::now();
    for _ in 0..count {
        let counter = counter.clone();
        spawner.spawn_detached(async move { counter.one_ran() });
    }
    wait.recv().expect("the last task always tells");
    start.elapsed()
}

struct Countdown {
    left: AtomicUsize,
    all_ran: Sender<()>,
}

impl Countdown {
    fn one_ran(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all_ran.send(()).expect("the thread waits");
        }
    }
}
