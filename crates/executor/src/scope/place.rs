//! A scope as the future that it belongs to has it: its place in the tree, if it needs one, its requests, and the work
//! that was deferred to it. And the root scope of a task, which the task has.

use super::{
    deferred::Queue,
    issue::{Issue, Request, Text},
    node::{self, Kind, Node, Place, Wakes},
};
use crate::{
    current,
    task::{self, Header},
};
use aioli_primitives::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::*},
};
use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    task::Context,
};

/// A scope inside a task. Whoever polls or drops its future at the moment touches it, on its own thread.
pub(crate) struct Scope {
    kind: Cell<Kind>,
    /// `None` until something inside is a frame.
    place: RefCell<Option<Place>>,
    /// `None` until it asks for the first time.
    issue: RefCell<Option<Arc<Issue>>>,
    /// The scope around; `None`: the root. Means something only while this one is entered.
    outer: Cell<Option<NonNull<Scope>>>,
    pub(super) deferred: Queue,
}

// SAFETY: only whoever polls or drops the future that contains it touches it; `outer` is written each time it is entered, and
// read only while it is.
unsafe impl Send for Scope {}

impl Scope {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind: Cell::new(kind),
            place: RefCell::new(None),
            issue: RefCell::new(None),
            outer: Cell::new(None),
            deferred: Queue::new(),
        }
    }

    /// Makes the scope the current one until the guard is dropped.
    #[inline]
    pub(super) fn enter(&self) -> current::Restore {
        let restore = current::enter_scope(NonNull::from(self));
        self.outer.set(restore.scope());
        restore
    }

    /// Where deferred work goes.
    pub(crate) fn keeps_work(&self) -> bool {
        self.kind.get() != Kind::Island
    }

    pub(crate) fn outer(&self) -> Option<NonNull<Scope>> {
        self.outer.get()
    }

    /// The scope's node, made and put where it belongs if need be. It is entered, or about to be: `outer` is true.
    fn node(&self, task: NonNull<Header>) -> NonNull<Node> {
        let parent = match self.outer.get() {
            // SAFETY: the scope around is entered.
            Some(outer) => unsafe { outer.as_ref() }.node(task),
            None => root(task),
        };
        // SAFETY: the task is current, and the parent in its tree.
        unsafe {
            Place::settle(
                &mut self.place.borrow_mut(),
                self.kind.get(),
                self.issue.borrow().as_ref(),
                parent,
                task,
            )
        }
    }

    /// The node, if there is one and the current task owns it.
    pub(super) fn here(&self) -> Option<NonNull<Node>> {
        self.place.borrow().as_ref().and_then(Place::here)
    }

    /// Asks everything inside to end. `true`: there is a frame inside that is told; `false`: nothing keeps the body.
    pub(super) fn ask(&self, cx: &Context<'_>, reason: Option<Text>) -> bool {
        let issue = self.issue.borrow_mut().get_or_insert_with(Issue::new).clone();
        issue.register(cx);
        let request = Issue::ask(&issue, reason);
        let mut told = false;
        if let Some(node) = self.here() {
            let mut wakes = Wakes::default();
            // SAFETY: the node is in the current task's tree.
            unsafe {
                node.as_ref().set_issue(&issue);
                told = node::deliver(node, &request, &mut wakes);
            }
            wakes.wake();
        }
        if !told {
            issue.set_unwinding(true);
        }
        told
    }

    /// Whether the body is to be dropped now, because of the scope's own request.
    #[inline]
    pub(super) fn must_drop(&self, cx: &Context<'_>) -> bool {
        self.issue.borrow().is_some() && self.must_drop_slow(cx)
    }

    #[cold]
    fn must_drop_slow(&self, cx: &Context<'_>) -> bool {
        let issue = self.issue.borrow().clone().expect("the caller has looked");
        must_drop(&issue, self.here(), cx)
    }

    /// Becomes a frame, whose requests wake the one who polls it; or stays one, and is woken so from now on. Outside any
    /// task there are none.
    pub(super) fn open(&self, kind: Kind, cx: &Context<'_>) {
        self.kind.set(kind);
        let Some(task) = current::task() else { return };
        self.outer.set(current::scope());
        let node = self.node(task);
        // SAFETY: the node is the current task's.
        unsafe {
            node.as_ref().set_kind(kind);
            node.as_ref().register(cx);
        }
    }

    /// Whether something came to this frame that nobody inside is to have first.
    pub(super) fn can_take(&self) -> bool {
        // SAFETY: the node is in the current task's tree.
        let node = self.here().filter(|node| unsafe { node.as_ref() }.has_mail());
        let mut wakes = Wakes::default();
        // SAFETY: as above.
        let can = node.is_some_and(|node| unsafe { !node::has_open_frames(node, &mut wakes) });
        wakes.wake();
        can
    }

    /// Takes what came to this frame, if nobody inside is to have it first.
    pub(super) fn take(&self) -> Option<Vec<Request>> {
        let node = self.here().filter(|_| self.can_take());
        // SAFETY: the node is the current task's.
        node.map(|node| unsafe { node.as_ref() }.take_mail())
    }

    /// Is a frame no longer. What came and was not taken goes on outward.
    pub(super) fn close(&self) {
        let place = self.place.borrow_mut().take();
        drop(place);
    }
}

