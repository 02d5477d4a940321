//! Waiting that can be cancelled, for a task that is not.

use crate::task::{ChildFailed, GroupTask, IntoTask, JoinError, JoinRef, JoinShared, Task};
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Waits for a task, and protects it from the cancellation of the one who waits: that one unwinds, and the task goes on.
///
/// As `asyncio.shield()`. A future becomes a task at once, when this is called; the loop keeps it, unlike asyncio's, which
/// wants a reference to it kept. If the task itself is cancelled, who waits is not, and gets that as an error.
///
/// A task that is to be awaited again afterwards is given by reference. `shield(&mut task)` is then just another way to
/// write `(&mut task).await`, and `shield(&task)` another way to write `(&task).await`, which need a task whose
/// value can be cloned: who awaits a reference only looks in any case.
///
/// To protect something that borrows, in place and without a task, use [`uncancellable`](crate::uncancellable): it holds the
/// cancellation back, instead of letting the one who waits go.
///
/// ```
/// use aioli::{TimeoutError, create_task, shield, sleep, wait_for};
/// use std::time::Duration;
///
/// aioli::run(async {
///     let task = create_task(async {
///         sleep(Duration::from_millis(10)).await;
///         42
///     });
///     let waited = wait_for(shield(&task), Duration::from_millis(1)).await;
///     assert_eq!(waited.unwrap_err(), TimeoutError);
///     assert_eq!(shield(task).await.unwrap(), 42);
/// });
/// ```
///
/// # Errors
///
/// If the task was cancelled or panicked.
///
/// # Panics
///
/// If it is given a future and no event loop runs on this thread. Polling panics if a task awaits itself.
///
/// # Cancel safety
///
/// Dropped before it is ready, it detaches a task that it was given for good, and leaves one that it borrows alone.
#[track_caller]
pub fn shield<S: Shieldable<How>, How>(what: S) -> S::Future {
    what.into_shield()
}

/// What [`shield`] takes: a task, a future that becomes one, or a reference to a task.
///
/// `How` is found by the compiler, and says nothing to anybody else.
pub trait Shieldable<How> {
    /// What waits for it.
    type Future: Future;

    #[doc(hidden)]
    #[track_caller]
    fn into_shield(self) -> Self::Future;
}

/// The ways to give a task to [`shield`]: with them the compiler can tell a future from a reference to a task.
mod how {
    pub enum Given {}
    pub enum Shared {}
    pub enum Borrowed {}
}

impl<I: IntoTask> Shieldable<how::Given> for I {
    type Future = Shield<I::Output>;

    fn into_shield(self) -> Shield<I::Output> {
        Shield(self.into_task())
    }
}

impl<'a, T: Clone + Send + Sync> Shieldable<how::Shared> for &'a Task<T> {
    type Future = JoinShared<'a, T>;

    fn into_shield(self) -> JoinShared<'a, T> {
        self.into_future()
    }
}

impl<'a, T> Shieldable<how::Borrowed> for &'a mut Task<T> {
    type Future = JoinRef<'a, T>;

    fn into_shield(self) -> JoinRef<'a, T> {
        self.into_future()
    }
}

impl<'a, T: Clone + Send + Sync> Shieldable<how::Shared> for &'a GroupTask<T> {
    type Future = JoinShared<'a, Result<T, ChildFailed>>;

    fn into_shield(self) -> Self::Future {
        self.into_future()
    }
}

impl<'a, T> Shieldable<how::Borrowed> for &'a mut GroupTask<T> {
    type Future = JoinRef<'a, Result<T, ChildFailed>>;

    fn into_shield(self) -> Self::Future {
        self.into_future()
    }
}

/// Waits for a task without being able to hurt it. Made by [`shield`].
#[must_use = "dropping it detaches the task; await it"]
pub struct Shield<T>(Task<T>);

impl<T> Future for Shield<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        pin!((&mut self.0).into_future()).poll(cx)
    }
}

impl<T> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shield").field(&self.0).finish()
    }
}
