//! One turn of a task.
//!
//! ```text
//! start ──┬─ a request, and no frame takes it: drop the future ──┐
//!         ├─ poll the future ─┬─ ready ──────────────────────────┼── deferred work left? ── no: complete
//!         │                   └─ pending ─┬─ unwinding: drop it ─┤                          yes: close, pend
//!         │                               └─ deferred work, pend │
//!         └─ closing ────────────────────────────────────────────┘
//! ```
//!
//! Everything of the user's that runs here is caught when it panics: a worker outlives every task.

use super::{
    cell::{Header, Reason, Tree},
    extras::Extras,
    outcome::UnhandledError,
    state::{Pend, Snapshot},
    task_ref::TaskRef,
    waker,
};
use crate::{
    current,
    scope::{Node, dropping_bare, dropping_for},
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    task::Context,
};

/// # Safety
///
/// The caller holds the right to run, and gives it up.
#[inline]
pub(super) unsafe fn run(header: NonNull<Header>) {
    // SAFETY: a task with a right to run is alive, and stays so until this runner gives the right up.
    let task = unsafe { header.as_ref() };
    let before = task.state.start();
    if !before.is_bound() {
        // SAFETY: the task is alive.
        unsafe { (task.vtable.bind)(header) };
        task.state.bind();
    }
    let over = {
        let _current = current::enter(header);
        let waker = waker::lend(header);
        let cx = &mut Context::from_waker(&waker);
        // SAFETY: this is the runner, and unless the task is closing its future is alive.
        let gone = before.is_closing()
            || unsafe {
                if before.has_request() && is_to_end(header, before, cx) {
                    cancel(header);
                    true
                } else {
                    (task.vtable.poll)(header, cx)
                }
            };
        if before.is_killed() {
            cut_off(header);
        }
        match task.tree() {
            Tree::Empty => gone,
            Tree::Sole(_) => {
                if gone {
                    leave_tree(task);
                }
                gone
            }
            Tree::Grown(extras) => tend(header, extras, before, gone, cx),
        }
    };
    if over {
        // SAFETY: this is the runner, and the outcome is stored.
        unsafe { complete(header) };
    } else if task.state.pend() == Pend::Reschedule {
        // SAFETY: the task was woken while it ran, so the right to run has stayed here; it keeps the task.
        unsafe { (task.vtable.schedule)(header, Reason::Yielded) };
    }
}

/// After a poll of a task with a scope tree. `true`: the task is over.
#[inline(never)]
fn tend(header: NonNull<Header>, extras: &Extras, before: Snapshot, mut gone: bool, cx: &mut Context<'_>) -> bool {
    // SAFETY: the caller is the runner.
    let task = unsafe { header.as_ref() };
    if !gone && extras.root.must_drop(cx) {
        // SAFETY: the caller is the runner, and the future is alive.
        unsafe { cancel(header) };
        gone = true;
    }
    if gone && !before.is_closing() && extras.root.has_deferred() {
        // Before the work begins: it may ask whether its task can still be cancelled.
        task.state.close();
    }
    // Alongside a future that goes on, too.
    let over = extras.root.poll_deferred(cx) && gone;
    if over {
        leave_tree(task);
    }
    over
}

/// Drops the future because of a request.
///
/// # Safety
///
/// The caller is the runner, and the future is alive.
#[cold]
unsafe fn cancel(header: NonNull<Header>) {
    // SAFETY: by the contract of this function.
    let task = unsafe { header.as_ref() };
    // SAFETY: by the contract of this function.
    let drop = || unsafe { (task.vtable.cancel)(header) };
    match task.extras() {
        Some(extras) => dropping_for(extras.root.cause().as_ref(), drop),
        None => dropping_bare(drop),
    }
}

