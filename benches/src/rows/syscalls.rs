//! System calls per echo, or per connection that is opened for one, counted by strace over all threads of the server
//! process.
//!
//! A long run and one of a single burst: the difference between their calls, divided by the difference between their
//! requests, leaves out what starting, accepting and stopping cost. (The short run is so short because a server may
//! behave in one process as it does not in the next; the difference of two long runs would mix the two.) The
//! requests come in bursts, one per connection, with a pause between them in which the server falls asleep. Without it a
//! server that strace slows down would find the next request there already, and would never have to wait for one.

use super::{Metric, NoSample, Row, Setting};
use crate::load::Load;
use crate::server::{Idiom, Server};

const PAUSE_US: u64 = 2000;

/// The row of servers in that idiom, with that many connections and messages of that many bytes.
pub fn row(name: &'static str, idiom: Idiom, connections: usize, bytes: usize) -> Row {
    row_of(name, "calls/echo", idiom, bursts(connections, bytes))
}

/// The row of servers in that idiom, with 32 connections at a time that carry one message each.
pub fn churn(name: &'static str, idiom: Idiom) -> Row {
    let load = Load {
        reconnect: true,
        ..bursts(32, 64)
    };
    row_of(name, "calls/connection", idiom, load)
}

/// Bursts without end.
fn bursts(connections: usize, bytes: usize) -> Load {
    Load {
        connections,
        bytes,
        warm_up_ms: 0,
        window_ms: 60_000,
        requests: u64::MAX,
        pause_us: PAUSE_US,
        reconnect: false,
    }
}

fn row_of(name: &'static str, unit: &'static str, idiom: Idiom, load: Load) -> Row {
    Row {
        name,
        metrics: vec![Metric::cost("", unit)],
        measure: Box::new(move |setting| {
            let enough = setting.scale(5000, 1000) / load.connections;
            let few = Count::of(setting, idiom, &load, 1)?;
            let many = Count::of(setting, idiom, &load, enough.clamp(2, setting.scale(500, 20)))?;
            Ok(vec![(many.calls - few.calls) / (many.requests - few.requests)])
        }),
    }
}

/// What one server process did.
struct Count {
    calls: f64,
    requests: f64,
}

impl Count {
    /// Traces a server while it answers that many bursts.
    fn of(setting: &Setting, idiom: Idiom, load: &Load, bursts: usize) -> Result<Count, NoSample> {
        let server = Server::start(setting, idiom, &["strace", "--follow-forks", "--summary-only"])
            .map_err(|error| NoSample::Skipped(format!("strace does not run here: {error}")))?;
        let load = Load {
            requests: (bursts * load.connections) as u64,
            ..*load
        };
        let address = server.address().to_owned();
        let report = load.drive(&address, || Ok(()))?;
        let summary = server.finish()?;
        let calls = total_calls(&summary);
        let calls = calls.ok_or_else(|| NoSample::Failed(format!("no total in strace's summary: {summary}")))?;
        Ok(Count {
            calls,
            requests: report.requests,
        })
    }
}

/// The calls in the last line of strace's summary: `100.00 0.001234 1 117 12 total`.
fn total_calls(summary: &str) -> Option<f64> {
    let total = summary.lines().rev().find(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_with_and_without_errors() {
        let head = "% time seconds usecs/call calls errors syscall\n";
        let with = format!("{head}100.00    0.001234           1       117        12 total\n");
        let without = format!("{head}100.00    0.001234           1       117           total\n");
        assert_eq!(total_calls(&with), Some(117.0));
        assert_eq!(total_calls(&without), Some(117.0));
        assert_eq!(total_calls("strace: ptrace: Operation not permitted"), None);
    }
}
