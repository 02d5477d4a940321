//! Tasks put numbers into a bounded queue as fast as they can, and one gets them out.

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::SyncPeer;

/// The row for so many producers and a queue of that capacity.
pub fn row<P: SyncPeer>(name: &'static str, producers: usize, capacity: usize) -> Row {
    Row {
        name,
        metrics: vec![Metric::cost("", "ns/message")],
        measure: Box::new(move |setting| measure::<P>(setting, producers, capacity)),
    }
}

fn measure<P: SyncPeer>(setting: &Setting, producers: usize, capacity: usize) -> Sample {
    let each = setting.scale(100_000, 1000) / producers;
    nanoseconds_each::<P, _>(setting, setting.scale(10, 2), producers * each, move || async move {
        let (sender, mut receiver) = P::new_queue(capacity);
        for _ in 0..producers {
            P::spawn_detached(produce::<P>(sender.clone(), each));
        }
        let mut sum = 0;
        for _ in 0..producers * each {
            sum += P::receive(&mut receiver).await;
        }
        assert_eq!(sum, producers * each * (each - 1) / 2, "all come, each once");
    })
}

async fn produce<P: SyncPeer>(sender: P::Sender, messages: usize) {
    for number in 0..messages {
        P::send(&sender, number).await;
    }
}
