//! A flag that tasks can wait for.
//!
//! # Protocol
//!
//! One word holds the flag `SET`, the flag `WAITED`, and the *generation*, which counts how often those who wait were to be
//! woken. A waiter remembers the generation in which [`Event::wait`] was called, and is done when the event is set, or the
//! generation another: so a `clear` that follows a `set` at once takes no wake-up back.
//!
//! The lock guards the [list](crate::wait_list) of those who wait, and `WAITED`: that is set exactly while the list is not
//! empty, but for moments in which somebody has the lock.
//!
//! * `set` is one step, also when the event is set already: then it changes nothing, and publishes what its caller did
//!   before. Otherwise it sets the flag and raises the generation; `pulse` raises the generation only. `clear` takes the flag
//!   back, and raises the generation if there was one: those who have called while it was set are done, though they may not have looked.
//! * Whoever wants to wait takes the lock, finds the word unset and of its generation still, with `WAITED` set or in
//!   the step that sets it, and is in the list when the lock is released; it wants that generation. So the list is in the
//!   order of the generations.
//! * Whoever raised the generation, and found `WAITED` set in that step, takes the lock and serves those of the generations
//!   before: nobody else, for who is of the new one came later. Whoever empties the list clears `WAITED`.
//! * A waiter that is polled between that step and its turn leaves the list.
//!
//! No wake-up is lost, because both look at one word: either `set` comes first, and who wants to wait finds it; or
//! `WAITED` does, and `set` finds that. It cannot be cleared in between under a waiter that is in the list.
//!
//! What was done before a `set` or `pulse` happens before what those do who see it: those two are Releases, all changes of
//! the word are read-modify-writes, and every look at it is an Acquire, which so is with all who released it before. A waiter that is
//! served was acquainted with who served it by [its own word](crate::wait_list). A `clear` acquires too, because what was set
//! before it does not wake anybody after it: who clears, looks and waits has to see by the look why there was a `set`. And it
//! releases, for those who see that the event is clear.

