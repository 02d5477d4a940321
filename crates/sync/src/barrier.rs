//! A place where tasks wait for one another.
//!
//! # Protocol
//!
//! Everything is behind one lock: the [list](crate::wait_list) of those who have arrived, their number, and whether the
//! barrier is broken. Nobody waits while it is broken, and never as many as there are parties.
//!
//! A *round* ends in one critical section: when the last party arrives, or by `abort` or `reset`. All who wait are served in it,
//! each with its outcome; so whoever comes afterwards belongs to the next round, however long it takes to wake those of this
//! one, and what happens to the barrier then changes no outcome. They are woken with the lock released, in their order.
//!
//! A waiter that leaves the list is one less of its round. One that was served and goes had its part: nobody misses it.

use crate::{
    const_fn::const_fn,
    panics::FirstPanic,
    wait_list::{Line, Look, Place, WaitList, Wakers},
};
use aioli_primitives::{
    budget,
    sync::{Mutex, MutexGuard},
};
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

/// A place where a fixed number of tasks, its parties, wait for one another, again and again. As `asyncio.Barrier`.
///
/// Share it by reference, or in an `Arc`.
///
/// # Differences from asyncio
///
/// * A task that comes while those of the round before are still to run belongs to the next round, and counts at once. In asyncio it
///   waits until they have left, and only then counts.
/// * Whoever has been let through stays so: an [`abort`](Self::abort) or [`reset`](Self::reset) that follows at once, before
///   it has run, changes nothing for it. In asyncio it gets the `BrokenBarrierError` still.
/// * Indexes are always distinct. In asyncio two tasks may get the same one, when a third was cancelled that had come before
///   one of them.
/// * [`abort`](Self::abort) and [`reset`](Self::reset) are no coroutines, and take effect before they return.
/// * There is no `async with barrier`, which is but another way to write `barrier.wait().await`.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// use futures_lite::future::zip;
///
/// let barrier = aioli::Barrier::new(2);
/// let indexes = zip(barrier.wait(), barrier.wait()).await;
/// assert_eq!(indexes, (Ok(0), Ok(1)));
/// # });
/// ```
pub struct Barrier {
    parties: usize,
    state: Mutex<State>,
}

pub(crate) struct State {
    waiters: WaitList,
    /// How many they are.
    waiting: usize,
    broken: bool,
}

/// What a waiter is served whose round was broken; any other number is one more than its index.
const BROKEN: usize = 0;

impl Barrier {
    const_fn! {
        /// A barrier for so many parties. With one, nobody ever waits.
        ///
        /// # Panics
        ///
        /// If there are no parties. asyncio raises `ValueError`.
        #[track_caller]
        pub const fn new(parties: usize) -> Self {
            assert!(parties > 0, "a barrier needs at least one party");
            Self {
                parties,
                state: Mutex::new(State {
                    waiters: WaitList::new(),
                    waiting: 0,
                    broken: false,
                }),
            }
        }
    }

    /// Waits until all parties have arrived; the last to arrive does not wait. As `Barrier.wait()` in asyncio.
    ///
    /// Gives an index, in the order of arrival: from 0 for the first of the round to [`parties`](Self::parties)` - 1` for the last. So
    /// one of them can be chosen, to do something for all. A task arrives when it first awaits this.
    ///
    /// # Errors
    ///
    /// When the barrier is broken, or [`abort`](Self::abort) or [`reset`](Self::reset) breaks the round.
    ///
    /// # Panics
    ///
    /// The last to arrive, with the first panic of a foreign waker, after all have been woken.
    ///
    /// # Cancel safety
    ///
    /// One that is dropped while it waits has not arrived: the barrier waits for another in its place, and those who came
    /// after it move up by one index. One that is dropped when all had arrived has taken part: the others go through, and nobody
    /// gets its index.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// use std::{sync::Arc, thread};
    ///
    /// let barrier = Arc::new(aioli::Barrier::new(3));
    /// let threads = [(); 3].map(|()| {
    ///     let barrier = barrier.clone();
    ///     thread::spawn(move || futures_lite::future::block_on(barrier.wait()).unwrap())
    /// });
    /// let mut indexes = threads.map(|thread| thread.join().unwrap());
    /// indexes.sort();
    /// assert_eq!(indexes, [0, 1, 2]);
    /// ```
    pub async fn wait(&self) -> Result<usize, BrokenBarrierError> {
        Waiting {
            place: Place::new(self),
        }
        .await
    }

