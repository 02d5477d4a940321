//! Waiting for a change of what a lock protects.
//!
//! # Protocol
//!
//! A lock of its own, which is held for moments, guards the [list](crate::wait_list) of those who wait, and a counter of
//! *tickets*: each waiter wants the next one, so that whoever notifies, and releases that lock between two batches, can tell
//! those who waited from those who came since.
//!
//! * A waiter is in the list before its guard goes, both in its first poll: whoever gets the user's lock after it, and
//!   notifies, finds it.
//! * A notification is a number that a waiter is served. `ONE` stands for itself: it is with whoever was served until that one has
//!   the user's lock again, and goes to the next in the list if that one goes before. `ALL` does not have to go anywhere:
//!   everybody who waited got their own.
//! * Then the waiter takes the user's lock as everybody does, at the end of its line.

use crate::{
    batches::serve_in_batches,
    const_fn::const_fn,
    lock::LockGuard,
    panics::FirstPanic,
    wait_list::{Line, Look, Place, WaitList},
};
use aioli_primitives::sync::{Mutex, MutexGuard};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

/// Lets tasks wait until what a [`Lock`](crate::Lock) protects has changed. As `asyncio.Condition`.
///
/// # Differences from asyncio
///
/// * It has no lock of its own: it goes with whatever lock's [guard](LockGuard) is given to [`wait`](Self::wait). Use one condition with
///   one lock, and as many conditions with one lock as there is to wait for. To wait without the lock, which is an error in
///   asyncio, cannot be written.
/// * [`notify`](Self::notify) can be called without the lock; in asyncio that is an error. No waiter misses a change that was made
///   with the lock, if the call comes after it.
/// * A `wait` that is cancelled does not take the lock again: the guard would go at once, with the future. Where
///   asyncio's `finally` runs with the lock, lock again in the clean-up.
/// * [`wait_for`](Self::wait_for) lends the value to the predicate.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// use futures_lite::future::zip;
///
/// let (jobs, added) = (aioli::Lock::new(Vec::new()), aioli::Condition::new());
/// let take = async {
///     let guard = jobs.lock().await;
///     added.wait_for(guard, |jobs| !jobs.is_empty()).await.pop()
/// };
/// let add = async {
///     jobs.lock().await.push("a job");
///     added.notify(1);
/// };
/// assert_eq!(zip(take, add).await.0, Some("a job"));
/// # });
/// ```
#[doc(alias = "Condvar")]
pub struct Condition {
    state: Mutex<State>,
}

pub(crate) struct State {
    waiters: WaitList,
    /// What the next to wait wants.
    ticket: usize,
}

/// A notification that goes to another if it does not arrive.
const ONE: usize = 0;
/// A notification that everybody got.
const ALL: usize = 1;

impl Condition {
    const_fn! {
        /// A condition that nobody waits for.
        pub const fn new() -> Self {
            Self {
                state: Mutex::new(State {
                    waiters: WaitList::new(),
                    ticket: 0,
                }),
            }
        }
    }

