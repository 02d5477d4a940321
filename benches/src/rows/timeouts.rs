//! 100 tasks each put a timeout of 10 s around a future that is ready at its second poll, over and over: a timer is
//! created, registered and cancelled, with one pass through the run queue in between. It never expires.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::{Metric, Row, Sample, Setting, nanoseconds_each};
use crate::peers::Peer;

const TASKS: usize = 100;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "timeouts",
        metrics: vec![Metric::cost("", "ns/timeout")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: Peer>(setting: &Setting) -> Sample {
    let each = setting.scale(500, 10);
    nanoseconds_each::<P, _>(setting, setting.scale(20, 2), TASKS * each, move || async move {
        let tasks: Vec<_> = (0..TASKS).map(|_| P::spawn(time_out_rarely::<P>(each))).collect();
        for task in tasks {
            task.await;
        }
    })
}

async fn time_out_rarely<P: Peer>(times: usize) {
    for _ in 0..times {
        P::timeout(TIMEOUT, ready_at_second_poll())
            .await
            .expect("10 s do not pass");
    }
}

/// Pending once, having woken its task; written here so that it is the same for all.
async fn ready_at_second_poll() {
    let mut polled = false;
    poll_fn(|context| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
