//! A task gathers the values of 1000 tasks that are ready at once: what `asyncio.gather` is for.

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 1000;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "gather",
        metrics: vec![Metric::cost("", "ns/task")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(500, 5), TASKS, batch::<P>)),
    }
}

async fn batch<P: Peer>() {
    let values = P::gather((0..TASKS).map(|number| async move { number }).collect()).await;
    assert_eq!(values.len(), TASKS);
}
