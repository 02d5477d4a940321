//! The future's side of a node.

use super::{GONE, HOMELESS, Kind, LINKED, Node, Wakes, route};
use crate::{
    current,
    scope::issue::Request,
    task::{self, Header, TaskRef, Tree},
};
use aioli_primitives::sync::atomic::Ordering::*;
use std::ptr::NonNull;

/// The future's side of a node, which leaves it when it is dropped.
pub(in crate::scope) struct Place(NonNull<Node>);

// SAFETY: see the head of `tree`: a future that is not in the task that owns its node touches the link only.
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
    pub(in crate::scope) unsafe fn settle(
        place: &mut Option<Place>,
        kind: Kind,
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
        unsafe { Self::found(place, kind, parent, task) }
    }

    /// # Safety
    ///
    /// As `settle`.
    unsafe fn found(
        place: &mut Option<Place>,
        kind: Kind,
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
            Node::adopt(parent, node, task);
        }
        node
    }

    /// Leaves a join's node, if that is all there is to it: the node is the current task's, and nothing came. A sole node stays
    /// where it is, for the next join.
    pub(in crate::scope) fn leave_quietly(self) -> Result<(), Place> {
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
            let mailbox = unsafe {
                node.unlink();
                Node::free(self.0)
            };
            // It has had no mail, and a join has no waker: there is nothing of anybody's in it.
            drop(mailbox);
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
    pub(in crate::scope) unsafe fn plant(
        place: &mut Option<Place>,
        child: NonNull<Header>,
        task: NonNull<Header>,
    ) -> bool {
        // SAFETY: by the contract of this function.
        let tree = unsafe { task.as_ref() };
        match (tree.tree(), &*place) {
            (Tree::Sole(node), Some(Place(mine))) => node == *mine,
            // SAFETY: a sole node is its task's, and the runner's when no future has it.
            (Tree::Sole(node), None) if unsafe { node.as_ref() }.is_gone() => {
                // SAFETY: as above.
                let it = unsafe { node.as_ref() };
                it.trace.touch();
                it.joined.set(Some(child));
                it.link.store(LINKED, Release);
                *place = Some(Place(node));
                true
            }
            (Tree::Empty, None) => {
                let node = Node::allocate();
                // SAFETY: the node is new, and nobody else knows it.
                let it = unsafe { node.as_ref() };
                it.kind.set(Kind::Join);
                it.joined.set(Some(child));
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

    /// A token of `requests` takes a place beside the frame `taker`, which was in the current task's tree when it took them.
    ///
    /// # Safety
    ///
    /// `taker` is in the tree of `task`, which is the current one, and not its root.
    pub(in crate::scope) unsafe fn hold(
        taker: NonNull<Node>,
        requests: &[Request],
        task: NonNull<Header>,
    ) -> Option<Place> {
        let mut place = None;
        // SAFETY: by the contract of this function.
        unsafe {
            let parent = taker.as_ref().parent.get()?;
            let node = Self::settle(&mut place, Kind::Hold, parent, task);
            requests
                .iter()
                .for_each(|request| node.as_ref().mailbox().served.push(request.key()));
        }
        place
    }

    /// The node, if the current task owns it.
    #[inline]
    pub(in crate::scope) fn here(&self) -> Option<NonNull<Node>> {
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
                let (kind, around) = (it.kind.get(), it.parent.get());
                it.leave_tree(&mut wakes);
                wakes.keep(Node::free(node));
                if kind == Kind::Hold {
                    // Other frames close where those around look on.
                    route::wake_around(around, &mut wakes);
                }
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
                task::wake(owner);
            }
        } else {
            // SAFETY: `HOMELESS`, so in no tree, and its children are gone.
            let mailbox = unsafe { Node::free(node) };
            let mut wakes = Wakes::default();
            wakes.keep(mailbox);
            wakes.wake();
        }
    }
}