use crate::{
    batches::serve_in_batches,
    block_on::block_on,
    const_fn::const_fn,
    panics::FirstPanic,
    wait_list::{Line, Look, Place, WaitList},
};
use aioli_primitives::{
    budget,
    sync::{
        Mutex, MutexGuard,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The flag.
const SET: u64 = 1;
/// Somebody waits.
const WAITED: u64 = 2;
/// One generation.
const GENERATION: u64 = 4;

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
#[doc(alias = "Notify")]
pub struct Event {
    word: AtomicU64,
    waiters: Mutex<WaitList>,
}

impl Event {
    const_fn! {
        /// An event whose flag is not set.
        pub const fn new() -> Self {
            Self {
                word: AtomicU64::new(0),
                waiters: Mutex::new(WaitList::new()),
            }
        }
    }

    /// Sets the flag, and wakes all who wait, in the order in which they came. As `Event.set()` in asyncio.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, after all have been woken.
    pub fn set(&self) {
        // Relaxed: the step below decides.
        let mut word = self.word.load(Relaxed);
        loop {
            let is_set = word & SET != 0;
            let next = if is_set { word } else { (word | SET) + GENERATION };
            match self.word.compare_exchange_weak(word, next, Release, Relaxed) {
                Ok(_) if is_set => return,
                Ok(_) => return self.raised(next),
                Err(now) => word = now,
            }
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
    #[doc(alias = "notify_waiters")]
    pub fn pulse(&self) {
        self.raised(self.word.fetch_add(GENERATION, Release) + GENERATION);
    }

    /// Takes the flag back: who waits from now on waits for the next [`set`](Self::set). As `Event.clear()` in asyncio.
    pub fn clear(&self) {
        let mut word = self.word.load(Relaxed);
        loop {
            let cleared = match word & SET {
                0 => word,
                _ => (word & !SET) + GENERATION,
            };
            match self.word.compare_exchange_weak(word, cleared, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.word.load(Acquire) & SET != 0
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
            place: Place::new(self),
            called: generation(self.word.load(Acquire)),
        }
    }

    /// Waits until the flag is set, by stopping the thread: for threads that run no tasks. As `threading.Event.wait()`.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let ready = aioli::Event::new();
    /// std::thread::scope(|threads| {
    ///     threads.spawn(|| ready.blocking_wait());
    ///     ready.set();
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// In a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_wait(&self) {
        block_on("wait()", self.wait());
    }

    /// Whether who has called in this generation is done.
    fn is_done(&self, called: u64) -> bool {
        done(self.word.load(Acquire), called)
    }

    /// The generation was raised, which made the word this.
    #[inline]
    fn raised(&self, word: u64) {
        if word & WAITED != 0 {
            self.wake_before(generation(word));
        }
    }

    /// Wakes those who wait since a generation before this one.
    #[cold]
    fn wake_before(&self, generation: u64) {
        let mut panics = FirstPanic::default();
        serve_in_batches(&self.waiters, self.waiters.lock(), &mut panics, |waiters, wakers| {
            waiters.serve_while(wakers, |called| is_before(called, generation).then_some(0));
            self.forget_if_empty(waiters);
        });
        panics.resume();
    }

    /// With the lock: clears the flag `WAITED` if nobody waits.
    fn forget_if_empty(&self, waiters: &WaitList) {
        if waiters.is_empty() {
            // Relaxed: it hands nothing over, and the lock orders it with those who set it.
            self.word.fetch_and(!WAITED, Relaxed);
        }
    }

    /// With the lock: has the flag `WAITED` set, unless whoever has called in this generation is done.
    fn look(&self, called: u64) -> Look<()> {
        let mut word = self.word.load(Acquire);
        loop {
            if done(word, called) {
                return Look::Ready(());
            }
            if word & WAITED != 0 {
                // Whoever sets it from now on finds the flag. Who did so before has not had the lock yet, or this would see it.
                return Look::Wait(called as usize);
            }
            // Relaxed: who waits has acquired nothing. Acquire when it fails, because it may be done then.
            match self.word.compare_exchange_weak(word, word | WAITED, Relaxed, Acquire) {
                Ok(_) => return Look::Wait(called as usize),
                Err(now) => word = now,
            }
        }
    }
}

fn generation(word: u64) -> u64 {
    word / GENERATION
}

fn done(word: u64, called: u64) -> bool {
    word & SET != 0 || generation(word) != called
}

/// Whether a waiter of the generation `called` came before that one. As much of them as a waiter can hold.
fn is_before(called: usize, generation: u64) -> bool {
    (generation as usize).wrapping_sub(called) as isize > 0
}

// SAFETY: there is one lock, and one list in it.
unsafe impl Line for &Event {
    type State = WaitList;

    fn state(&self) -> &Mutex<WaitList> {
        &self.waiters
    }

    fn waiters(state: &mut WaitList) -> &mut WaitList {
        state
    }

    fn left(&self, waiters: MutexGuard<'_, WaitList>, _served: Option<usize>) {
        self.forget_if_empty(&waiters);
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .field("waiters", &self.waiters.lock().len())
            .finish()
    }
}

pin_project! {
    /// Waits for an [`Event`]. Made by [`Event::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct EventWait<'a> {
        #[pin]
        place: Place<&'a Event>,
        // The generation in which `Event::wait` was called.
        called: u64,
    }
}

impl Future for EventWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (event, called) = (*this.place.line(), *this.called);
        if this.place.is_taken() {
            if this.place.as_mut().poll_served(cx).is_ready() {
                return Poll::Ready(());
            }
            if !event.is_done(called) {
                return Poll::Pending;
            }
            // Whoever set the event has not come to this one yet.
            this.place.leave();
            return Poll::Ready(());
        }
        ready!(budget::poll(cx));
        if event.is_done(called) {
            return Poll::Ready(());
        }
        this.place
            .poll_enter(cx, |event, _| event.look(called))
            .map(|((), _spare)| ())
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("waiting", &self.place.is_taken())
            .finish_non_exhaustive()
    }
}
