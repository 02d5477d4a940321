//! What users hold: [`Task`] owns the right to the outcome, [`Join`] and [`JoinRef`] wait for it, [`TaskRef`] only names a
//! task.

use super::{
    cell::Header,
    outcome::{JoinError, Outcome},
    state::{HandleDrop, State},
    waker,
};
use crate::{current, scope};
use aioli_primitives::sync::atomic::Ordering;
use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    mem::MaybeUninit,
    panic::Location,
    pin::Pin,
    ptr::NonNull,
    sync::Arc,
    task::{Context, Poll},
};

/// The handle's reference and its right to the outcome, whatever its type.
struct RawHandle {
    header: NonNull<Header>,
    /// The outcome has been taken, or left to the completer.
    settled: bool,
}

// SAFETY: what it does from any thread goes through the state word. The one thing that it does to an outcome is to drop
// it, in `drop` and `discard`; a `Task<T>` or `Join<T>` whose `T` is not `Send` is not `Send` either, and where such a
// handle is sent alone (`Settled`) it has called `discard` before, on its own thread.
unsafe impl Send for RawHandle {}
// SAFETY: shared references only read the state word and the extras, and request cancellation.
unsafe impl Sync for RawHandle {}

impl RawHandle {
    fn header(&self) -> &Header {
        // SAFETY: the handle holds a reference.
        unsafe { self.header.as_ref() }
    }

    fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    fn cancel(&self) -> bool {
        cancel(self.header)
    }

    /// `Ready`: the task is complete. Otherwise `cx` will be woken when it is.
    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let header = self.header();
        let now = header.state.load();
        if now.is_complete() {
            return Poll::Ready(());
        }
        if State::has_join_waker(now) && !header.state.unset_join_waker() {
            return Poll::Ready(());
        }
        let put = |waker| {
            // SAFETY: the flag is clear and the task was not complete, so the slot is the joiner's, who is `&mut self`.
            header
                .join_waker
                .with_mut(|slot| unsafe { std::mem::replace(&mut *slot, waker) })
        };
        // Dropped out here: the old waker may be anybody's, and its destructor may do anything.
        let old = put(Some(cx.waker().clone()));
        drop(old);
        if header.state.set_join_waker() {
            Poll::Pending
        } else {
            drop(put(None));
            Poll::Ready(())
        }
    }

    /// Leaves the outcome to the completer, and goes on waiting for the end only.
    fn discard(&mut self) {
        if !self.settled {
            self.settled = true;
            if !self.header().state.discard() {
                // SAFETY: the task was complete, so the outcome is the handle's; `settled` says that it is gone.
                unsafe { (self.header().vtable.drop_outcome)(self.header) };
            }
        }
    }
}

impl Drop for RawHandle {
    fn drop(&mut self) {
        /// Gives the reference back even if dropping the outcome panics.
        struct Release(NonNull<Header>);
        impl Drop for Release {
            fn drop(&mut self) {
                // SAFETY: the handle held a reference until now.
                unsafe {
                    if self.0.as_ref().state.ref_dec() {
                        (self.0.as_ref().vtable.deallocate)(self.0);
                    }
                }
            }
        }
        // SAFETY: the handle holds a reference; the reference lives until `Release` or `drop_handle` gives it back.
        let header = unsafe { self.header.as_ref() };
        if self.settled && header.state.load().is_complete() {
            drop(Release(self.header));
            return;
        }
        match header.state.drop_handle() {
            HandleDrop::Done => {}
            HandleDrop::DropWaker => {
                let release = Release(self.header);
                // SAFETY: the transition gave the slot back to the joiner.
                drop(header.join_waker.with_mut(|slot| unsafe { (*slot).take() }));
                drop(release);
            }
            HandleDrop::DropOutcome => {
                let _release = Release(self.header);
                if !self.settled {
                    // SAFETY: the task is complete and the outcome was neither taken nor discarded.
                    unsafe { (header.vtable.drop_outcome)(self.header) };
                }
            }
        }
    }
}

