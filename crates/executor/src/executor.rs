//! The runtime as a whole: starts the workers, runs a main future, and ends it all in order.
//!
//! # The end
//!
//! 1. No task is let in from outside any more.
//! 2. All live tasks are cancelled, and worker 0 works until they are over; the tasks that their cleanup created are the
//!    next round, until none is left. If that takes longer than the cleanup timeout, what is left is cut off: futures and
//!    deferred work are dropped.
//! 3. The other workers are told to stop, and joined. Nothing is in any queue.
//! 4. The blocking pool makes the calls that it still has, and its threads are joined.

use crate::{
    blocking::{Pool, ThreadConfig},
    driver::Driver,
    here,
    home::{Kind, Pinned, Unlisted},
    queue::Queue,
    shared::Shared,
    task::{JoinError, Task, TaskRef, Unhandled, UnhandledError},
    thread_pool::{QueuedCall, ThreadPool},
    worker::{Worker, abort_on_unwind},
};
use aioli_primitives::sync::{Arc, Condvar, Mutex};
use std::{
    cell::Cell,
    future::Future,
    io,
    panic::Location,
    pin::pin,
    task::{Context, Poll, Waker},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The most workers that an [`Executor`] can have.
pub const MAX_WORKERS: usize = 1 << 14;

/// What an [`Executor`] is made of.
pub struct Config {
    /// How many workers, the thread that calls [`run`](Executor::run) included; at least one.
    pub workers: usize,
    /// How the other workers' threads are made.
    pub worker_threads: ThreadConfig,
    /// How the threads for blocking calls are made.
    pub blocking_threads: ThreadConfig,
    /// How many threads for blocking calls there are at most; at least one.
    pub max_blocking_threads: usize,
    /// How long a thread for blocking calls waits for the next one before it leaves.
    pub blocking_keep_alive: Duration,
    /// How long the end of the runtime waits for the cleanup of tasks before it cuts it off; `None`: for ever. In real time,
    /// whatever the driver's clock is.
    pub cleanup_timeout: Option<Duration>,
    /// Who is told of what nobody looks at.
    pub unhandled: Unhandled,
}

impl Config {
    /// `workers` workers, and what suits most programs for the rest.
    pub fn new(workers: usize) -> Self {
        let threads = |name: &str| ThreadConfig {
            name: name.to_owned(),
            on_start: None,
            on_stop: None,
        };
        Self {
            workers,
            worker_threads: threads("worker"),
            blocking_threads: threads("blocking"),
            max_blocking_threads: 512,
            blocking_keep_alive: Duration::from_secs(10),
            cleanup_timeout: None,
            unhandled: Unhandled::default(),
        }
    }
}

/// Workers, their queues, and the pool for blocking calls.
///
/// It belongs to the thread that made it: the one that is worker 0 while it is in [`run`](Self::run).
pub struct Executor {
    worker: Worker,
    handle: Handle,
    threads: Vec<JoinHandle<()>>,
    cleanup_timeout: Option<Duration>,
    worker_threads: ThreadConfig,
}

impl Executor {
    /// Starts the workers; with one worker, no thread is started.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    ///
    /// # Panics
    ///
    /// If there is to be no worker, or more than [`MAX_WORKERS`], or no thread for blocking calls.
    pub fn new(config: Config, driver: std::sync::Arc<dyn Driver>) -> io::Result<Self> {
        assert!(config.workers > 0, "an executor needs at least one worker");
        assert!(
            config.workers <= MAX_WORKERS,
            "an executor has at most {MAX_WORKERS} workers"
        );
        assert!(
            config.max_blocking_threads > 0,
            "blocking calls need at least one thread"
        );
        let (queues, stealers): (Vec<_>, Vec<_>) = (0..config.workers)
            .map(|_| match config.workers {
                1 => (Queue::single(), None),
                _ => {
                    let (queue, stealer) = Queue::stealing();
                    (queue, Some(stealer))
                }
            })
            .unzip();
        let unhandled = Arc::new(Mutex::new(config.unhandled));
        let pool = Pool::new(
            config.blocking_threads,
            config.max_blocking_threads,
            config.blocking_keep_alive,
        );
        let shared = Shared::new(stealers, driver, unhandled, pool);
        let handle = Handle(shared.clone());
        let mut queues = queues.into_iter();
        let first = queues.next().expect("there is at least one worker");
        let mut executor = Self {
            worker: Worker::new(shared.clone(), 0, first),
            handle,
            threads: Vec::new(),
            cleanup_timeout: config.cleanup_timeout,
            worker_threads: config.worker_threads,
        };
        for (queue, index) in queues.zip(1..) {
            let shared = shared.clone();
            executor.threads.push(executor.worker_threads.spawn(move || {
                let worker = Worker::new(shared, index, queue);
                worker.run_until(|| worker.shared.is_stopped());
            })?);
        }
        Ok(executor)
    }

    /// Runs `main` as a task of worker 0, which this thread is until `main` is over. Other tasks run on meanwhile, and
    /// those that are left wait for the next `run`, or for the end.
    ///
    /// # Errors
    ///
    /// If `main` was cancelled or panicked.
    ///
    /// # Panics
    ///
    /// If an event loop runs on this thread already.
    #[track_caller]
    pub fn run<F: Future>(&mut self, main: F) -> Result<F::Output, JoinError> {
        self.run_as::<Pinned, F>(main)
    }

    /// As [`run`](Self::run), but `main` is none of the program's tasks: [`Handle::live_tasks`] does not list it.
    ///
    /// # Errors
    ///
    /// As `run`.
    ///
    /// # Panics
    ///
    /// As `run`.
    #[track_caller]
    pub fn run_unlisted<F: Future>(&mut self, main: F) -> Result<F::Output, JoinError> {
        self.run_as::<Unlisted, F>(main)
    }

    #[track_caller]
    fn run_as<K: Kind, F: Future>(&mut self, main: F) -> Result<F::Output, JoinError> {
        here::assert_none();
        // SAFETY: this function does not return, nor unwind, before the task is complete; both kinds stay on this thread.
        let task = unsafe { self.worker.spawn_pinned::<K, F>(main, Location::caller()) };
        abort_on_unwind(|| self.worker.run_until(|| task.is_finished()));
        match pin!(task.join()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => unreachable!("the task is complete"),
        }
    }

    /// A handle for any thread.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Cancels what is left, waits for its cleanup, and stops all threads; does nothing the second time. Called from a task of
    /// another runtime, it blocks that one's worker meanwhile.
    pub fn close(&mut self) {
        let shared = &*self.worker.shared;
        if shared.is_stopped() {
            return;
        }
        shared.close_gate();
        // Tasks point to the runtime without counting it: it must not go before them.
        abort_on_unwind(|| {
            let mut limit = None;
            while !shared.is_empty() {
                if let Some(timeout) = self.cleanup_timeout {
                    limit
                        .get_or_insert_with(|| CleanupLimit::start(timeout, &self.worker.shared, &self.worker_threads));
                }
                let some = shared.doom();
                if limit.as_ref().is_some_and(|limit| limit.is_over()) {
                    shared.kill();
                }
                // Where there is none, some are on their way from outside.
                let over = || shared.doomed_are_over() && (some || shared.all_have_arrived());
                // What is in the queue by then has its turn first, and so is not cancelled for what it was woken for before;
                // but what comes back again and again is not waited for.
                let turns = Cell::new(usize::MAX);
                self.worker.run_until(|| {
                    over() && {
                        let left = turns.get().min(self.worker.queue.len());
                        turns.set(left.saturating_sub(1));
                        left == 0
                    }
                });
            }
        });
        shared.stop();
        for thread in self.threads.drain(..) {
            // A worker catches what tasks do; what can panic is a hook of the user's, and that is said by the panic itself.
            let _ = thread.join();
        }
        shared.driver.closed();
        shared.pool.stop();
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.close();
    }
}

/// Cuts cleanup off when it has taken too long: a thread that sleeps meanwhile, for the workers may all be stuck. If the
/// system refuses a thread, there is no limit.
struct CleanupLimit {
    state: Arc<(Mutex<LimitState>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(PartialEq)]
enum LimitState {
    Waiting,
    /// The time was up.
    Over,
    /// There is nothing to wait for any more.
    CalledOff,
}

impl CleanupLimit {
    fn start(timeout: Duration, shared: &Arc<Shared>, threads: &ThreadConfig) -> Self {
        let state = Arc::new((Mutex::new(LimitState::Waiting), Condvar::new()));
        let (theirs, shared) = (state.clone(), shared.clone());
        let deadline = Instant::now().checked_add(timeout);
        let thread = threads.spawn(move || {
            let mut state = theirs.0.lock();
            while *state == LimitState::Waiting {
                match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                    None => theirs.1.wait(&mut state),
                    Some(Duration::ZERO) => {
                        *state = LimitState::Over;
                        drop(state);
                        shared.kill();
                        return;
                    }
                    Some(left) => {
                        theirs.1.wait_for(&mut state, left);
                    }
                }
            }
        });
        Self {
            state,
            thread: thread.ok(),
        }
    }

    fn is_over(&self) -> bool {
        *self.state.0.lock() == LimitState::Over
    }
}

impl Drop for CleanupLimit {
    fn drop(&mut self) {
        *self.state.0.lock() = LimitState::CalledOff;
        self.state.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A handle to an [`Executor`] for any thread.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// The runtime whose worker this thread is.
    pub fn current() -> Option<Self> {
        here::with(|worker| worker.map(|worker| Handle(worker.shared.clone())))
    }

    /// Creates a task from any thread. On a closed runtime it is over at once, as cancelled.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        here::spawn_on(&self.0, future, Location::caller())
    }

    /// As [`spawn`](Self::spawn), of a task that serves the program and is none of its own: [`live_tasks`](Self::live_tasks) does not
    /// list it, so that who cancels all tasks does not cancel what they need.
    #[track_caller]
    pub fn spawn_service<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        here::spawn_service_on(&self.0, future, Location::caller())
    }

    /// Makes a call that may block on a thread of the pool. On a closed runtime it is cancelled.
    ///
    /// # Panics
    ///
    /// If there is no thread for such calls and the system refuses to start one.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, call: F) -> Task<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_blocking_on(None, call).0
    }

    /// As [`spawn_blocking`](Self::spawn_blocking), on a thread of the given pool, if one is given; with what takes the call back.
    /// If the pool was shut down, the call is cancelled.
    ///
    /// # Panics
    ///
    /// As `spawn_blocking`.
    #[track_caller]
    pub fn spawn_blocking_on<F, T>(&self, pool: Option<&ThreadPool>, call: F) -> (Task<T>, QueuedCall)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let pool = pool.map_or(&self.0.pool, ThreadPool::pool);
        let (task, number) = Pool::spawn(pool, &self.0.caller, call, Location::caller());
        (task, QueuedCall::new(pool.clone(), number))
    }

    /// Has a worker make `call`, outside any task: in its turn among the tasks that are ready, and never while another call
    /// that was posted is being made, whatever the number of workers. A panic is reported as one of nobody's. Calls that have
    /// not been made when the last task of a closing runtime is over are dropped, and so is one that is posted later.
    pub fn post(&self, call: impl FnOnce() + Send + 'static) {
        self.0.post(Box::new(call));
    }

    /// Tells of an error that nobody looked at.
    pub fn report(&self, error: UnhandledError) {
        self.0.unhandled().report(error);
    }

    /// Who is told of what nobody looks at.
    pub fn unhandled(&self) -> Unhandled {
        self.0.unhandled()
    }

    /// All tasks that are not over. Those that other threads have created are among them from their first turn on.
    pub fn live_tasks(&self) -> Vec<TaskRef> {
        self.0.live_tasks()
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.0.workers()
    }

    /// Whether the runtime is closing or closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Has `unhandled` told of panics that nobody looks at, from now on.
    pub fn set_unhandled(&self, unhandled: Unhandled) {
        self.0.set_unhandled(unhandled);
    }

    /// Whether both are of the same runtime.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("workers", &self.workers())
            .field("closed", &self.is_closed())
            .finish()
    }
}
