//! Running a main future, once or several times.

#[cfg(unix)]
use super::ctrl_c::{CtrlC, Watch};
use super::{builder::Builder, event_loop::EventLoop, main_task::Main, state::LoopState};
use crate::task::JoinError;
use aioli_executor::Executor;
use std::{
    fmt,
    future::{IntoFuture, pending},
    sync::Arc,
};

/// An event loop that can run one main future after the other.
///
/// The counterpart of `asyncio.Runner`. Made by [`Builder::build`]; tasks that are left when a [`run`](Self::run) ends go
/// on in the next one. Dropping the runner, or [`close`](Self::close), cancels what is left then and waits for it.
///
/// A runner stays on the thread that made it, which is worker 0 while it runs.
///
/// ```
/// let mut runner = aioli::Builder::new().workers(1).build()?;
/// let task = runner.run(async { aioli::create_task(async { 6 * 7 }) });
/// assert_eq!(runner.run(task).unwrap(), 42);
/// # Ok::<(), aioli::BuildError>(())
/// ```
pub struct Runner {
    pub(super) executor: Executor,
    pub(super) state: Arc<LoopState>,
    /// What is done about the signal, if anything.
    #[cfg(unix)]
    pub(super) ctrl_c: Option<CtrlC>,
}

impl Runner {
    /// Runs `main` as a task on this thread until it is over, and gives its value. It may borrow, and need not be `Send`.
    ///
    /// As `Runner.run()` in asyncio.
    ///
    /// # Panics
    ///
    /// With `main`'s own panic, if it panicked; if `main` was cancelled or stopped (see [`try_run`](Self::try_run)); if a loop runs
    /// on this thread already; if the runner is closed.
    #[track_caller]
    pub fn run<F: IntoFuture>(&mut self, main: F) -> F::Output {
        match self.try_run(main) {
            Ok(value) => value,
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(JoinError::Cancelled) => {
                panic!("the main future was cancelled, so `run` has no value to give: use `Runner::try_run`")
            }
        }
    }

    /// As [`run`](Self::run), and gives it back as an error if `main` was cancelled or panicked.
    ///
    /// # Errors
    ///
    /// If `main` panicked, or was cancelled: through its task's handle, by [`EventLoop::stop`], or by Ctrl-C where
    /// [`Builder::cancel_on_ctrl_c`] is set. (`asyncio.run()` raises `CancelledError`, `RuntimeError` and `KeyboardInterrupt`.)
    ///
    /// # Panics
    ///
    /// If a loop runs on this thread already, or if the runner is closed.
    #[track_caller]
    pub fn try_run<F: IntoFuture>(&mut self, main: F) -> Result<F::Output, JoinError> {
        let main = main.into_future();
        let _running = self.begin();
        // Called here and in no closure, so that the main task was created where the caller is.
        self.executor.run(Main::new(main, &self.state))
    }

    /// Runs the loop until [`EventLoop::stop`] is called, from anywhere: by a callback, a task, or another thread. It can be run
    /// again after that; tasks that are left wait until then.
    ///
    /// As `loop.run_forever()`.
    ///
    /// ```
    /// use aioli::EventLoop;
    ///
    /// let mut runner = aioli::Builder::new().workers(1).build()?;
    /// let event_loop = runner.event_loop();
    /// let task = event_loop.create_task(async {
    ///     EventLoop::current().stop();
    ///     6 * 7
    /// });
    /// runner.run_forever();
    /// assert!(task.is_finished());
    /// # Ok::<(), aioli::BuildError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If a loop runs on this thread already, or if the runner is closed.
    #[track_caller]
    pub fn run_forever(&mut self) {
        let _running = self.begin();
        let main = Main::new(pending::<()>(), &self.state);
        // It ends in one way only.
        let _cancelled = self.executor.run_unlisted(main);
    }

    /// Until the guard is dropped, a run is in progress.
    #[track_caller]
    fn begin(&self) -> Running {
        assert!(
            !self.executor.handle().is_closed(),
            "this runner is closed: build another one"
        );
        Running {
            state: self.state.clone(),
            #[cfg(unix)]
            watch: self.ctrl_c.as_ref().and_then(|ctrl_c| ctrl_c.watch(&self.state)),
        }
    }

    /// A handle to the loop, for other threads.
    pub fn event_loop(&self) -> EventLoop {
        EventLoop(self.executor.handle().clone(), self.state.clone())
    }

    /// Cancels all tasks that are left, waits for their cleanup, lets blocking calls return, drops callbacks whose turn or time
    /// has not come and those that wait for signals and descriptors, and stops all threads. Called a second time, it does nothing;
    /// called from a task of another loop, it blocks that one's worker meanwhile.
    pub fn close(&mut self) {
        self.executor.close();
        self.state.pending.close();
        self.state.signal_handlers.close();
        self.state.watches.close();
    }
}

/// A run in progress.
struct Running {
    state: Arc<LoopState>,
    #[cfg(unix)]
    watch: Option<Watch>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // First of all: the signal is not to end the next run.
        #[cfg(unix)]
        drop(self.watch.take());
        self.state.main.is_over();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runner").field(&self.event_loop()).finish()
    }
}

/// Runs `main` on a new event loop, and gives its value when `main` is over *and* everything else is: the tasks that are
/// left are cancelled and waited for, and all threads have ended.
///
/// As `asyncio.run()`. The number of workers comes from `AIOLI_WORKERS`, or else is that of the machine's cores; use a
/// [`Builder`] to say more. `main` runs on the calling thread; it may borrow, and need not be `Send`.
///
/// ```
/// let greeting = aioli::run(async {
///     let name = aioli::create_task(async { "world" });
///     format!("hello, {}", name.await.unwrap())
/// });
/// assert_eq!(greeting, "hello, world");
/// ```
///
/// # Panics
///
/// With `main`'s own panic; if `main` was cancelled; if a loop runs on this thread already; if the loop cannot be made,
/// with the message of the [`BuildError`](crate::BuildError).
#[track_caller]
pub fn run<F: IntoFuture>(main: F) -> F::Output {
    match Builder::new().build() {
        Ok(mut runner) => runner.run(main),
        Err(error) => panic!("cannot start an event loop: {error}"),
    }
}
