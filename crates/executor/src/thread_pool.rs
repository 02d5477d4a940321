//! Pools of threads that are the program's own, and calls that can be taken back.

use crate::blocking::{Pool, ThreadConfig};
use aioli_primitives::sync::Arc;
use std::{fmt, time::Duration};

/// How long a thread waits for the next call before it leaves.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Threads for calls that block, apart from the event loop's own: for work that must not take the others' threads, or of which only
/// so much may be done at a time.
///
/// As `concurrent.futures.ThreadPoolExecutor`. A handle: clones are the same pool, which any number of event loops may use.
/// Threads are started as they are needed, and leave after ten seconds without work. When the last handle is dropped, the threads
/// make the calls that they still have and end; nobody waits for that, not the end of an event loop either. For that there is
/// [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct ThreadPool(Arc<Owner>);

struct Owner(Arc<Pool>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.dismiss();
    }
}

impl ThreadPool {
    /// A pool of at most so many threads, named `pool`.
    ///
    /// # Panics
    ///
    /// If that is none.
    #[track_caller]
    pub fn new(max_threads: usize) -> Self {
        Self::named("pool", max_threads)
    }

    /// A pool of at most so many threads, with a name for them. (`thread_name_prefix` in Python.)
    ///
    /// # Panics
    ///
    /// If that is none.
    #[track_caller]
    pub fn named(name: impl Into<String>, max_threads: usize) -> Self {
        assert!(max_threads > 0, "a thread pool needs at least one thread");
        let threads = ThreadConfig {
            name: name.into(),
            on_start: None,
            on_stop: None,
        };
        Self(Arc::new(Owner(Pool::new(threads, max_threads, KEEP_ALIVE))))
    }

    /// How many threads there are at most.
    pub fn max_threads(&self) -> usize {
        self.pool().most_threads()
    }

    /// Takes no more calls (they are cancelled), and blocks until those that it has have returned and its threads have ended. As
    /// `Executor.shutdown(wait=True)`.
    ///
    /// It blocks the thread that calls it: in a task, call it in `to_thread`. Any number of threads may wait here. One of the pool's
    /// own waits for the others only, and not for those that wait here as well.
    pub fn shutdown(&self) {
        self.pool().stop();
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.0.0
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("max_threads", &self.max_threads())
            .finish_non_exhaustive()
    }
}

/// Takes a call back that has not begun. Dropping it takes nothing back.
pub struct QueuedCall {
    pool: Arc<Pool>,
    number: u64,
}

impl QueuedCall {
    pub(crate) fn new(pool: Arc<Pool>, number: u64) -> Self {
        Self { pool, number }
    }

    /// Takes the call out of the queue: it is over at once, as cancelled, and what it would have called is dropped here. `false`: it
    /// has begun, or is over.
    pub fn take_back(&self) -> bool {
        self.pool.take_back(self.number)
    }
}

impl fmt::Debug for QueuedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedCall")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