/// Whether a scope with that issue and that node is to drop its body.
fn must_drop(issue: &Arc<Issue>, node: Option<NonNull<Node>>, cx: &Context<'_>) -> bool {
    // Before it is asked how things stand: who changes that later wakes this one.
    issue.register(cx);
    let mut wakes = Wakes::default();
    if let Some(node) = node {
        // SAFETY: the node is in the current task's tree.
        unsafe { node::pass_on_for_parked(node, &mut wakes) };
    }
    if !issue.is_unwinding() {
        wakes.wake();
        return false;
    }
    // SAFETY: the node is in the current task's tree.
    let told = node.is_some_and(|node| unsafe { node::deliver(node, &Issue::again(issue, None), &mut wakes) });
    wakes.wake();
    !told && !issue.is_held()
}

/// Starts from the innermost scope: a request that was let go goes on outward. `false`: its scope is not around.
pub(super) fn forward(request: &Request) -> bool {
    let mut wakes = Wakes::default();
    let mut found = false;
    if let Some(task) = current::task() {
        // SAFETY: the node is in the current task's tree.
        found = unsafe { node::forward(innermost(task), request, &mut wakes) };
    }
    wakes.wake();
    found
}

/// Whether something between here and the scope that issued the request keeps requests back for as long as it is there.
pub(super) fn is_walled_in(request: &Request) -> bool {
    let mut at = current::task().map(innermost);
    while let Some(node) = at {
        // SAFETY: the node is in the current task's tree, and so are its parents.
        let node = unsafe { node.as_ref() };
        match node.kind() {
            Kind::Wall => return true,
            Kind::Frame => return false,
            _ if node.issues(request) => return false,
            _ => at = node.parent(),
        }
    }
    false
}

/// The node of the innermost scope of the current task.
pub(super) fn innermost(task: NonNull<Header>) -> NonNull<Node> {
    match current::scope() {
        // SAFETY: `current` names a scope only while somebody up the stack polls or drops it.
        Some(scope) => unsafe { scope.as_ref() }.node(task),
        None => root(task),
    }
}

pub(super) fn root(task: NonNull<Header>) -> NonNull<Node> {
    // SAFETY: `current` names a task only while its runner is up the stack.
    let root = &unsafe { task.as_ref() }.extras_or_new().root;
    root.adopt_inherited();
    NonNull::from(&root.node)
}

/// Whether something around the innermost scope is about to unwind through it, so that who ends now need not answer.
pub(crate) fn unwinds_around() -> bool {
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
                let open = unsafe { node::has_open_frames(place, &mut wakes) };
                wakes.wake();
                return !open;
            }
            _ if node.unwinds() => return true,
            _ => at = node.parent(),
        }
    }
    false
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
    pub(crate) fn ask(&self, cx: &Context<'_>, reason: Option<Text>) -> bool {
        self.adopt_inherited();
        let issue = self.issue.borrow_mut().get_or_insert_with(Issue::new).clone();
        self.node.set_issue(&issue);
        issue.register(cx);
        let mut wakes = Wakes::default();
        // SAFETY: the runner calls.
        let told = unsafe { node::deliver(NonNull::from(&self.node), &Issue::ask(&issue, reason), &mut wakes) };
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
            unsafe { node::sweep(NonNull::from(&self.node), &mut wakes) };
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
            issue.set_unwinding(false);
            // SAFETY: the runner calls.
            unsafe { node::withdraw(NonNull::from(&self.node), issue) };
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

/// Requests that the current task be cancelled.
pub(super) fn cancel_current() {
    if let Some(task) = current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack.
        unsafe { task::cancel(task, None) };
    }
}