/// A request has come. `true`: the future is to be dropped.
#[cold]
fn is_to_end(header: NonNull<Header>, before: Snapshot, cx: &mut Context<'_>) -> bool {
    if before.is_killed() {
        return true;
    }
    // SAFETY: the caller is the runner.
    let task = unsafe { header.as_ref() };
    task.state.take_request();
    match task.tree() {
        Tree::Empty => true,
        // SAFETY: the runner may look at the nodes of its tree.
        Tree::Sole(node) if unsafe { node.as_ref() }.is_gone() => true,
        _ => {
            let extras = task.extras_or_new();
            !extras.root.ask(cx, extras.cause())
        }
    }
}

/// The end of the runtime does not wait for this task any longer: its deferred work is given up.
#[cold]
fn cut_off(header: NonNull<Header>) {
    // SAFETY: the caller is the runner.
    let task = unsafe { header.as_ref() };
    if let Some(extras) = task.extras() {
        extras.root.drop_deferred();
    }
    // SAFETY: the task is not released yet.
    unsafe { (task.vtable.unhandled)(header) }.report(UnhandledError::cut_off(&TaskRef::new(header)));
}

/// Futures of this task that live on elsewhere are on their own from now on.
#[inline(never)]
fn leave_tree(task: &Header) {
    match task.tree() {
        Tree::Empty => {}
        // Now, and not when the task is freed: it has just been in use, and will not be at hand then.
        // SAFETY: this is the runner.
        Tree::Sole(node) if unsafe { node.as_ref().is_gone() && Node::uproot(node, task) } => {}
        _ => task.extras_or_new().root.end(),
    }
}

/// # Safety
///
/// The caller is the runner and stops being it; the outcome is stored.
unsafe fn complete(header: NonNull<Header>) {
    // SAFETY: the runtime's reference, given back below, keeps the task.
    let task = unsafe { header.as_ref() };
    let todo = task.state.complete();
    if todo.is_to_drop_outcome() {
        // SAFETY: the transition left the outcome to us.
        caught(header, || unsafe { (task.vtable.drop_outcome)(header) });
    }
    if todo.is_to_wake_joiner() {
        // SAFETY: the transition left the slot to us.
        let joiner = task.join_waker.with_mut(|slot| unsafe { (*slot).take() });
        caught(header, || joiner.expect("a flagged slot is full").wake());
    }
    if todo.is_watched() {
        call_watchers(header);
    }
    // SAFETY: the task is alive, and its last reference frees it.
    unsafe {
        if todo.is_to_release() {
            (task.vtable.release)(header);
        }
        if task.state.ref_dec() {
            (task.vtable.deallocate)(header);
        }
    }
}

/// Calls those who have left a callback for the end.
#[cold]
fn call_watchers(header: NonNull<Header>) {
    // SAFETY: the caller is the completer, and has the runtime's reference.
    let extras = unsafe { header.as_ref() }.extras();
    let extras = extras.expect("a watched task has extras");
    extras.call_watchers(header, |call| caught(header, call));
}

/// # Safety
///
/// As `run`.
pub(super) unsafe fn abandon(header: NonNull<Header>) {
    // SAFETY: a task with a right to run is alive.
    let task = unsafe { header.as_ref() };
    let before = task.state.start();
    {
        let _current = current::enter(header);
        if !before.is_closing() {
            // SAFETY: this is the runner, and the future is alive.
            unsafe { (task.vtable.cancel)(header) };
        }
        if let Some(extras) = task.extras() {
            extras.root.drop_deferred();
        }
        leave_tree(task);
    }
    // SAFETY: this is the runner, and the outcome is stored.
    unsafe { complete(header) };
}

/// Runs code of the user's on behalf of a task that its runner has not released yet.
fn caught(header: NonNull<Header>, f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // SAFETY: the task is not released yet.
        unsafe { report(header, payload) };
    }
}

/// Reports a panic that is nobody's outcome.
///
/// # Safety
///
/// The task is being run, or is about to be released by its runner.
#[cold]
pub(crate) unsafe fn report(header: NonNull<Header>, payload: Box<dyn Any + Send>) {
    // SAFETY: so the runtime and its handler are there.
    let unhandled = unsafe { (header.as_ref().vtable.unhandled)(header) };
    unhandled.report(UnhandledError::panic(&TaskRef::new(header), payload));
}
