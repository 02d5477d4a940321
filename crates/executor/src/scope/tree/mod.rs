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
//!
//! | file | what it is |
//! |---|---|
//! | `mod` | the node: its links to others, and the flag |
//! | `mailbox` | what comes to a node, and what it issues |
//! | `route` | the ways that a request takes through the tree |
//! | `place` | the future's side of a node |
//! | `wakes` | whom to wake and what to drop when the tree is left alone again |

mod mailbox;
mod place;
mod route;
mod wakes;

pub(super) use place::Place;
pub(super) use route::{
    deliver, deliver_mail, forward, has_open_frames, is_held_inside, pass_on_for_parked, sweep, withdraw,
};
pub(super) use wakes::Wakes;

use crate::task::Header;
#[cfg(loom)]
use aioli_primitives::sync::Arc;
use aioli_primitives::{
    hint,
    sync::atomic::{AtomicU8, Ordering::*},
    thread, thread_local,
};
use mailbox::Mailbox;
use std::{
    cell::{Cell, OnceCell, RefCell},
    ptr::NonNull,
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
    Join,
    /// A token that was taken here: no frame, but those around wait for it.
    Hold,
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

/// Small, because every task that awaits another has one: not more than a cache line.
pub(crate) struct Node {
    link: AtomicU8,
    kind: Cell<Kind>,
    trace: Trace,
    owner: Cell<Option<NonNull<Header>>>,
    /// The task that a join waits for.
    joined: Cell<Option<NonNull<Header>>>,
    parent: Cell<Option<NonNull<Node>>>,
    /// The oldest child.
    first: Cell<Option<NonNull<Node>>>,
    /// The next older child of the same parent; for the oldest, the youngest.
    prev: Cell<Option<NonNull<Node>>>,
    next: Cell<Option<NonNull<Node>>>,
    /// Empty for the many to which nothing ever comes.
    mailbox: OnceCell<Box<RefCell<Mailbox>>>,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Node>() <= 64);

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
            kind: Cell::new(Kind::Scope),
            trace: Trace::default(),
            owner: Cell::new(None),
            joined: Cell::new(None),
            parent: Cell::new(None),
            first: Cell::new(None),
            prev: Cell::new(None),
            next: Cell::new(None),
            mailbox: OnceCell::new(),
        }
    }

    /// The root of a task's tree. It lives in the task, and no future has a side of it.
    pub(in crate::scope) fn root() -> Self {
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
    unsafe fn free(node: NonNull<Node>) -> Option<Box<RefCell<Mailbox>>> {
        // SAFETY: by the contract of this function.
        let mut node = unsafe { Box::from_raw(node.as_ptr()) };
        node.trace.touch();
        let mailbox = node.mailbox.take();
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            // In models none is kept, so that whoever uses one that was freed stumbles.
            if !cfg!(loom) && spares.len() < SPARE {
                spares.push(node);
            }
        });
        mailbox
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
            let mailbox = unsafe { Self::free(node) };
            // What comes, comes from the root, and there is none.
            debug_assert!(mailbox.is_none(), "a sole node has no mail");
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
            Self::attach(parent, child);
            child_.link.store(LINKED, Release);
        }
    }

    /// The youngest child of `parent` from now on.
    ///
    /// # Safety
    ///
    /// As [`adopt`](Self::adopt).
    unsafe fn attach(parent: NonNull<Node>, child: NonNull<Node>) {
        // SAFETY: by the contract of this function.
        unsafe {
            let (parent_, child_) = (parent.as_ref(), child.as_ref());
            child_.parent.set(Some(parent));
            child_.next.set(None);
            match parent_.first.get() {
                Some(first) => {
                    let last = first.as_ref().prev.replace(Some(child));
                    last.expect("a child has one before it").as_ref().next.set(Some(child));
                    child_.prev.set(last);
                }
                None => {
                    parent_.first.set(Some(child));
                    child_.prev.set(Some(child));
                }
            }
        }
    }

    /// Tokens that were taken in here, and are still there, are `parent`'s from now on.
    ///
    /// # Safety
    ///
    /// Both are in the current task's tree.
    unsafe fn hand_holds_on(&self, parent: NonNull<Node>) {
        for child in self.children() {
            // SAFETY: the child is in the same tree. Its future, elsewhere, does not touch the node while it is `BUSY`, and reads
            // its owner at any time, which stays the same.
            unsafe {
                child.as_ref().hand_holds_on(parent);
                if child.as_ref().kind.get() == Kind::Hold && child.as_ref().engage() {
                    child.as_ref().unlink();
                    Self::attach(parent, child);
                    child.as_ref().disengage(LINKED);
                }
            }
        }
    }

    /// Puts a sole node under the root that its tree has grown.
    ///
    /// # Safety
    ///
    /// The node is in the current task's tree.
    pub(in crate::scope) unsafe fn adopt_sole(root: NonNull<Node>, node: NonNull<Node>) {
        // SAFETY: by the contract of this function.
        unsafe {
            let (root_, node_) = (root.as_ref(), node.as_ref());
            debug_assert!(node_.parent.get().is_none());
            node_.parent.set(Some(root));
            node_.next.set(root_.first.replace(Some(node)));
            let last = node_.next.get().and_then(|next| next.as_ref().prev.replace(Some(node)));
            node_.prev.set(last.or(Some(node)));
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
            super::root::of(owner);
        }
        let Some(parent) = self.parent.take() else { return };
        let (prev, next) = (self.prev.take(), self.next.take());
        // SAFETY: a parent and siblings are in the same tree.
        unsafe {
            let first = parent.as_ref().first.get().expect("a parent has a child");
            if first == NonNull::from(self) {
                parent.as_ref().first.set(next);
                if let Some(next) = next {
                    next.as_ref().prev.set(prev);
                }
            } else {
                prev.expect("a child has one before it").as_ref().next.set(next);
                next.unwrap_or(first).as_ref().prev.set(prev);
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

    pub(in crate::scope) fn set_joined(&self, task: NonNull<Header>) {
        self.joined.set(Some(task));
    }

    /// Asks something of the task that this join waits for, which its future keeps meanwhile. `None`: the future has left it.
    fn joins<R>(&self, ask: impl FnOnce(NonNull<Header>) -> R) -> Option<R> {
        let task = self.joined.get()?;
        self.engage().then(|| {
            let answer = ask(task);
            self.disengage(LINKED);
            answer
        })
    }

    /// Leaves the children to themselves: to their futures, wherever those are. What is inside the children likewise.
    ///
    /// # Safety
    ///
    /// The node is in the current task's tree, or is its root.
    pub(in crate::scope) unsafe fn dissolve(&self, wakes: &mut Wakes) {
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
            let parent = self.parent.get();
            if let Some(parent) = parent {
                self.hand_holds_on(parent);
            }
            self.dissolve(wakes);
            self.unlink();
            if let Some(parent) = parent {
                self.pass_on_mail(parent, wakes);
            }
        }
    }

    /// Requests that came to this frame and were not taken go on outward from `parent`.
    fn pass_on_mail(&self, parent: NonNull<Node>, wakes: &mut Wakes) {
        let held = self.kind.get() == Kind::Join;
        for request in self.take_mail() {
            if held {
                request.release();
            }
            // SAFETY: a parent is in the same tree, and alive.
            unsafe { route::forward(parent, &request, wakes) };
            wakes.keep_request(request);
        }
    }
}
