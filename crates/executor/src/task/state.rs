//! The state word of a task: what may happen to it, who may make it happen, and in which order memory follows.
//!
//! One word holds thirteen flags, the number of cancellation requests and the number of references. Every access to it is
//! a named transition below; nobody else tests bits.
//!
//! # Flags
//!
//! | flag | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `SCHEDULED` | the task is in a queue, or the one who set this is about to put it there | birth, wake, cancel | `start` |
//! | `RUNNING` | a worker is polling the task or dropping its future | `start` | `pend`, `complete` |
//! | `CLOSING` | the future is gone and its outcome is stored; deferred work is still going | the runner | never |
//! | `COMPLETE` | the outcome is final | `complete` | never |
//! | `JOIN` | a handle exists that may take the outcome | birth | the handle |
//! | `JOIN_WAKER` | the slot for the joiner's waker is full | the joiner | the joiner, while not complete |
//! | `CANCEL` | a cancellation was requested that the runner has not seen | `request` | the runner; `uncancel` |
//! | `SETTLED` | the outcome is the handle's no more: it was taken, or, if this was set before `COMPLETE`, is the completer's to drop | the handle | never |
//! | `KILL` | the future and the deferred work are to be dropped at once, at the end of a runtime | `kill` | never |
//! | `WATCHED` | somebody has left a callback for the end | `watch` | never |
//! | `CANCELLED`, `FAILED` | how the task ended, if not with a value that is as good as any | the runner, before `COMPLETE` | never |
//! | `BOUND` | the task is in its home's list of live tasks | birth, or the first runner | never |
//!
//! # Who owns what
//!
//! * **The right to run** is what a queue holds. It exists exactly while `SCHEDULED` is set and the task is not
//!   complete, or while `RUNNING` is set: a waker that sets `SCHEDULED` on an idle task creates it and queues it; one
//!   that sets it on a running task leaves the queueing to the runner, who finds the flag in `pend`.
//! * **The future, the outcome and the deferred work** belong to the runner until `COMPLETE`; then the outcome belongs
//!   to the handle if `JOIN` was set and `SETTLED` was not at that instant, and to the completer otherwise. A handle that takes
//!   it and stays sets `SETTLED` then.
//! * **The waker slot** belongs to the joiner while `JOIN_WAKER` is clear, is frozen while it is set, and belongs to the
//!   completer if it was set when `COMPLETE` came. A joiner that sets it too late learns so from the answer and has
//!   its slot back.
//! * **The allocation** lives as long as there are references. The runtime holds one from birth to completion, which
//!   is why no queue, no runner and no list needs one of its own; the handle holds one; each waker holds one.
//!
//! # Ordering
//!
//! Every transition that hands something over releases, and every transition that takes something over acquires.
//! All writes to the word are read-modify-write operations, so each continues the release sequence of those before it:
//! an acquiring transition sees what *everyone* before it released, not only the last one. That is why a wake of a
//! task that is already queued still writes the word (it changes nothing in it): the poll to come must see what
//! happened before that wake.

use aioli_primitives::sync::atomic::{AtomicU64, Ordering::*};

const SCHEDULED: u64 = 1;
const RUNNING: u64 = 1 << 1;
const CLOSING: u64 = 1 << 2;
const COMPLETE: u64 = 1 << 3;
const JOIN: u64 = 1 << 4;
const JOIN_WAKER: u64 = 1 << 5;
const CANCEL: u64 = 1 << 6;
const BOUND: u64 = 1 << 7;
const SETTLED: u64 = 1 << 8;
const KILL: u64 = 1 << 16;
const WATCHED: u64 = 1 << 17;
const CANCELLED: u64 = 1 << 18;
const FAILED: u64 = 1 << 19;

/// Requests are counted in seven bits and stay at the top when there are more.
const REQUEST: u64 = 1 << 9;
const REQUESTS: u64 = 0x7f << 9;

const REF: u64 = 1 << 20;

