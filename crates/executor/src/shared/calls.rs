//! Calls: functions that are called in their turn, one at a time and in the order in which they were posted, whatever the number
//! of workers; outside any task.
//!
//! # Turns
//!
//! For each call a *ticket* goes into the ready queue, a task of a hidden kind, like any task that is woken; so with one worker
//! tasks and calls share one queue, first in first out. A ticket that has its turn makes the call that has waited longest,
//! whichever it was made for. If another worker is making a call at that moment, it leaves its turn to that one, which
//! then makes one call more.
//!
//! | field | meaning |
//! |---|---|
//! | `waiting` | the calls to be made |
//! | `busy` | a worker makes a call |
//! | `owed` | turns that were left to that worker; 0 unless `busy` |
//!
//! At any moment there are as many tickets in queues, or on their way there, as calls that wait, less those that are owed. So
//! no call is forgotten, and none is made by a worker that had other tasks in front of the ticket.
//!
//! # The end
//!
//! As in asyncio, calls are made as long as tasks are left, and those that wait when the last one is over are dropped. A call that
//! posts itself again must not keep the runtime alive, so tickets are in no set of live tasks, and once the runtime is closing
//! they go into the injector, which leaves the workers' own queues empty in between. Tickets that are left in a queue are
//! abandoned with the queue.

use super::Shared;
use crate::{
    current, here,
    home::{Homed, Ticket},
    task::{self, Reason, UnhandledError},
};
use aioli_primitives::sync::{Mutex, atomic::Ordering::Relaxed};
use std::{
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// How many turns, its own and those of tickets that found it busy, a ticket takes in a row.
const MOST_TURNS: usize = 16;

pub(crate) type Call = Box<dyn FnOnce() + Send>;

pub(super) struct Calls(Mutex<State>);

struct State {
    waiting: VecDeque<Call>,
    busy: bool,
    owed: usize,
    /// No call will be made any more.
    closed: bool,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            busy: false,
            owed: 0,
            closed: false,
        }))
    }

    /// Gives the call back if it will not be made.
    fn push(&self, call: Call) -> Result<(), Call> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(call);
        }
        state.waiting.push_back(call);
        Ok(())
    }

    /// Begins a turn. `false`: it was left to the worker that is busy.
    fn begin(&self) -> bool {
        let mut state = self.0.lock();
        if state.busy {
            state.owed += 1;
            return false;
        }
        state.busy = true;
        true
    }

    fn next(&self) -> Option<Call> {
        self.0.lock().waiting.pop_front()
    }

    /// Ends a turn. `false`: another one is owed.
    fn end(&self) -> bool {
        let mut state = self.0.lock();
        state.busy = state.owed > 0;
        state.owed = state.owed.saturating_sub(1);
        !state.busy
    }

    /// Gives up the right to make calls although turns are owed, one of which gets a ticket of its own.
    fn pause(&self) {
        self.0.lock().busy = false;
    }

    /// Drops the calls that wait, and refuses more.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.0.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        for call in waiting {
            // Their destructors are the user's, may post, and may panic; whoever closes goes on.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(call))) {
                std::mem::forget(payload);
            }
        }
    }
}

impl Shared {
    /// Has a worker make the call. On a runtime that has ended it is dropped.
    pub(crate) fn post(&self, call: Call) {
        if let Err(refused) = self.calls.push(call) {
            drop(refused);
            return;
        }
        self.queue_ticket();
    }

    /// Puts a ticket for one turn into the queue.
    fn queue_ticket(&self) {
        let home = &self.homes[here::index_on(self).unwrap_or(0)];
        // SAFETY: the future is `Send` and borrows nothing.
        let (ticket, task) = unsafe { task::create(Turn, Homed::<Ticket>::new(home), Location::caller()) };
        task.detach();
        if self.closing.load(Relaxed) {
            self.inject(ticket);
            return;
        }
        // Not the slot for what was woken last: calls are in order.
        if let Err(ticket) = here::push_if_current(self, ticket, Reason::Yielded) {
            self.inject(ticket);
        }
    }

    fn take_turn(&self) {
        if !self.calls.begin() {
            return;
        }
        for _ in 0..MOST_TURNS {
            if let Some(call) = self.calls.next() {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                    self.unhandled().report(UnhandledError::of_nobody(payload));
                }
            }
            if self.calls.end() {
                return;
            }
        }
        // This worker has other tasks, too: the turn that it still owes comes behind them.
        self.calls.pause();
        self.queue_ticket();
    }
}

/// What a ticket does in its turn.
struct Turn;

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let _outside = current::leave();
        // Tickets are run by the workers of their runtime, and nobody else.
        here::with(|worker| worker.into_iter().for_each(|worker| worker.shared.take_turn()));
        Poll::Ready(())
    }
}
