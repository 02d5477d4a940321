//! Calling functions that block.

use super::{JoinError, Task};
use crate::runtime::EventLoop;
use aioli_executor::{Context as Variables, QueuedCall, ThreadPool};
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Calls `function` on a thread where it may block, and waits for it to return.
///
/// As `asyncio.to_thread()`. The call sees a copy of the current [`ContextVar`](crate::ContextVar)s. It is queued at once; threads are started as they are needed, up to
/// [`max_blocking_threads`](crate::Builder::max_blocking_threads).
///
/// ```
/// aioli::run(async {
///     let text = aioli::to_thread(|| std::fs::read_to_string("Cargo.toml")).await.unwrap();
///     assert!(text.is_ok());
/// });
/// ```
///
/// # Errors
///
/// [`JoinError::Panicked`] if the function panicked; [`JoinError::Cancelled`] if the loop was closed before the call.
///
/// # Panics
///
/// If no event loop runs on this thread; if a first thread is needed and the system refuses one.
///
/// # Cancel safety
///
/// Dropping it takes a call back that has not begun. One that has begun goes on, its value is lost, and the loop waits for
/// it when it closes: threads cannot be cancelled.
#[track_caller]
pub fn to_thread<F, T>(function: F) -> ToThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let event_loop = EventLoop::current();
    let mut context = Variables::copy();
    event_loop.run_in_executor(None, move || context.run(function))
}

impl EventLoop {
    /// Calls a function that may block on a thread of `pool`, or of the loop's own for `None`.
    ///
    /// As `loop.run_in_executor(pool, function)`: unlike [`to_thread`], it may be called from any thread, and the function has no
    /// copy of the context. It is queued at once. A panic that nobody looks at goes to this loop's exception handler.
    ///
    /// ```
    /// use aioli::{EventLoop, ThreadPool};
    ///
    /// aioli::run(async {
    ///     let event_loop = EventLoop::current();
    ///     // No more than two at a time use the database.
    ///     let database = ThreadPool::new(2);
    ///     let row = event_loop.run_in_executor(&database, || "a row");
    ///     assert_eq!(row.await.unwrap(), "a row");
    ///     let text = event_loop.run_in_executor(None, || std::fs::read_to_string("Cargo.toml"));
    ///     assert!(text.await.unwrap().is_ok());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Awaiting it gives [`JoinError::Panicked`] if the function panicked; [`JoinError::Cancelled`] if the call was taken back, or
    /// the loop closed or the pool shut down before it.
    ///
    /// # Panics
    ///
    /// If a first thread is needed and the system refuses one.
    ///
    /// # Cancel safety
    ///
    /// As of [`to_thread`]. The loop does not wait, when it closes, for calls on a pool of the program's own.
    #[track_caller]
    pub fn run_in_executor<'a, F, T>(&self, pool: impl Into<Option<&'a ThreadPool>>, function: F) -> ToThread<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (task, queued) = self.0.spawn_blocking_on(pool.into(), function);
        ToThread {
            task,
            queued: Some(queued),
        }
    }
}

/// Waits for a call made on another thread. Made by [`to_thread`] and [`EventLoop::run_in_executor`].
#[must_use = "dropping it takes the call back if it has not begun; await it, or say `detach()`"]
pub struct ToThread<T> {
    task: Task<T>,
    /// `None`: it is not to be taken back.
    queued: Option<QueuedCall>,
}

impl<T> ToThread<T> {
    /// Takes the call back, if it has not begun: what it would have called is dropped, and whoever waits has
    /// [`JoinError::Cancelled`] at once. Gives whether it was. (As `concurrent.futures.Future.cancel()`.)
    pub fn cancel(&self) -> bool {
        self.queued.as_ref().is_some_and(QueuedCall::take_back)
    }

    /// Whether the function has returned, or the call was taken back.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Lets the call be made without anybody who waits. A panic goes to the exception handler.
    pub fn detach(mut self) {
        self.queued = None;
    }
}

impl<T> Future for ToThread<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        pin!((&mut self.task).into_future()).poll(cx)
    }
}

impl<T> Drop for ToThread<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T> fmt::Debug for ToThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToThread").field(&self.task).finish()
    }
}
