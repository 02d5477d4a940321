//! A thread that is not part of the runtime wakes a task while the runtime is idle: from just before the wake-up until
//! the task runs, one way. The pause before each wake-up is long enough for all workers to fall asleep.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures_channel::mpsc::unbounded;
use futures_lite::StreamExt;

use super::{Metric, Row, Sample, Setting};
use crate::meter;
use crate::peers::Peer;

const PAUSE: Duration = Duration::from_micros(200);

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "wake_latency",
        metrics: vec![Metric::cost("p50", "us"), Metric::cost("p99", "us")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: Peer>(setting: &Setting) -> Sample {
    let (warm_up, wakes) = (setting.scale(500, 5), setting.scale(3000, 50));
    let latencies = P::run(setting.workers, |_| {
        let (wake, mut wakeups) = unbounded();
        let (awake, was_awake) = mpsc::channel();
        thread::spawn(move || {
            for _ in 0..warm_up + wakes {
                thread::sleep(PAUSE);
                wake.unbounded_send(Instant::now()).expect("the task waits");
                was_awake.recv().expect("the task answers");
            }
        });
        async move {
            let mut latencies = Vec::with_capacity(warm_up + wakes);
            while let Some(sent) = wakeups.next().await {
                latencies.push(sent.elapsed().as_nanos() as f64);
                awake.send(()).expect("the thread waits");
            }
            latencies.split_off(warm_up)
        }
    });
    Ok(meter::percentiles_us(latencies, [0.5, 0.99]).to_vec())
}
