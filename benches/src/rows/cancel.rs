//! A task spawns 1000 tasks that wait for ever, lets them begin, cancels them all, and waits for their ends.

use std::future::pending;

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 1000;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "cancel",
        metrics: vec![Metric::cost("", "ns/task")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(300, 5), TASKS, batch::<P>)),
    }
}

async fn batch<P: Peer>() {
    P::cancel_all((0..TASKS).map(|_| pending()).collect()).await;
}
