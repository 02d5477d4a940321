//! A queue that is closed: changed by one thread alone, which has the lock.
//!
//! The protocol is that of [`shared`](super::shared).

use super::{
    shared::{DISMISSED, PROMISED, Shared, Waiting},
    store::{Order, Store},
    word::{SLOW, SLOW_GET, SLOW_PUT, Word},
};
use aioli_primitives::sync::atomic::Ordering::{Relaxed, Release};
use std::task::Waker;

/// A queue that only the owner of this can change, which has the lock.
pub(super) struct Closed<'a, T, O: Order<T>> {
    shared: &'a Shared<T, O>,
    pub(super) waiting: &'a mut Waiting,
    /// What is to be the word when it is opened, but for the flags.
    pub(super) word: Word,
}

/// A position that was taken with the lock.
pub(super) struct Taken {
    pub(super) position: u32,
    pub(super) opened: Opened,
}

/// What is left to do when the lock has been released.
#[must_use = "somebody may have been served, and is to be woken"]
pub(super) struct Opened {
    /// Who was served.
    pub(super) waker: Option<Waker>,
    /// There are others to be served.
    pub(super) more: bool,
}

impl<'a, T, O: Order<T>> Closed<'a, T, O> {
    pub(super) fn new(shared: &'a Shared<T, O>, waiting: &'a mut Waiting) -> Self {
        // Relaxed: the lock orders it with those who have closed it before, and it hands nothing over.
        let word = Word(shared.word.fetch_or(SLOW, Relaxed));
        Self { shared, waiting, word }
    }

    /// How many items are not promised.
    pub(super) fn available(&self) -> u32 {
        self.word.len() - self.waiting.items_promised
    }

    /// For how many items there is room that is not promised.
    pub(super) fn room(&self) -> u32 {
        self.shared.most - self.word.len() - self.waiting.room_promised
    }

    /// Takes the position at the tail, for which there is room.
    pub(super) fn take_tail(mut self) -> Taken {
        let shared = self.shared;
        // Relaxed: it is changed by who has closed the queue.
        if self.word.len() == shared.limit.load(Relaxed) {
            // SAFETY: the store is full up to its limit, which is below what the queue may hold, so it is all its room; and the
            // queue is closed.
            unsafe { shared.store.grow(self.word.head()) };
            shared.limit.store(shared.most.min(shared.store.room()), Relaxed);
        }
        let position = self.word.tail();
        self.word = self.word.tail_taken();
        Taken {
            position,
            opened: self.open(),
        }
    }

    /// Takes the position at the head, where there is one.
    pub(super) fn take_head(mut self) -> Taken {
        let position = self.word.head();
        self.word = self.word.head_taken();
        Taken {
            position,
            opened: self.open(),
        }
    }

    /// Serves the first for whom there is something now, and lets everyone in again whom that allows.
    pub(super) fn open(mut self) -> Opened {
        let waker = self.serve();
        let more = waker.is_some() && (self.getter_is_due().is_some() || self.putter_is_due().is_some());
        self.restore();
        Opened { waker, more }
    }

    /// Lets everyone in again whom that allows, when nothing has changed for those who wait.
    pub(super) fn restore(self) {
        let waiting = &self.waiting;
        let mut flags = 0;
        if waiting.shut_down || !waiting.getters.is_empty() || !waiting.putters.is_empty() {
            flags = SLOW;
        }
        if waiting.items_promised != 0 {
            flags |= SLOW_GET;
        }
        if waiting.room_promised != 0 {
            flags |= SLOW_PUT;
        }
        // Release: with what was done to the store. Nobody has changed the word meanwhile, as both flags were set.
        self.shared.word.store(self.word.with_flags(flags).0, Release);
    }

    fn serve(&mut self) -> Option<Waker> {
        if let Some(number) = self.getter_is_due() {
            self.waiting.items_promised += number as u32;
            return self.waiting.getters.serve(number);
        }
        let number = self.putter_is_due()?;
        self.waiting.room_promised += number as u32;
        self.waiting.putters.serve(number)
    }

    /// What the first who waits for an item is to be served with, if anything.
    fn getter_is_due(&self) -> Option<usize> {
        let waiting = &self.waiting;
        if waiting.getters.is_empty() {
            None
        } else if self.available() != 0 {
            Some(PROMISED)
        } else {
            (waiting.shut_down && self.word.len() == 0).then_some(DISMISSED)
        }
    }

    /// What the first who waits for room is to be served with, if anything.
    fn putter_is_due(&self) -> Option<usize> {
        let waiting = &self.waiting;
        if waiting.putters.is_empty() {
            None
        } else if waiting.shut_down {
            Some(DISMISSED)
        } else {
            (self.room() != 0).then_some(PROMISED)
        }
    }
}
