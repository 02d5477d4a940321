//! Which of many have something new.
//!
//! Whoever waits for many and is woken would have to look at all of them: for each that comes in, at all that have not. So
//! each gets a waker of its own, which leaves its number here before it wakes the one who waits.
//!
//! One lock has both the numbers and the waker of the one who waits, and who leaves a number takes that waker along. So no
//! wake-up is lost, and of many that come in between two looks only the first wakes.
//!
//! One that keeps its waker, and is woken many times before it is looked at, is to be looked at once. So its [`Caller`] has a
//! flag, `is_queued`. Whoever wakes it sets the flag, and leaves the number only if the flag was not set; the one who waits clears
//! the flag before it looks. Thus, where the flag is set, whoever has set it has left the number or is about to, and a look is
//! to come. Both *swap* the flag, the former with `Release` and the latter with `Acquire`: who finds it set leaves no other trace
//! than that `true`, and the look that clears it has to see what was done before that wake-up. A swap that follows another one
//! carries on what that one has released, so the look sees what was done before each of the wake-ups that it stands for.

use super::{rule::Rule, slot::AnySlot};
use aioli_primitives::sync::{
    Mutex,
    atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
};
use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// The side of the one who waits.
pub(super) struct Arrivals {
    /// `None` until somebody needs a waker.
    shared: Option<Arc<Shared>>,
    /// Taken from there and not looked at yet.
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
    pub(super) const fn new() -> Self {
        Self {
            shared: None,
            taken: VecDeque::new(),
        }
    }

    /// A waker for the one with that number, for a single look: it makes it arrive once.
    pub(super) fn waker(&mut self, number: usize) -> Waker {
        Waker::from(self.caller(number))
    }

    /// What is behind a waker for the one with that number, for many looks.
    pub(super) fn caller(&mut self, number: usize) -> Arc<Caller> {
        Arc::new(Caller {
            number,
            is_queued: AtomicBool::new(false),
            shared: self.shared.get_or_insert_default().clone(),
        })
    }

    /// Counts one as arrived.
    pub(super) fn add(&mut self, number: usize) {
        self.shared.get_or_insert_default().add(number);
    }

    /// Counts all of that many as arrived, lowest number first.
    pub(super) fn add_all(&mut self, count: usize) {
        self.taken = (0..count).collect();
    }

    /// The next, in the order in which they were woken; the same one may come more than once. `Pending`: `cx` is woken with
    /// the next.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.taken.is_empty() {
            self.take(cx, false);
        }
        self.taken.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    /// The next of those that were taken.
    pub(super) fn pop(&mut self) -> Option<usize> {
        self.taken.pop_front()
    }

    /// One who was given out, and could not be dealt with, is the next again.
    pub(super) fn put_back(&mut self, number: usize) {
        self.taken.push_front(number);
    }

    /// Takes all that have arrived, to be given out lowest number first; `cx` is woken with the next.
    pub(super) fn take_sorted(&mut self, cx: &Context<'_>) {
        self.take(cx, true);
        self.taken.make_contiguous().sort_unstable();
    }

    /// Takes all that have arrived. If there are none, or in any case if that is asked for, the next wakes `cx`.
    fn take(&mut self, cx: &Context<'_>, wait_for_more: bool) {
        let shared = self.shared.get_or_insert_default();
        // Cloned and dropped without the lock: wakers may be anybody's.
        let mut waker = None;
        loop {
            let mut state = shared.0.lock();
            self.taken.append(&mut state.arrived);
            let waits = |waiter: &Waker| waiter.will_wake(cx.waker());
            if (!self.taken.is_empty() && !wait_for_more) || state.waiter.as_ref().is_some_and(waits) {
                return;
            }
            if waker.is_some() {
                mem::swap(&mut state.waiter, &mut waker);
                return;
            }
            drop(state);
            waker = Some(cx.waker().clone());
        }
    }

    /// Looks at the task with that number. `Ready(None)`: it is running and will arrive when it is over, or its outcome was
    /// taken before. `Pending`: not in this turn.
    pub(super) fn poll_slot<R: Rule>(
        &mut self,
        number: usize,
        slot: &mut dyn AnySlot<R>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(), R::Error>>> {
        match slot.task() {
            None => Poll::Ready(None),
            Some(task) if task.is_finished() => slot.poll(cx).map(Some),
            Some(_) => {
                // If it is over by now, and not to be looked at in this turn, it arrives at once.
                let waker = self.waker(number);
                Poll::Ready(match slot.poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(result) => Some(result),
                    Poll::Pending => None,
                })
            }
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
pub(super) struct Caller {
    number: usize,
    /// It was woken, and was not looked at since. Only set by who wakes, and only cleared by who looks.
    is_queued: AtomicBool,
    shared: Arc<Shared>,
}

impl Caller {
    /// The waker for a look that begins now: from here on, it arrives again when it is woken.
    pub(super) fn begin_look(self: &Arc<Self>) -> Waker {
        self.is_queued.swap(false, Acquire);
        Waker::from(self.clone())
    }
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Release) {
            self.shared.add(self.number);
        }
    }
}
