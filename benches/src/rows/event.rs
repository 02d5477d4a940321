//! 1000 tasks wait for the same event, over and over. The last to come wakes them all: what a waiter costs includes its
//! way through the run queue and back into the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::SyncPeer;

const TASKS: usize = 1000;

/// The row.
pub fn row<P: SyncPeer>() -> Row {
    Row {
        name: "event_1000",
        metrics: vec![Metric::cost("", "ns/waiter")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: SyncPeer>(setting: &Setting) -> Sample {
    let rounds = setting.scale(100, 5);
    nanoseconds_each::<P, _>(setting, setting.scale(10, 2), TASKS * rounds, move || async move {
        let gathering = Arc::new(Gathering::<P> {
            event: P::new_event(),
            waiting: AtomicUsize::new(0),
        });
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| P::spawn(wait_often(gathering.clone(), rounds)))
            .collect();
        for task in tasks {
            task.await;
        }
    })
}

struct Gathering<P: SyncPeer> {
    event: P::Event,
    waiting: AtomicUsize,
}

impl<P: SyncPeer> Gathering<P> {
    /// Counts one who waits, and wakes all if it is the last.
    fn count(&self) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == TASKS {
            // Before the broadcast: who is woken by it waits again, and counts for the next round.
            self.waiting.store(0, Ordering::Release);
            P::broadcast(&self.event);
        }
    }
}

async fn wait_often<P: SyncPeer>(gathering: Arc<Gathering<P>>, rounds: usize) {
    for _ in 0..rounds {
        P::wait(&gathering.event, || gathering.count()).await;
    }
}