/// A value of the state word, read at some instant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    pub(crate) fn is_closing(self) -> bool {
        self.0 & CLOSING != 0
    }

    /// A request, or the end by force, waits for the runner.
    pub(crate) fn has_request(self) -> bool {
        self.0 & (CANCEL | KILL) != 0
    }

    pub(crate) fn is_killed(self) -> bool {
        self.0 & KILL != 0
    }

    /// The outcome is the handle's no more.
    pub(crate) fn is_settled(self) -> bool {
        self.0 & SETTLED != 0
    }

    /// The task ended as cancelled.
    pub(crate) fn is_cancelled(self) -> bool {
        self.0 & (COMPLETE | CANCELLED) == COMPLETE | CANCELLED
    }

    /// The task ended by a panic, or by an error that it was known to be.
    pub(crate) fn has_failed(self) -> bool {
        self.0 & (COMPLETE | FAILED) == COMPLETE | FAILED
    }

    pub(crate) fn is_bound(self) -> bool {
        self.0 & BOUND != 0
    }

    /// How often cancellation was requested.
    pub(crate) fn requests(self) -> usize {
        ((self.0 & REQUESTS) / REQUEST) as usize
    }

    pub(crate) fn is_running(self) -> bool {
        self.0 & RUNNING != 0
    }

    /// Somebody holds the right to run: no new one arises from a wake.
    fn is_queued_or_running(self) -> bool {
        self.0 & (SCHEDULED | RUNNING | COMPLETE) != 0
    }

    fn references(self) -> u64 {
        self.0 / REF
    }
}

/// What the one who woke or cancelled a task has to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Wake {
    /// Nothing: it is queued, running or over.
    Nothing,
    /// Put it in a queue: the caller has just been given the right to run.
    Schedule,
    /// Free it: the caller's reference was the last one.
    Deallocate,
}

/// What a runner finds when it stops polling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Pend {
    /// Nobody woke the task: it sleeps.
    Idle,
    /// It was woken while it ran: put it back into a queue.
    Reschedule,
}

/// What the completer has to do: the state word as it was.
#[derive(Clone, Copy)]
#[must_use]
pub(crate) struct Completion(u64);

impl Completion {
    /// Nobody will take the outcome: the completer drops it.
    pub(crate) fn is_to_drop_outcome(self) -> bool {
        self.0 & (JOIN | SETTLED) != JOIN
    }

    /// The joiner's waker is in its slot, which is the completer's now.
    pub(crate) fn is_to_wake_joiner(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }

    /// The task is in a set of live tasks.
    pub(crate) fn is_to_release(self) -> bool {
        self.0 & BOUND != 0
    }

    /// Callbacks have been left for the end.
    pub(crate) fn is_watched(self) -> bool {
        self.0 & WATCHED != 0
    }
}

/// What a handle that goes away has to clean up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum HandleDrop {
    /// Nothing; even the reference is given back.
    Done,
    /// The waker slot is full and the caller's again; the reference is still held.
    DropWaker,
    /// The outcome is the caller's to drop; the reference is still held.
    DropOutcome,
    /// The outcome is gone; the reference is still held.
    Release,
}

/// The state word.
pub(crate) struct State(AtomicU64);

impl State {
    /// A new task: scheduled, with a handle. One reference is the runtime's, the other the handle's.
    pub(crate) fn new(bound: bool) -> Self {
        Self(AtomicU64::new(
            SCHEDULED | JOIN | if bound { BOUND } else { 0 } | (2 * REF),
        ))
    }

