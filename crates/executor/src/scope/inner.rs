//! A scope inside a task, as the future that it belongs to has it: its place in the tree, if it needs one, its requests, and the
//! work that was deferred to it.

use super::{
    around,
    deferred::Queue,
    issue::{CancelCause, Issue, Request},
    root,
    tree::{self, Kind, Node, Place, Wakes},
};
use crate::{current, task::Header};
use aioli_primitives::sync::Arc;
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
    pub(super) fn node(&self, task: NonNull<Header>) -> NonNull<Node> {
        let parent = match self.outer.get() {
            // SAFETY: the scope around is entered.
            Some(outer) => unsafe { outer.as_ref() }.node(task),
            None => root::of(task),
        };
        // SAFETY: the task is current, and the parent in its tree.
        unsafe {
            let node = Place::settle(&mut self.place.borrow_mut(), self.kind.get(), parent, task);
            if let Some(issue) = &*self.issue.borrow() {
                node.as_ref().set_issue(issue);
            }
            node
        }
    }

    /// The node, if there is one and the current task owns it.
    pub(super) fn here(&self) -> Option<NonNull<Node>> {
        self.place.borrow().as_ref().and_then(Place::here)
    }

    /// Asks everything inside to end. `true`: there is a frame inside that is told; `false`: nothing keeps the body.
    pub(super) fn ask(&self, cx: &Context<'_>, cause: CancelCause) -> bool {
        let issue = self.issue.borrow_mut().get_or_insert_with(Issue::new).clone();
        issue.register(cx);
        let request = Issue::ask(&issue, cause);
        let mut told = false;
        if let Some(node) = self.here() {
            let mut wakes = Wakes::default();
            // SAFETY: the node is in the current task's tree.
            unsafe {
                node.as_ref().set_issue(&issue);
                told = tree::deliver(node, &request, &mut wakes);
            }
            wakes.wake();
        }
        if !told {
            issue.set_unwinding(true);
        }
        told
    }

    /// That of its newest request.
    pub(super) fn cause(&self) -> Option<CancelCause> {
        self.issue.borrow().as_ref().map(|issue| issue.cause())
    }

    /// Whether the body is to be dropped now, because of the scope's own request.
    #[inline]
    pub(super) fn must_drop(&self, cx: &Context<'_>) -> bool {
        self.issue.borrow().is_some() && self.must_drop_slow(cx)
    }

    #[cold]
    fn must_drop_slow(&self, cx: &Context<'_>) -> bool {
        let issue = self.issue.borrow().clone().expect("the caller has looked");
        around::must_drop(&issue, self.here(), cx)
    }

    /// Becomes a frame, whose requests wake the one who polls it; or stays one, and is woken so from now on. Outside any
    /// task there are none.
    pub(super) fn open_frame(&self, kind: Kind, cx: &Context<'_>) {
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

    /// Whether something came to this frame that nobody inside is to have first, or has and is not done with. Frames inside that
    /// opened after it came are told now.
    pub(super) fn can_take(&self) -> bool {
        // SAFETY: the node is in the current task's tree.
        let node = self.here().filter(|node| unsafe { node.as_ref() }.has_mail());
        let mut wakes = Wakes::default();
        // SAFETY: as above.
        let can =
            node.is_some_and(|node| unsafe { !tree::is_held_inside(node) && !tree::deliver_mail(node, &mut wakes) });
        wakes.wake();
        can
    }

    /// Takes what came to this frame, if nobody inside is to have it first. Whoever is around waits for as long as the place,
    /// which it has in the tree, is kept.
    pub(super) fn take(&self) -> Option<(Vec<Request>, Option<Place>)> {
        let (node, task) = (self.here()?, current::task()?);
        if !self.can_take() {
            return None;
        }
        // SAFETY: the node is in the current task's tree, and not its root.
        unsafe {
            let requests = node.as_ref().take_mail();
            let place = Place::hold(node, &requests, task);
            Some((requests, place))
        }
    }

    /// Is a frame no longer. What came and was not taken goes on outward.
    pub(super) fn close(&self) {
        let place = self.place.borrow_mut().take();
        drop(place);
    }
}
