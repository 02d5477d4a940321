//! Who belongs to a group, what went wrong, and whether it is over: what the members of a group and its owner share.
//!
//! A *member* is a task that was created in the group; `M` is a name for it. Members come and go on any worker, fail there, and
//! create further members. One *owner* waits for all of them; it may run a *body* besides, which is not a member.
//!
//! # Protocol
//!
//! One lock guards everything, and nobody else's code runs under it: what is to be woken, cancelled or dropped is handed out, a
//! waker is cloned before it is left, and an error is looked at before it is counted. A group goes through three phases:
//!
//! | phase | meaning | moves to |
//! |---|---|---|
//! | `Open` | members may be added | `Ending` by the first failure, or by whoever ends the group; `Closed` by the owner |
//! | `Ending` | no members may be added; those there are get cancelled, once | `Closed` by the owner |
//! | `Closed` | the owner has seen the end | never |
//!
//! A member goes through three steps:
//!
//! 1. [`enter`](Roster::enter) takes a seat, *before* the task exists: from now on the owner waits for it.
//! 2. [`sit`](Roster::sit) puts the name of the new task on the seat. The task may be running by then, and even have left.
//! 3. [`leave`](Roster::leave): its future is gone. The task need not be over, for it finishes what its future deferred. So its
//!    name becomes a *straggler*: the owner, when nobody is seated any more, waits for each straggler's own end. So that those of
//!    a long-lived group do not add up, whenever a member leaves, the first two stragglers are looked at: one that is over is let
//!    go of, and one that is not goes behind all others, so that it keeps none of them.
//!
//! *Cancelling.* Members are cancelled in the order in which they came. While there is a body, the owner does it, because it
//! cancels the body too, and a body that awaits a member passes that on: [`take_doomed`](Roster::take_doomed) gives it the names, and
//! whoever ends the group wakes it. With no body, whoever ends the group is given the names at once. Either way they are
//! given out once, and whoever sits down after that is told to cancel its task itself. So each member is cancelled once.
//!
//! *Echoes.* A member, or the body, that looks at another one may find that one cancelled or failed before its own cancellation has
//! reached it, and fail on its part. Such an error says nothing but that the group is ending, and counts only if the group is not.
//! Whether an error is one is asked before the lock is taken, whatever the phase is then: the answer does not depend on it.
//!
//! *The end.* The owner asks in [`poll_over`](Roster::poll_over). That nobody is seated is looked at, and the owner's waker is left,
//! in one critical section: a member that leaves before is seen, and one that leaves after finds the waker. The group is closed in
//! the same critical section in which nobody is seated and nobody straggles: what comes later is refused.

mod seats;

use crate::CancelCause;
use aioli_primitives::sync::Mutex;
use seats::Seats;
use std::{
    collections::VecDeque,
    fmt, mem,
    task::{Context, Poll, Waker},
};

pub use seats::Seat;

/// The name of a task.
pub trait Member: Clone {
    /// Whether the task is over, with all that it deferred.
    fn is_over(&self) -> bool;
}

impl Member for crate::TaskRef {
    fn is_over(&self) -> bool {
        self.is_finished()
    }
}

/// What the members of a group and its owner share. `E` is what goes wrong.
pub struct Roster<M, E> {
    state: Mutex<State<M, E>>,
    /// See [`Roster::new`].
    is_echo: fn(&E) -> bool,
    cause: CancelCause,
}

struct State<M, E> {
    phase: Phase,
    seats: Seats<M>,
    /// Those who have left, and are not known to be over.
    stragglers: VecDeque<M>,
    /// In the order in which they happened.
    errors: Vec<E>,
    /// The owner runs a body, and so cancels the members itself.
    has_body: bool,
    /// The names were given out to be cancelled.
    doomed: bool,
    owner: Option<Waker>,
}

/// What went wrong, and whether that is an echo.
struct Failure<E> {
    error: E,
    is_echo: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    Ending,
    Closed,
}

