//! [`TaskRef`]: names a task of whatever type, and all that can be asked of one.

use super::{
    cell::Header,
    extras::{CallbackId, Watcher},
    raw,
};
use crate::{
    context::Context as Variables,
    current,
    scope::{CancelCause, Text},
};
use std::{
    cell::Cell,
    fmt,
    future::Future,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    pin::Pin,
    ptr::NonNull,
    sync::Arc,
    task::{Context, Poll},
};

/// A number that no other task of this process has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskId(pub(super) u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a task of whatever type: it can be looked at and cancelled, and its outcome is somebody else's.
///
/// Cheap to clone. It keeps the task's memory, but neither the task nor its future. A [`Task`](super::Task) derefs to
/// it.
#[repr(transparent)]
pub struct TaskRef(NonNull<Header>);

// SAFETY: what it does goes through the state word and the extras, from any thread; there is no outcome here.
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

    pub(super) fn header(&self) -> &Header {
        // SAFETY: this holds a reference.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    /// Requests that the task be cancelled: at its next turn its innermost catchers have their say; where there are none,
    /// its future is dropped where it stands, what that deferred is finished, and the task ends as cancelled. A task that
    /// awaits another passes the request on to that one. A task that has not started never does.
    ///
    /// Returns whether the request could still do something: `false` once the task has its value or nothing but deferred
    /// work left. May be called from any thread, any number of times, and never blocks. The future is dropped by a worker, not
    /// here. A task that cancels itself goes on until it next awaits something that is not ready.
    ///
    /// As `Task.cancel()` in asyncio.
    pub fn cancel(&self) -> bool {
        // SAFETY: this keeps the task.
        unsafe { raw::cancel(self.0, CancelCause::unknown()) }
    }

    /// As [`cancel`](Self::cancel), and says why: catchers read it in [`CancelledError::reason`](crate::CancelledError::reason).
    ///
    /// As `Task.cancel(msg)` in asyncio.
    pub fn cancel_with(&self, reason: impl Into<Arc<str>>) -> bool {
        // SAFETY: this keeps the task.
        unsafe {
            raw::cancel(
                self.0,
                CancelCause {
                    reason: Some(reason.into()),
                    origin: None,
                },
            )
        }
    }

    /// As [`cancel`](Self::cancel), but a task to which a cancellation of the same cause has come already, by whatever way, is not
    /// told again, until it has swallowed that one: for combinators that cancel several tasks, of which some may await others, or that pass on what came to
    /// them ([`CancelledError::cause`](crate::CancelledError::cause)).
    ///
    /// asyncio needs no such thing: there, requests that come before the task has run again are one.
    pub fn cancel_once(&self, cause: &CancelCause) -> bool {
        // SAFETY: this keeps the task.
        unsafe { raw::cancel(self.0, cause.clone()) }
    }

    /// Why the newest request came, if the one who cancelled said so.
    pub fn cancel_reason(&self) -> Option<Text> {
        self.header().extras()?.reason()
    }

    /// Whether the task is over: it has its value, or was cancelled, or panicked, and everything that it deferred is done.
    ///
    /// As `Task.done()` in asyncio.
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// Whether it is one of the program's tasks.
    pub(crate) fn is_listed(&self) -> bool {
        self.header().vtable.is_listed
    }

    /// Whether the task is over, and ended as cancelled. As `Task.cancelled()` in asyncio.
    pub fn is_cancelled(&self) -> bool {
        self.header().state.load().is_cancelled()
    }

    /// Whether the task is over, and ended by a panic, or by an `Err` if that is known to be one: if the task was created by
    /// [`spawn_fallible`](crate::spawn_fallible) or in a group, or has said so itself ([`mark_failed`](crate::mark_failed)).
    pub fn has_failed(&self) -> bool {
        self.header().state.load().has_failed()
    }

    /// How many requests to cancel the task have not been taken back; at most 127 are counted. As `Task.cancelling()` in
    /// asyncio.
    pub fn cancelling(&self) -> usize {
        self.header().state.load().requests()
    }

    /// Takes one request back, and gives how many are left. With the last one a request that has not come to the program
    /// yet is forgotten; called by the task itself, also one that has come to a frame but was not taken. One that was let go
    /// on cannot be taken back, as in asyncio one that is being raised.
    ///
    /// As `Task.uncancel()` in asyncio: to be called by who has swallowed a cancellation that was its own, so that others
    /// around can tell.
    pub fn uncancel(&self) -> usize {
        raw::uncancel(self.header())
    }

    /// A number that no other task has.
    pub fn id(&self) -> TaskId {
        self.header().extras_or_new().id()
    }

    /// The task's name: the one it was given, or `Task-` and its number.
    pub fn name(&self) -> Arc<str> {
        self.header().extras_or_new().name()
    }

    /// Gives the task another name.
    pub fn set_name(&self, name: impl Into<Arc<str>>) {
        self.header().extras_or_new().set_name(name.into());
    }

    /// Where in the program the task was created.
    pub fn location(&self) -> &'static Location<'static> {
        self.header().location
    }

    /// Has `callback` called when the task is over, by the worker that ends it, after those that were added before. A panic of the
    /// callback is reported to the exception handler.
    ///
    /// # Panics
    ///
    /// A callback for a task that is over is called at once, here, and so is its panic the caller's.
    ///
    ///
    /// As `Task.add_done_callback()`, but for who calls: asyncio schedules the callback on the loop. It has a copy of the
    /// [context](crate::Context) in which it was added.
    pub fn add_done_callback(&self, callback: impl FnOnce(&TaskRef) + Send + 'static) -> CallbackId {
        self.watch(Watcher::Call(match Variables::capture() {
            Some(mut context) => Box::new(move |task| context.run(|| callback(task))),
            None => Box::new(callback),
        }))
    }

    /// Takes a callback back; `false`: it has been called, or is just being.
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        self.header()
            .extras()
            .is_some_and(|extras| extras.remove_watcher(id).is_some())
    }

    /// Lends the context of a task that this thread runs.
    pub(crate) fn with_context<R>(&self, f: impl FnOnce(&mut Variables) -> R) -> R {
        debug_assert_eq!(current::task(), Some(self.0));
        self.header().extras_or_new().with_context(f)
    }

    fn watch(&self, watcher: Watcher) -> CallbackId {
        let extras = self.header().extras_or_new();
        let id = extras.add_watcher(watcher);
        if !self.header().state.watch() {
            // The end has come, perhaps before it could see the watcher.
            let first_panic = Cell::new(None);
            extras.call_watchers(self.0, |call| {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                    first_panic.set(first_panic.take().or(Some(payload)));
                }
            });
            if let Some(payload) = first_panic.take() {
                resume_unwind(payload);
            }
        }
        id
    }

    /// Waits until the task is over, and touches nothing: the outcome is somebody else's, and dropping this leaves the task
    /// alone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn finished(&self) -> Finished {
        Finished {
            task: self.clone(),
            watcher: None,
        }
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

