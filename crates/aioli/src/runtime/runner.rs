//! Running a main future, once or several times.

use super::{builder::Builder, event_loop::EventLoop, state::LoopState};
use crate::task::JoinError;
use aioli_executor::Executor;
use std::{fmt, future::IntoFuture, sync::Arc};

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
    executor: Executor,
    state: Arc<LoopState>,
}

impl Runner {
    pub(super) fn of(executor: Executor, state: Arc<LoopState>) -> Self {
        Self { executor, state }
    }

    /// Runs `main` as a task on this thread until it is over, and gives its value. It may borrow, and need not be `Send`.
    ///
    /// As `Runner.run()` in asyncio.
    ///
    /// # Panics
    ///
    /// With `main`'s own panic, if it panicked; if `main` was cancelled (see [`try_run`](Self::try_run)); if a loop runs
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
    /// If `main` was cancelled (by its own task's handle, for `asyncio.run` would raise `CancelledError`) or panicked.
    ///
    /// # Panics
    ///
    /// If a loop runs on this thread already, or if the runner is closed.
    #[track_caller]
    pub fn try_run<F: IntoFuture>(&mut self, main: F) -> Result<F::Output, JoinError> {
        assert!(
            !self.executor.handle().is_closed(),
            "this runner is closed: build another one"
        );
        self.executor.run(main.into_future())
    }

    /// A handle to the loop, for other threads.
    pub fn event_loop(&self) -> EventLoop {
        EventLoop(self.executor.handle().clone(), self.state.clone())
    }

    /// Cancels all tasks that are left, waits for their cleanup, lets blocking calls return, and stops all threads. Called
    /// a second time, it does nothing; called from a task of another loop, it blocks that one's worker meanwhile.
    pub fn close(&mut self) {
        self.executor.close();
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
