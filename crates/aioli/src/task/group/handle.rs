//! What the body and the children hold: [`GroupHandle`] creates children, and [`GroupTask`] is one.

use super::{
    BoxError, ChildFailed, ChildOutput, GroupClosed, Members,
    child::{Child, Membership, cancel},
};
use crate::task::{AsTaskRef, Awaitable, IntoTask, Join, JoinError, JoinRef, JoinShared, Task, TaskRef};
use aioli_executor::{no_loop, worker_index};
use std::{
    fmt,
    future::{Future, IntoFuture},
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// Creates children in a group, and ends it. Clones are handles to the same group, for the children to create further
/// ones; they do not keep it open.
///
/// What the body of [`TaskGroup::scope`](super::TaskGroup::scope) gets, and what a [`TaskGroup`](super::TaskGroup) derefs to.
pub struct GroupHandle<E = BoxError>(pub(super) Arc<Members<E>>);

impl<E: Send + 'static> GroupHandle<E> {
    /// Creates a child: a task that the group waits for. It gives `Result<T, E>`, where an `Err` ends the group; or `()`, if it
    /// cannot fail.
    ///
    /// As `TaskGroup.create_task()`. The handle that this gives need not be kept. Children may create children, also while
    /// the group waits for its last ones.
    ///
    /// ```
    /// use aioli::TaskGroup;
    ///
    /// aioli::run(async {
    ///     let sum = TaskGroup::scope(async |group| {
    ///         let parts = [1, 2, 3].map(|n| group.create_task(async move { Ok(n * 10) }));
    ///         let mut sum = 0;
    ///         for part in parts {
    ///             sum += part?.await??;
    ///         }
    ///         Ok(sum)
    ///     });
    ///     assert_eq!(sum.await.unwrap(), 60);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// [`GroupClosed`], with the future in it, if the group is ending (something failed in it, it was cancelled, or it was dropped)
    /// or has ended.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn create_task<F>(&self, future: F) -> Result<GroupTask<<F::Output as ChildOutput<E>>::Value>, GroupClosed<F>>
    where
        F: Future + Send + 'static,
        F::Output: ChildOutput<E>,
    {
        // Before a seat is taken, on which nobody would sit.
        if worker_index().is_none() {
            no_loop();
        }
        let Some(seat) = self.0.enter() else {
            return Err(GroupClosed::new(future));
        };
        let members = self.0.clone();
        let task = aioli_executor::spawn(Child::new(future, Membership { members, seat }));
        if !self.0.sit(seat, task.task_ref()) {
            task.cancel_once(self.0.cause());
        }
        Ok(GroupTask(task))
    }

    /// Ends the group early, without an error: cancels its body and its children, which clean up as ever. Called again, or
    /// when the group is ending anyhow, it does nothing.
    ///
    /// As `TaskGroup.cancel()` in Python 3.15, and `nursery.cancel_scope.cancel()` in trio. A body that calls this and then returns
    /// without awaiting anything has its value given; one that is cancelled has none, and
    /// [`scope`](super::TaskGroup::scope) says so with an error that [is empty](super::GroupError::is_cancelled).
    pub fn cancel(&self) {
        self.0.end().each(cancel(self.0.cause()));
    }
}

impl<E> Clone for GroupHandle<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> fmt::Debug for GroupHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupHandle").field(&self.0).finish()
    }
}

/// A child of a group: a [`Task`], to which it derefs, whose handle may be dropped without a word, for the group keeps it.
///
/// Await it for its value, or [`ChildFailed`]; the error itself is the group's. Combinators take it as they take tasks.
pub struct GroupTask<T>(Task<Result<T, ChildFailed>>);

impl<T> Deref for GroupTask<T> {
    type Target = Task<Result<T, ChildFailed>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> DerefMut for GroupTask<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T> fmt::Debug for GroupTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupTask").field(&self.0).finish()
    }
}

impl<T> IntoFuture for GroupTask<T> {
    type Output = Result<Result<T, ChildFailed>, JoinError>;
    type IntoFuture = Join<Result<T, ChildFailed>>;

    fn into_future(self) -> Self::IntoFuture {
        self.0.join()
    }
}

impl<'a, T> IntoFuture for &'a mut GroupTask<T> {
    type Output = Result<Result<T, ChildFailed>, JoinError>;
    type IntoFuture = JoinRef<'a, Result<T, ChildFailed>>;

    fn into_future(self) -> Self::IntoFuture {
        (&mut self.0).into_future()
    }
}

impl<'a, T: Clone + Send + Sync> IntoFuture for &'a GroupTask<T> {
    type Output = Result<Result<T, ChildFailed>, JoinError>;
    type IntoFuture = JoinShared<'a, Result<T, ChildFailed>>;

    fn into_future(self) -> Self::IntoFuture {
        (&self.0).into_future()
    }
}

impl<T> IntoTask for GroupTask<T> {
    type Output = Result<T, ChildFailed>;

    fn into_task(self) -> Task<Self::Output> {
        self.0
    }
}

impl<T> Awaitable for GroupTask<T> {
    type Output = Result<Result<T, ChildFailed>, JoinError>;
    type Future = Join<Result<T, ChildFailed>>;

    fn into_awaited(self) -> Self::Future {
        self.0.join()
    }

    fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl<'a, T> Awaitable for &'a mut GroupTask<T> {
    type Output = Result<Result<T, ChildFailed>, JoinError>;
    type Future = JoinRef<'a, Result<T, ChildFailed>>;

    fn into_awaited(self) -> Self::Future {
        self.into_future()
    }

    fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl<'a, T: Clone + Send + Sync> Awaitable for &'a GroupTask<T> {
    type Output = Result<Result<T, ChildFailed>, JoinError>;
    type Future = JoinShared<'a, Result<T, ChildFailed>>;

    fn into_awaited(self) -> Self::Future {
        self.into_future()
    }

    fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> AsTaskRef for GroupTask<T> {
    fn as_task_ref(&self) -> &TaskRef {
        &self.0
    }
}
