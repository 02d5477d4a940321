//! The first of several futures to finish, and the others cleaned up.

use super::arrivals::{Arrivals, Caller};
use crate::task::poll_budget;
use aioli_executor::Scoped;
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Awaits all `items` at the same time, in place, and gives the value of the first that finishes. The others are cancelled
/// first, and waited for.
///
/// Where asyncio needs `wait(.., return_when=FIRST_COMPLETED)` and a loop that cancels the rest. The items become no tasks: they
/// may borrow and need not be `Send`, and they run in turn and not on several workers. They are a tuple of up to eight of one
/// output type, an array or a `Vec`. A task given by its handle is cancelled when it loses; one given by reference is left alone.
///
/// Each item is a scope of its own. Those that lose are cancelled as a task is: their catchers have their say, and what they
/// deferred is finished, before this is ready. Of two that finish in the same turn, the earlier item wins, and one behind
/// an item that is ready at once is not even begun. A cancellation from outside goes to the catchers inside the items, as
/// if they were not in a race.
///
/// ```
/// use aioli::{race, sleep};
/// use std::time::Duration;
///
/// aioli::run(async {
///     let name = String::from("hare");
///     let hare = async {
///         sleep(Duration::from_secs(3600)).await;
///         &name[..]
///     };
///     let tortoise = async {
///         sleep(Duration::from_millis(1)).await;
///         "tortoise"
///     };
///     assert_eq!(race((hare, tortoise)).await, "tortoise");
/// });
/// ```
///
/// # Panics
///
/// If there are no items: nobody could win. Polling passes on a panic of an item, of those that lose, too.
///
/// # Cancel safety
///
/// Dropping it drops the items; what they defer goes to the scope around.
#[track_caller]
pub fn race<I: RaceItems>(items: I) -> Race<I::Branches, I::Output> {
    let branches = items.into_branches();
    let count = branches.count();
    assert!(
        count > 0,
        "race() was given no items, and nobody could win: ask whether there are any before"
    );
    Race {
        count,
        branches,
        branch: <I::Branches as Branches<I::Output>>::branch,
        left: count,
        callers: Vec::new(),
        arrivals: Arrivals::new(),
        winner: None,
        value: None,
    }
}

/// Several items for [`race`], all of one output type: a tuple of up to eight, an array or a `Vec`. Each is what can be
/// awaited.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot race",
    label = "not a tuple, an array or a `Vec` of what can be awaited, all of one output type",
    note = "of an iterator, collect the items into a `Vec` first: `items.collect::<Vec<_>>()`"
)]
pub trait RaceItems {
    /// What the winner gives.
    type Output;

    #[doc(hidden)]
    type Branches: Branches<Self::Output>;

    #[doc(hidden)]
    fn into_branches(self) -> Self::Branches;
}

/// An item, in a scope of its own. `None` when it has ended.
///
/// It does not move when the race does, and a scope with a place for a value takes several words.
type Branch<F> = Option<Pin<Box<Scoped<F>>>>;

fn branch<I: IntoFuture>(item: I) -> Branch<I::IntoFuture> {
    Some(Box::pin(Scoped::new(item.into_future())))
}

/// A branch, whatever its type.
pub trait AnyBranch<T> {
    /// `None`: it has ended before.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Turn<T>>;

    /// Cancels it.
    fn cancel(&mut self, cx: &mut Context<'_>);
}

/// How a turn of a branch has ended.
pub enum Turn<T> {
    /// The item goes on.
    Running,
    /// The item has finished or was dropped, and something that it deferred goes on.
    CleaningUp,
    /// It has ended: with this value, unless it was cancelled.
    Ended(Option<T>),
}

impl<F: Future> AnyBranch<F::Output> for Branch<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Turn<F::Output>> {
        let body = self.as_mut()?;
        Some(match body.as_mut().poll(cx) {
            Poll::Ready(value) => {
                *self = None;
                Turn::Ended(value)
            }
            Poll::Pending if body.is_gone() => Turn::CleaningUp,
            Poll::Pending => Turn::Running,
        })
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        if let Some(body) = self {
            body.as_mut().cancel(cx);
        }
    }
}

/// The branches of all items.
pub trait Branches<T> {
    /// How many there are.
    fn count(&self) -> usize;

