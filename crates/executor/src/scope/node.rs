//! The tree of a task's scopes and frames, in which a request finds those who can take it.
//!
//! A *node* is the place of one scope in the tree of the task that polls it. It is made only when something inside the scope can
//! take a request (a *frame*), so a task without frames has no tree; and one that awaits another, and does nothing else, has
//! that one node and no root. The nodes of a tree belong to whoever runs the task: all
//! their plain fields are read and written by the runner, or by futures that it polls or drops, and by nobody else.
//!
//! # Futures that move
//!
//! A future may be polled by one task, and then moved to another or dropped elsewhere, while the first one still runs. So a
//! node is an allocation of its own, with two sides, the future and the tree, and one atomic flag says how they stand:
//!
//! | link | meaning | moves to |
//! |---|---|---|
//! | `LINKED` | both are there; the node is in the tree of `owner` | `BUSY` by either side; `HOMELESS` by the tree |
//! | `BUSY` | one side does something that the other must not run into | `LINKED` or `GONE` by that side |
//! | `GONE` | the future has left it: the tree frees it | `LINKED` by another join, if it is a sole node |
//! | `HOMELESS` | the tree has left it: it is the future's alone | `LINKED` by the future |
//!
//! A future that finds itself in the task that owns its node (`link` is `LINKED` and `owner` is the current task) is one
//! with the tree, since both are on this thread: it may do anything, at no atomic cost. Elsewhere it goes from `LINKED` to `BUSY`,
//! which keeps the owner from ending while it takes a reference to it; leaves the node behind as `GONE`; and then, not earlier,
//! tells the owner, which may be waiting for this frame: the owner finds it gone when it looks, and lets what came to it go
//! on. The tree follows the pointer of a node to a task that is joined, which belongs to the future, only while `BUSY`.
//!
//! Every transition acquires what the one before released.

use super::issue::{Issue, Request};
use crate::{
    current,
    task::{Header, TaskRef, Tree},
};
use aioli_primitives::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::*},
    },
    thread, thread_local,
};
use std::{
    cell::{Cell, RefCell, RefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    task::{Context, Waker},
};

const LINKED: u8 = 0;
const BUSY: u8 = 1;
const GONE: u8 = 2;
const HOMELESS: u8 = 3;

/// What a node is to a request that comes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A scope that passes requests inward, and takes none.
    Scope,
    /// A frame: takes requests when no frame inside is open.
    Frame,
    /// A frame that keeps requests until it closes, and lets none in.
    Wall,
    /// Deferred work: no request from outside enters or waits for it.
    Island,
    /// A frame that passes requests on to the task that it joins.
    Join(NonNull<Header>),
}

