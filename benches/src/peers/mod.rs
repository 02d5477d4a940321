//! The runtimes that are compared, and the small trait through which each workload sees them.
//!
//! A workload is written once, generic over [`Peer`]; a peer only translates. What a peer does not offer under these
//! names it does in the way its own documentation recommends, and nothing here adds work to one that another is spared.

mod aioli;
mod net;
mod process;
mod raw;
mod smol;
mod sync;
mod tokio;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub use net::NetPeer;
pub use process::ProcessPeer;
pub use sync::SyncPeer;

use crate::rows::{self, Row};
use crate::server::{self, Idiom};

/// A runtime under measurement. All functions but [`Peer::run`] are called from inside one of its tasks.
pub trait Peer: 'static {
    /// Spawns from a thread that is not part of the runtime.
    type Spawner: Spawner;
    /// Waits for a spawned task; panics where the task did.
    type Join<T: Send + 'static>: Future<Output = T> + Send + 'static;

    /// Starts a runtime with this many workers, runs `main` as a task of it, stops the runtime, and returns the result.
    fn run<F>(workers: usize, main: impl FnOnce(Self::Spawner) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static;

    /// Spawns a task that will be joined.
    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;

    /// Spawns a task that nobody waits for.
    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static);

    /// Runs these as tasks, and gives their values in order. Where the runtime has no such thing, it is cheapest to await one
    /// after the other.
    fn gather<F>(futures: Vec<F>) -> impl Future<Output = Vec<F::Output>> + Send
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let tasks: Vec<_> = futures.into_iter().map(Self::spawn).collect();
        async move {
            let mut values = Vec::with_capacity(tasks.len());
            for task in tasks {
                values.push(task.await);
            }
            values
        }
    }

    /// Runs these as tasks, lets them begin, cancels them all, and waits until they have ended.
    fn cancel_all<F>(futures: Vec<F>) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = ()> + Send + 'static;

    /// Lets the other tasks run.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Waits for this long.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// The future's result, unless that takes longer than this.
    fn timeout<F>(duration: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future<Output: Send> + Send;

    /// Runs a closure on the blocking pool.
    fn run_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> + Send;
}

/// Spawns onto a runtime from outside of it.
pub trait Spawner: Send + 'static {
    /// Spawns a task that nobody waits for.
    fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static);
}

/// Turns a join that gives a `Result` into one that panics on the error: the workloads have no failing tasks.
pub struct Joined<J>(J);

impl<J, T, E> Future for Joined<J>
where
    J: Future<Output = Result<T, E>> + Unpin,
    E: std::fmt::Debug,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|outcome| outcome.expect("the tasks of a workload end well"))
    }
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerId {
    /// aioli with as many workers as asked for.
    Aioli,
    /// aioli with one worker: the fair opponent of [`PeerId::TokioCt`].
    Aioli1,
    /// tokio's multi-thread scheduler.
    Tokio,
    /// tokio's current-thread scheduler.
    TokioCt,
    /// async-executor on as many threads as asked for, with async-io.
    Smol,
    /// No runtime: the floor of the rows about network and children.
    Raw,
}

impl PeerId {
    /// All columns, in the order of the table.
    pub const ALL: [PeerId; 6] = [
        PeerId::Aioli,
        PeerId::Aioli1,
        PeerId::Tokio,
        PeerId::TokioCt,
        PeerId::Smol,
        PeerId::Raw,
    ];

    /// The name in the table and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            PeerId::Aioli => "aioli",
            PeerId::Aioli1 => "aioli-1",
            PeerId::Tokio => "tokio",
            PeerId::TokioCt => "tokio-ct",
            PeerId::Smol => "smol",
            PeerId::Raw => "raw",
        }
    }

    /// The column of that name.
    pub fn named(name: &str) -> Option<PeerId> {
        PeerId::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// How many workers this column has when `asked` were asked for.
    pub fn workers(self, asked: usize) -> usize {
        match self {
            PeerId::Aioli | PeerId::Tokio | PeerId::Smol => asked,
            PeerId::Aioli1 | PeerId::TokioCt | PeerId::Raw => 1,
        }
    }

    /// The rows this column can fill.
    pub fn rows(self) -> Vec<Row> {
        match self {
            PeerId::Aioli | PeerId::Aioli1 => rows::all::<aioli::Aioli>(),
            PeerId::Tokio => rows::all::<tokio::MultiThread>(),
            PeerId::TokioCt => rows::all::<tokio::CurrentThread>(),
            PeerId::Smol => rows::all::<smol::Smol>(),
            PeerId::Raw => rows::without_runtime(),
        }
    }

    /// Serves TCP echo until the process ends.
    pub fn serve(self, workers: usize, idiom: Idiom) -> io::Result<()> {
        match self {
            PeerId::Aioli | PeerId::Aioli1 => server::serve::<aioli::Aioli>(workers, idiom),
            PeerId::Tokio => server::serve::<tokio::MultiThread>(workers, idiom),
            PeerId::TokioCt => server::serve::<tokio::CurrentThread>(workers, idiom),
            PeerId::Smol => server::serve::<smol::Smol>(workers, idiom),
            // It has one server, which knows neither streams nor lines.
            PeerId::Raw => raw::serve(),
        }
    }
}
