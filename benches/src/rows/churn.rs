//! Clients that connect, send 64 bytes, read the answer and close, 32 at a time.

use super::{Metric, Row, echo};
use crate::load::Load;
use crate::server::Idiom;

const AT_A_TIME: usize = 32;

/// Of a sample, so that its closed connections leave enough free ports to the next. (The system keeps a port back for a
/// while for the sake of stragglers.)
const CONNECTIONS: usize = 10_000;

/// The row of servers in that idiom.
pub fn row(name: &'static str, idiom: Idiom) -> Row {
    Row {
        name,
        metrics: vec![
            Metric::gain("", "connections/s"),
            Metric::cost("p50", "us"),
            Metric::cost("p99", "us"),
            Metric::cost("server CPU", "us/connection"),
        ],
        measure: Box::new(move |setting| {
            let load = Load {
                connections: AT_A_TIME,
                bytes: 64,
                warm_up_ms: setting.scale(100, 10) as u64,
                window_ms: 60_000,
                requests: setting.scale(CONNECTIONS, 200) as u64,
                pause_us: 0,
                reconnect: true,
            };
            let (report, cpu_us) = echo::drive(setting, idiom, &load)?;
            Ok(vec![
                report.requests / report.seconds,
                report.p50_us,
                report.p99_us,
                cpu_us,
            ])
        }),
    }
}
