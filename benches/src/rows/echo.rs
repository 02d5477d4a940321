//! TCP echo: a server process of the peer against the load process, which is the same for all.
//!
//! What a comfortable idiom costs above the plainer one is small beside what the machine does from one minute to the
//! next, so a row of the former measures the latter too, right after it, and gives the ratio. Streams are compared with sockets, and
//! protocols with streams.

use std::io;

use super::{Metric, Row, Sample, Setting};
use crate::load::{Load, Report};
use crate::server::{Idiom, Server};

/// The row of servers in that idiom, with that many connections and messages of that many bytes.
pub fn row(name: &'static str, idiom: Idiom, connections: usize, bytes: usize) -> Row {
    let mut metrics = vec![
        Metric::gain("", "requests/s"),
        Metric::cost("p50", "us"),
        Metric::cost("p99", "us"),
        Metric::cost("server CPU", "us/request"),
    ];
    metrics.extend(match plainer(idiom) {
        None => None,
        Some(Idiom::Streams) => Some(Metric::cost("server CPU : streams", "ratio")),
        Some(_) => Some(Metric::cost("server CPU : sockets", "ratio")),
    });
    Row {
        name,
        metrics,
        measure: Box::new(move |setting| {
            let load = Load {
                connections,
                bytes,
                warm_up_ms: setting.scale(300, 10) as u64,
                window_ms: setting.scale(1000, 50) as u64,
                requests: u64::MAX,
                pause_us: 0,
                reconnect: false,
            };
            measure(setting, idiom, &load)
        }),
    }
}

/// What an idiom is compared with.
fn plainer(idiom: Idiom) -> Option<Idiom> {
    match idiom {
        Idiom::Sockets => None,
        Idiom::Streams | Idiom::Lines => Some(Idiom::Sockets),
        Idiom::Protocol => Some(Idiom::Streams),
    }
}

fn measure(setting: &Setting, idiom: Idiom, load: &Load) -> Sample {
    let (report, cpu_us) = drive(setting, idiom, load)?;
    let mut figures = vec![report.requests / report.seconds, report.p50_us, report.p99_us, cpu_us];
    if let Some(plainer) = plainer(idiom) {
        let (_, plain_cpu_us) = drive(setting, plainer, load)?;
        figures.push(cpu_us / plain_cpu_us);
    }
    Ok(figures)
}

/// Runs the load against a server of its own. Returns what the load saw, and the server's microseconds of processor time
/// per request.
pub fn drive(setting: &Setting, idiom: Idiom, load: &Load) -> io::Result<(Report, f64)> {
    let mut server = Server::start(setting, idiom, &[])?;
    let mut cpu_before = None;
    let address = server.address().to_owned();
    let report = load.drive(&address, || {
        cpu_before = Some(server.cpu_time()?);
        Ok(())
    })?;
    let cpu = server.cpu_time()? - cpu_before.expect("the load was warm before it reported");
    server.finish()?;
    let cpu_us = cpu.as_secs_f64() * 1e6 / report.requests;
    Ok((report, cpu_us))
}
