//! A flag that tasks can wait for.
//!
//! # Protocol
//!
//! A lock guards the flag, the waiters and the *generation*, which counts how often all were woken. A waiter remembers the
//! generation in which it began to wait, and is done when it has passed: so a `clear` that follows a `set` at
//! once does not take the wake-up back. Wakers are called, and dropped, with the lock released.

use aioli_primitives::sync::{Mutex, MutexGuard};
use slab::Slab;
use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// A flag that any number of tasks can wait for. As `asyncio.Event`.
///
/// Share it by reference, or in an `Arc`.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let ready = aioli::Event::new();
/// ready.set();
/// ready.wait().await;
/// assert!(ready.is_set());
/// # });
/// ```
pub struct Event {
    state: Mutex<State>,
}

struct State {
    set: bool,
    /// How often all who waited were woken.
    generation: u64,
    waiters: Slab<Waiter>,
    /// The number of the next waiter.
    next: u64,
}

struct Waiter {
    /// The order in which they came.
    number: u64,
    waker: Waker,
}

impl Event {
    /// An event whose flag is not set.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                set: false,
                generation: 0,
                waiters: Slab::new(),
                next: 0,
            }),
        }
    }

    /// Sets the flag, and wakes all who wait, in the order in which they came. As `Event.set()` in asyncio.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, after all have been woken.
    pub fn set(&self) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.set, true) {
            wake_all(state);
        }
    }

    /// Wakes all who wait, as [`set`](Self::set) does, and leaves the flag as it is: for what is waited for by looking again
    /// after each change. asyncio has no counterpart.
    ///
    /// # Panics
    ///
    /// As `set`.
    pub fn pulse(&self) {
        wake_all(self.state.lock());
    }

    /// Takes the flag back: who waits from now on waits for the next [`set`](Self::set). As `Event.clear()` in asyncio.
    pub fn clear(&self) {
        self.state.lock().set = false;
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.state.lock().set
    }

    /// Waits until the flag is set; no time at all if it is. A later [`clear`](Self::clear) does not take a wake-up back.
    /// As `Event.wait()` in asyncio.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn wait(&self) -> EventWait<'_> {
        EventWait {
            event: self,
            waiting: None,
        }
    }
}

/// Wakes all who wait, with the lock released.
fn wake_all(mut state: MutexGuard<'_, State>) {
    state.generation += 1;
    let mut waiters: Vec<Waiter> = state.waiters.drain().collect();
    drop(state);
    waiters.sort_unstable_by_key(|waiter| waiter.number);
    // Each in its own, so that a waker that panics does not take the others' wake-ups with it.
    let mut panicked = None;
    for waiter in waiters {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waiter.waker.wake())) {
            panicked.get_or_insert(payload);
        }
    }
    if let Some(payload) = panicked {
        resume_unwind(payload);
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Event")
            .field("set", &state.set)
            .field("waiters", &state.waiters.len())
            .finish()
    }
}

/// Waits for an [`Event`]. Made by [`Event::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct EventWait<'a> {
    event: &'a Event,
    /// Once it waits: its place, and the generation in which it came.
    waiting: Option<(usize, u64)>,
}

impl Future for EventWait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A waker's clone and drop may be anybody's code, so they are not called with the lock.
        let waker = cx.waker().clone();
        let mut state = self.event.state.lock();
        let unused = match self.waiting {
            Some((_, generation)) if generation != state.generation => {
                self.waiting = None;
                return Poll::Ready(());
            }
            Some((place, _)) => std::mem::replace(&mut state.waiters[place].waker, waker),
            None if state.set => return Poll::Ready(()),
            None => {
                let number = state.next;
                state.next += 1;
                let place = state.waiters.insert(Waiter { number, waker });
                self.waiting = Some((place, state.generation));
                return Poll::Pending;
            }
        };
        drop(state);
        drop(unused);
        Poll::Pending
    }
}

impl Drop for EventWait<'_> {
    fn drop(&mut self) {
        if let Some((place, generation)) = self.waiting {
            let mut state = self.event.state.lock();
            // Otherwise a `set` has taken everybody's place, and it may be somebody else's.
            let waiter = (generation == state.generation).then(|| state.waiters.remove(place));
            drop(state);
            drop(waiter);
        }
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("waiting", &self.waiting.is_some())
            .finish_non_exhaustive()
    }
}
