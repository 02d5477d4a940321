//! Starts a runtime, runs one empty task on it, and stops it. What a peer starts only once per process (async-io's
//! thread) is started by the warm-up.

use std::time::Instant;

use super::{Metric, Row, Sample, Setting};
use crate::peers::Peer;

/// The row.
pub fn row<P: Peer>() -> Row {
    Row {
        name: "start_stop",
        metrics: vec![Metric::cost("", "us")],
        measure: Box::new(measure::<P>),
    }
}

fn measure<P: Peer>(setting: &Setting) -> Sample {
    let times = setting.scale(500, 5);
    for _ in 0..times.div_ceil(10) {
        P::run(setting.workers, |_| async {});
    }
    let start = Instant::now();
    for _ in 0..times {
        P::run(setting.workers, |_| async {});
    }
    Ok(vec![start.elapsed().as_secs_f64() * 1e6 / times as f64])
}