/// How the waiting goes on.
#[derive(Debug)]
pub enum Over<M, E> {
    /// Everybody has left; ask again when this one is over.
    But(M),
    /// The group is closed. These are the errors.
    With(Vec<E>),
}

/// What is to be done when somebody has left a group, or ended it.
#[must_use = "call `each`, so that the members are cancelled"]
#[derive(Debug)]
pub struct Doomed<M, E> {
    names: Vec<M>,
    owner: Option<Waker>,
    /// An error that does not count.
    echo: Option<E>,
}

impl<M, E> Doomed<M, E> {
    fn nobody() -> Self {
        Self::all(Vec::new())
    }

    fn all(names: Vec<M>) -> Self {
        Self {
            names,
            owner: None,
            echo: None,
        }
    }

    /// Calls `cancel` with every member that is to be cancelled, oldest first, and wakes the owner if it has something to do.
    pub fn each(self, cancel: impl FnMut(M)) {
        self.names.into_iter().for_each(cancel);
        self.owner.into_iter().for_each(Waker::wake);
        // Last: its destructor may panic.
        drop(self.echo);
    }
}

impl<M: Member, E> Roster<M, E> {
    /// An open group without members. `is_echo` says of an error that it is no news in a group that is ending. It may use the
    /// group, and must not panic: the member that has failed has still to leave.
    pub fn new(is_echo: fn(&E) -> bool) -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Open,
                seats: Seats::new(),
                stragglers: VecDeque::new(),
                errors: Vec::new(),
                has_body: false,
                doomed: false,
                owner: None,
            }),
            is_echo,
            cause: CancelCause::new(),
        }
    }

    /// What members are to be cancelled for, if it is for nothing that came from outside: a member that awaits another one passes
    /// its request on, and that is none if it has come already.
    pub fn cause(&self) -> &CancelCause {
        &self.cause
    }

    /// A member is about to be created. `None`: the group takes no more.
    pub fn enter(&self) -> Option<Seat> {
        let mut state = self.state.lock();
        (state.phase == Phase::Open).then(|| state.seats.take())
    }

    /// The member has been created. `false`: the group is ending, and the caller has to cancel it.
    pub fn sit(&self, seat: Seat, name: M) -> bool {
        let mut state = self.state.lock();
        let stays = !state.doomed;
        let mut owner = None;
        if let Some(left) = state.seats.sit(seat, name) {
            state.stragglers.push_back(left);
            owner = state.owner_if_empty();
        }
        drop(state);
        owner.into_iter().for_each(Waker::wake);
        stays
    }

    /// The future of the member is gone; with an error, that ends the group, if nobody has before.
    pub fn leave(&self, seat: Seat, error: Option<E>) -> Doomed<M, E> {
        let failure = error.map(|error| self.failure(error));
        let mut state = self.state.lock();
        let over = [(); 2].map(|()| state.take_over());
        if let Some(name) = state.seats.leave(seat) {
            state.stragglers.push_back(name);
        }
        let mut doomed = match failure {
            Some(failure) => state.fail(failure),
            None => Doomed::nobody(),
        };
        doomed.owner = doomed.owner.or_else(|| state.owner_if_empty());
        drop(state);
        // Out here: a name may be the last that keeps a task.
        drop(over);
        doomed
    }

    /// The body failed: ends the group, if nobody has before. By the owner, who has not seen the end.
    pub fn fail(&self, error: E) -> Doomed<M, E> {
        let failure = self.failure(error);
        self.state.lock().fail(failure)
    }

    /// To be called without the lock: what an error says of itself is anybody's code.
    fn failure(&self, error: E) -> Failure<E> {
        Failure {
            is_echo: (self.is_echo)(&error),
            error,
        }
    }

    /// Ends the group, if nobody has before; nothing went wrong.
    pub fn end(&self) -> Doomed<M, E> {
        self.state.lock().end()
    }

    /// The owner begins to run a body.
    pub fn begin_body(&self) {
        self.state.lock().has_body = true;
    }

    /// The owner's body is gone. If the group is ending, the members are as good as [`take_doomed`](Self::take_doomed).
    pub fn end_body(&self) -> Doomed<M, E> {
        let mut state = self.state.lock();
        state.has_body = false;
        Doomed::all(state.take_doomed())
    }

    /// For the owner, while it runs a body: if the group is ending, the members to be cancelled along with the body, the
    /// first time. `None`: there is nothing to be done.
    pub fn take_doomed(&self) -> Option<Vec<M>> {
        let mut state = self.state.lock();
        (state.phase == Phase::Ending && !state.doomed).then(|| state.take_doomed())
    }

    /// For the owner, when its body is gone: waits until nobody is seated. `Ready`: see [`Over`].
    pub fn poll_over(&self, cx: &mut Context<'_>) -> Poll<Over<M, E>> {
        self.poll_state(cx, |state| {
            if !state.seats.is_empty() {
                return Poll::Pending;
            }
            if let Some(straggler) = state.stragglers.pop_front() {
                return Poll::Ready(Over::But(straggler));
            }
            state.phase = Phase::Closed;
            Poll::Ready(Over::With(mem::take(&mut state.errors)))
        })
    }

    /// For the owner, while it runs a body: it will be woken when somebody ends the group. `false`: somebody has, and the
    /// members are still to be taken.
    pub fn register(&self, cx: &mut Context<'_>) -> bool {
        let is_to_act = |state: &mut State<M, E>| match state.phase {
            Phase::Ending if !state.doomed => Poll::Ready(()),
            _ => Poll::Pending,
        };
        self.poll_state(cx, is_to_act).is_pending()
    }

    /// Looks, and in the same critical section leaves the owner's waker, if there is nothing yet.
    fn poll_state<T>(&self, cx: &mut Context<'_>, look: impl Fn(&mut State<M, E>) -> Poll<T>) -> Poll<T> {
        // Cloned and dropped without the lock: wakers may be anybody's.
        let mut waker = None;
        loop {
            let mut state = self.state.lock();
            let polled = look(&mut state);
            if polled.is_ready() || state.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
                return polled;
            }
            if waker.is_some() {
                mem::swap(&mut state.owner, &mut waker);
                return polled;
            }
            drop(state);
            waker = Some(cx.waker().clone());
        }
    }
}

