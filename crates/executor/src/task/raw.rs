//! A handle without a type: the reference, the right to the outcome, and what can be asked of any task.

use super::{
    cell::{Header, Tree},
    state::{HandleDrop, Snapshot, State},
    task_ref::TaskRef,
    waker,
};
use crate::{current, scope::CancelCause};
use std::{
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{Context, Poll},
};

/// The handle's reference and its right to the outcome, whatever its type.
pub(super) struct RawHandle {
    pub(super) header: NonNull<Header>,
}

// SAFETY: what it does from any thread goes through the state word. The one thing that it does to an outcome is to drop
// it, in `drop` and `discard`; a `Task<T>` or `Join<T>` whose `T` is not `Send` is not `Send` either, and where such a
// handle is sent alone (`Settled`) it has called `discard` before, on its own thread.
unsafe impl Send for RawHandle {}
// SAFETY: shared references only read the state word and the extras, and request cancellation.
unsafe impl Sync for RawHandle {}

impl RawHandle {
    pub(super) fn header(&self) -> &Header {
        // SAFETY: the handle holds a reference.
        unsafe { self.header.as_ref() }
    }

    /// The task, named.
    pub(super) fn as_task_ref(&self) -> &TaskRef {
        // SAFETY: a `TaskRef` is nothing but this pointer, and this handle's reference keeps the task for as long as it is
        // borrowed.
        unsafe { NonNull::from(&self.header).cast::<TaskRef>().as_ref() }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// `Ready`: the task is complete, and this was its state word. Otherwise `cx` will be woken when it is.
    pub(super) fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<Snapshot> {
        let header = self.header();
        let now = header.state.load();
        if now.is_complete() {
            return Poll::Ready(now);
        }
        if State::has_join_waker(now) && !header.state.unset_join_waker() {
            return Poll::Ready(header.state.load());
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
            Poll::Ready(header.state.load())
        }
    }

    /// Leaves the outcome to the completer, or drops it, and goes on waiting for the end only.
    pub(super) fn discard(&mut self) {
        let header = self.header();
        if !header.state.load().is_settled() && !header.state.settle() {
            // SAFETY: the task was complete and not settled, so the outcome is the handle's; `settle` says that it is gone.
            unsafe { (header.vtable.drop_outcome)(self.header) };
        }
    }

    /// The outcome was taken, and nothing is left to do but to give the reference back.
    pub(super) fn into_spent(self) -> Spent {
        Spent(ManuallyDrop::new(self).header)
    }
}

/// The reference of a handle whose outcome is gone. Given back when this is dropped, which nothing prevents.
pub(super) struct Spent(NonNull<Header>);

impl Spent {
    /// The handle stays nevertheless.
    pub(super) fn into_raw(self) -> RawHandle {
        let header = ManuallyDrop::new(self).0;
        // SAFETY: the reference keeps the task.
        unsafe { header.as_ref() }.state.settle();
        RawHandle { header }
    }
}

impl Drop for Spent {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the handle held a reference until now, and the last one frees the task.
        unsafe {
            if self.0.as_ref().state.ref_dec() {
                (self.0.as_ref().vtable.deallocate)(self.0);
            }
        }
    }
}

impl Drop for RawHandle {
    fn drop(&mut self) {
        // SAFETY: the handle holds a reference, which lives until `Spent` or `drop_handle` gives it back.
        let header = unsafe { self.header.as_ref() };
        match header.state.drop_handle() {
            HandleDrop::Done => {}
            HandleDrop::Release => drop(Spent(self.header)),
            HandleDrop::DropWaker => {
                let spent = Spent(self.header);
                // SAFETY: the transition gave the slot back to the joiner.
                drop(header.join_waker.with_mut(|slot| unsafe { (*slot).take() }));
                drop(spent);
            }
            HandleDrop::DropOutcome => {
                let _spent = Spent(self.header);
                // SAFETY: the task is complete and the outcome was neither taken nor discarded.
                unsafe { (header.vtable.drop_outcome)(self.header) };
            }
        }
    }
}

/// Requests that a task be cancelled; see [`TaskRef::cancel`](super::TaskRef::cancel).
///
/// A task may be told of one cancellation by more than one way, or in a circle: by the group that it is in, and by a sibling that
/// awaits it. It remembers where the newest ones began, and a second telling is none, unless it has swallowed the first.
///
/// # Safety
///
/// The caller keeps the task.
pub(crate) unsafe fn cancel(header: NonNull<Header>, cause: CancelCause) -> bool {
    // SAFETY: by the contract of this function.
    let task = unsafe { header.as_ref() };
    let now = task.state.load();
    if now.is_complete() || now.is_closing() {
        return false;
    }
    if !cause.is_unknown() || task.extras().is_some() {
        // Before the request, which brings it to the runner.
        if !task.extras_or_new().note_cause(cause) {
            return true;
        }
    }
    match task.state.request() {
        // SAFETY: the answer of the transition just made.
        Some(answer) => unsafe {
            waker::act(header, answer);
            true
        },
        None => false,
    }
}

/// The same for the many tasks of a runtime that ends, most of which have no frame: one that has none and does not run drops its
/// future at its next turn, so it need not remember the cause, and has nothing allocated for it.
///
/// # Safety
///
/// As [`cancel`].
pub(super) unsafe fn cancel_at_end(header: NonNull<Header>, cause: &CancelCause) {
    // SAFETY: by the contract of this function.
    unsafe {
        let task = header.as_ref();
        let is_bare = matches!(task.tree(), Tree::Empty) && !task.state.load().is_running();
        cancel(header, if is_bare { CancelCause::unknown() } else { cause.clone() });
    }
}

/// Wakes a task.
///
/// # Safety
///
/// The caller keeps the task.
pub(crate) unsafe fn wake(header: NonNull<Header>) {
    // SAFETY: by the contract of this function, and the answer of the transition just made.
    unsafe { waker::act(header, header.as_ref().state.wake_by_ref()) };
}

/// Ends a task by force at its next turn.
///
/// # Safety
///
/// The caller keeps the task.
pub(crate) unsafe fn kill(header: NonNull<Header>) {
    // SAFETY: as above.
    unsafe { waker::act(header, header.as_ref().state.kill()) };
}

/// Takes one request back; see [`TaskRef::uncancel`](super::TaskRef::uncancel).
pub(super) fn uncancel(header: &Header) -> usize {
    let left = header.state.uncancel();
    if let Some(extras) = header.extras().filter(|_| left == 0) {
        extras.forget_origins();
        if current::task() == Some(NonNull::from(header)) {
            extras.root.withdraw();
        }
    }
    left
}
