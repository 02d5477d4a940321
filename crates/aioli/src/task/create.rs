//! Creating tasks on the loop that runs on this thread.

use super::Task;
use std::future::Future;

/// Creates a task: `future` begins to run when the current task gives way, on any of the loop's workers, whether or not
/// somebody awaits it.
///
/// As `asyncio.create_task()`. See [`Task`] for what the handle does, and what dropping it does.
///
/// ```
/// aioli::run(async {
///     let task = aioli::create_task(async { 6 * 7 });
///     assert_eq!(task.await.unwrap(), 42);
/// });
/// ```
///
/// # Panics
///
/// If no event loop runs on this thread; other threads use [`EventLoop::create_task`](crate::EventLoop::create_task).
#[track_caller]
pub fn create_task<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    aioli_executor::spawn(future)
}

/// Creates a task that stays on this worker, so that neither `future` nor its value need be `Send`.
///
/// Otherwise as [`create_task`]. asyncio has no counterpart: all of its tasks are such tasks.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// aioli::run(async {
///     let counter = Rc::new(Cell::new(0));
///     let theirs = counter.clone();
///     aioli::create_local_task(async move { theirs.set(theirs.get() + 1) }).await.unwrap();
///     assert_eq!(counter.get(), 1);
/// });
/// ```
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn create_local_task<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    aioli_executor::spawn_local(future)
}
