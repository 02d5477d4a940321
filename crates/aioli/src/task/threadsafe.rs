//! Submitting work to a loop from a thread that has none, and blocking for the outcome.

use super::{JoinError, Task, TaskRef};
use crate::{runtime::EventLoop, time::TimeoutError};
use std::{
    fmt,
    future::{Future, IntoFuture},
    ops::Deref,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// Creates a task on `event_loop` from a thread outside of it, which can block for the outcome.
///
/// As `asyncio.run_coroutine_threadsafe()`. On a loop that is closing or closed, the task is over at once, as cancelled.
///
/// ```
/// use aioli::{EventLoop, run_coroutine_threadsafe, sleep};
/// use std::{thread, time::Duration};
///
/// aioli::run(async {
///     let event_loop = EventLoop::current();
///     let answer = aioli::to_thread(move || {
///         let work = async {
///             sleep(Duration::from_millis(1)).await;
///             42
///         };
///         run_coroutine_threadsafe(work, &event_loop).result(None).unwrap()
///     });
///     assert_eq!(answer.await.unwrap().unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn run_coroutine_threadsafe<F>(future: F, event_loop: &EventLoop) -> ThreadsafeFuture<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    ThreadsafeFuture {
        task: event_loop.create_task(future),
        event_loop: event_loop.clone(),
    }
}

/// A task, seen from a thread outside its loop. Made by [`run_coroutine_threadsafe`].
///
/// As the `concurrent.futures.Future` that asyncio gives. What does not block is on [`TaskRef`], to which it derefs: `cancel()`,
/// `is_finished()`, `add_done_callback()` and so on. They tell how the task itself stands: one that was cancelled is
/// finished when it has cleaned up, while asyncio's thread-side future is done at once.
///
/// Dropping it lets the task run on.
#[must_use = "dropping it lets the task run on by itself; `result` waits for it"]
pub struct ThreadsafeFuture<T> {
    task: Task<T>,
    event_loop: EventLoop,
}

impl<T> ThreadsafeFuture<T> {
    /// Blocks this thread until the task is over, and gives its outcome; or until `timeout` has passed (`None`: never), by real
    /// time whatever the loop's clock is. A timeout leaves the task alone, and this can be called again.
    ///
    /// As `concurrent.futures.Future.result()`, but for this: the outcome is given once.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`] if the time was up first. Inside, [`JoinError`] if the task was cancelled or panicked.
    ///
    /// # Panics
    ///
    /// If it would have to wait on a worker of the task's own loop: the worker would block the loop it waits for, perhaps for ever.
    /// If the outcome was given before.
    #[track_caller]
    pub fn result(&mut self, timeout: Option<Duration>) -> Result<Result<T, JoinError>, TimeoutError> {
        assert!(
            self.task.is_finished() || EventLoop::try_current().as_ref() != Some(&self.event_loop),
            "`result` would block the loop that is to run the task: `.await` the task here (`into_task`), or call this from \
             another thread (`to_thread`)"
        );
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut outcome = pin!((&mut self.task).into_future());
        loop {
            if let Poll::Ready(outcome) = outcome.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(outcome);
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return Err(TimeoutError),
                Some(left) => thread::park_timeout(left),
            }
        }
    }

    /// The task itself, to be awaited.
    pub fn into_task(self) -> Task<T> {
        self.task
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl<T> Deref for ThreadsafeFuture<T> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        &self.task
    }
}

impl<T> fmt::Debug for ThreadsafeFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadsafeFuture").field(&self.task).finish()
    }
}
