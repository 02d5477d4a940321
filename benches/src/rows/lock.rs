//! A task locks, adds one and unlocks, over and over, and nobody else wants the lock.

use super::{Metric, Row, nanoseconds_each};
use crate::peers::SyncPeer;

const LOCKS: usize = 10_000;

/// The row.
pub fn row<P: SyncPeer>() -> Row {
    Row {
        name: "lock",
        metrics: vec![Metric::cost("", "ns/lock")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(1000, 5), LOCKS, batch::<P>)),
    }
}

async fn batch<P: SyncPeer>() {
    let lock = P::new_lock();
    for _ in 0..LOCKS {
        *P::lock(&lock).await += 1;
    }
    assert_eq!(*P::lock(&lock).await, LOCKS);
}
