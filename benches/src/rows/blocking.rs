//! Empty jobs for the blocking pool, 64 at a time: the way to a pool thread and back.

use futures_lite::future::poll_once;

use super::{Metric, Row, nanoseconds_each};
use crate::peers::Peer;

const JOBS: usize = 64;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "blocking",
        metrics: vec![Metric::cost("", "ns/job")],
        measure: Box::new(|setting| nanoseconds_each::<P, _>(setting, setting.scale(500, 5), JOBS, batch::<P>)),
    }
}

/// Polls every job once, because a runtime may hand it to the pool only then; after that their order does not matter.
async fn batch<P: Peer>() {
    let mut unfinished = Vec::with_capacity(JOBS);
    for _ in 0..JOBS {
        let mut job = Box::pin(P::run_blocking(|| ()));
        if poll_once(&mut job).await.is_none() {
            unfinished.push(job);
        }
    }
    for job in unfinished {
        job.await;
    }
}