impl Hash for TaskRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug("TaskRef", f)
    }
}

impl TaskRef {
    pub(super) fn debug(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(what)
            .field("name", &self.name())
            .field("created", &format_args!("{}", self.location()))
            .field("finished", &self.is_finished())
            .field("cancelling", &self.cancelling())
            .finish()
    }
}

/// The task that is being polled on this thread; `None` outside any task. As `asyncio.current_task()`.
pub fn current_task() -> Option<TaskRef> {
    current::task().map(TaskRef::new)
}

/// Waits until a task is over. Made by [`TaskRef::finished`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Finished {
    task: TaskRef,
    /// Where the waker is left.
    watcher: Option<CallbackId>,
}

impl Future for Finished {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.task.is_finished() {
            return Poll::Ready(());
        }
        match this.watcher {
            Some(id) => {
                // Where the waker is not there any more, the end has come.
                let extras = this.task.header().extras_or_new();
                if !extras.replace_waker(id, cx.waker()) {
                    return Poll::Ready(());
                }
            }
            None => this.watcher = Some(this.task.watch(Watcher::Wake(cx.waker().clone()))),
        }
        if this.task.is_finished() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if let Some(id) = self.watcher.take() {
            let extras = self.task.header().extras();
            drop(extras.and_then(|extras| extras.remove_watcher(id)));
        }
    }
}
