//! [`Task`]: the handle that owns the right to the outcome.

use super::{
    cell::Header,
    extras::Extras,
    join::Join,
    outcome::{Failure, JoinError, Outcome},
    raw::RawHandle,
    state::Snapshot,
    task_ref::TaskRef,
};
use crate::current;
use aioli_primitives::budget;
use std::{
    fmt,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::Deref,
    ptr::NonNull,
    task::{Context, Poll, ready},
};

/// A handle to a task: await it for the outcome, [`cancel`](TaskRef::cancel) it, or drop it to let the task run on its own.
///
/// The counterpart of `asyncio.Task`. It is not itself a future: awaiting it makes a [`Join`], and the difference
/// matters. Dropping a *handle* detaches the task, which runs on; dropping a *join* midway, as a timeout or a
/// cancelled parent does, cancels the task and sees to it that its cleanup is awaited. `(&mut task).await` only looks:
/// dropping that leaves the task alone. Where the value can be cloned, `(&task).await` looks, too, and any number may do so at a
/// time.
///
/// What does not touch the outcome is on [`TaskRef`], to which the handle derefs.
///
/// The loop keeps its tasks alive; unlike in asyncio, a task without a handle never disappears.
#[must_use = "dropping the handle detaches the task; say so with `detach()`, or await it"]
pub struct Task<T> {
    raw: RawHandle,
    outcome: PhantomData<T>,
}

// SAFETY: the handle gives, and drops, at most one `T`, which was made by the task's thread.
unsafe impl<T: Send> Send for Task<T> {}
// SAFETY: shared references give access to the outcome only where that is `Send` and `Sync`.
unsafe impl<T> Sync for Task<T> {}

impl<T> Task<T> {
    /// # Safety
    ///
    /// `header` is a task whose outcome is of type `Outcome<T>`, and the caller gives the handle's reference.
    pub(super) unsafe fn from_raw(header: NonNull<Header>) -> Self {
        Self::from_raw_handle(RawHandle { header })
    }

    pub(super) fn into_raw(self) -> RawHandle {
        self.raw
    }

    /// Lets the task run on its own: its value will be dropped, and a panic goes to the exception handler.
    pub fn detach(self) {}

    /// Waits for the task. What `task.await` does; said in full where a future is needed.
    pub fn join(self) -> Join<T> {
        Join::new(self)
    }

    /// A name for the task that gives no right to its outcome.
    pub fn task_ref(&self) -> TaskRef {
        (**self).clone()
    }

    /// The outcome, if the task is over: a clone of it, which leaves it where it is. `None` also if the outcome was taken, by
    /// `(&mut task).await`.
    ///
    /// As `Task.result()` and `Task.exception()` in asyncio.
    pub fn result(&self) -> Option<Result<T, JoinError>>
    where
        T: Clone + Send + Sync,
    {
        let state = self.raw.header().state.load();
        if !state.is_complete() || state.is_settled() {
            return None;
        }
        let outcome = NonNull::new(
            (self.raw.header().vtable.peek_outcome)(self.raw.header)
                .cast::<Outcome<T>>()
                .cast_mut(),
        );
        // SAFETY: the task is complete, the outcome is of this type, and this handle's until somebody with `&mut` or the whole
        // handle takes it. Others may read it at the same time: it is `Sync`.
        let outcome = unsafe { outcome.expect("an outcome has an address").as_ref() };
        if self.has_failed() {
            // Somebody looks.
            self.raw.header().extras().and_then(Extras::take_failure);
        }
        Some(match outcome {
            Ok(value) => Ok(value.clone()),
            Err(failure) => Err(failure.to_join_error()),
        })
    }

    pub(super) fn from_raw_handle(raw: RawHandle) -> Self {
        Self {
            raw,
            outcome: PhantomData,
        }
    }

    /// # Panics
    ///
    /// If the task is the current one.
    #[inline]
    #[track_caller]
    pub(super) fn assert_another(&self) {
        assert!(
            current::task() != Some(self.raw.header),
            "a task cannot await itself: it would wait for ever. Await it from another task"
        );
    }

    /// The outcome is the handle's no more.
    pub(super) fn settle(&self) {
        self.raw.header().state.settle();
    }

    /// `Ready`: the task is complete, and this was its state word.
    ///
    /// # Panics
    ///
    /// If the task awaits itself.
    #[inline]
    #[track_caller]
    pub(super) fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<Snapshot> {
        self.assert_another();
        // Waiting takes nothing from the budget: a poll may have many tasks to wait for.
        let state = ready!(self.raw.poll_finished(cx));
        ready!(budget::poll(cx));
        Poll::Ready(state)
    }

    /// The outcome, which is the caller's from now on.
    ///
    /// # Safety
    ///
    /// The task is complete; the outcome was not taken before, and the handle is spent or settled now.
    #[inline]
    pub(super) unsafe fn take_outcome(&mut self) -> Result<T, JoinError> {
        let mut outcome = MaybeUninit::<Outcome<T>>::uninit();
        // SAFETY: the outcome is of this type, and the handle's, by the contract of this function.
        let outcome = unsafe {
            (self.raw.header().vtable.take_outcome)(self.raw.header, outcome.as_mut_ptr().cast());
            outcome.assume_init()
        };
        outcome.map_err(Failure::into_join_error)
    }
}

impl<T> Deref for Task<T> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        self.raw.as_task_ref()
    }
}

// A handle is a pointer; moving it moves no `T`.
impl<T> Unpin for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug("Task", f)
    }
}
