//! The root scope of a task, which the task has.

use super::{
    around::must_drop,
    deferred::Queue,
    issue::{CancelCause, Issue},
    tree::{self, Node, Wakes},
};
use crate::task::Header;
use aioli_primitives::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::*},
};
use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    task::Context,
};

/// The root node of the current task.
pub(super) fn of(task: NonNull<Header>) -> NonNull<Node> {
    // SAFETY: `current` names a task only while its runner is up the stack.
    let root = &unsafe { task.as_ref() }.extras_or_new().root;
    root.adopt_inherited();
    NonNull::from(&root.node)
}

/// The root scope of a task. Its runner touches it, and what it polls.
pub(crate) struct Root {
    node: Node,
    /// The node that the task had before it had a root. The runner puts it under the root when it next comes by.
    inherited: Cell<Option<NonNull<Node>>>,
    /// A future has left a node of this tree, on some other thread. Set with `Release` after that, and cleared with
    /// `Acquire` before the runner looks for it.
    left: AtomicBool,
    issue: RefCell<Option<Arc<Issue>>>,
    pub(super) deferred: Queue,
}

impl Root {
    pub(crate) fn new() -> Self {
        Self {
            node: Node::root(),
            inherited: Cell::new(None),
            left: AtomicBool::new(false),
            issue: RefCell::new(None),
            deferred: Queue::new(),
        }
    }

    /// Before it is anybody's: the node that the task has already.
    pub(crate) fn inherit(&self, node: Option<NonNull<Node>>) {
        self.inherited.set(node);
    }

    #[inline]
    fn adopt_inherited(&self) {
        if let Some(node) = self.inherited.take() {
            // SAFETY: the runner calls, and the node is its tree's.
            unsafe { Node::adopt_sole(NonNull::from(&self.node), node) };
        }
    }

    /// The task's cancellation was requested. `true`: there is a frame inside that is told; `false`: nothing keeps the
    /// future.
    pub(crate) fn ask(&self, cx: &Context<'_>, cause: CancelCause) -> bool {
        self.adopt_inherited();
        let issue = self.issue.borrow_mut().get_or_insert_with(Issue::new).clone();
        self.node.set_issue(&issue);
        issue.register(cx);
        let mut wakes = Wakes::default();
        // SAFETY: the runner calls.
        let told = unsafe { tree::deliver(NonNull::from(&self.node), &Issue::ask(&issue, cause), &mut wakes) };
        wakes.wake();
        if !told {
            issue.set_unwinding(true);
        }
        told
    }

    /// On any thread: a future has left a node of this tree. The task is to be woken after that.
    pub(crate) fn has_been_left(&self) {
        self.left.store(true, Release);
    }

    /// Lets the tree notice which futures have left it.
    #[inline]
    fn sweep(&self) {
        // A swap alone would do, and a load is cheaper.
        if self.left.load(Relaxed) && self.left.swap(false, Acquire) {
            self.adopt_inherited();
            let mut wakes = Wakes::default();
            // SAFETY: the runner calls.
            unsafe { tree::sweep(NonNull::from(&self.node), &mut wakes) };
            wakes.wake();
        }
    }

    /// Whether the future is to be dropped now.
    #[inline]
    pub(crate) fn must_drop(&self, cx: &Context<'_>) -> bool {
        self.sweep();
        self.issue.borrow().is_some() && {
            self.adopt_inherited();
            let issue = self.issue.borrow().clone().expect("just looked");
            must_drop(&issue, Some(NonNull::from(&self.node)), cx)
        }
    }

    /// All requests are taken back, as far as nobody has acted on them.
    pub(crate) fn withdraw(&self) {
        self.adopt_inherited();
        if let Some(issue) = &*self.issue.borrow() {
            // SAFETY: the runner calls.
            unsafe { tree::withdraw(NonNull::from(&self.node), issue) };
        }
    }

    /// The task is about to be over. Futures that have gone elsewhere are on their own.
    pub(crate) fn end(&self) {
        self.adopt_inherited();
        let mut wakes = Wakes::default();
        // SAFETY: the runner calls.
        unsafe { self.node.dissolve(&mut wakes) };
        let issue = self.issue.borrow_mut().take();
        // The waker is this task's: it would keep the task for as long as a token goes about.
        drop(issue.and_then(|issue| issue.take_waker()));
        wakes.wake();
    }

    /// That of the newest request that the runner has seen.
    pub(crate) fn cause(&self) -> Option<CancelCause> {
        self.issue.borrow().as_ref().map(|issue| issue.cause())
    }

    /// Whether there is deferred work.
    #[inline]
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Runs deferred work as far as it goes. `true`: all of it is done.
    #[inline]
    pub(crate) fn poll_deferred(&self, cx: &mut Context<'_>) -> bool {
        self.deferred.is_empty() || {
            self.sweep();
            self.deferred.poll(cx)
        }
    }

    /// Gives deferred work up.
    pub(crate) fn drop_deferred(&self) {
        self.deferred.clear();
    }
}
