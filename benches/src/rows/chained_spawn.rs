//! A chain of 1000 tasks, each of which spawns the next and ends: never more than one is ready.

use std::future::Future;

use futures_channel::oneshot::{self, Sender};

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 1000;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "chained_spawn",
        metrics: vec![Metric::cost("", "ns/task")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(500, 5), TASKS, batch::<P>)),
    }
}

async fn batch<P: Peer>() {
    let (done, wait) = oneshot::channel();
    P::spawn_detached(link::<P>(TASKS, done));
    wait.await.expect("the last link tells");
}

/// The task with `left` more to come, itself included.
#[expect(
    clippy::manual_async_fn,
    reason = "it spawns its own type, whose `Send` must be declared"
)]
fn link<P: Peer>(left: usize, done: Sender<()>) -> impl Future<Output = ()> + Send + 'static {
    async move {
        match left {
            1 => done.send(()).expect("the batch waits"),
            _ => P::spawn_detached(link::<P>(left - 1, done)),
        }
    }
}
