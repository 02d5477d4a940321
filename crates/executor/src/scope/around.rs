//! What is around the code that runs just now: its innermost scope, and who is outside of that.

use super::{
    issue::{CancelCause, Issue, Request},
    root,
    tree::{self, Kind, Node, Wakes},
};
use crate::{
    current,
    task::{self, Header},
};
use aioli_primitives::sync::Arc;
use std::{ptr::NonNull, task::Context};

/// The node of the innermost scope of the current task.
pub(super) fn innermost(task: NonNull<Header>) -> NonNull<Node> {
    match current::scope() {
        // SAFETY: `current` names a scope only while somebody up the stack polls or drops it.
        Some(scope) => unsafe { scope.as_ref() }.node(task),
        None => root::of(task),
    }
}

/// Whether a scope with that issue and that node is to drop its body.
pub(super) fn must_drop(issue: &Arc<Issue>, node: Option<NonNull<Node>>, cx: &Context<'_>) -> bool {
    // Before it is asked how things stand: who changes that later wakes this one.
    issue.register(cx);
    let mut wakes = Wakes::default();
    if let Some(node) = node {
        // SAFETY: the node is in the current task's tree.
        unsafe { tree::pass_on_for_parked(node, &mut wakes) };
    }
    // As long as somebody holds it, nobody is told again: what he opened meanwhile is his handler's.
    if !issue.is_unwinding() || issue.is_held() {
        wakes.wake();
        return false;
    }
    // SAFETY: the node is in the current task's tree.
    let told = node.is_some_and(|node| unsafe { tree::deliver(node, &Issue::again(issue), &mut wakes) });
    wakes.wake();
    !told && !issue.is_held()
}

/// Starts from the innermost scope: a request that was let go goes on outward. `false`: its scope is not around.
pub(super) fn forward(request: &Request) -> bool {
    let Some(task) = current::task() else {
        request.goes_home();
        return false;
    };
    let mut wakes = Wakes::default();
    // SAFETY: the node is in the current task's tree.
    let found = unsafe { tree::forward(innermost(task), request, &mut wakes) };
    wakes.wake();
    found
}

/// A request that was passed on was swallowed by the task that had it, and so ends here.
pub(super) fn swallow(request: &Request) {
    request.release();
    forget(request);
}

/// A request was swallowed here: the same one may come again, and is another one then.
pub(super) fn forget(request: &Request) {
    if let (Some(task), Some(origin)) = (current::task(), request.cause().origin) {
        // SAFETY: `current` names a task only while its runner is up the stack.
        if let Some(extras) = unsafe { task.as_ref() }.extras() {
            extras.forget_origin(origin);
        }
    }
}

/// What is between here and the scope that issued the request, and stops requests: a wall, or the deferred work that this is.
pub(super) fn stopped_by(request: &Request) -> Option<Kind> {
    let mut at = current::task().map(innermost);
    while let Some(node) = at {
        // SAFETY: the node is in the current task's tree, and so are its parents.
        let node = unsafe { node.as_ref() };
        match node.kind() {
            kind @ (Kind::Wall | Kind::Island) => return Some(kind),
            Kind::Frame => return None,
            _ if node.issues(request) => return None,
            _ => at = node.parent(),
        }
    }
    None
}

/// Whether something around the innermost scope is about to unwind through it, so that an answer would come too late: for
/// combinators, which stay pending then.
pub fn unwinds_around() -> bool {
    let Some(task) = current::task() else { return false };
    // SAFETY: `current` names a task only while its runner is up the stack.
    if unsafe { task.as_ref() }.extras().is_none() {
        return false;
    }
    let mut at = Some(innermost(task));
    while let Some(place) = at {
        // SAFETY: the node is in the current task's tree, and so are its parents.
        let node = unsafe { place.as_ref() };
        match node.kind() {
            // Nothing unwinds through these.
            Kind::Wall | Kind::Island => return false,
            Kind::Frame if node.has_mail() => {
                let mut wakes = Wakes::default();
                // SAFETY: as above.
                let open = unsafe { tree::has_open_frames(place, &mut wakes) || tree::is_held_inside(place) };
                wakes.wake();
                return !open;
            }
            _ if node.unwinds() => return true,
            _ => at = node.parent(),
        }
    }
    false
}

/// Requests that the current task be cancelled.
pub(super) fn cancel_current() {
    if let Some(task) = current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack.
        unsafe { task::cancel(task, CancelCause::unknown()) };
    }
}
