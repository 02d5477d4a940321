//! A flag that tasks can wait for.
//!
//! # Protocol
//!
//! A lock guards the flag and the [waiters](crate::waiters). A waiter is done when all have been woken since it was made,
//! whatever the flag says by then: so a `clear` that follows a `set` at once does not take the wake-up back. Wakers
//! are called, and dropped, with the lock released.

use crate::{
    panics::FirstPanic,
    waiters::{Place, Waiters},
};
use aioli_primitives::sync::{Mutex, MutexGuard};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
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
    waiters: Waiters,
}

impl Event {
    /// An event whose flag is not set.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                set: false,
                waiters: Waiters::new(),
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

    /// Wakes all who wait, as [`set`](Self::set) does, and leaves the flag as it is: for what is waited for by looking again after
    /// each change. asyncio has no counterpart.
    ///
    /// Call [`wait`](Self::wait) first, then look, then await: what changes after the look wakes who has called before.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let (changed, queue) = (aioli::Event::new(), std::sync::Mutex::new(Vec::new()));
    /// let take = async || loop {
    ///     let changes = changed.wait();
    ///     if let Some(item) = queue.lock().unwrap().pop() {
    ///         break item;
    ///     }
    ///     changes.await;
    /// };
    /// queue.lock().unwrap().push(7);
    /// changed.pulse();
    /// assert_eq!(take().await, 7);
    /// # });
    /// ```
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

    /// Waits until the flag is set; no time at all if it is. A later [`clear`](Self::clear) does not take a wake-up
    /// back. As `Event.wait()` in asyncio, but that a `set` or `pulse` counts from when this is called, and not from when it
    /// is first awaited.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn wait(&self) -> EventWait<'_> {
        EventWait {
            event: self,
            called: self.state.lock().waiters.generation(),
            place: None,
        }
    }
}

/// Wakes all who wait, with the lock released.
fn wake_all(mut state: MutexGuard<'_, State>) {
    let woken = state.waiters.take();
    drop(state);
    let mut panics = FirstPanic::default();
    woken.wake(&mut panics);
    panics.resume();
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
    /// The generation in which [`Event::wait`] was called.
    called: u64,
    /// Once it waits.
    place: Option<Place>,
}

impl Future for EventWait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.event.state.lock();
        let done = match &self.place {
            Some(place) => state.waiters.were_woken_since(place),
            None => state.set || state.waiters.generation() != self.called,
        };
        if done {
            self.place = None;
            return Poll::Ready(());
        }
        let unused = state.waiters.wait(&mut self.place, waker);
        drop(state);
        drop(unused);
        Poll::Pending
    }
}

impl Drop for EventWait<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let mut state = self.event.state.lock();
            let unused = state.waiters.leave(place);
            drop(state);
            drop(unused);
        }
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("waiting", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