impl<M: Member, E> State<M, E> {
    fn fail(&mut self, Failure { error, is_echo }: Failure<E>) -> Doomed<M, E> {
        let counts = self.phase == Phase::Open || !is_echo;
        let mut doomed = self.end();
        if counts {
            self.errors.push(error);
        } else {
            doomed.echo = Some(error);
        }
        doomed
    }

    fn end(&mut self) -> Doomed<M, E> {
        if self.phase == Phase::Open {
            self.phase = Phase::Ending;
        }
        if !self.has_body {
            return Doomed::all(self.take_doomed());
        }
        Doomed {
            names: Vec::new(),
            owner: if self.doomed { None } else { self.owner.take() },
            echo: None,
        }
    }

    /// Looks at the first straggler: takes it out if it is over, and puts it behind all others if it is not.
    fn take_over(&mut self) -> Option<M> {
        let straggler = self.stragglers.pop_front()?;
        if straggler.is_over() {
            return Some(straggler);
        }
        self.stragglers.push_back(straggler);
        None
    }

    /// Whom to wake if nobody is seated. An owner whose body goes on does not wait for that.
    fn owner_if_empty(&mut self) -> Option<Waker> {
        if self.seats.is_empty() && !self.has_body {
            self.owner.take()
        } else {
            None
        }
    }

    /// Gives the names out, if the group is ending and they were not before.
    fn take_doomed(&mut self) -> Vec<M> {
        if self.phase != Phase::Ending || mem::replace(&mut self.doomed, true) {
            return Vec::new();
        }
        self.seats.names().cloned().collect()
    }
}

impl<M, E> fmt::Debug for Roster<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Roster")
            .field("phase", &state.phase)
            .field("members", &state.seats.len())
            .field("errors", &state.errors.len())
            .finish()
    }
}
