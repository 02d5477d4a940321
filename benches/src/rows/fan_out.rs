//! A binary tree of 2^16 - 1 tasks: each node spawns its two children and joins them. The work starts in one place, so
//! this shows how well it spreads.

use std::future::Future;

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::Peer;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "fan_out",
        metrics: vec![Metric::cost("", "ns/node")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: Peer>(setting: &Setting) -> Sample {
    let levels = setting.scale(16, 8) as u32;
    let nodes = (1 << levels) - 1;
    nanoseconds_each::<P, _>(setting, setting.scale(10, 2), nodes, move || async move {
        assert_eq!(node::<P>(levels).await, nodes, "every node was visited once");
    })
}

/// Counts the nodes of a tree of that many levels.
#[expect(
    clippy::manual_async_fn,
    reason = "it spawns its own type, whose `Send` must be declared"
)]
fn node<P: Peer>(levels: u32) -> impl Future<Output = usize> + Send + 'static {
    async move {
        if levels == 1 {
            return 1;
        }
        let left = P::spawn(node::<P>(levels - 1));
        let right = P::spawn(node::<P>(levels - 1));
        1 + left.await + right.await
    }
}
