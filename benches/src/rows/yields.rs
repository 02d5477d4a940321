//! 200 tasks yield 1000 times each: one pass through the run queue, with the runtime's own `yield_now`.

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 200;
const YIELDS: usize = 1000;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "yield",
        metrics: vec![Metric::cost("", "ns/yield")],
        measure: Box::new(|setting| {
            nanoseconds_each::<P, _>(setting, setting.scale(20, 1), TASKS * YIELDS, batch::<P>)
        }),
    }
}

async fn batch<P: Peer>() {
    let tasks: Vec<_> = (0..TASKS).map(|_| P::spawn(yield_often::<P>())).collect();
    for task in tasks {
        task.await;
    }
}

async fn yield_often<P: Peer>() {
    for _ in 0..YIELDS {
        P::yield_now().await;
    }
}
