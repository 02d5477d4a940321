//! The ways that a request takes through the tree: inward to the frames, and outward when a frame has let it go.

use super::{Kind, Node, Wakes};
use crate::{
    scope::{
        around,
        issue::{Issue, Request},
    },
    task::{self, Header},
};
use aioli_primitives::sync::Arc;
use std::ptr::NonNull;

/// Delivers a request to every innermost open frame below `node`. `true`: there is one.
///
/// # Safety
///
/// The node is in the current task's tree, here and below.
pub(in crate::scope) unsafe fn deliver(node: NonNull<Node>, request: &Request, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    unsafe { visit(node, wakes, &mut |frame, wakes| receive(frame, request, wakes)) }
}

/// Whether a frame below `node` is open.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn has_open_frames(node: NonNull<Node>, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    unsafe { visit(node, wakes, &mut |_, _| true) }
}

/// What came to the frame `node` comes to the open frames below it, too, that it has not come to: they opened later. `true`: there
/// is one that is open.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn deliver_mail(node: NonNull<Node>, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    unsafe {
        if !has_open_frames(node, wakes) {
            return false;
        }
        let mail = node.as_ref().has_mailbox().map(|mailbox| mailbox.mail.clone());
        let mut open = false;
        for request in mail.into_iter().flatten() {
            open |= deliver(node, &request, wakes);
            wakes.keep_request(request);
        }
        open
    }
}

/// Calls `f` with every innermost open frame below `node`; one for which it answers `false` has just closed. `true`: one is
/// open.
///
/// # Safety
///
/// As [`deliver`].
unsafe fn visit(node: NonNull<Node>, wakes: &mut Wakes, f: &mut impl FnMut(NonNull<Node>, &mut Wakes) -> bool) -> bool {
    let mut open = false;
    // SAFETY: by the contract of this function; children are in the same tree.
    unsafe {
        for child in node.as_ref().children() {
            if child.as_ref().is_gone() {
                bury(child, wakes);
                continue;
            }
            open |= match child.as_ref().kind.get() {
                Kind::Island | Kind::Hold => false,
                Kind::Scope => visit(child, wakes, f),
                Kind::Wall => f(child, wakes),
                Kind::Frame => visit(child, wakes, f) || f(child, wakes),
                Kind::Join => {
                    child.as_ref().joins(|task| !task.as_ref().is_complete()) == Some(true) && f(child, wakes)
                }
            };
        }
    }
    open
}

