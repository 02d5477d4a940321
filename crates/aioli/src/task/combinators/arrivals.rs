//! Which of many have something new.
//!
//! Whoever waits for many and is woken would have to look at all of them: for each that comes in, at all that have not. So
//! each gets a waker of its own, which leaves its number here before it wakes the one who waits.
//!
//! One lock has both the numbers and the waker of the one who waits. It leaves its waker only where it found no number,
//! and each who leaves a number takes the waker along: no wake-up is lost, and of many that come in between two looks only
//! the first wakes.

use aioli_primitives::sync::Mutex;
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// The side of the one who waits.
pub(super) struct Arrivals {
    shared: Arc<Shared>,
    /// Taken from `shared` and not looked at yet.
    taken: VecDeque<usize>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    arrived: VecDeque<usize>,
    waiter: Option<Waker>,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::default(),
            taken: VecDeque::new(),
        }
    }

    /// A waker for the one with that number.
    pub(super) fn waker(&self, number: usize) -> Waker {
        let shared = self.shared.clone();
        Waker::from(Arc::new(Caller { number, shared }))
    }

    /// Counts one as arrived whose waker was not needed.
    pub(super) fn add(&self, number: usize) {
        self.shared.add(number);
    }

    /// The next, in the order in which they were woken; the same one may come more than once. `Pending`: `cx` is woken with
    /// the next.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.taken.is_empty() {
            self.take(cx);
        }
        self.taken.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    /// All that have arrived, lowest number first. `Pending`: none has, and `cx` is woken with the next.
    pub(super) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<impl Iterator<Item = usize> + use<>> {
        self.take(cx);
        if self.taken.is_empty() {
            return Poll::Pending;
        }
        let mut all: Vec<_> = self.taken.drain(..).collect();
        all.sort_unstable();
        all.dedup();
        Poll::Ready(all.into_iter())
    }

    /// One who was given out, and could not be dealt with, is the next again.
    pub(super) fn put_back(&mut self, number: usize) {
        self.taken.push_front(number);
    }

    fn take(&mut self, cx: &Context<'_>) {
        let mut state = self.shared.0.lock();
        self.taken.append(&mut state.arrived);
        if self.taken.is_empty() && !state.waiter.as_ref().is_some_and(|waiter| waiter.will_wake(cx.waker())) {
            let old = state.waiter.replace(cx.waker().clone());
            drop(state);
            // Out here: its destructor may be anybody's.
            drop(old);
        }
    }
}

impl Shared {
    fn add(&self, number: usize) {
        let waiter = {
            let mut state = self.0.lock();
            state.arrived.push_back(number);
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

/// What is behind the waker of one of them.
struct Caller {
    number: usize,
    shared: Arc<Shared>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.shared.add(self.number);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.add(self.number);
    }
}