    /// Breaks the barrier: all who wait, and all who come, get an error, until a [`reset`](Self::reset). As `Barrier.abort()`
    /// in asyncio.
    ///
    /// For a party that cannot go on, and would keep the others waiting for ever.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, after all have been woken.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let barrier = aioli::Barrier::new(2);
    /// barrier.abort();
    /// assert_eq!(barrier.wait().await, Err(aioli::BrokenBarrierError));
    /// # });
    /// ```
    pub fn abort(&self) {
        self.break_round(true);
    }

    /// Makes the barrier as it was in the beginning: those who wait get an error, and those who come begin a new round. As
    /// `Barrier.reset()` in asyncio.
    ///
    /// # Panics
    ///
    /// As [`abort`](Self::abort).
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let barrier = aioli::Barrier::new(1);
    /// barrier.abort();
    /// barrier.reset();
    /// assert_eq!(barrier.wait().await, Ok(0));
    /// # });
    /// ```
    pub fn reset(&self) {
        self.break_round(false);
    }

    fn break_round(&self, for_good: bool) {
        let mut round = Round::default();
        let mut state = self.state.lock();
        state.broken = for_good;
        state.end_round(&mut round, |_| BROKEN);
        drop(state);
        round.wake();
    }

    /// How many have to arrive. As `Barrier.parties` in asyncio.
    pub const fn parties(&self) -> usize {
        self.parties
    }

    /// How many have arrived, and wait for the others. As `Barrier.n_waiting` in asyncio.
    pub fn n_waiting(&self) -> usize {
        self.state.lock().waiting
    }

    /// Whether it was [aborted](Self::abort), and not reset since. As `Barrier.broken` in asyncio.
    pub fn is_broken(&self) -> bool {
        self.state.lock().broken
    }
}

impl State {
    /// What there is for one who arrives. If it is the last, `round` are those to be woken.
    fn arrive(&mut self, parties: usize, round: &mut Round) -> Look<usize> {
        if self.broken {
            return Look::Ready(BROKEN);
        }
        if self.waiting + 1 == parties {
            self.end_round(round, |index| index + 1);
            return Look::Ready(parties);
        }
        self.waiting += 1;
        Look::Wait(0)
    }

    /// Serves all who wait what `number` says for their index.
    fn end_round(&mut self, round: &mut Round, number: impl Fn(usize) -> usize) {
        for index in 0..mem::take(&mut self.waiting) {
            round.add(self.waiters.serve(number(index)));
        }
    }
}

/// The wakers of a round, to be woken with the lock released. Those of a small one take no allocation.
#[derive(Default)]
struct Round {
    first: Wakers,
    rest: Vec<Waker>,
}

impl Round {
    fn add(&mut self, waker: Option<Waker>) {
        match self.first.are_full() {
            false => self.first.add(waker),
            true => self.rest.extend(waker),
        }
    }

    fn wake(mut self) {
        let mut panics = FirstPanic::default();
        self.first.wake(&mut panics);
        for waker in self.rest {
            panics.catch(|| waker.wake());
        }
        panics.resume();
    }
}

// SAFETY: there is one lock, and one list in it.
unsafe impl Line for &Barrier {
    type State = State;

    fn state(&self) -> &Mutex<State> {
        &self.state
    }

    fn waiters(state: &mut State) -> &mut WaitList {
        &mut state.waiters
    }

    fn left(&self, mut state: MutexGuard<'_, State>, served: Option<usize>) {
        if served.is_none() {
            state.waiting -= 1;
        }
    }
}

pin_project! {
    struct Waiting<'a> {
        #[pin]
        place: Place<&'a Barrier>,
    }
}

impl Future for Waiting<'_> {
    type Output = Result<usize, BrokenBarrierError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.project().place;
        let number = if place.is_taken() {
            ready!(place.poll_served(cx))
        } else {
            ready!(budget::poll(cx));
            let mut round = Round::default();
            let arrived = place.poll_enter(cx, |barrier, state| state.arrive(barrier.parties, &mut round));
            round.wake();
            ready!(arrived).0
        };
        Poll::Ready(number.checked_sub(BROKEN + 1).ok_or(BrokenBarrierError))
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &state.waiting)
            .field("broken", &state.broken)
            .finish()
    }
}

/// The [`Barrier`] is broken, or was while this one waited. As `asyncio.BrokenBarrierError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrierError;

impl fmt::Display for BrokenBarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was aborted or reset")
    }
}

impl Error for BrokenBarrierError {}