/// Joins that nobody polls, although their tasks have ended: what they passed on goes on as if they had been.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn pass_on_for_parked(node: NonNull<Node>, wakes: &mut Wakes) {
    // SAFETY: by the contract of this function; children are in the same tree. The task is the future's, which keeps it while
    // the node is `BUSY`.
    unsafe {
        for child in node.as_ref().children() {
            if child.as_ref().kind.get() != Kind::Join {
                pass_on_for_parked(child, wakes);
            } else if child.as_ref().has_mail() {
                let ended = |task: NonNull<Header>| (task.as_ref().is_complete(), task.as_ref().is_cancelled());
                match child.as_ref().joins(ended) {
                    Some((true, true)) => child.as_ref().pass_on_mail(node, wakes),
                    Some((true, false)) => {
                        for request in child.as_ref().take_mail() {
                            around::swallow(&request);
                            wakes.keep_request(request);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Takes out of the tree what its futures have left.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn sweep(node: NonNull<Node>, wakes: &mut Wakes) {
    // SAFETY: by the contract of this function; children are in the same tree.
    unsafe {
        for child in node.as_ref().children() {
            if child.as_ref().is_gone() {
                bury(child, wakes);
            } else {
                sweep(child, wakes);
            }
        }
    }
}

/// Takes a node out of the tree that its future has left.
///
/// # Safety
///
/// As [`deliver`]; nobody points to the node after this.
unsafe fn bury(node: NonNull<Node>, wakes: &mut Wakes) {
    // SAFETY: by the contract of this function; parents are in the same tree.
    unsafe {
        let around = node.as_ref().parent.get();
        node.as_ref().leave_tree(wakes);
        wakes.keep(Node::free(node));
        wake_around(around, wakes);
    }
}

/// Something has closed inside `node`, for which those around may have waited.
///
/// # Safety
///
/// As [`deliver`].
pub(super) unsafe fn wake_around(node: Option<NonNull<Node>>, wakes: &mut Wakes) {
    let mut around = node;
    while let Some(node) = around {
        // SAFETY: by the contract of this function; parents are in the same tree.
        let node = unsafe { node.as_ref() };
        if let Some(mut mailbox) = node.has_mailbox() {
            if !mailbox.mail.is_empty() {
                wakes.push(mailbox.waker.take());
            }
            if let Some(issue) = mailbox.issue.as_ref().filter(|issue| issue.is_unwinding()) {
                wakes.push(issue.take_waker());
            }
        }
        around = node.parent.get();
    }
}

/// Whether somebody inside `node` holds every request that came to it: they are not done with it yet.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn is_held_inside(node: NonNull<Node>) -> bool {
    // SAFETY: by the contract of this function.
    let mailbox = unsafe { node.as_ref() }.has_mailbox();
    let keys = mailbox.map(|mailbox| mailbox.mail.iter().map(Request::key).collect::<Vec<_>>());
    // SAFETY: as above.
    keys.into_iter().flatten().all(|key| unsafe { holds(node, key) })
}

/// Whether a token of that request was taken below `node`, and is still there.
///
/// # Safety
///
/// As [`deliver`].
unsafe fn holds(node: NonNull<Node>, key: (u64, u64)) -> bool {
    // SAFETY: by the contract of this function; children are in the same tree.
    unsafe {
        for child in node.as_ref().children() {
            let is_token = child.as_ref().kind.get() == Kind::Hold && !child.as_ref().is_gone();
            let its_keys = child.as_ref().has_mailbox();
            if is_token && its_keys.is_some_and(|mailbox| mailbox.served.contains(&key)) || holds(child, key) {
                return true;
            }
        }
    }
    false
}

/// A request comes to a frame. `false`: it cannot do anything with it.
///
/// # Safety
///
/// As [`deliver`].
unsafe fn receive(frame: NonNull<Node>, request: &Request, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    let frame = unsafe { frame.as_ref() };
    if !frame.mailbox().is_new(request) {
        return true;
    }
    if frame.kind.get() != Kind::Join {
        frame.mailbox().mail.push(request.clone());
        wakes.push(frame.take_waker());
        return true;
    }
    // SAFETY: the future keeps the task as long as this lasts.
    match frame.joins(|task| unsafe { task::cancel(task, request.cause()) }) {
        Some(true) => {
            request.hold();
            frame.mailbox().mail.push(request.clone());
        }
        // The task has ended but for what it deferred: who awaits it is told next.
        Some(false) => {
            if let Some(parent) = frame.parent.get() {
                // SAFETY: the parent is in the same tree.
                unsafe { forward(parent, request, wakes) };
            }
        }
        None => return false,
    }
    true
}

/// A request goes on outward from here: to the nearest open frame, or to the scope that issued it. `false`: that scope is
/// not around.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn forward(from: NonNull<Node>, request: &Request, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function; parents are in the same tree.
    let around = || std::iter::successors(Some(from), |node| unsafe { node.as_ref() }.parent.get());
    // SAFETY: as above.
    if !around().any(|node| unsafe { node.as_ref() }.issues(request)) {
        // It unwinds where it is, if it does.
        request.goes_home();
        wakes.push(request.issue.take_waker());
        return false;
    }
    for node in around() {
        // SAFETY: as above.
        let node = unsafe { node.as_ref() };
        if node.issues(request) {
            request.issue.set_unwinding(true);
            wakes.push(request.issue.take_waker());
            return true;
        }
        if matches!(node.kind.get(), Kind::Frame | Kind::Wall) {
            let gone_on = request.gone_on();
            let mut mailbox = node.mailbox();
            // Once, from however many it comes.
            let is_there = |mail: &Request| mail.has_gone_on() && mail.key() == gone_on.key();
            if !mailbox.mail.iter().any(is_there) {
                mailbox.mail.push(gone_on);
            }
            drop(mailbox);
            wakes.push(node.take_waker());
            return true;
        }
    }
    unreachable!("the scope is around")
}

/// Takes what `issue` has asked back from the frames below `node` that have not acted on it.
///
/// # Safety
///
/// As [`deliver`].
pub(in crate::scope) unsafe fn withdraw(node: NonNull<Node>, issue: &Arc<Issue>) {
    // SAFETY: by the contract of this function.
    unsafe {
        for child in node.as_ref().children() {
            if child.as_ref().kind.get() != Kind::Join {
                if let Some(mut mailbox) = child.as_ref().has_mailbox() {
                    // What was let go on cannot be taken back any more.
                    mailbox.mail.retain(|mail| !mail.is_from(issue) || mail.has_gone_on());
                }
            }
            withdraw(child, issue);
        }
    }
}
