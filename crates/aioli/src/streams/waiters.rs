//! Whom to wake when something changes. The owner keeps it behind its lock, and wakes with the lock released, because
//! wakers run foreign code.
//!
//! Every change wakes everybody, who then look again. So a waiter that is dropped needs no deregistration: at worst its
//! task is woken once for nothing.

use std::task::Waker;

#[derive(Default)]
pub(super) struct Waiters(Vec<Waker>);

impl Waiters {
    /// Has `waker` woken at the next change.
    pub(super) fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|other| other.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    /// Those to be woken now, as soon as the lock is released.
    #[must_use = "somebody has to wake them"]
    pub(super) fn take(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.0)
    }
}

/// Wakes them all.
pub(super) fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
