//! Many tasks sleep once, for times spread evenly from 50 to 150 ms: how long it all takes, the processor time it needs,
//! and how late each task wakes. Lateness counts from just before the sleep is created.

use std::time::{Duration, Instant};

use super::{Metric, Row, Sample, Setting, milliseconds};
use crate::meter;
use crate::peers::Peer;

const SHORTEST_US: usize = 50_000;
const SPREAD_US: usize = 100_000;

/// The row for that many tasks.
pub fn row<P: Peer>(name: &'static str, tasks: usize) -> Row {
    Row {
        name,
        metrics: vec![
            Metric::cost("wall", "ms"),
            Metric::cost("CPU", "ms"),
            Metric::cost("late p50", "us"),
            Metric::cost("late p99", "us"),
        ],
        measure: Box::new(move |setting| measure::<P>(setting, setting.scale(tasks, tasks / 100))),
    }
}

fn measure<P: Peer>(setting: &Setting, tasks: usize) -> Sample {
    let cpu_before = meter::cpu_time();
    let start = Instant::now();
    let lateness = P::run(setting.workers, |_| async move {
        let sleepers: Vec<_> = (0..tasks)
            .map(|index| P::spawn(oversleep::<P>(duration(index))))
            .collect();
        let mut lateness = Vec::with_capacity(tasks);
        for sleeper in sleepers {
            lateness.push(sleeper.await.as_nanos() as f64);
        }
        lateness
    });
    let wall = start.elapsed();
    let cpu = meter::cpu_time() - cpu_before;
    let [p50, p99] = meter::percentiles_us(lateness, [0.5, 0.99]);
    Ok(vec![milliseconds(wall), milliseconds(cpu), p50, p99])
}

/// Neighbours sleep for very different times: the factor is prime, so the durations are spread evenly but in no order.
fn duration(index: usize) -> Duration {
    Duration::from_micros((SHORTEST_US + index * 7919 % SPREAD_US) as u64)
}

/// Sleeps, and returns by how much too long.
async fn oversleep<P: Peer>(duration: Duration) -> Duration {
    let start = Instant::now();
    P::sleep(duration).await;
    start.elapsed().checked_sub(duration).expect("a sleep never ends early")
}
