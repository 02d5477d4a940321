//! 1000 tasks each create two oneshot channels, spawn a partner, send it a message and wait for the reply.

use futures_channel::oneshot;

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 1000;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "ping_pong",
        metrics: vec![Metric::cost("", "ns/exchange")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(200, 3), TASKS, batch::<P>)),
    }
}

async fn batch<P: Peer>() {
    let tasks: Vec<_> = (0..TASKS).map(|_| P::spawn(exchange::<P>())).collect();
    for task in tasks {
        task.await;
    }
}

async fn exchange<P: Peer>() {
    let (ping, pinged) = oneshot::channel();
    let (pong, ponged) = oneshot::channel();
    P::spawn_detached(async {
        pinged.await.expect("the ping comes");
        pong.send(()).expect("the pong is awaited");
    });
    ping.send(()).expect("the partner waits");
    ponged.await.expect("the pong comes");
}
