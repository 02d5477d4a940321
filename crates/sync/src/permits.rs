//! Counted permits: the core of semaphores and locks.
//!
//! # Protocol
//!
//! One word holds the free permits and the flag `WAITED`. The lock guards the [list](crate::wait_list) of those who
//! wait, and the flag: it is set exactly while the list is not empty, but for moments in which somebody has the lock.
//!
//! * Nobody takes permits past one who waits. Without the lock they are taken only by who finds the flag clear, in the one step
//!   that takes them; with the lock, by who finds nobody waiting, or for the first who waits. So all are served in the order in
//!   which they came, and who wants many is not starved by those who want few.
//! * Whoever has the flag set does so in a step that finds too few permits free, with the lock, and is in the list when the
//!   lock is released.
//! * To release is one step: it adds to the free permits. Who finds the flag set in that step takes the lock and hands permits over,
//!   to the first of the list as long as there are enough; and clears the flag if nobody is left. Who finds it set before
//!   takes the lock with the permits *in hand*, and adds only what nobody wants.
//!
//! No wake-up is lost, because both look at one word: either the release comes first, and who wants to wait finds its permits;
//! or the flag does, and the release finds that. The flag cannot be cleared under those who have released and have not yet the
//! lock: they find an empty list then, or others in it, which makes no difference.
//!
//! What a holder did happens before what the next one does: to add permits is a Release, and all later changes of the word until
//! somebody takes those permits are read-modify-writes, so that the Acquire of the one who takes them, be it for itself or for the
//! first in the list, sees it. To whom they are handed, out of the word or out of the hand, the [waiter](crate::wait_list)'s own
//! word passes it on.
//!
//! A waiter that goes before it is served leaves the list, and whoever it held up is served in its place. One that was served
//! and goes has in hand what it was given.

