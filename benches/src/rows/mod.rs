//! The workloads: one file each, written once against [`Peer`].
//!
//! A row warms up, measures, and returns one figure per metric; repetition and statistics are the harness's. Where tasks
//! talk to each other they use `futures-channel`, which knows no runtime, so that those rows compare schedulers and nothing
//! else; but the rows that are about locks, queues and their kind use each runtime's own ([`SyncPeer`](crate::peers::SyncPeer)).

mod barrier;
mod blocking;
mod cancel;
mod chained_spawn;
mod children;
mod churn;
mod echo;
mod event;
mod fan_out;
mod gather;
mod idle_tasks;
mod lock;
mod lock_contended;
mod ping_pong;
mod queue;
mod semaphore;
mod semaphore_contended;
mod sleeps;
mod spawn_join;
mod spawn_outside;
mod start_stop;
mod syscalls;
mod timeouts;
mod wake_latency;
mod yields;

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use children::Program;

use crate::peers::{Peer, PeerId, ProcessPeer};
use crate::server::Idiom;

/// A workload, for one peer.
pub struct Row {
    /// Its name, on the command line and in the table.
    pub name: &'static str,
    /// What is measured, in the order of the figures.
    pub metrics: Vec<Metric>,
    /// Measures once, in a process where nothing else happens.
    pub measure: Box<dyn Fn(&Setting) -> Sample>,
}

/// One figure of a row.
#[derive(Clone, Copy)]
pub struct Metric {
    /// Distinguishes the figures of a row; empty where there is only one.
    pub name: &'static str,
    /// The unit.
    pub unit: &'static str,
    /// More is better (otherwise less is).
    pub more_is_better: bool,
}

impl Metric {
    /// A cost: less is better.
    const fn cost(name: &'static str, unit: &'static str) -> Metric {
        Metric {
            name,
            unit,
            more_is_better: false,
        }
    }

    /// A gain: more is better.
    const fn gain(name: &'static str, unit: &'static str) -> Metric {
        Metric {
            name,
            unit,
            more_is_better: true,
        }
    }
}

/// What one measurement gives: a figure per metric.
pub type Sample = Result<Vec<f64>, NoSample>;

/// Why a measurement gives no figures.
#[derive(Debug)]
pub enum NoSample {
    /// The machine lacks something that the row needs.
    Skipped(String),
    /// The peer did not do the work.
    Failed(String),
}

impl From<io::Error> for NoSample {
    fn from(error: io::Error) -> NoSample {
        NoSample::Failed(error.to_string())
    }
}

/// How to measure.
#[derive(Clone, Copy)]
pub struct Setting {
    /// Who is measured.
    pub peer: PeerId,
    /// Its worker threads.
    pub workers: usize,
    /// Only a fraction of the work, to see that it runs.
    pub quick: bool,
}

impl Setting {
    /// `full`, or `quick` if quickness was asked for.
    fn scale(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

/// All rows, in the order of the table.
pub fn all<P: ProcessPeer>() -> Vec<Row> {
    let mut rows = vec![
        spawn_join::row::<P>(),
        spawn_outside::row::<P>(),
        yields::row::<P>(),
        ping_pong::row::<P>(),
        chained_spawn::row::<P>(),
        fan_out::row::<P>(),
        gather::row::<P>(),
        cancel::row::<P>(),
        timeouts::row::<P>(),
        sleeps::row::<P>("sleeps_10k", 10_000),
        sleeps::row::<P>("sleeps_100k", 100_000),
        idle_tasks::row::<P>(),
        wake_latency::row::<P>(),
        blocking::row::<P>(),
        start_stop::row::<P>(),
        lock::row::<P>(),
        lock_contended::row::<P>("lock_contended", false),
        lock_contended::row::<P>("lock_held", true),
        semaphore::row::<P>(),
        semaphore_contended::row::<P>("semaphore_contended", false),
        semaphore_contended::row::<P>("semaphore_held", true),
        queue::row::<P>("queue_1_1", 1, 100),
        queue::row::<P>("queue_8_1", 8, 100),
        queue::row::<P>("queue_1_1_small", 1, 1),
        event::row::<P>(),
        barrier::row::<P>(),
        children::row::<P>("children", Program::Silent),
        children::row::<P>("children_piped", Program::Talking),
    ];
    rows.extend(network());
    rows
}

/// The rows of the column without a runtime.
pub fn without_runtime() -> Vec<Row> {
    let mut rows = vec![
        children::floor("children", Program::Silent),
        children::floor("children_piped", Program::Talking),
    ];
    rows.extend(network());
    rows
}

/// The rows that talk to a server process.
fn network() -> Vec<Row> {
    const KIB: usize = 1 << 10;
    vec![
        echo::row("echo_1", Idiom::Sockets, 1, 64),
        echo::row("echo_50", Idiom::Sockets, 50, 64),
        echo::row("echo_500", Idiom::Sockets, 500, 64),
        echo::row("echo_1_16k", Idiom::Sockets, 1, 16 * KIB),
        echo::row("echo_50_16k", Idiom::Sockets, 50, 16 * KIB),
        echo::row("echo_500_16k", Idiom::Sockets, 500, 16 * KIB),
        echo::row("stream_1", Idiom::Streams, 1, 64),
        echo::row("stream_50", Idiom::Streams, 50, 64),
        echo::row("stream_500", Idiom::Streams, 500, 64),
        echo::row("stream_50_16k", Idiom::Streams, 50, 16 * KIB),
        echo::row("lines_50", Idiom::Lines, 50, 64),
        echo::row("protocol_1", Idiom::Protocol, 1, 64),
        echo::row("protocol_50", Idiom::Protocol, 50, 64),
        echo::row("protocol_500", Idiom::Protocol, 500, 64),
        echo::row("protocol_50_16k", Idiom::Protocol, 50, 16 * KIB),
        churn::row("churn", Idiom::Sockets),
        churn::row("churn_stream", Idiom::Streams),
        syscalls::row("syscalls_1", Idiom::Sockets, 1, 64),
        syscalls::row("syscalls_50", Idiom::Sockets, 50, 64),
        syscalls::row("syscalls_50_16k", Idiom::Sockets, 50, 16 * KIB),
        syscalls::row("syscalls_stream_50", Idiom::Streams, 50, 64),
        syscalls::row("syscalls_stream_50_16k", Idiom::Streams, 50, 16 * KIB),
        syscalls::row("syscalls_protocol_50", Idiom::Protocol, 50, 64),
        syscalls::row("syscalls_protocol_50_16k", Idiom::Protocol, 50, 16 * KIB),
        syscalls::churn("syscalls_churn", Idiom::Sockets),
        syscalls::churn("syscalls_churn_stream", Idiom::Streams),
    ]
}

/// Repeats `batch` inside a task, after a tenth as many repetitions to warm up, and returns the nanoseconds for each of
/// the `operations` that one batch consists of.
fn nanoseconds_each<P, F>(
    setting: &Setting,
    repetitions: usize,
    operations: usize,
    batch: impl Fn() -> F + Send + 'static,
) -> Sample
where
    P: Peer,
    F: Future<Output = ()> + Send,
{
    let elapsed = P::run(setting.workers, |_| async move {
        for _ in 0..repetitions.div_ceil(10) {
            batch().await;
        }
        let start = Instant::now();
        for _ in 0..repetitions {
            batch().await;
        }
        start.elapsed()
    });
    Ok(vec![elapsed.as_nanos() as f64 / (repetitions * operations) as f64])
}

/// Milliseconds, with their fraction.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
