//! Who waits, in the order in which they came: a part of what a primitive keeps behind its lock.
//!
//! All are woken together. The *generation* counts how often that was; a waiter remembers the one in which it came,
//! and so knows that it was woken even when the reason has gone again, and that its place may be somebody else's.
//!
//! A waker's code may be anybody's, its clone and its drop too. So nothing here calls any: wakers come in as clones and
//! go out by value, and the primitive drops or wakes them when it has released its lock.

use crate::panics::FirstPanic;
use slab::Slab;
use std::{mem, task::Waker};

pub(crate) struct Waiters {
    generation: u64,
    waiting: Slab<Waiter>,
    /// The number of the next waiter.
    next: u64,
}

struct Waiter {
    /// The order in which they came.
    number: u64,
    waker: Waker,
}

/// A waiter's place.
pub(crate) struct Place {
    key: usize,
    generation: u64,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            generation: 0,
            waiting: Slab::new(),
            next: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How often all were woken.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether all have been woken since this place was taken.
    pub(crate) fn were_woken_since(&self, place: &Place) -> bool {
        place.generation != self.generation
    }

    /// Takes a place, or renews the waker of the one that is held already, which has not been woken. What comes back
    /// is a waker to be dropped.
    #[must_use]
    pub(crate) fn wait(&mut self, place: &mut Option<Place>, waker: Waker) -> Option<Waker> {
        if let Some(place) = place {
            return Some(mem::replace(&mut self.waiting[place.key].waker, waker));
        }
        let number = self.next;
        self.next += 1;
        *place = Some(Place {
            key: self.waiting.insert(Waiter { number, waker }),
            generation: self.generation,
        });
        None
    }

    /// Gives a place up. What comes back is a waker to be dropped.
    #[must_use]
    pub(crate) fn leave(&mut self, place: Place) -> Option<Waker> {
        (!self.were_woken_since(&place)).then(|| self.waiting.remove(place.key).waker)
    }

    /// Takes all who wait, to be woken.
    #[must_use]
    pub(crate) fn take(&mut self) -> Woken {
        self.generation += 1;
        Woken(self.waiting.drain().collect())
    }
}

/// Waiters who are to be woken, with no lock held.
pub(crate) struct Woken(Vec<Waiter>);

impl Woken {
    /// Wakes each in its turn, also when the waker of another panics.
    pub(crate) fn wake(mut self, panics: &mut FirstPanic) {
        self.0.sort_unstable_by_key(|waiter| waiter.number);
        for waiter in self.0 {
            panics.catch(|| waiter.waker.wake());
        }
    }
}