pub(super) fn cancel(header: NonNull<Header>) -> bool {
    // SAFETY: the caller holds a reference.
    match unsafe { header.as_ref() }.state.request() {
        // SAFETY: the answer of the transition just made.
        Some(answer) => unsafe {
            waker::act(header, answer);
            true
        },
        None => false,
    }
}

/// A handle to a task: await it for the outcome, [`cancel`](Self::cancel) it, or drop it to let the task run on its own.
///
/// The counterpart of `asyncio.Task`. It is not itself a future: awaiting it makes a [`Join`], and the difference
/// matters. Dropping a *handle* detaches the task, which runs on; dropping a *join* midway, as a timeout or a
/// cancelled parent does, cancels the task and sees to it that its cleanup is awaited. `(&mut task).await` only looks:
/// dropping that leaves the task alone.
///
/// The loop keeps its tasks alive; unlike in asyncio, a task without a handle never disappears.
#[must_use = "dropping the handle detaches the task; say so with `detach()`, or await it"]
pub struct Task<T> {
    raw: RawHandle,
    outcome: PhantomData<T>,
}

// SAFETY: the handle gives, and drops, at most one `T`, which was made by the task's thread.
unsafe impl<T: Send> Send for Task<T> {}
// SAFETY: shared references give no access to the outcome.
unsafe impl<T> Sync for Task<T> {}

impl<T> Task<T> {
    /// # Safety
    ///
    /// `header` is a task whose outcome is of type `Outcome<T>`, and the caller gives the handle's reference.
    pub(super) unsafe fn from_raw(header: NonNull<Header>) -> Self {
        Self {
            raw: RawHandle { header, settled: false },
            outcome: PhantomData,
        }
    }

    /// Requests that the task be cancelled: at its next turn, its future is dropped where it stands, what that deferred is
    /// finished, and the task ends as cancelled. A task that has not started never does.
    ///
    /// Returns whether the request could still do something: `false` once the task has a value or is cleaning up. May be called
    /// from any thread, any number of times, and never blocks. The future is dropped by a worker, not here.
    ///
    /// As `Task.cancel()` in asyncio, except that a task which is already cleaning up answers `false`.
    pub fn cancel(&self) -> bool {
        self.raw.cancel()
    }

    /// Whether the task is over: it has its value, or was cancelled, or panicked, and everything that it deferred is done.
    ///
    /// As `Task.done()` in asyncio.
    pub fn is_finished(&self) -> bool {
        self.raw.is_finished()
    }

    /// How often cancellation was requested; at most 127 is counted. As `Task.cancelling()` in asyncio.
    pub fn cancelling(&self) -> usize {
        self.raw.header().state.load().requests()
    }

    /// The task's name: the one it was given, or `Task-` and a number that no other task has.
    pub fn name(&self) -> Arc<str> {
        name(self.raw.header())
    }

    /// Gives the task another name.
    pub fn set_name(&self, name: impl Into<Arc<str>>) {
        self.raw.header().extras_or_new().set_name(name.into());
    }

    /// Where in the program the task was created.
    pub fn location(&self) -> &'static Location<'static> {
        self.raw.header().location
    }

    /// Lets the task run on its own: its value will be dropped, and a panic goes to the unhandled-panic handler.
    pub fn detach(self) {}

    /// Waits for the task. What `task.await` does; said in full where a future is needed.
    pub fn join(self) -> Join<T> {
        Join { task: Some(self) }
    }

    /// A name for the task that gives no right to its outcome.
    pub fn task_ref(&self) -> TaskRef {
        TaskRef::new(self.raw.header)
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        assert!(
            !self.raw.settled,
            "the outcome of this task was taken before: a task is awaited once"
        );
        assert!(
            current::task() != Some(self.raw.header),
            "a task cannot await itself: it would wait for ever. Await it from another task"
        );
        if current::poll_budget(cx).is_pending() || self.raw.poll_finished(cx).is_pending() {
            return Poll::Pending;
        }
        let mut outcome = MaybeUninit::<Outcome<T>>::uninit();
        self.raw.settled = true;
        // SAFETY: the task is complete, its outcome is of this type and the handle's, and `settled` says that it has gone.
        let outcome = unsafe {
            (self.raw.header().vtable.take_outcome)(self.raw.header, outcome.as_mut_ptr().cast());
            outcome.assume_init()
        };
        Poll::Ready(outcome.map_err(super::outcome::Failure::into_join_error))
    }
}