use crate::{
    batches::serve_in_batches,
    const_fn::const_fn,
    panics::FirstPanic,
    wait_list::{Line, Look, Place, WaitList},
};
use aioli_primitives::{
    budget,
    sync::{
        Mutex, MutexGuard,
        atomic::{
            AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Somebody waits.
const WAITED: usize = 1;
/// One permit.
const ONE: usize = 2;

/// More than twice [`MAX`] are free: what is given back then is not counted, so that the word never overflows.
const FULL: usize = 1 << (usize::BITS - 1);

/// The most permits there may be at the beginning, or be taken at once, or be free when others are added. Those that were held
/// meanwhile come on top when they are given back; hence the room above.
pub(crate) const MAX: usize = usize::MAX >> 3;

pub(crate) struct Permits {
    word: AtomicUsize,
    waiters: Mutex<WaitList>,
    /// How many may be free; what is given back beyond that is not counted.
    bound: usize,
}

/// There is no bound but what the word can count.
const UNBOUNDED: usize = usize::MAX;

impl Permits {
    const_fn! {
        /// At most [`MAX`].
        pub(crate) const fn new(free: usize) -> Self {
            Self::with_bound(free, UNBOUNDED)
        }
    }

    const_fn! {
        /// At most [`MAX`], and never more free than these.
        pub(crate) const fn bounded(free: usize) -> Self {
            Self::with_bound(free, free)
        }
    }

    const_fn! {
        const fn with_bound(free: usize, bound: usize) -> Self {
            debug_assert!(free <= MAX);
            Self {
                word: AtomicUsize::new(free * ONE),
                waiters: Mutex::new(WaitList::new()),
                bound,
            }
        }
    }

    /// The most that can be free when somebody adds permits, or be taken at once.
    pub(crate) fn bound(&self) -> usize {
        self.bound.min(MAX)
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.word.load(Acquire) / ONE
    }

    /// Whether one permit cannot be had without waiting.
    pub(crate) fn are_taken(&self) -> bool {
        let word = self.word.load(Acquire);
        word < ONE || word & WAITED != 0
    }

    /// Takes permits if that takes no waiting.
    #[inline]
    pub(crate) fn try_acquire(&self, count: usize) -> bool {
        // Relaxed: the step below decides.
        let mut word = self.word.load(Relaxed);
        while word & WAITED == 0 && word / ONE >= count {
            match self
                .word
                .compare_exchange_weak(word, word - count * ONE, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes permits, in its turn.
    #[inline]
    pub(crate) fn acquire(&self, count: usize) -> Acquiring<'_> {
        Acquiring {
            place: Place::new(self),
            count,
        }
    }

    /// Gives permits back.
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        // Relaxed: it spares steps where it is true, and decides nothing.
        if self.word.load(Relaxed) & WAITED != 0 {
            self.hand_over(self.waiters.lock(), count);
        } else if self.add_back(count) & WAITED != 0 {
            self.hand_over(self.waiters.lock(), 0);
        }
    }

    /// Adds permits that were held; gives the word as it was before.
    #[inline]
    fn add_back(&self, count: usize) -> usize {
        if self.bound != UNBOUNDED {
            return self.fill(count);
        }
        let before = self.word.fetch_add(count * ONE, Release);
        if before & FULL != 0 {
            // Relaxed: it takes back what this thread has just added.
            self.word.fetch_sub(count * ONE, Relaxed);
        }
        before
    }

    /// Adds permits if not more than the [bound](Self::bound) are free then; otherwise says how many are free.
    pub(crate) fn try_release(&self, count: usize) -> Result<(), usize> {
        if self.add(count)? & WAITED != 0 {
            self.hand_over(self.waiters.lock(), 0);
        }
        Ok(())
    }

    /// As `try_release`, but gives the word as it was before, and leaves it at that.
    fn add(&self, count: usize) -> Result<usize, usize> {
        let mut word = self.word.load(Relaxed);
        loop {
            let free = word / ONE;
            if count > self.bound().saturating_sub(free) {
                return Err(free);
            }
            match self
                .word
                .compare_exchange_weak(word, word + count * ONE, Release, Relaxed)
            {
                Ok(_) => return Ok(word),
                Err(now) => word = now,
            }
        }
    }

    /// Adds as many as there is room for below the bound, if there is one; gives the word as it was before.
    fn fill(&self, mut count: usize) -> usize {
        loop {
            match self.add(count) {
                Ok(before) => return before,
                Err(free) => count = self.bound - free,
            }
        }
    }

    /// Serves those at the front of the list for whom there is enough, first with what is in hand; adds what is left of that.
    #[cold]
    fn hand_over<'a>(&'a self, waiters: MutexGuard<'a, WaitList>, mut in_hand: usize) {
        let mut panics = FirstPanic::default();
        serve_in_batches(&self.waiters, waiters, &mut panics, |waiters, wakers| {
            waiters.serve_while(wakers, |wants| {
                if wants > in_hand {
                    let missing = wants - in_hand;
                    // Acquire: with those who released what is handed over. Only who has the lock takes anything while the flag is
                    // set.
                    if self.word.load(Acquire) / ONE < missing {
                        return None;
                    }
                    // Relaxed: this takes what has been acquired above, and keeps the chain of releases whole.
                    self.word.fetch_sub(missing * ONE, Relaxed);
                }
                in_hand = in_hand.saturating_sub(wants);
                Some(wants)
            });
            if in_hand != 0 {
                self.add_back(in_hand);
                in_hand = 0;
            }
            if waiters.is_empty() {
                // Relaxed: it hands nothing over, and the lock orders it with those who set it.
                self.word.fetch_and(!WAITED, Relaxed);
            }
        });
        panics.resume();
    }

    /// With the lock: takes permits if nobody waits and there are enough, and otherwise has the flag set.
    fn take_or_wait(&self, waiters: &WaitList, count: usize) -> Look<()> {
        let mut word = self.word.load(Relaxed);
        loop {
            let taken = word / ONE >= count && waiters.is_empty();
            if !taken && word & WAITED != 0 {
                // The flag was set already when there were too few: who releases from now on finds it.
                return Look::Wait(count);
            }
            let next = if taken { word - count * ONE } else { word | WAITED };
            // Acquire for what is taken. The flag needs no order of its own: the lock gives it.
            match self.word.compare_exchange_weak(word, next, Acquire, Relaxed) {
                Ok(_) if taken => return Look::Ready(()),
                Ok(_) => return Look::Wait(count),
                Err(now) => word = now,
            }
        }
    }
}

// SAFETY: there is one lock, and one list in it.
unsafe impl Line for &Permits {
    type State = WaitList;

    fn state(&self) -> &Mutex<WaitList> {
        &self.waiters
    }

    fn waiters(state: &mut WaitList) -> &mut WaitList {
        state
    }

    fn left(&self, waiters: MutexGuard<'_, WaitList>, served: Option<usize>) {
        self.hand_over(waiters, served.unwrap_or(0));
    }
}

pin_project! {
    /// Takes permits, in its turn. Whoever gets `()` has to release them.
    pub(crate) struct Acquiring<'a> {
        #[pin]
        place: Place<&'a Permits>,
        count: usize,
    }
}

impl Future for Acquiring<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.place.is_taken() {
            return this.place.poll_served(cx).map(drop);
        }
        ready!(budget::poll(cx));
        let count = *this.count;
        if this.place.line().try_acquire(count) {
            return Poll::Ready(());
        }
        this.place
            .poll_enter(cx, |permits, waiters| permits.take_or_wait(waiters, count))
            .map(|((), _spare)| ())
    }
}
