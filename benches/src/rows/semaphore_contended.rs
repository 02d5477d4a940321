//! 64 tasks share 8 permits, each acquiring one and releasing it over and over: from as many workers at once as there are.
//! Or they yield at every eighth turn while they have it, so that the others queue up.

use std::sync::Arc;

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::SyncPeer;

const TASKS: usize = 64;
const PERMITS: usize = 8;
const YIELD_EVERY: usize = 8;

/// The row. `held` is whether they yield.
pub fn row<P: SyncPeer>(name: &'static str, held: bool) -> Row {
    Row {
        name,
        metrics: vec![Metric::cost("", "ns/acquire")],
        measure: Box::new(move |setting| measure::<P>(setting, held)),
    }
}

fn measure<P: SyncPeer>(setting: &Setting, held: bool) -> Sample {
    let each = setting.scale(1000, 50);
    nanoseconds_each::<P, _>(setting, setting.scale(20, 2), TASKS * each, move || async move {
        let semaphore = Arc::new(P::new_semaphore(PERMITS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| P::spawn(acquire_often::<P>(semaphore.clone(), each, held)))
            .collect();
        for task in tasks {
            task.await;
        }
    })
}

async fn acquire_often<P: SyncPeer>(semaphore: Arc<P::Semaphore>, times: usize, held: bool) {
    for turn in 0..times {
        let _permit = P::acquire(&semaphore).await;
        if held && turn % YIELD_EVERY == 0 {
            P::yield_now().await;
        }
    }
}
