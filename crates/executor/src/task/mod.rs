//! Tasks: a future, its outcome, and everything needed to run it, in one allocation.
//!
//! | file | what it is |
//! |---|---|
//! | `state` | the state word and its protocol: read this first |
//! | `cell` | the allocation, and what is generic over the future |
//! | `run` | one turn of a task: poll or cancel, deferred work, completion |
//! | `waker` | the one waker vtable |
//! | `raw` | a handle without a type: the reference, the right to the outcome, and requests |
//! | `task_ref`, `handle`, `join` | what users hold: [`TaskRef`] names a task, [`Task`] owns its outcome, [`Join`] waits for it |
//! | `outcome` | how a task ended: [`JoinError`], and panics that nobody looks at |
//! | `extras` | what few tasks have: a name, a scope tree, callbacks for the end |
//!
//! The core knows no queue and no worker: where a task goes when it wants to run is the business of its [`Schedule`].

mod cell;
mod extras;
mod handle;
mod join;
mod outcome;
mod raw;
mod run;
mod state;
mod task_ref;
mod waker;

pub use cell::{Reason, Runnable, Schedule, TaskPtr};
pub use extras::CallbackId;
pub use handle::Task;
pub use join::{Join, JoinRef, JoinShared};
pub use outcome::{JoinError, Panic, Unhandled, UnhandledError, UnhandledKind};
pub use task_ref::{Finished, TaskId, TaskRef, current_task};

pub(crate) use cell::{Header, Links, Tree};
pub(crate) use raw::{cancel, wake};
pub(crate) use run::report;

use crate::{context, current};
use std::{future::Future, panic::Location, sync::Arc};

/// Makes a task of `future`. The caller puts the [`Runnable`] into a queue.
///
/// # Safety
///
/// If `F` or its output is not `Send`, the scheduler must have the task run on the current thread only. If `F` borrows, the
/// task must be complete before the borrow ends.
pub unsafe fn create<F, S>(future: F, scheduler: S, location: &'static Location<'static>) -> (Runnable, Task<F::Output>)
where
    F: Future,
    S: Schedule,
{
    let header = cell::allocate(future, scheduler, location);
    context::inherit(header);
    // SAFETY: a new task is scheduled and has a handle: its state word starts so.
    unsafe { (Runnable::from_raw(header), Task::from_raw(header)) }
}

/// The current task is about to end with an error, of which somebody knows: [`TaskRef::has_failed`] will say so, and nobody else be
/// told. Outside any task it does nothing.
pub fn mark_failed() {
    if let Some(task) = current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack.
        unsafe { task.as_ref() }.state.end_failed();
    }
}

/// The current task ends with an error, which is to be reported if nobody looks at it.
pub(crate) fn note_failure(text: Arc<str>) {
    if let Some(task) = current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack, so it is not complete.
        unsafe {
            let unhandled = (task.as_ref().vtable.unhandled)(task);
            task.as_ref().extras_or_new().note_failure(text, unhandled);
            task.as_ref().state.end_failed();
        }
    }
}
