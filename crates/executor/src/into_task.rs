//! What combinators accept: something to be made a task of, or something to be awaited in place.

use crate::{
    here::spawn,
    task::{Join, JoinError, JoinRef, JoinShared, Task},
};
use std::future::{Future, IntoFuture};

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

/// Something that can be awaited in place: a future, a [`Task`], or a reference to one.
///
/// It is what `IntoFuture` is, and knows in addition whether a task is over before it is awaited.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a task nor a future",
    note = "a `Promise`, and what else is awaited by `IntoFuture`, becomes a future in an async block: `async {{ promise.await }}`"
)]
pub trait Awaitable {
    /// What awaiting gives.
    type Output;
    /// The future that does.
    type Future: Future<Output = Self::Output>;

    /// The future.
    fn into_awaited(self) -> Self::Future;

    /// Whether the outcome is there without anything being done for it. A future never knows.
    fn is_over(&self) -> bool;
}

#[diagnostic::do_not_recommend]
impl<F: Future> Awaitable for F {
    type Output = F::Output;
    type Future = F;

    fn into_awaited(self) -> F {
        self
    }

    fn is_over(&self) -> bool {
        false
    }
}

impl<T> Awaitable for Task<T> {
    type Output = Result<T, JoinError>;
    type Future = Join<T>;

    fn into_awaited(self) -> Join<T> {
        self.join()
    }

    fn is_over(&self) -> bool {
        self.is_finished()
    }
}

impl<'a, T> Awaitable for &'a mut Task<T> {
    type Output = Result<T, JoinError>;
    type Future = JoinRef<'a, T>;

    fn into_awaited(self) -> JoinRef<'a, T> {
        self.into_future()
    }

    fn is_over(&self) -> bool {
        self.is_finished()
    }
}

impl<'a, T: Clone + Send + Sync> Awaitable for &'a Task<T> {
    type Output = Result<T, JoinError>;
    type Future = JoinShared<'a, T>;

    fn into_awaited(self) -> JoinShared<'a, T> {
        self.into_future()
    }

    fn is_over(&self) -> bool {
        self.is_finished()
    }
}
