//! Creating a task with more said about it: a name, an eager start, an error that is not to get lost.

use crate::{
    here,
    home::{Anywhere, Homed, Pinned},
    task::{self, Reason, Runnable, Task, UnhandledError},
    worker::Worker,
};
use std::{
    fmt,
    future::Future,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Creates a task with more said about it. Made by [`Task::builder`].
///
/// ```no_run
/// # use aioli_executor::Task;
/// # async fn program() {
/// let task = Task::builder().name("crawler").spawn(async { 42 });
/// assert_eq!(&*task.name(), "crawler");
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder creates nothing until it is told to spawn"]
pub struct TaskBuilder {
    name: Option<Arc<str>>,
    eager: bool,
}

impl Task<()> {
    /// Begins the creation of a task about which there is more to say; of whatever type.
    pub fn builder() -> TaskBuilder {
        TaskBuilder::default()
    }
}

impl TaskBuilder {
    /// The task's name. As `create_task(.., name=..)`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the task has its first turn at once, here, before `spawn` returns: if it never has to wait, it is over then and
    /// no worker was bothered. As `eager_start=True`.
    pub fn eager(mut self, eager: bool) -> Self {
        self.eager = eager;
        self
    }

    /// Creates the task on this thread's runtime; any of its workers may run it.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let location = Location::caller();
        let worker = here::expect();
        let home = Homed::<Anywhere>::new(&worker.shared.homes[worker.index]);
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { task::create(future, home, location) };
        self.start(&task, runnable, |runnable| worker.push(runnable, Reason::Woken));
        task
    }

    /// As [`spawn`](Self::spawn), of a task that may fail: an `Err` that nobody looks at goes to the exception handler.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn spawn_fallible<F, T, E>(self, future: F) -> Task<Result<T, E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        self.spawn(Fallible { future })
    }

    /// Creates the task on this thread, where it stays, so that it need not be `Send`.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let location = Location::caller();
        let worker: &Worker = here::expect();
        let home = Homed::<Pinned>::new(&worker.shared.homes[worker.index]);
        // SAFETY: `Pinned` keeps the task on this thread, and the future borrows nothing.
        let (runnable, task) = unsafe { task::create(future, home, location) };
        self.start(&task, runnable, |runnable| worker.queue.push_pinned(runnable));
        task
    }

    /// Before anybody can run the task, it has its name.
    fn start<T>(self, task: &Task<T>, runnable: Runnable, queue: impl FnOnce(Runnable)) {
        if let Some(name) = self.name {
            task.set_name(name);
        }
        if self.eager { runnable.run() } else { queue(runnable) }
    }
}

/// Creates a task that may fail, on this thread's runtime: an `Err` that nobody ever looks at goes to the exception
/// handler, as a panic does.
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn spawn_fallible<F, T, E>(future: F) -> Task<Result<T, E>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    TaskBuilder::default().spawn_fallible(future)
}

pin_project_lite::pin_project! {
    /// Notes the error with which its task ends.
    struct Fallible<F> {
        #[pin]
        future: F,
    }
}

impl<F, T, E> Future for Fallible<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.project().future.poll(cx);
        if let Poll::Ready(Err(error)) = &polled {
            task::note_failure(UnhandledError::text_of(error));
        }
        polled
    }
}