    /// Acquires, so that one who sees `COMPLETE` sees the outcome.
    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Acquire))
    }

    /// The holder of the right to run begins. `SCHEDULED` goes in the same instant as `RUNNING` comes, so a wake from
    /// now on is noticed by `pend`.
    pub(crate) fn start(&self) -> Snapshot {
        let before = self.0.fetch_add(RUNNING - SCHEDULED, Acquire);
        debug_assert!(before & SCHEDULED != 0 && before & (RUNNING | COMPLETE) == 0);
        Snapshot(before)
    }

    /// The runner stops: the task is not done.
    pub(crate) fn pend(&self) -> Pend {
        let before = self.0.fetch_sub(RUNNING, AcqRel);
        debug_assert!(before & RUNNING != 0);
        if before & SCHEDULED != 0 {
            Pend::Reschedule
        } else {
            Pend::Idle
        }
    }

    /// The first runner has put the task into the list. Only runners look at this flag, one after the other.
    pub(crate) fn bind(&self) {
        self.0.fetch_or(BOUND, Relaxed);
    }

    /// The runner has stored the outcome, but deferred work remains. Only the runner reads the flag back to decide
    /// something; others use it to answer `cancel`.
    pub(crate) fn close(&self) {
        self.0.fetch_or(CLOSING, AcqRel);
    }

    /// The runner is done: everything it did to the outcome is released to the joiner.
    pub(crate) fn complete(&self) -> Completion {
        let before = self.0.fetch_add(COMPLETE - RUNNING, AcqRel);
        debug_assert!(before & RUNNING != 0 && before & COMPLETE == 0);
        Completion(before)
    }

    /// Wakes through a reference that the caller keeps.
    pub(crate) fn wake_by_ref(&self) -> Wake {
        let mut now = self.0.load(Relaxed);
        loop {
            // Written even where nothing changes; see "Ordering" above.
            match self.0.compare_exchange_weak(now, now | SCHEDULED, AcqRel, Relaxed) {
                Ok(_) if Snapshot(now).is_queued_or_running() => return Wake::Nothing,
                Ok(_) => return Wake::Schedule,
                Err(actual) => now = actual,
            }
        }
    }

    /// Wakes and gives the caller's reference back in one step.
    pub(crate) fn wake_by_value(&self) -> Wake {
        let mut now = self.0.load(Relaxed);
        loop {
            match self
                .0
                .compare_exchange_weak(now, (now | SCHEDULED) - REF, AcqRel, Relaxed)
            {
                // A task that is not complete is kept by the runtime's reference.
                Ok(_) if Snapshot(now).references() == 1 => return Wake::Deallocate,
                Ok(_) if Snapshot(now).is_queued_or_running() => return Wake::Nothing,
                Ok(_) => return Wake::Schedule,
                Err(actual) => now = actual,
            }
        }
    }

    /// Adds a cancellation request. `None`: there is nothing left to cancel.
    pub(crate) fn request(&self) -> Option<Wake> {
        let mut now = self.0.load(Acquire);
        loop {
            let seen = Snapshot(now);
            if seen.is_complete() || seen.is_closing() {
                return None;
            }
            let counted = if now & REQUESTS == REQUESTS { now } else { now + REQUEST };
            match self
                .0
                .compare_exchange_weak(now, counted | CANCEL | SCHEDULED, AcqRel, Acquire)
            {
                Ok(_) if seen.is_queued_or_running() => return Some(Wake::Nothing),
                Ok(_) => return Some(Wake::Schedule),
                Err(actual) => now = actual,
            }
        }
    }

    /// The runner sees the requests there were.
    pub(crate) fn take_request(&self) {
        self.0.fetch_and(!CANCEL, AcqRel);
    }

    /// Takes one request back, and gives how many are left. With the last one, what the runner has not seen is forgotten.
    pub(crate) fn uncancel(&self) -> usize {
        let mut now = self.0.load(Acquire);
        loop {
            if now & REQUESTS == 0 {
                return 0;
            }
            let mut next = now - REQUEST;
            if next & REQUESTS == 0 {
                next &= !CANCEL;
            }
            match self.0.compare_exchange_weak(now, next, AcqRel, Acquire) {
                Ok(_) => return Snapshot(next).requests(),
                Err(actual) => now = actual,
            }
        }
    }

    /// The task is to end at its next turn, whatever it still wants to do.
    pub(crate) fn kill(&self) -> Wake {
        let before = Snapshot(self.0.fetch_or(KILL | SCHEDULED, AcqRel));
        if before.is_queued_or_running() {
            Wake::Nothing
        } else {
            Wake::Schedule
        }
    }

    /// Somebody has left a callback. `false`: the task completed before, and nobody else will call it.
    pub(crate) fn watch(&self) -> bool {
        self.0.fetch_or(WATCHED, AcqRel) & COMPLETE == 0
    }

    /// The runner says how the task ended. Relaxed: `complete` releases it.
    pub(crate) fn end_cancelled(&self) {
        self.0.fetch_or(CANCELLED, Relaxed);
    }

    /// As `end_cancelled`.
    pub(crate) fn end_failed(&self) {
        self.0.fetch_or(FAILED, Relaxed);
    }

    /// The joiner has filled its slot. `false`: the task completed before; the slot is still the joiner's.
    pub(crate) fn set_join_waker(&self) -> bool {
        // The flag is clear, so adding it sets it, and is one instruction where an `or` that answers is a loop.
        let before = self.0.fetch_add(JOIN_WAKER, AcqRel);
        debug_assert!(before & JOIN != 0 && before & JOIN_WAKER == 0);
        before & COMPLETE == 0
    }

    /// The joiner wants its slot back. `false`: the task completed before, and the slot is the completer's.
    pub(crate) fn unset_join_waker(&self) -> bool {
        let mut now = self.0.load(Acquire);
        loop {
            debug_assert!(now & JOIN_WAKER != 0);
            if now & COMPLETE != 0 {
                return false;
            }
            match self.0.compare_exchange_weak(now, now & !JOIN_WAKER, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(actual) => now = actual,
            }
        }
    }

    /// Whether the slot was full at this instant; only the joiner fills it.
    pub(crate) fn has_join_waker(snapshot: Snapshot) -> bool {
        snapshot.0 & JOIN_WAKER != 0
    }

    /// The outcome is the handle's no more. `true`: the task is not complete, and the completer will drop the outcome. `false`:
    /// the task was complete, and the outcome is the caller's to take or to drop, now.
    pub(crate) fn settle(&self) -> bool {
        self.0.fetch_or(SETTLED, AcqRel) & COMPLETE == 0
    }

    /// The handle goes away without the outcome.
    pub(crate) fn drop_handle(&self) -> HandleDrop {
        let mut now = self.0.load(Acquire);
        loop {
            match now & (COMPLETE | SETTLED) {
                COMPLETE => return HandleDrop::DropOutcome,
                now if now & COMPLETE != 0 => return HandleDrop::Release,
                _ => {}
            }
            let (next, answer) = match now & JOIN_WAKER {
                // The runtime's reference keeps a task that is not complete, so this one is never the last.
                0 => ((now & !JOIN) - REF, HandleDrop::Done),
                _ => (now & !(JOIN | JOIN_WAKER), HandleDrop::DropWaker),
            };
            match self.0.compare_exchange_weak(now, next, AcqRel, Acquire) {
                Ok(_) => return answer,
                Err(actual) => now = actual,
            }
        }
    }

    /// A new reference, made from one that the caller holds. Relaxed, as in `Arc`: whoever hands the new reference to
    /// another thread synchronises with it by that.
    pub(crate) fn ref_inc(&self) {
        let before = self.0.fetch_add(REF, Relaxed);
        // Leaking wakers could wrap the count and free a live task; as `Arc` does, stop long before.
        if before > i64::MAX as u64 {
            std::process::abort();
        }
    }

    /// Gives a reference back; `true` if it was the last one. Acquires, so that the one who frees the task sees
    /// everything that was done with the other references.
    #[must_use]
    pub(crate) fn ref_dec(&self) -> bool {
        let before = self.0.fetch_sub(REF, AcqRel);
        debug_assert!(Snapshot(before).references() > 0);
        Snapshot(before).references() == 1
    }
}
