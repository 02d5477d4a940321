//! [`TaskGroup`]: tasks that are one, which end together, and of which none outlives the group.
//!
//! | file | what it is |
//! |---|---|
//! | `handle` | what creates children, and what stands for one |
//! | `child` | the future of a child's task, which tells the group how it went |
//! | `run` | the owner at work: the body, cancelling, the end |
//! | `ending` | waiting for the end |
//! | `owner` | what becomes of a group that is dropped |
//! | `error` | what a group says |
//!
//! What children on many workers and the owner share is a [`Roster`]: there is the protocol.

mod child;
mod ending;
mod error;
mod handle;
mod owner;
mod run;

pub use child::ChildOutput;
pub use error::{BoxError, ChildFailed, GroupClosed, GroupError};
pub use handle::{GroupHandle, GroupTask};
pub use run::{BodyOutput, GroupScope};

use crate::task::{TaskError, TaskRef};
use aioli_executor::roster::Roster;
use owner::Owner;
use std::{
    fmt::{self, Display},
    future::{self, Future, Ready},
    ops::Deref,
};

type Members<E> = Roster<TaskRef, TaskError<E>>;

/// Tasks that belong together: they are waited for together, and if one fails, the others are cancelled.
///
/// As `asyncio.TaskGroup`, and trio's nursery. [`scope`](Self::scope) is `async with asyncio.TaskGroup() as group`:
///
/// ```
/// use aioli::{TaskGroup, sleep};
/// use std::time::Duration;
///
/// aioli::run(async {
///     let result = TaskGroup::scope(async |group| {
///         group.create_task(async {
///             sleep(Duration::from_millis(1)).await;
///             let n: u32 = "forty-two".parse()?;
///             Ok(n)
///         })?;
///         group.create_task(async { sleep(Duration::from_secs(3600)).await })?;
///         Ok("not given, for a child fails")
///     });
///     // At once: the child that sleeps was cancelled.
///     let error = result.await.unwrap_err();
///     assert_eq!(error.to_string(), "the group failed: invalid digit found in string");
/// });
/// ```
///
/// * The group ends when its body and all of its children have ended, with all their cleanup. No child outlives it.
/// * The first failure (a child or the body gives an `Err`, or a child panics) ends the group: everybody else in it is
///   cancelled, once, and no more children are taken. All errors come together in a [`GroupError`], also those of the cleanup.
/// * If the body panics, the children are cancelled and waited for, and then the panic goes on.
/// * A child that is cancelled by its handle is no failure, and ends alone.
/// * If the group is cancelled from outside, the body is cancelled first, and then the children; when all have ended, the
///   cancellation goes on. If there were errors, too, they are given, and the cancellation comes at the next await.
/// * A body that is cancelled while it awaits a child passes that on to the child, as anyone does who awaits a task.
///
/// A `TaskGroup` as a value is for code that has no use for a closure: children are created on it, and [`join`](Self::join) waits for
/// them. Dropping one that was not joined cancels its children, and defers waiting for them to the scope around (see [`defer`](crate::defer)).
///
/// # Errors of one type
///
/// Groups made by [`scope`](Self::scope) and [`new`](Self::new) take any error, boxed, so that `?` works in children and no type
/// has to be named. For an error of your own there are [`typed_scope`](Self::typed_scope) and [`default`](Self::default):
/// `TaskGroup::<MyError>::default()`.
pub struct TaskGroup<E = BoxError> {
    owner: Owner<E>,
}

impl TaskGroup {
    /// Runs `body` with a new group, and gives its value when it and all of the group's children have ended.
    ///
    /// As `async with asyncio.TaskGroup() as group`; see [`TaskGroup`] for what happens when something fails or is cancelled. The
    /// body runs in place, and may borrow; children are tasks.
    ///
    /// # Errors
    ///
    /// [`GroupError`] with all that went wrong; without any errors if the group was ended by [`cancel`](GroupHandle::cancel)
    /// before the body had its value.
    ///
    /// # Panics
    ///
    /// With the body's panic, when all children have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway by a foreign combinator, it drops the body, cancels the children, and defers waiting for them to the scope
    /// around.
    pub fn scope<B, F, V>(body: B) -> GroupScope<F>
    where
        B: FnOnce(GroupHandle) -> F,
        F: Future<Output = Result<V, BoxError>>,
    {
        Self::typed_scope(body)
    }

    /// An open group without children.
    ///
    /// ```
    /// use aioli::{GroupError, TaskGroup};
    ///
    /// # async fn serve(port: u16) -> std::io::Result<()> { Ok(()) }
    /// async fn serve_all(ports: Vec<u16>) -> Result<(), GroupError> {
    ///     let group = TaskGroup::new();
    ///     for port in ports {
    ///         if group.create_task(async move { Ok(serve(port).await?) }).is_err() {
    ///             // A child has failed: `join` says which.
    ///             break;
    ///         }
    ///     }
    ///     group.join().await
    /// }
    /// # aioli::run(serve_all(vec![1, 2])).unwrap();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }
}

impl<E> TaskGroup<E>
where
    E: Display + Send + 'static,
{
    /// As [`scope`](TaskGroup::scope), with errors of one type: `TaskGroup::<MyError>::typed_scope(..)`.
    ///
    /// # Errors
    ///
    /// As [`scope`](TaskGroup::scope).
    ///
    /// # Panics
    ///
    /// As [`scope`](TaskGroup::scope).
    ///
    /// # Cancel safety
    ///
    /// As [`scope`](TaskGroup::scope).
    pub fn typed_scope<B, F, V>(body: B) -> GroupScope<F>
    where
        B: FnOnce(GroupHandle<E>) -> F,
        F: Future<Output = Result<V, E>>,
    {
        let group = Self::default();
        let body = body(group.handle());
        GroupScope::new(group, body)
    }

    /// A handle for children, to create further ones.
    pub fn handle(&self) -> GroupHandle<E> {
        self.owner.handle.clone()
    }

    /// Waits until all children have ended, and closes the group. Children may create further ones meanwhile.
    ///
    /// As leaving the block of `async with asyncio.TaskGroup()`.
    ///
    /// # Errors
    ///
    /// [`GroupError`] with all that went wrong. A group that was ended by [`cancel`](GroupHandle::cancel) has no error.
    ///
    /// # Cancel safety
    ///
    /// As [`scope`](TaskGroup::scope).
    pub fn join(self) -> GroupScope<Ready<Result<(), E>>> {
        GroupScope::new(self, future::ready(Ok(())))
    }
}

impl<E> Default for TaskGroup<E>
where
    E: Display + Send + 'static,
{
    fn default() -> Self {
        Self { owner: Owner::new() }
    }
}

impl<E> Deref for TaskGroup<E> {
    type Target = GroupHandle<E>;

    fn deref(&self) -> &GroupHandle<E> {
        &self.owner.handle
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskGroup").field(&self.owner.handle).finish()
    }
}
