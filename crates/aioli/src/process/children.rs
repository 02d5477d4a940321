//! The children of a loop that are running, each watched by a waker that waits for it.
//!
//! The list is what keeps a child watched, whatever becomes of those who started it. A loop that is closed gives away whom it
//! has left.

use super::{child::Child, orphans};
use aioli_primitives::sync::Mutex;
use slab::Slab;
use std::{
    sync::Arc,
    task::{Context, Wake, Waker},
};

#[derive(Default)]
pub(crate) struct Children(Mutex<List>);

#[derive(Default)]
struct List {
    running: Slab<Arc<Child>>,
    closed: bool,
}

impl Children {
    /// Waits for a child that this loop's reactor watches.
    pub(super) fn add(self: &Arc<Self>, child: Arc<Child>) {
        let key = {
            let mut list = self.0.lock();
            (!list.closed).then(|| list.running.insert(child.clone()))
        };
        match key {
            Some(key) => {
                let children = self.clone();
                Arc::new(Reaper { child, children, key }).wake();
            }
            // Nobody polls the reactor any more. If the orphans' thread cannot be had, it is tried again for the next one.
            None => drop(orphans::adopt(vec![child])),
        }
    }

    /// Gives away those who are left.
    pub(crate) fn close(&self) {
        let left = {
            let mut list = self.0.lock();
            list.closed = true;
            std::mem::take(&mut list.running)
        };
        // As above.
        let _ = orphans::adopt(left.into_iter().map(|(_, child)| child).collect());
    }
}

/// Woken when the child may have exited.
struct Reaper {
    child: Arc<Child>,
    children: Arc<Children>,
    key: usize,
}

impl Wake for Reaper {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        if self.child.poll_exit(&mut Context::from_waker(&waker)).is_ready() {
            // A list that was closed is empty, and stays so.
            let removed = self.children.0.lock().running.try_remove(self.key);
            drop(removed);
            self.child.announce_exit();
        }
    }
}