    /// Releases the lock, waits for a notification, and takes the lock again, in its turn. As `Condition.wait()` in asyncio.
    ///
    /// What it waits for may not be so when it returns: others may have had the lock before, and a notification may have been
    /// passed on by a waiter that went. So look again, as [`wait_for`](Self::wait_for) does.
    ///
    /// # Panics
    ///
    /// When the waker of whoever has the lock next does.
    ///
    /// # Cancel safety
    ///
    /// No notification is lost: one that reached it before it is dropped, and before it had the lock again, goes to the next who waits,
    /// unless it was for all. The lock is released in any case.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// use futures_lite::future::zip;
    ///
    /// let (light, switched) = (aioli::Lock::new(false), aioli::Condition::new());
    /// let see = async {
    ///     let mut guard = light.lock().await;
    ///     while !*guard {
    ///         guard = switched.wait(guard).await;
    ///     }
    /// };
    /// let switch = async {
    ///     *light.lock().await = true;
    ///     switched.notify_all();
    /// };
    /// zip(see, switch).await;
    /// # });
    /// ```
    pub async fn wait<'a, T: ?Sized>(&self, guard: LockGuard<'a, T>) -> LockGuard<'a, T> {
        let lock = LockGuard::lock(&guard);
        let notification = Waiting {
            place: Place::new(self),
            guard: Some(guard),
        }
        .await;
        let guard = lock.lock().await;
        notification.arrived();
        guard
    }

    /// [Waits](Self::wait) until the predicate is true of the value, which it looks at with the lock held: now, and after each
    /// notification. As `Condition.wait_for()` in asyncio.
    ///
    /// # Panics
    ///
    /// When the predicate does, and as [`wait`](Self::wait). The lock is released.
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait). A notification after which the predicate was false has arrived, and goes to nobody else.
    pub async fn wait_for<'a, T: ?Sized>(
        &self,
        mut guard: LockGuard<'a, T>,
        mut predicate: impl FnMut(&mut T) -> bool,
    ) -> LockGuard<'a, T> {
        while !predicate(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Wakes so many of those who wait, in the order in which they came; all, if they are fewer. As `Condition.notify(n)` in
    /// asyncio, where the caller has to hold the lock.
    ///
    /// They return from [`wait`](Self::wait) when they have the lock, so not before a caller that holds it releases it.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, after all have been woken.
    #[doc(alias = "notify_one")]
    pub fn notify(&self, count: usize) {
        self.serve(self.state.lock(), count, ONE);
    }

    /// Wakes all who wait. As `Condition.notify_all()` in asyncio, where the caller has to hold the lock.
    ///
    /// # Panics
    ///
    /// As [`notify`](Self::notify).
    pub fn notify_all(&self) {
        self.serve(self.state.lock(), usize::MAX, ALL);
    }

    /// Serves up to `count` of those who wait by now.
    fn serve(&self, state: MutexGuard<'_, State>, mut count: usize, number: usize) {
        let next = state.ticket;
        let mut panics = FirstPanic::default();
        serve_in_batches(&self.state, state, &mut panics, |state, wakers| {
            state.waiters.serve_while(wakers, |ticket| {
                let came_before = next.wrapping_sub(ticket) as isize > 0;
                count = count.checked_sub(1).filter(|_| came_before)?;
                Some(number)
            });
        });
        panics.resume();
    }
}

// SAFETY: there is one lock, and one list in it.
unsafe impl Line for &Condition {
    type State = State;

    fn state(&self) -> &Mutex<State> {
        &self.state
    }

    fn waiters(state: &mut State) -> &mut WaitList {
        &mut state.waiters
    }

    fn left(&self, state: MutexGuard<'_, State>, served: Option<usize>) {
        if served == Some(ONE) {
            self.serve(state, 1, ONE);
        }
    }
}

/// A notification on its way. Goes to the next who waits when it is dropped.
struct Notification<'a> {
    condition: &'a Condition,
    number: usize,
}

impl Notification<'_> {
    fn arrived(self) {
        mem::forget(self);
    }
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        if self.number == ONE {
            self.condition.notify(1);
        }
    }
}

pin_project! {
    /// Waits for a notification. Has the guard until it waits.
    struct Waiting<'a, 'g, T: ?Sized> {
        #[pin]
        place: Place<&'a Condition>,
        guard: Option<LockGuard<'g, T>>,
    }
}

impl<'a, T: ?Sized> Future for Waiting<'a, '_, T> {
    type Output = Notification<'a>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Notification<'a>> {
        let mut this = self.project();
        let condition = *this.place.line();
        if this.place.is_taken() {
            return this
                .place
                .poll_served(cx)
                .map(|number| Notification { condition, number });
        }
        let entered = this.place.as_mut().poll_enter(cx, |_, state| {
            let ticket = state.ticket;
            state.ticket = ticket.wrapping_add(1);
            Look::Wait(ticket)
        });
        *this.guard = None;
        entered.map(|(notification, _spare)| notification)
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("waiters", &self.state.lock().waiters.len())
            .finish()
    }
}
