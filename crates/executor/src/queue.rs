//! The tasks that one worker is going to run.
//!
//! * With **one worker**: a plain queue, first in first out, for all tasks. No atomics, no tricks: that is asyncio's order,
//!   and programs may rely on it.
//! * With **several**: a deque that others steal from; in front of it a slot for the task woken last, whose data is
//!   still in the cache, which nobody steals; and beside it a queue of the tasks that are pinned to this worker.
//!
//! Only the worker itself touches these, between polls; thieves hold a [`Stealer`] of the deque.

use crate::task::{Reason, Runnable};
use aioli_primitives::deque::{Stealer, Worker as Deque};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

/// How many tasks in a row may come from the slot: two tasks that wake each other would keep out the others for ever.
const SLOT_LIMIT: u32 = 16;

pub(crate) enum Queue {
    Single(RefCell<VecDeque<Runnable>>),
    Stealing(Stealing),
}

pub(crate) struct Stealing {
    slot: Cell<Option<Runnable>>,
    /// How many tasks came from the slot since one came from elsewhere.
    slot_run: Cell<u32>,
    pub(crate) deque: Deque<Runnable>,
    pinned: RefCell<VecDeque<Runnable>>,
    /// Whose turn is next where both the deque and the pinned tasks have something.
    pinned_next: Cell<bool>,
}

impl Queue {
    pub(crate) fn single() -> Self {
        Queue::Single(RefCell::new(VecDeque::with_capacity(64)))
    }

    /// A queue, and a way for others to steal from it.
    pub(crate) fn stealing() -> (Self, Stealer<Runnable>) {
        let deque = Deque::new_fifo();
        let stealer = deque.stealer();
        let queue = Queue::Stealing(Stealing {
            slot: Cell::new(None),
            slot_run: Cell::new(0),
            deque,
            pinned: RefCell::new(VecDeque::new()),
            pinned_next: Cell::new(false),
        });
        (queue, stealer)
    }

    /// Adds a task that any worker may run. `true`: there is more here now than this worker is about to run, and all of
    /// that can be stolen.
    #[inline]
    pub(crate) fn push(&self, task: Runnable, reason: Reason, use_slot: bool) -> bool {
        match self {
            Queue::Single(queue) => {
                queue.borrow_mut().push_back(task);
                false
            }
            Queue::Stealing(queue) => {
                let to_deque = if reason == Reason::Woken && use_slot {
                    queue.slot.replace(Some(task))
                } else {
                    Some(task)
                };
                let Some(task) = to_deque else { return false };
                queue.deque.push(task);
                true
            }
        }
    }

    /// Adds a task that only this worker may run.
    pub(crate) fn push_pinned(&self, task: Runnable) {
        match self {
            Queue::Single(queue) => queue.borrow_mut().push_back(task),
            Queue::Stealing(queue) => queue.pinned.borrow_mut().push_back(task),
        }
    }

    /// The next task of this worker's own.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Runnable> {
        match self {
            Queue::Single(queue) => queue.borrow_mut().pop_front(),
            Queue::Stealing(queue) => queue.pop(),
        }
    }

    /// How many tasks of its own the worker has to run.
    pub(crate) fn len(&self) -> usize {
        match self {
            Queue::Single(queue) => queue.borrow().len(),
            Queue::Stealing(queue) => {
                let slot = queue.slot.take();
                let in_slot = usize::from(slot.is_some());
                queue.slot.set(slot);
                in_slot + queue.deque.len() + queue.pinned.borrow().len()
            }
        }
    }
}

impl Stealing {
    #[inline]
    fn pop(&self) -> Option<Runnable> {
        if let Some(task) = self.slot.take() {
            let run = self.slot_run.get();
            if run < SLOT_LIMIT {
                self.slot_run.set(run + 1);
                return Some(task);
            }
            self.deque.push(task);
        }
        self.slot_run.set(0);
        let mut pinned = self.pinned.borrow_mut();
        if pinned.is_empty() {
            return self.deque.pop();
        }
        let pinned_first = self.pinned_next.replace(!self.pinned_next.get());
        if pinned_first {
            pinned.pop_front()
        } else {
            self.deque.pop().or_else(|| pinned.pop_front())
        }
    }
}
