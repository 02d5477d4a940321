//! Creating tasks on the loop that runs on this thread.

use super::{Task, TaskRef};
use crate::runtime::EventLoop;
use std::{fmt, future::Future};

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

/// Creates a task that may fail: an `Err` that nobody ever looks at, because the handle was dropped, goes to the loop's exception
/// handler, as a panic does. Otherwise as [`create_task`].
///
/// In asyncio every task is such a task. In Rust an error is a value, and a plain [`create_task`] cannot tell it from
/// others. To give it a name, too: `Task::builder().name("..").spawn_fallible(..)`.
///
/// ```
/// aioli::run(async {
///     let task = aioli::create_fallible_task(async { "six".parse::<u8>() });
///     task.finished().await;
///     assert!(task.has_failed());
///     // Looked at, so that nobody else is told.
///     assert!(task.await.unwrap().is_err());
///
///     let named = aioli::Task::builder().name("parser").spawn_fallible(async { "7".parse::<u8>() });
///     assert_eq!(&*named.name(), "parser");
///     assert_eq!(named.await.unwrap(), Ok(7));
/// });
/// ```
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn create_fallible_task<F, T, E>(future: F) -> Task<Result<T, E>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    aioli_executor::spawn_fallible(future)
}

/// All tasks of the loop that runs on this thread that are not over. See [`EventLoop::all_tasks`].
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn all_tasks() -> Vec<TaskRef> {
    EventLoop::current().all_tasks()
}