/// Tells a model who touches what it cannot see, the plain fields of a node, and that no node is leaked. Nothing otherwise.
#[derive(Default)]
struct Trace(#[cfg(loom)] Arc<aioli_primitives::cell::UnsafeCell<()>>);

impl Trace {
    #[inline]
    fn touch(&self) {
        #[cfg(loom)]
        self.0.with_mut(|_| ());
    }
}

pub(crate) struct Node {
    link: AtomicU8,
    trace: Trace,
    owner: Cell<Option<NonNull<Header>>>,
    kind: Cell<Kind>,
    parent: Cell<Option<NonNull<Node>>>,
    /// Siblings, and the first and last child. Oldest first.
    prev: Cell<Option<NonNull<Node>>>,
    next: Cell<Option<NonNull<Node>>>,
    first: Cell<Option<NonNull<Node>>>,
    last: Cell<Option<NonNull<Node>>>,
    /// `None` for the many to which nothing ever comes.
    post: RefCell<Option<Box<Post>>>,
}

/// What comes to a node, and what it issues.
#[derive(Default)]
struct Post {
    /// Requests that came to this frame: those that it has not taken, or, for a join, those that it has passed on.
    mail: Vec<Request>,
    /// The newest wave of each issue that this frame was served, so that none is delivered twice.
    served: Vec<(u64, u64)>,
    /// Whom to wake when mail comes.
    waker: Option<Waker>,
    /// The scope's own requests.
    issue: Option<Arc<Issue>>,
}

/// How many nodes a thread keeps for the next.
const SPARE: usize = 256;

thread_local! {
    // The boxes are what is kept.
    #[expect(clippy::vec_box)]
    static SPARES: RefCell<Vec<Box<Node>>> = RefCell::new(Vec::new());
}

impl Node {
    fn new() -> Self {
        Self {
            link: AtomicU8::new(HOMELESS),
            trace: Trace::default(),
            owner: Cell::new(None),
            kind: Cell::new(Kind::Scope),
            parent: Cell::new(None),
            prev: Cell::new(None),
            next: Cell::new(None),
            first: Cell::new(None),
            last: Cell::new(None),
            post: RefCell::new(None),
        }
    }

    /// The root of a task's tree. It lives in the task, and no future has a side of it.
    pub(super) fn root() -> Self {
        Self::new()
    }

    #[inline]
    fn allocate() -> NonNull<Node> {
        let spare = SPARES.try_with(|spares| spares.borrow_mut().pop()).ok().flatten();
        NonNull::from(Box::leak(spare.unwrap_or_else(|| Box::new(Self::new()))))
    }

    /// # Safety
    ///
    /// The node was made by `allocate`, is in no tree, and nobody points to it any more.
    #[must_use = "to be dropped when the tree is left alone: it may contain anybody's waker"]
    unsafe fn free(node: NonNull<Node>) -> Option<Box<Post>> {
        // SAFETY: by the contract of this function.
        let mut node = unsafe { Box::from_raw(node.as_ptr()) };
        node.trace.touch();
        let post = node.post.get_mut().take();
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            // In models none is kept, so that whoever uses one that was freed stumbles.
            if !cfg!(loom) && spares.len() < SPARE {
                spares.push(node);
            }
        });
        post
    }

    fn post(&self) -> RefMut<'_, Post> {
        self.trace.touch();
        RefMut::map(self.post.borrow_mut(), |post| &mut **post.get_or_insert_default())
    }

    fn take_waker(&self) -> Option<Waker> {
        self.post.borrow_mut().as_mut()?.waker.take()
    }

    /// Whether the future has left it.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        self.link.load(Acquire) == GONE
    }

    /// The runner frees a sole node that its future has left. `false`: its tree has grown meanwhile.
    ///
    /// # Safety
    ///
    /// The task is the current one, and the node its sole one and [gone](Self::is_gone).
    pub(crate) unsafe fn uproot(node: NonNull<Node>, task: &Header) -> bool {
        let uprooted = task.unplant(node);
        if uprooted {
            // SAFETY: by the contract of this function; nobody else knows the node.
            drop(unsafe { Self::free(node) });
        }
        uprooted
    }

    /// Whether this thread polls or drops what is in the tree that this node is in.
    fn is_in(&self, task: Option<NonNull<Header>>) -> bool {
        self.link.load(Acquire) == LINKED && task.is_some() && self.owner.get() == task
    }

    /// # Safety
    ///
    /// Both are the current task's, or nobody's; the child is in no tree.
    unsafe fn adopt(parent: NonNull<Node>, child: NonNull<Node>, owner: NonNull<Header>) {
        // SAFETY: by the contract of this function.
        unsafe {
            let (parent_, child_) = (parent.as_ref(), child.as_ref());
            parent_.trace.touch();
            child_.trace.touch();
            child_.owner.set(Some(owner));
            child_.parent.set(Some(parent));
            child_.next.set(None);
            child_.prev.set(parent_.last.replace(Some(child)));
            match child_.prev.get() {
                Some(last) => last.as_ref().next.set(Some(child)),
                None => parent_.first.set(Some(child)),
            }
            child_.link.store(LINKED, Release);
        }
    }

    /// Puts a sole node under the root that its tree has grown.
    ///
    /// # Safety
    ///
    /// The node is in the current task's tree.
    pub(super) unsafe fn adopt_sole(root: NonNull<Node>, node: NonNull<Node>) {
        // SAFETY: by the contract of this function.
        unsafe {
            debug_assert!(node.as_ref().parent.get().is_none());
            node.as_ref().parent.set(Some(root));
            node.as_ref().next.set(root.as_ref().first.replace(Some(node)));
            match node.as_ref().next.get() {
                Some(next) => next.as_ref().prev.set(Some(node)),
                None => root.as_ref().last.set(Some(node)),
            }
        }
    }

    /// Takes the node out of its parent's list.
    ///
    /// # Safety
    ///
    /// The node is in the current task's tree.
    #[inline]
    unsafe fn unlink(&self) {
        self.trace.touch();
        if self.parent.get().is_none() {
            let owner = self.owner.get().expect("a linked node has an owner");
            // SAFETY: the owner is the current task.
            if unsafe { owner.as_ref() }.unplant(NonNull::from(self)) {
                return;
            }
            // The tree has grown, and has the node under its root.
            super::place::root(owner);
        }
        let Some(parent) = self.parent.take() else { return };
        let (prev, next) = (self.prev.take(), self.next.take());
        // SAFETY: a parent and siblings are in the same tree.
        unsafe {
            match prev {
                Some(prev) => prev.as_ref().next.set(next),
                None => parent.as_ref().first.set(next),
            }
            match next {
                Some(next) => next.as_ref().prev.set(prev),
                None => parent.as_ref().last.set(prev),
            }
        }
    }

    /// The children, each of which may be taken out of the tree when its turn has come.
    fn children(&self) -> impl Iterator<Item = NonNull<Node>> {
        self.trace.touch();
        let mut next = self.first.get();
        std::iter::from_fn(move || {
            let child = next?;
            // SAFETY: it has not had its turn, so it is in the tree.
            next = unsafe { child.as_ref() }.next.get();
            Some(child)
        })
    }

    /// Makes the node `BUSY`. `false`: the future has left it.
    fn engage(&self) -> bool {
        let mut spins = 0;
        loop {
            match self.link.compare_exchange(LINKED, BUSY, Acquire, Acquire) {
                Ok(_) => return true,
                Err(BUSY) => {
                    // The other side is about to be done; should it have been preempted, let it run.
                    spins += 1;
                    if spins < 64 {
                        hint::spin_loop()
                    } else {
                        thread::yield_now()
                    }
                }
                Err(_) => return false,
            }
        }
    }

    fn disengage(&self, link: u8) {
        self.link.store(link, Release);
    }

    /// Leaves the children to themselves: to their futures, wherever those are. What is inside the children likewise.
    ///
    /// # Safety
    ///
    /// The node is in the current task's tree, or is its root.
    pub(super) unsafe fn dissolve(&self, wakes: &mut Wakes) {
        for child in self.children() {
            // SAFETY: the child is in the same tree; it is out of it when this is done.
            unsafe {
                child.as_ref().dissolve(wakes);
                child.as_ref().unlink();
                child.as_ref().pass_on_mail(NonNull::from(self), wakes);
                if child.as_ref().engage() {
                    child.as_ref().disengage(HOMELESS);
                } else {
                    wakes.keep(Self::free(child));
                }
            }
        }
    }

    /// Takes the node out of the tree. What came to it goes on outward.
    ///
    /// # Safety
    ///
    /// The node is in the current task's tree.
    unsafe fn leave_tree(&self, wakes: &mut Wakes) {
        // SAFETY: by the contract of this function.
        unsafe {
            self.dissolve(wakes);
            let parent = self.parent.get();
            self.unlink();
            if let Some(parent) = parent {
                self.pass_on_mail(parent, wakes);
            }
        }
    }

    /// Requests that came to this frame and were not taken go on outward from `parent`.
    fn pass_on_mail(&self, parent: NonNull<Node>, wakes: &mut Wakes) {
        let held = matches!(self.kind.get(), Kind::Join(_));
        for request in self.take_mail() {
            if held {
                request.release();
            }
            // SAFETY: a parent is in the same tree, and alive.
            unsafe { forward(parent, &request, wakes) };
            wakes.requests.push(request);
        }
    }
}