    /// The branch with that number.
    fn branch(&mut self, number: usize) -> &mut dyn AnyBranch<T>;
}

/// Waits for the first of several futures. Made by [`race`].
#[must_use = "futures do nothing unless awaited"]
pub struct Race<B, T> {
    branches: B,
    /// The branch with that number. A pointer, so that a task with a race in it is `Send` whatever its items give: see the head
    /// of `gather`.
    branch: fn(&mut B, usize) -> &mut dyn AnyBranch<T>,
    count: usize,
    /// How many have not ended.
    left: usize,
    /// One for each branch, once they have begun.
    callers: Vec<Arc<Caller>>,
    arrivals: Arrivals,
    winner: Option<usize>,
    value: Option<T>,
}

// What is pinned is in boxes.
impl<B, T> Unpin for Race<B, T> {}

impl<B, T> Race<B, T> {
    fn poll_branch(&mut self, number: usize) {
        let waker = self.callers[number].begin_look();
        let cx = &mut Context::from_waker(&waker);
        let Some(turn) = (self.branch)(&mut self.branches, number).poll(cx) else {
            return;
        };
        let has_finished = !matches!(turn, Turn::Running);
        if let Turn::Ended(value) = turn {
            self.left -= 1;
            // One that lost may have a value, too.
            if self.winner.is_none_or(|winner| winner == number) {
                self.value = value;
            }
        }
        if has_finished && self.winner.is_none() {
            self.winner = Some(number);
            for loser in (0..self.count).filter(|&loser| loser != number) {
                let waker = Waker::from(self.callers[loser].clone());
                let cx = &mut Context::from_waker(&waker);
                (self.branch)(&mut self.branches, loser).cancel(cx);
            }
            // Each is to be polled until it has ended, this one, too.
            self.arrivals.add_all(self.count);
        }
    }
}

impl<B, T> Future for Race<B, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if this.callers.is_empty() {
            this.callers = (0..this.count).map(|number| this.arrivals.caller(number)).collect();
            this.arrivals.add_all(this.count);
        }
        // One that wakes itself has its next turn when others of the loop have had theirs.
        let mut has_taken = false;
        while this.left > 0 {
            match this.arrivals.pop() {
                Some(number) => {
                    if poll_budget(cx).is_pending() {
                        this.arrivals.put_back(number);
                        return Poll::Pending;
                    }
                    this.poll_branch(number);
                }
                None if has_taken => return Poll::Pending,
                None => {
                    this.arrivals.take_sorted(cx);
                    has_taken = true;
                }
            }
        }
        Poll::Ready(this.value.take().expect("a race was polled after it was ready"))
    }
}

impl<B, T> fmt::Debug for Race<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race")
            .field("left", &self.left)
            .field("winner", &self.winner)
            .finish_non_exhaustive()
    }
}

impl<I: IntoFuture> RaceItems for Vec<I> {
    type Output = I::Output;
    type Branches = Vec<Branch<I::IntoFuture>>;

    fn into_branches(self) -> Self::Branches {
        self.into_iter().map(branch).collect()
    }
}

impl<I: IntoFuture, const N: usize> RaceItems for [I; N] {
    type Output = I::Output;
    type Branches = Vec<Branch<I::IntoFuture>>;

    fn into_branches(self) -> Self::Branches {
        self.into_iter().map(branch).collect()
    }
}

impl<F: Future> Branches<F::Output> for Vec<Branch<F>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn branch(&mut self, number: usize) -> &mut dyn AnyBranch<F::Output> {
        &mut self[number]
    }
}

macro_rules! tuples {
    ($(($($item:ident $number:tt),+))+) => {$(
        impl<T, $($item: IntoFuture<Output = T>),+> RaceItems for ($($item,)+) {
            type Output = T;
            type Branches = ($(Branch<$item::IntoFuture>,)+);

            fn into_branches(self) -> Self::Branches {
                ($(branch(self.$number),)+)
            }
        }

        impl<T, $($item: Future<Output = T>),+> Branches<T> for ($(Branch<$item>,)+) {
            fn count(&self) -> usize {
                [$($number),+].len()
            }

            fn branch(&mut self, number: usize) -> &mut dyn AnyBranch<T> {
                match number {
                    $($number => &mut self.$number,)+
                    _ => unreachable!("there is no such item"),
                }
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
