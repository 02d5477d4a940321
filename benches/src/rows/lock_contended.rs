//! 64 tasks want the same lock, over and over, each to add one: from as many workers at once as there are. Or they yield
//! at every eighth turn while they have it, so that all the others queue up.

use std::sync::Arc;

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::SyncPeer;

const TASKS: usize = 64;
const YIELD_EVERY: usize = 8;

/// The row. `held` is whether they yield.
pub fn row<P: SyncPeer>(name: &'static str, held: bool) -> Row {
    Row {
        name,
        metrics: vec![Metric::cost("", "ns/lock")],
        measure: Box::new(move |setting| measure::<P>(setting, held)),
    }
}

fn measure<P: SyncPeer>(setting: &Setting, held: bool) -> Sample {
    let each = setting.scale(1000, 50);
    nanoseconds_each::<P, _>(setting, setting.scale(20, 2), TASKS * each, move || async move {
        let lock = Arc::new(P::new_lock());
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| P::spawn(lock_often::<P>(lock.clone(), each, held)))
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(*P::lock(&lock).await, TASKS * each);
    })
}

async fn lock_often<P: SyncPeer>(lock: Arc<P::Lock>, times: usize, held: bool) {
    for turn in 0..times {
        let mut count = P::lock(&lock).await;
        *count += 1;
        if held && turn % YIELD_EVERY == 0 {
            P::yield_now().await;
        }
    }
}
