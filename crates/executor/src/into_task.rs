//! What combinators that work with tasks accept.

use crate::{here::spawn, task::Task};
use std::future::Future;

/// A task, or a future that is made one.
///
/// Combinators take whatever is this: a future becomes a task of the loop that runs on this thread, and a task is taken as
/// it is.
pub trait IntoTask {
    /// The value of the task.
    type Output;

    /// The task.
    ///
    /// # Panics
    ///
    /// If it has to be created and no event loop runs on this thread.
    #[track_caller]
    fn into_task(self) -> Task<Self::Output>;
}

impl<F> IntoTask for F
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    type Output = F::Output;

    #[track_caller]
    fn into_task(self) -> Task<F::Output> {
        spawn(self)
    }
}

impl<T> IntoTask for Task<T> {
    type Output = T;

    fn into_task(self) -> Task<T> {
        self
    }
}
