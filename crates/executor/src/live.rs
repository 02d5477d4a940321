//! The set of live tasks of one worker: an intrusive list, so that a task enters and leaves it without an allocation.
//!
//! A task is in at most one set, from its `bind` to its `release`; the lock around the set guards its links. The
//! runtime's reference keeps a task for as long as it is in a set.

use crate::task::{Header, Links, TaskPtr, TaskRef};
use std::ptr::{self, NonNull};

pub(crate) struct LiveSet {
    /// The newest.
    head: *mut Links,
    len: usize,
}

// SAFETY: the links belong to tasks, which may be reached from any thread; the lock around the set serialises access.
unsafe impl Send for LiveSet {}

impl LiveSet {
    pub(crate) fn new() -> Self {
        Self {
            head: ptr::null_mut(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, task: TaskPtr) {
        let links = links(task);
        // SAFETY: the task is alive and in no set, and the tasks in this set are alive; the caller holds the lock.
        unsafe {
            *links = Links {
                prev: ptr::null_mut(),
                next: self.head,
            };
            if !self.head.is_null() {
                (*self.head).prev = links;
            }
        }
        self.head = links;
        self.len += 1;
    }

    /// The task is in this set.
    pub(crate) fn remove(&mut self, task: TaskPtr) {
        let links = links(task);
        // SAFETY: the task and its neighbours are in this set, so they are alive; the caller holds the lock.
        unsafe {
            let Links { prev, next } = *links;
            if prev.is_null() {
                self.head = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
        self.len -= 1;
    }

    /// The tasks, oldest first.
    pub(crate) fn tasks(&self) -> Vec<TaskRef> {
        let mut tasks = Vec::with_capacity(self.len);
        let mut at = self.head;
        while let Some(header) = NonNull::new(at.cast::<Header>()) {
            // The links are the first field of the header.
            tasks.push(TaskRef::new(header));
            // SAFETY: the task is in this set, so it is alive; the caller holds the lock.
            at = unsafe { (*at).next };
        }
        tasks.reverse();
        tasks
    }
}

fn links(task: TaskPtr) -> *mut Links {
    // SAFETY: the caller keeps the task alive.
    unsafe { task.0.as_ref() }.links.get()
}
