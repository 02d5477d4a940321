//! Waiting for a task: [`Join`] owns it, [`JoinRef`] and [`JoinShared`] borrow it.

use super::{
    handle::Task,
    outcome::JoinError,
    raw::{self, RawHandle},
    task_ref::Finished,
};
use crate::{
    current,
    scope::{self, CancelCause, JoinFrame},
};
use aioli_primitives::budget;
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll, ready},
};

impl<T> IntoFuture for Task<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = Join<T>;

    fn into_future(self) -> Join<T> {
        self.join()
    }
}

impl<'a, T> IntoFuture for &'a mut Task<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinRef<'a, T>;

    fn into_future(self) -> JoinRef<'a, T> {
        JoinRef(self)
    }
}

impl<'a, T: Clone + Send + Sync> IntoFuture for &'a Task<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = JoinShared<'a, T>;

    fn into_future(self) -> JoinShared<'a, T> {
        JoinShared {
            end: self.finished(),
            task: self,
        }
    }
}

const TAKEN: &str = "the outcome of this task was taken before: a task is awaited once";

/// Waits for a task that it owns: `task.await`.
///
/// A cancellation that comes to one who awaits a task is passed on to the task, and the one who awaits stays: if the task ends
/// as cancelled, the cancellation goes on here; if it swallows it and returns, its value is given. So cleanup runs
/// innermost first. As `await task` in asyncio.
///
/// # Cancel safety
///
/// Dropped before the task is over, it cancels the task and defers waiting for it to the scope around: that scope does
/// not end before the task has. The outcome is lost.
///
/// # Panics
///
/// Polling panics if a task awaits itself.
#[must_use = "dropping it cancels the task; await it"]
pub struct Join<T> {
    /// `None` once the outcome has been given. Settled and still here: the task ended as cancelled, and the cancellation goes on
    /// around: where that unwinds, there is no more to say.
    task: Option<Task<T>>,
    frame: JoinFrame,
}

impl<T> Join<T> {
    pub(super) fn new(task: Task<T>) -> Self {
        Self {
            task: Some(task),
            frame: JoinFrame::new(),
        }
    }

    /// Whether the task is over.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(|task| task.is_finished())
    }
}

impl<T> Future for Join<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let task = this
            .task
            .as_mut()
            .expect("a join was polled after it had given the outcome");
        let Poll::Ready(state) = task.poll_complete(cx) else {
            this.frame.open(task.as_ptr());
            return Poll::Pending;
        };
        if state.is_settled() {
            assert!(state.is_cancelled(), "{TAKEN}");
            return this.poll_resumed();
        }
        // SAFETY: the task is complete and not settled, and spent next.
        let outcome = unsafe { task.take_outcome() };
        let spent = this.task.take().expect("just seen").into_raw().into_spent();
        // Before the task may be freed: the frame points to it.
        if !matches!(outcome, Err(JoinError::Cancelled)) {
            this.frame.swallow();
        } else if this.frame.resume() {
            this.task = Some(Task::from_raw_handle(spent.into_raw()));
            return Poll::Pending;
        }
        drop(spent);
        Poll::Ready(outcome)
    }
}

impl<T> Drop for Join<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.give_up(task);
        }
    }
}

impl<T> Join<T> {
    /// The cancellation that the task passed on goes on around.
    #[cold]
    fn poll_resumed(&mut self) -> Poll<Result<T, JoinError>> {
        if scope::unwinds_around() {
            return Poll::Pending;
        }
        self.task = None;
        Poll::Ready(Err(JoinError::Cancelled))
    }

    /// The join is dropped before it has given the outcome.
    #[cold]
    fn give_up(&mut self, task: Task<T>) {
        let mut raw = task.into_raw();
        // Never twice for one request, unless the task has swallowed it.
        let cause = self.frame.passed_on_for().or_else(scope::cause_of_drop);
        // Before the task may be freed: the frame points to it. What came to it goes on outward.
        self.frame.close();
        raw.discard();
        if !raw.is_finished() && current::task() != Some(raw.header) {
            // SAFETY: the handle keeps the task.
            unsafe { raw::cancel(raw.header, cause.unwrap_or_else(CancelCause::unknown)) };
            scope::defer_wait(Settled(raw));
        }
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Join").field(&self.task).finish()
    }
}

/// Waits until a task is over, whose outcome has been discarded.
struct Settled(RawHandle);

impl Future for Settled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_finished(cx).map(drop)
    }
}

/// Waits for a task that it borrows: `(&mut task).await`.
///
/// It only looks: a cancellation of the one who waits does not reach the task.
///
/// # Cancel safety
///
/// Dropped before the task is over, it leaves the task alone, and nothing is lost.
///
/// # Panics
///
/// Polling panics if the outcome was taken before, or if a task awaits itself.
#[must_use = "futures do nothing unless polled"]
pub struct JoinRef<'a, T>(&'a mut Task<T>);

impl<T> Future for JoinRef<'_, T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let state = ready!(self.0.poll_complete(cx));
        assert!(!state.is_settled(), "{TAKEN}");
        self.0.settle();
        // SAFETY: the task is complete, and was settled just now.
        Poll::Ready(unsafe { self.0.take_outcome() })
    }
}

impl<T> fmt::Debug for JoinRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinRef").field(&self.0).finish()
    }
}

/// Waits for a task beside others who do: `(&task).await`. Each gets a clone of the outcome, which stays where it is.
///
/// # Cancel safety
///
/// Dropped before the task is over, it leaves the task alone, and nothing is lost.
///
/// # Panics
///
/// Polling panics if the outcome was taken before, or if a task awaits itself.
#[must_use = "futures do nothing unless polled"]
pub struct JoinShared<'a, T> {
    task: &'a Task<T>,
    end: Finished,
}

impl<T: Clone + Send + Sync> Future for JoinShared<'_, T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.task.assert_another();
        ready!(Pin::new(&mut self.end).poll(cx));
        ready!(budget::poll(cx));
        Poll::Ready(self.task.result().expect(TAKEN))
    }
}

impl<T> fmt::Debug for JoinShared<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinShared").field(&self.task).finish()
    }
}