// A handle is a pointer; moving it moves no `T`.
impl<T> Unpin for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug("Task", self.raw.header(), f)
    }
}

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

/// Waits for a task that it owns: `task.await`.
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
    /// `None` once the outcome has been given.
    task: Option<Task<T>>,
}

impl<T> Join<T> {
    /// Whether the task is over.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(Task::is_finished)
    }
}

impl<T> Future for Join<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self
            .task
            .as_mut()
            .expect("a join was polled after it had given the outcome");
        let polled = task.poll_outcome(cx);
        if polled.is_ready() {
            self.task = None;
        }
        polled
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        if let Some(Task { mut raw, .. }) = self.task.take() {
            raw.discard();
            if !raw.is_finished() && current::task() != Some(raw.header) {
                raw.cancel();
                scope::defer_wait(Settled(raw));
            }
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
        self.0.poll_finished(cx)
    }
}

/// Waits for a task that it borrows: `(&mut task).await`.
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
        self.0.poll_outcome(cx)
    }
}

impl<T> fmt::Debug for JoinRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinRef").field(&self.0).finish()
    }
}

/// Names a task of whatever type: it can be looked at and cancelled, and its outcome is somebody else's.
///
/// Cheap to clone. It keeps the task's memory, but neither the task nor its future.
pub struct TaskRef(NonNull<Header>);

// SAFETY: as for `RawHandle`; there is no outcome here.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// A new reference to a task that somebody keeps for the length of this call.
    pub(crate) fn new(header: NonNull<Header>) -> Self {
        // SAFETY: the caller keeps the task.
        unsafe { header.as_ref() }.state.ref_inc();
        Self(header)
    }

    fn header(&self) -> &Header {
        // SAFETY: this holds a reference.
        unsafe { self.0.as_ref() }
    }

    /// As [`Task::cancel`].
    pub fn cancel(&self) -> bool {
        cancel(self.0)
    }

    /// As [`Task::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// As [`Task::cancelling`].
    pub fn cancelling(&self) -> usize {
        self.header().state.load().requests()
    }

    /// As [`Task::name`].
    pub fn name(&self) -> Arc<str> {
        name(self.header())
    }

    /// As [`Task::set_name`].
    pub fn set_name(&self, name: impl Into<Arc<str>>) {
        self.header().extras_or_new().set_name(name.into());
    }

    /// As [`Task::location`].
    pub fn location(&self) -> &'static Location<'static> {
        self.header().location
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // SAFETY: this holds a reference, which it gives back; the last one frees the task.
        unsafe {
            if self.0.as_ref().state.ref_dec() {
                (self.0.as_ref().vtable.deallocate)(self.0);
            }
        }
    }
}

impl PartialEq for TaskRef {
    /// Whether both name the same task.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TaskRef {}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug("TaskRef", self.header(), f)
    }
}

/// The task that is being polled on this thread; `None` outside any task. As `asyncio.current_task()`.
pub fn current_task() -> Option<TaskRef> {
    current::task().map(TaskRef::new)
}

fn name(header: &Header) -> Arc<str> {
    // A counter of the process and not of a model, and read only when a name is first asked for.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    header
        .extras_or_new()
        .name_or(|| format!("Task-{}", NEXT.fetch_add(1, Ordering::Relaxed)).into())
}

fn debug(what: &str, header: &Header, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let state = header.state.load();
    let mut out = f.debug_struct(what);
    out.field("name", &name(header));
    out.field("created", &format_args!("{}", header.location));
    out.field("finished", &state.is_complete());
    out.field("cancelled", &state.is_cancelled()).finish()
}
