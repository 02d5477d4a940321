//! The waker of a task: one static vtable for all of them, so that `will_wake` compares two pointers and works.
//!
//! The data pointer is the header. A waker owns a reference, except the one that a runner lends to a poll, which is
//! never dropped.

use super::{
    cell::{Header, Reason},
    state::Wake,
};
use std::{
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{RawWaker, RawWakerVTable, Waker},
};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker for the length of a poll. It owns no reference: the runtime's keeps the task while it runs.
pub(super) fn lend(header: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable's functions keep the waker's contract, and a `ManuallyDrop` never gives back the reference
    // that it does not own.
    ManuallyDrop::new(unsafe { Waker::new(header.as_ptr().cast(), &VTABLE) })
}

/// Does what a transition of the state word asks for.
///
/// # Safety
///
/// `answer` is the answer to a transition just made on a live `header`.
pub(super) unsafe fn act(header: NonNull<Header>, answer: Wake) {
    match answer {
        Wake::Nothing => {}
        // SAFETY: the transition made the right to run, and a task with a right to run is alive.
        Wake::Schedule => unsafe { (header.as_ref().vtable.schedule)(header, Reason::Woken) },
        // SAFETY: the transition gave back the last reference.
        Wake::Deallocate => unsafe { (header.as_ref().vtable.deallocate)(header) },
    }
}

fn header(data: *const ()) -> NonNull<Header> {
    // SAFETY: the data pointer of this vtable is never null: `lend` and `clone` make it from a `NonNull`.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is being cloned keeps the task.
    unsafe { header(data).as_ref().state.ref_inc() };
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    let header = header(data);
    // SAFETY: the waker keeps the task until the transition gives its reference back.
    unsafe { act(header, header.as_ref().state.wake_by_value()) };
}

unsafe fn wake_by_ref(data: *const ()) {
    let header = header(data);
    // SAFETY: the waker keeps the task.
    unsafe { act(header, header.as_ref().state.wake_by_ref()) };
}

unsafe fn drop_waker(data: *const ()) {
    let header = header(data);
    // SAFETY: the waker keeps the task until its reference is given back; the last one frees it.
    unsafe {
        if header.as_ref().state.ref_dec() {
            (header.as_ref().vtable.deallocate)(header);
        }
    }
}
