//! How many operations the poll that runs on this thread may still complete before it has to give way.
//!
//! Whoever polls tasks sets it around each poll. It is here, because what spends it knows nothing of what polls it: a lock that
//! is always free gives way under aioli's executor, and costs a look at a thread-local under any other.

use crate::thread_local;
use std::{
    cell::Cell,
    task::{Context, Poll},
};

/// There is nobody to give way to.
pub const UNLIMITED: u32 = u32::MAX;

thread_local! {
    static LEFT: Cell<u32> = Cell::new(UNLIMITED);
}

/// Sets what is left, and gives what was left before.
#[inline]
pub fn replace(left: u32) -> u32 {
    LEFT.with(|cell| cell.replace(left))
}

/// Whether this thread runs a poll that has to give way: whether it is a worker's.
pub fn is_limited() -> bool {
    LEFT.with(Cell::get) != UNLIMITED
}

/// Takes one operation; every leaf operation (a read, a timer, a join, a lock) begins so.
///
/// When none is left, the task is woken and the answer is `Pending`: the operation is not to be tried in this poll.
#[inline]
pub fn poll(cx: &mut Context<'_>) -> Poll<()> {
    LEFT.with(|cell| match cell.get() {
        UNLIMITED => Poll::Ready(()),
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        left => {
            cell.set(left - 1);
            Poll::Ready(())
        }
    })
}