/// Those to be woken, and what is to be dropped, when the tree is left alone again: a waker may be anybody's, and what it does
/// when it is called or dropped may be anything, to the tree as well.
#[derive(Default)]
pub(super) struct Wakes {
    wakers: Vec<Waker>,
    posts: Vec<Post>,
    requests: Vec<Request>,
}

impl Wakes {
    fn push(&mut self, waker: Option<Waker>) {
        self.wakers.extend(waker);
    }

    fn keep(&mut self, post: Option<Box<Post>>) {
        self.posts.extend(post.map(|post| *post));
    }

    /// Outside any task, so that nothing is added to a tree that is about to go; and a panic is reported, and keeps nobody
    /// else from being woken.
    #[inline]
    pub(super) fn wake(self) {
        if !(self.wakers.is_empty() && self.posts.is_empty() && self.requests.is_empty()) {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(self) {
        let task = current::task();
        let caught = |call: &mut dyn FnMut()| {
            let _nobody = current::leave();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                match task {
                    // SAFETY: the task is current, but for this call.
                    Some(task) => unsafe { crate::task::report(task, payload) },
                    None => drop(crate::task::Panic::new(payload)),
                }
            }
        };
        for waker in self.wakers {
            let mut waker = Some(waker);
            caught(&mut || waker.take().into_iter().for_each(Waker::wake));
        }
        let (mut posts, mut requests) = (self.posts, self.requests);
        while let Some(post) = posts.pop() {
            let mut post = Some(post);
            caught(&mut || drop(post.take()));
        }
        while let Some(request) = requests.pop() {
            let mut request = Some(request);
            caught(&mut || drop(request.take()));
        }
    }
}

/// Delivers a request to every innermost open frame below `node`. `true`: there is one.
///
/// # Safety
///
/// The node is in the current task's tree, here and below.
pub(super) unsafe fn deliver(node: NonNull<Node>, request: &Request, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    unsafe { visit(node, wakes, &mut |frame, wakes| post(frame, request, wakes)) }
}

/// Whether a frame below `node` is open.
///
/// # Safety
///
/// As [`deliver`].
pub(super) unsafe fn has_open_frames(node: NonNull<Node>, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    unsafe { visit(node, wakes, &mut |_, _| true) }
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
                Kind::Island => false,
                Kind::Scope => visit(child, wakes, f),
                Kind::Wall => f(child, wakes),
                Kind::Frame => visit(child, wakes, f) || f(child, wakes),
                Kind::Join(task) => {
                    // The task is the future's, which keeps it while the node is `BUSY`.
                    let engaged = child.as_ref().engage();
                    let goes_on = engaged && !task.as_ref().is_complete();
                    if engaged {
                        child.as_ref().disengage(LINKED);
                    }
                    goes_on && f(child, wakes)
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
pub(super) unsafe fn pass_on_for_parked(node: NonNull<Node>, wakes: &mut Wakes) {
    // SAFETY: by the contract of this function; children are in the same tree. The task is the future's, which keeps it while
    // the node is `BUSY`.
    unsafe {
        for child in node.as_ref().children() {
            let Kind::Join(task) = child.as_ref().kind.get() else {
                pass_on_for_parked(child, wakes);
                continue;
            };
            if child.as_ref().has_mail() && child.as_ref().engage() {
                let (over, cancelled) = (task.as_ref().is_complete(), task.as_ref().is_cancelled());
                child.as_ref().disengage(LINKED);
                if over && cancelled {
                    child.as_ref().pass_on_mail(node, wakes);
                } else if over {
                    let mail = child.as_ref().take_mail();
                    mail.iter().for_each(Request::release);
                    wakes.requests.extend(mail);
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
pub(super) unsafe fn sweep(node: NonNull<Node>, wakes: &mut Wakes) {
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

/// Takes a node out of the tree that its future has left. Whoever is around may have waited for it to close.
///
/// # Safety
///
/// As [`deliver`]; nobody points to the node after this.
unsafe fn bury(node: NonNull<Node>, wakes: &mut Wakes) {
    // SAFETY: by the contract of this function; parents are in the same tree.
    unsafe {
        let mut around = node.as_ref().parent.get();
        node.as_ref().leave_tree(wakes);
        wakes.keep(Node::free(node));
        while let Some(node) = around {
            if let Some(post) = &mut *node.as_ref().post.borrow_mut() {
                if !post.mail.is_empty() {
                    wakes.push(post.waker.take());
                }
                if let Some(issue) = post.issue.as_ref().filter(|issue| issue.is_unwinding()) {
                    wakes.push(issue.take_waker());
                }
            }
            around = node.as_ref().parent.get();
        }
    }
}

/// A request comes to a frame. `false`: it cannot do anything with it.
///
/// # Safety
///
/// As [`deliver`].
unsafe fn post(frame: NonNull<Node>, request: &Request, wakes: &mut Wakes) -> bool {
    // SAFETY: by the contract of this function.
    let frame = unsafe { frame.as_ref() };
    {
        let (issue, wave) = request.key();
        let served = &mut frame.post().served;
        match served.iter_mut().find(|served| served.0 == issue) {
            Some(served) if served.1 == wave => return true,
            Some(served) => served.1 = wave,
            None => served.push((issue, wave)),
        }
    }
    if let Kind::Join(task) = frame.kind.get() {
        if !frame.engage() {
            return false;
        }
        // SAFETY: the future keeps the task while the node is `BUSY`.
        let passed_on = unsafe { crate::task::pass_on(task, request.reason.clone()) };
        frame.disengage(LINKED);
        if passed_on {
            request.hold();
            frame.post().mail.push(request.clone());
        } else if let Some(parent) = frame.parent.get() {
            // The task has ended but for what it deferred: who awaits it is told next.
            // SAFETY: the parent is in the same tree.
            unsafe { forward(parent, request, wakes) };
        }
    } else {
        frame.post().mail.push(request.clone());
        wakes.push(frame.take_waker());
    }
    true
}

/// A request goes on outward from here: to the nearest open frame, or to the scope that issued it. `false`: that scope is
/// not around.
///
/// # Safety
///
/// As [`deliver`].
pub(super) unsafe fn forward(from: NonNull<Node>, request: &Request, wakes: &mut Wakes) -> bool {
    let mut at = Some(from);
    while let Some(node) = at {
        // SAFETY: by the contract of this function; parents are in the same tree.
        let node = unsafe { node.as_ref() };
        if node.issues(request) {
            request.issue.set_unwinding(true);
            wakes.push(request.issue.take_waker());
            return true;
        }
        if matches!(node.kind.get(), Kind::Frame | Kind::Wall) {
            node.post()
                .mail
                .push(Issue::again(&request.issue, request.reason.clone()));
            wakes.push(node.take_waker());
            return true;
        }
        at = node.parent.get();
    }
    false
}

/// Takes what `issue` has asked back from the frames below `node` that have not acted on it.
///
/// # Safety
///
/// As [`deliver`].
pub(super) unsafe fn withdraw(node: NonNull<Node>, issue: &Arc<Issue>) {
    // SAFETY: by the contract of this function.
    unsafe {
        for child in node.as_ref().children() {
            if !matches!(child.as_ref().kind.get(), Kind::Join(_)) {
                if let Some(post) = &mut *child.as_ref().post.borrow_mut() {
                    post.mail.retain(|mail| !mail.is_from(issue));
                }
            }
            withdraw(child, issue);
        }
    }
}

/// The future's side of a node.
pub(crate) struct Place(NonNull<Node>);

// SAFETY: see the head of this file: a future that is not in the task that owns its node touches the link only.
unsafe impl Send for Place {}
// SAFETY: a shared reference allows nothing.
unsafe impl Sync for Place {}

impl Place {
    /// Makes sure that `place` is a node of that kind under `parent`, in the tree of `task`.
    ///
    /// # Safety
    ///
    /// `task` is the current task and `parent` in its tree.
    #[inline]
    pub(super) unsafe fn settle(
        place: &mut Option<Place>,
        kind: Kind,
        issue: Option<&Arc<Issue>>,
        parent: NonNull<Node>,
        task: NonNull<Header>,
    ) -> NonNull<Node> {
        if let Some(Place(node)) = place {
            // SAFETY: the future's side keeps the node.
            let it = unsafe { node.as_ref() };
            if it.is_in(Some(task)) {
                if it.parent.get() != Some(parent) {
                    // SAFETY: both are in the current task's tree.
                    unsafe {
                        it.unlink();
                        Node::adopt(parent, *node, task);
                    }
                }
                return *node;
            }
        }
        // SAFETY: by the contract of this function.
        unsafe { Self::found(place, kind, issue, parent, task) }
    }

    /// # Safety
    ///
    /// As `settle`.
    unsafe fn found(
        place: &mut Option<Place>,
        kind: Kind,
        issue: Option<&Arc<Issue>>,
        parent: NonNull<Node>,
        task: NonNull<Header>,
    ) -> NonNull<Node> {
        // One in another task's tree stays there.
        *place = None;
        let node = Node::allocate();
        *place = Some(Place(node));
        // SAFETY: the node is new, and nobody else knows it.
        unsafe {
            node.as_ref().kind.set(kind);
            if let Some(issue) = issue {
                node.as_ref().set_issue(issue);
            }
            Node::adopt(parent, node, task);
        }
        node
    }

    /// Leaves a join's node, if that is all there is to it: the node is the current task's, and nothing came. A sole node stays
    /// where it is, for the next join.
    pub(super) fn leave_quietly(self) -> Result<(), Place> {
        // SAFETY: the future's side keeps the node.
        let node = unsafe { self.0.as_ref() };
        if !node.is_in(current::task()) || node.has_mail() {
            return Err(self);
        }
        node.trace.touch();
        if node.parent.get().is_none() {
            node.link.store(GONE, Release);
        } else {
            // SAFETY: the node is in the current task's tree, and after this nobody points to it.
            let post = unsafe {
                node.unlink();
                Node::free(self.0)
            };
            drop(post);
        }
        std::mem::forget(self);
        Ok(())
    }

    /// Makes sure that `place` is a join's node right under the root of `task`, if nothing else is in that tree. `false`:
    /// something is.
    ///
    /// # Safety
    ///
    /// `task` is the current task, and its root the innermost scope.
    #[inline]
    pub(super) unsafe fn plant(place: &mut Option<Place>, child: NonNull<Header>, task: NonNull<Header>) -> bool {
        // SAFETY: by the contract of this function.
        let tree = unsafe { task.as_ref() };
        match (tree.tree(), &*place) {
            (Tree::Sole(node), Some(Place(mine))) => node == *mine,
            // SAFETY: a sole node is its task's, and the runner's when no future has it.
            (Tree::Sole(node), None) if unsafe { node.as_ref() }.is_gone() => {
                // SAFETY: as above.
                let it = unsafe { node.as_ref() };
                it.trace.touch();
                it.kind.set(Kind::Join(child));
                *it.post.borrow_mut() = None;
                it.link.store(LINKED, Release);
                *place = Some(Place(node));
                true
            }
            (Tree::Empty, None) => {
                let node = Node::allocate();
                // SAFETY: the node is new, and nobody else knows it.
                let it = unsafe { node.as_ref() };
                it.kind.set(Kind::Join(child));
                it.owner.set(Some(task));
                it.link.store(LINKED, Relaxed);
                let planted = tree.plant(node);
                if !planted {
                    it.link.store(HOMELESS, Relaxed);
                }
                *place = Some(Place(node));
                planted
            }
            _ => false,
        }
    }

    /// Whether something came to the node, as far as the current task owns it.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        // SAFETY: the node is the current task's.
        self.here().is_some_and(|node| unsafe { node.as_ref() }.has_mail())
    }

    /// The node, if the current task owns it.
    #[inline]
    pub(super) fn here(&self) -> Option<NonNull<Node>> {
        // SAFETY: the future's side keeps the node.
        unsafe { self.0.as_ref() }.is_in(current::task()).then_some(self.0)
    }
}

impl Drop for Place {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}

impl Place {
    /// The future leaves its node, wherever it is.
    #[inline(never)]
    fn leave(&mut self) {
        let node = self.0;
        // SAFETY: the future's side keeps the node.
        let it = unsafe { node.as_ref() };
        if it.is_in(current::task()) {
            // SAFETY: the node is in the current task's tree; after this nobody points to it.
            unsafe {
                let mut wakes = Wakes::default();
                it.leave_tree(&mut wakes);
                wakes.keep(Node::free(node));
                wakes.wake();
            }
        } else if it.engage() {
            let owner = it.owner.get().expect("a linked node has an owner");
            // It cannot end while its node is `BUSY`, and so is there to be referred to.
            let _kept = TaskRef::new(owner);
            it.disengage(GONE);
            // SAFETY: the reference keeps the task.
            unsafe {
                // A tree that has no root has given its node nothing that could go on.
                if let Some(extras) = owner.as_ref().extras() {
                    extras.root.has_been_left();
                }
                crate::task::wake(owner);
            }
        } else {
            // SAFETY: `HOMELESS`, so in no tree, and its children are gone.
            let post = unsafe { Node::free(node) };
            let mut wakes = Wakes::default();
            wakes.keep(post);
            wakes.wake();
        }
    }
}

/// What the future's side may do to its node, in the task that owns it.
impl Node {
    pub(super) fn set_kind(&self, kind: Kind) {
        self.kind.set(kind);
    }

    pub(super) fn set_issue(&self, issue: &Arc<Issue>) {
        self.post().issue = Some(issue.clone());
    }

    pub(super) fn issues(&self, request: &Request) -> bool {
        let post = self.post.borrow();
        let issue = post.as_ref().and_then(|post| post.issue.as_ref());
        issue.is_some_and(|issue| request.is_from(issue))
    }

    pub(super) fn has_mail(&self) -> bool {
        self.post.borrow().as_ref().is_some_and(|post| !post.mail.is_empty())
    }

    pub(super) fn take_mail(&self) -> Vec<Request> {
        let mut post = self.post.borrow_mut();
        post.as_mut()
            .map(|post| std::mem::take(&mut post.mail))
            .unwrap_or_default()
    }

    pub(super) fn parent(&self) -> Option<NonNull<Node>> {
        self.parent.get()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind.get()
    }

    /// Whether the scope is about to drop its body.
    pub(super) fn unwinds(&self) -> bool {
        let post = self.post.borrow();
        let issue = post.as_ref().and_then(|post| post.issue.as_ref());
        issue.is_some_and(|issue| issue.is_unwinding() && !issue.is_held())
    }

    pub(super) fn register(&self, cx: &Context<'_>) {
        let old = {
            let waker = &mut self.post().waker;
            match waker {
                Some(waker) if waker.will_wake(cx.waker()) => None,
                _ => waker.replace(cx.waker().clone()),
            }
        };
        drop(old);
    }
}
