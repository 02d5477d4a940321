//! A task acquires a permit and releases it, over and over, and nobody else wants one.

use super::{Metric, Row, nanoseconds_each};
use crate::peers::SyncPeer;

const PERMITS: usize = 8;
const ACQUIRES: usize = 10_000;

/// The row.
pub fn row<P: SyncPeer>() -> Row {
    Row {
        name: "semaphore",
        metrics: vec![Metric::cost("", "ns/acquire")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(1000, 5), ACQUIRES, batch::<P>)),
    }
}

async fn batch<P: SyncPeer>() {
    let semaphore = P::new_semaphore(PERMITS);
    for _ in 0..ACQUIRES {
        drop(P::acquire(&semaphore).await);
    }
}
