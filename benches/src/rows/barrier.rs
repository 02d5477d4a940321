//! 8 tasks meet at a barrier, over and over: a round is 7 who wait, one who comes last and wakes them, and their ways
//! through the run queue.

use std::sync::Arc;

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::SyncPeer;

const TASKS: usize = 8;

/// The row.
pub fn row<P: SyncPeer>() -> Row {
    Row {
        name: "barrier_8",
        metrics: vec![Metric::cost("", "ns/round")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: SyncPeer>(setting: &Setting) -> Sample {
    let rounds = setting.scale(5000, 50);
    nanoseconds_each::<P, _>(setting, setting.scale(20, 2), rounds, move || async move {
        let barrier = Arc::new(P::new_barrier(TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| P::spawn(arrive_often::<P>(barrier.clone(), rounds)))
            .collect();
        for task in tasks {
            task.await;
        }
    })
}

async fn arrive_often<P: SyncPeer>(barrier: Arc<P::Barrier>, rounds: usize) {
    for _ in 0..rounds {
        P::arrive(&barrier).await;
    }
}
