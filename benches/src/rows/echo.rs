//! TCP echo: a server process of the peer against the load process, which is the same for all.

use super::{Metric, Row, Sample, Setting};
use crate::load::Load;
use crate::server::Server;

/// The row with that many connections and messages of that many bytes.
pub fn row(name: &'static str, connections: usize, bytes: usize) -> Row {
    Row {
        name,
        metrics: vec![
            Metric::gain("", "requests/s"),
            Metric::cost("p50", "us"),
            Metric::cost("p99", "us"),
            Metric::cost("server CPU", "us/request"),
        ],
        measure: Box::new(move |setting| measure(setting, connections, bytes)),
    }
}

fn measure(setting: &Setting, connections: usize, bytes: usize) -> Sample {
    let load = Load {
        connections,
        bytes,
        warm_up_ms: setting.scale(300, 10) as u64,
        window_ms: setting.scale(1000, 50) as u64,
        requests: u64::MAX,
        pause_us: 0,
    };
    let mut server = Server::start(setting, &[])?;
    let mut cpu_before = None;
    let address = server.address().to_owned();
    let report = load.drive(&address, || {
        cpu_before = Some(server.cpu_time()?);
        Ok(())
    })?;
    let cpu = server.cpu_time()? - cpu_before.expect("the load was warm before it reported");
    server.finish()?;
    let cpu_us = cpu.as_secs_f64() * 1e6 / report.requests;
    Ok(vec![
        report.requests / report.seconds,
        report.p50_us,
        report.p99_us,
        cpu_us,
    ])
}
