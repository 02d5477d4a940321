//! A task spawns 1000 empty tasks and then joins them all: the price of a task and of waiting for it.

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 1000;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "spawn_join",
        metrics: vec![Metric::cost("", "ns/task")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(500, 5), TASKS, batch::<P>)),
    }
}

async fn batch<P: Peer>() {
    let mut tasks = Vec::with_capacity(TASKS);
    for _ in 0..TASKS {
        tasks.push(P::spawn(async {}));
    }
    for task in tasks {
        task.await;
    }
}
