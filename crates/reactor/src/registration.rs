//! What the reactor and the owner of a source share: the readiness word, and who waits for it to change.
//!
//! The reactor calls [`event`](Registration::event); operations call the rest. Nothing here knows a file descriptor, so
//! that the models in `loom-tests` can run it all.
//!
//! # Why no wake-up is lost
//!
//! A waiter takes the lock, looks at the word and, only if it is still not ready, leaves its waker, all under the lock. An
//! event first changes the word, then takes the lock and collects the wakers of the directions that it made ready. The
//! two critical sections have an order. If the waiter's comes first, the event finds its waker. If the event's comes
//! first, its change of the word happened before the waiter looked, and the waiter does not wait.
//!
//! An event collects *all* waiters of a direction: readiness is a fact about the source, not a token to hand to one of
//! them, so a waiter that is dropped after it was woken takes nothing from the others.
//!
//! # What the lock may not cover
//!
//! Wakers run foreign code when they are cloned, woken or dropped, and that code may come back here (a task that is freed
//! drops its sources and waiters). So all three happen with the lock released.

use crate::readiness::{Direction, Readiness, Ready, Seen};
use aioli_primitives::sync::Mutex;
use slab::Slab;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// One source's readiness and waiters. The module's page has the protocol.
#[derive(Debug)]
pub struct Registration {
    readiness: Readiness,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    /// Poll-style callers: one for each direction, the last to poll.
    slots: [Option<Waker>; 2],
    /// [`WaitReady`] futures: any number. One that was woken keeps its place, without a waker, until it is dropped.
    queue: Slab<(Direction, Option<Waker>)>,
}

impl Default for Registration {
    fn default() -> Self {
        Self::new()
    }
}

impl Registration {
    /// Believed ready both ways; nobody waits.
    pub fn new() -> Self {
        Self {
            readiness: Readiness::new(),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    /// An event that showed `ready`: notes it, and moves the wakers of whoever waited for it to `wakers`.
    pub fn event(&self, ready: Ready, wakers: &mut Vec<Waker>) {
        self.readiness.event(ready);
        let mut waiters = self.waiters.lock();
        let Waiters { slots, queue } = &mut *waiters;
        for direction in Direction::BOTH.into_iter().filter(|&direction| ready.allows(direction)) {
            wakers.extend(slots[direction as usize].take());
        }
        for (_, (direction, waker)) in queue.iter_mut() {
            if ready.allows(*direction) {
                wakers.extend(waker.take());
            }
        }
    }

    /// Ready with what was seen once `direction` is believed ready; the last context polled with is the one that is
    /// woken.
    pub fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<Seen> {
        self.poll_with(cx, direction, |waiters, waker| {
            waiters.slots[direction as usize].replace(waker)
        })
    }

    /// As [`poll_ready`](Self::poll_ready), for any number of waiters at a time.
    pub fn ready(&self, direction: Direction) -> WaitReady<'_> {
        WaitReady {
            registration: self,
            direction,
            place: None,
        }
    }

    /// `store` leaves the waker, and gives the one it replaced.
    fn poll_with(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        store: impl FnOnce(&mut Waiters, Waker) -> Option<Waker>,
    ) -> Poll<Seen> {
        let seen = self.readiness.seen();
        if seen.ready().allows(direction) {
            return Poll::Ready(seen);
        }
        let waker = cx.waker().clone();
        let mut waiters = self.waiters.lock();
        let seen = self.readiness.seen();
        if seen.ready().allows(direction) {
            drop(waiters);
            return Poll::Ready(seen);
        }
        let replaced = store(&mut waiters, waker);
        drop(waiters);
        drop(replaced);
        Poll::Pending
    }

    /// As [`Readiness::clear`].
    pub fn clear(&self, direction: Direction, seen: Seen) -> bool {
        self.readiness.clear(direction, seen)
    }

    /// As [`Readiness::believe`].
    pub fn believe(&self, direction: Direction) {
        self.readiness.believe(direction);
    }

    /// Runs `arm` with the directions that are not believed ready, if there are any: the ones for which an event is
    /// needed. One caller at a time, so that the last to run has seen every direction that was cleared before it.
    pub(crate) fn arm<E>(&self, arm: impl FnOnce(Ready) -> Result<(), E>) -> Result<(), E> {
        let _one_at_a_time = self.waiters.lock();
        let believed = self.readiness.seen().ready();
        let missing = Ready::READABLE.when(!believed.allows(Direction::Read))
            | Ready::WRITABLE.when(!believed.allows(Direction::Write));
        if missing == Ready::NONE { Ok(()) } else { arm(missing) }
    }
}

/// Waits until a direction is believed ready; gives what was seen.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WaitReady<'a> {
    registration: &'a Registration,
    direction: Direction,
    place: Option<usize>,
}

impl Future for WaitReady<'_> {
    type Output = Seen;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Seen> {
        let Self {
            registration,
            direction,
            place,
        } = self.get_mut();
        registration.poll_with(cx, *direction, |waiters, waker| match *place {
            Some(place) => waiters.queue[place].1.replace(waker),
            None => {
                *place = Some(waiters.queue.insert((*direction, Some(waker))));
                None
            }
        })
    }
}

impl Drop for WaitReady<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let left = self.registration.waiters.lock().queue.remove(place);
            drop(left);
        }
    }
}
