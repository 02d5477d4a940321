//! The set of live tasks of one worker: intrusive lists, so that a task enters and leaves without an allocation.
//!
//! A task is in at most one set, from its `bind` to its `release`; the lock around the set guards its links. The
//! runtime's reference keeps a task for as long as it is in a set.
//!
//! A set has two lists: those that are *live*, and those that are *doomed*, because a closing runtime has cancelled them
//! and waits for their end. Each is a ring that begins and ends with a node of the set's own, so leaving one takes no knowledge of
//! which.

use crate::{
    scope::CancelCause,
    task::{Header, Links, TaskPtr, TaskRef},
};
use std::ptr::{self, NonNull};

pub(crate) struct LiveSet {
    live: Ring,
    doomed: Ring,
}

// SAFETY: the links belong to tasks, which may be reached from any thread; the lock around the set serialises access.
unsafe impl Send for LiveSet {}

impl LiveSet {
    pub(crate) fn new() -> Self {
        Self {
            live: Ring::new(),
            doomed: Ring::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live.is_empty() && self.doomed.is_empty()
    }

    /// Whether those that were doomed are over.
    pub(crate) fn doomed_are_over(&self) -> bool {
        self.doomed.is_empty()
    }

    pub(crate) fn insert(&mut self, task: TaskPtr) {
        // SAFETY: the task is alive and in no ring.
        unsafe { self.live.insert(links(task)) };
    }

    /// The task is in this set.
    pub(crate) fn remove(&mut self, task: TaskPtr) {
        // SAFETY: the task and its neighbours are in a ring of this set, so they are alive.
        unsafe {
            let Links { prev, next } = *links(task);
            (*prev).next = next;
            (*next).prev = prev;
        }
    }

    /// Dooms those that are live. `false`: there was none.
    pub(crate) fn doom(&mut self) -> bool {
        debug_assert!(self.doomed.is_empty());
        std::mem::swap(&mut self.live, &mut self.doomed);
        !self.doomed.is_empty()
    }

    /// Cancels those that are doomed, oldest first.
    pub(crate) fn cancel_doomed(&mut self, cause: &CancelCause) {
        self.doomed.for_each(|task| task.cancel(cause));
    }

    /// Ends all tasks by force.
    pub(crate) fn kill(&mut self) {
        for ring in [&self.doomed, &self.live] {
            ring.for_each(TaskPtr::kill);
        }
    }

    /// The tasks, oldest first.
    pub(crate) fn tasks(&self) -> Vec<TaskRef> {
        let mut tasks = Vec::new();
        for ring in [&self.doomed, &self.live] {
            ring.for_each(|task| tasks.push(TaskRef::new(task.0)));
        }
        tasks
    }
}

/// A ring of tasks, newest first, around a node that is none.
struct Ring(*mut Links);

impl Ring {
    fn new() -> Self {
        let node = Box::into_raw(Box::new(Links::new()));
        // SAFETY: the node was made above.
        unsafe { *node = Links { prev: node, next: node } };
        Self(node)
    }

    fn is_empty(&self) -> bool {
        // SAFETY: the node lives as long as the ring.
        ptr::eq(unsafe { (*self.0).next }, self.0)
    }

    /// # Safety
    ///
    /// The links are those of a task that is alive and in no ring.
    unsafe fn insert(&mut self, links: *mut Links) {
        // SAFETY: by the contract of this function; the node and the tasks of the ring are alive.
        unsafe {
            let next = (*self.0).next;
            *links = Links { prev: self.0, next };
            (*next).prev = links;
            (*self.0).next = links;
        }
    }

    /// Oldest first. `f` leaves the ring alone.
    fn for_each(&self, mut f: impl FnMut(TaskPtr)) {
        // SAFETY: the node and the tasks of the ring are alive.
        let mut at = unsafe { (*self.0).prev };
        while at != self.0 {
            // The links are the first field of the header.
            f(TaskPtr(NonNull::new(at).expect("a ring has no end").cast::<Header>()));
            // SAFETY: as above.
            at = unsafe { (*at).prev };
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        debug_assert!(self.is_empty());
        // SAFETY: made by `Box::into_raw`, and nobody points to it: the ring is empty.
        unsafe { drop(Box::from_raw(self.0)) };
    }
}

fn links(task: TaskPtr) -> *mut Links {
    // SAFETY: the caller keeps the task alive.
    unsafe { task.0.as_ref() }.links.get()
}
