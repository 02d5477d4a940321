//! Running several things at the same time, and all their values in order.
//!
//! # How a gathering waits
//!
//! It has to know of a failure at once, whichever task it is, and should cost next to nothing where tasks just give their
//! values. So it looks in three steps:
//!
//! 1. At the tasks in order, up to the first that is not over. Then it gives way once, without touching that one. On one
//!    worker this gives each task that it created its first turn.
//! 2. At all of them, once. Most small tasks are over by now, and have cost one look. Each that is not gets a waker of its
//!    own (an allocation), which says who it is; see [`Arrivals`].
//! 3. From then on only at those who came in.
//!
//! # How it is cancelled
//!
//! It is one frame for all of its tasks. It takes a request, passes it on to each task that is not over, and waits for their end
//! without looking at their outcomes: a panic in a cleanup is then seen by nobody, and reported as such. Then the request
//! goes on.
//!
//! # How a task with a gathering in it is `Send`
//!
//! When the compiler looks at that, it has forgotten the lifetime of a `dyn Error`, and can prove neither that it is `'static` nor
//! that two of them are of one type. So [`Gather`] has no bounds, and names no error: what needs to know more is found through
//! pointers, which are made where all types are known.

use super::{
    arrivals::Arrivals,
    items::GatherItems,
    rule::{FirstError, FirstFailure, Rule, Settle, TaskError},
    slot::Slots,
};
use crate::task::{CancelCause, CancelledError, Finished, JoinError, TaskRef, current_task, defer};
use aioli_executor::{Scoped, unwinds_around};
use std::{
    fmt,
    future::{Future, Pending, pending},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

/// Runs all `items` at the same time, and gives their values in the order of the items.
///
/// As `asyncio.gather()`: futures become tasks at once, when this is called, and tasks are taken as they are. The items are a
/// tuple of up to eight, which may be of different types, an array, a `Vec`, or the `map` of an iterator; see
/// [`GatherItems`](super::GatherItems).
///
/// ```
/// aioli::run(async {
///     let (number, text) = aioli::gather((async { 6 * 7 }, async { "text" })).await.unwrap();
///     assert_eq!((number, text), (42, "text"));
///
///     let squares = aioli::gather((1..=3).map(|n| async move { n * n })).await.unwrap();
///     assert_eq!(squares, [1, 4, 9]);
/// });
/// ```
///
/// A cancellation that comes to one who awaits this is passed on to every task that is not over. When all of them have ended,
/// cleanup and all, it goes on here, whatever they gave. asyncio does so too with `return_exceptions=True`, and else
/// ends with the first of them; here no cleanup is left behind.
///
/// # Errors
///
/// That of the first task that panics or is cancelled on its own. It comes at once; the other tasks go on, and what
/// becomes of them nobody sees (a panic goes to the exception handler). To have the others end with the first, use a task group.
/// An `Err` that is an item's *value* is a value like any other: see [`try_gather`].
///
/// # Panics
///
/// If an item is a future and no event loop runs on this thread. Polling panics if a task gathers itself.
///
/// # Cancel safety
///
/// Dropped before it is ready, it cancels the tasks that are not over and defers waiting for them to the scope around. All
/// values are lost.
#[track_caller]
pub fn gather<I: GatherItems<FirstFailure>>(items: I) -> Gather<I::Slots, Result<I::Values, JoinError>> {
    Gather::new::<FirstFailure>(items.into_slots())
}

/// As [`gather`], for items that give a `Result`: an `Err` ends it at once, too, and the values are those in the `Ok`s.
///
/// As `asyncio.gather()` where tasks raise.
///
/// ```
/// use aioli::{TaskError, try_gather};
///
/// aioli::run(async {
///     let parsed = try_gather(["1", "2"].map(|text| async { text.parse::<i32>() })).await;
///     assert_eq!(parsed.unwrap(), [1, 2]);
///
///     let parsed = try_gather((async { "1".parse::<i32>() }, async { "two".parse::<u8>() })).await;
///     assert!(matches!(parsed, Err(TaskError::Failed(_))));
/// });
/// ```
///
/// # Errors
///
/// That of the first task that gives an `Err`, panics or is cancelled on its own; the other tasks go on.
///
/// # Panics
///
/// As [`gather`].
///
/// # Cancel safety
///
/// As [`gather`].
#[track_caller]
pub fn try_gather<I: GatherItems<FirstError<E>>, E>(items: I) -> Gather<I::Slots, Result<I::Values, TaskError<E>>> {
    Gather::new::<FirstError<E>>(items.into_slots())
}

/// As [`gather`], but it waits for all in any case, and gives for each its value or its [`JoinError`](crate::JoinError).
///
/// As `asyncio.gather(return_exceptions=True)`.
///
/// ```
/// aioli::run(async {
///     let task = aioli::create_task(std::future::pending::<()>());
///     task.cancel();
///     let (number, nothing) = aioli::gather_settled((async { 42 }, task)).await;
///     assert_eq!(number.unwrap(), 42);
///     assert!(nothing.unwrap_err().is_cancelled());
/// });
/// ```
///
/// # Panics
///
/// As [`gather`].
///
/// # Cancel safety
///
/// As [`gather`].
#[track_caller]
pub fn gather_settled<I: GatherItems<Settle>>(items: I) -> Gather<I::Slots, I::Values> {
    Gather::new::<Settle>(items.into_slots())
}

/// Waits for several tasks, and gives a `V`. Made by [`gather`], [`try_gather`] and [`gather_settled`].
#[must_use = "dropping it cancels the tasks that are not over; await it"]
pub struct Gather<S, V> {
    /// `None` once the result has been given.
    outcomes: Option<Outcomes<S>>,
    poll: fn(&mut Option<Outcomes<S>>, &mut Context<'_>) -> Poll<V>,
    unfinished: fn(&mut S) -> Vec<TaskRef>,
    frame: Scoped<Pending<()>>,
    /// Requests that were passed on to the tasks, and go on when those have ended.
    cancelled: Vec<CancelledError>,
    end: Option<EndOfAll>,
    /// A request has gone on: there is no more to say where that unwinds what is around.
    resumed: bool,
}

const SPENT: &str = "a gathering was polled after it had given its result";

// Nothing is pinned in here.
impl<S, V> Unpin for Gather<S, V> {}

impl<S, V> Gather<S, V> {
    fn new<R>(slots: S) -> Self
    where
        R: Rule<Output<S::Values> = V>,
        S: Slots<R>,
    {
        Self {
            outcomes: Some(Outcomes {
                left: slots.count(),
                slots,
                next: 0,
                gave_way: false,
                arrivals: Arrivals::new(),
            }),
            poll: poll_result,
            unfinished,
            frame: Scoped::new(pending()),
            cancelled: Vec::new(),
            end: None,
            resumed: false,
        }
    }

    /// A request has come: all that are not over are told.
    fn cancel(&mut self, cancelled: CancelledError) {
        let slots = &mut self.outcomes.as_mut().expect(SPENT).slots;
        let end = self.end.get_or_insert_with(|| EndOfAll::of((self.unfinished)(slots)));
        end.cancel(&cancelled.cause());
        self.cancelled.push(cancelled);
    }

    /// All have ended: the requests go on.
    fn resume(&mut self, cx: &mut Context<'_>) {
        Pin::new(&mut self.frame).close_frame();
        for cancelled in self.cancelled.drain(..) {
            let never = pin!(cancelled.resume()).poll(cx);
            debug_assert!(never.is_pending());
        }
        self.resumed = true;
        self.outcomes.as_mut().expect(SPENT).next = 0;
    }
}

impl<S, V> Future for Gather<S, V> {
    type Output = V;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<V> {
        let this = &mut *self;
        if let Some(cancelled) = this.frame.take() {
            this.cancel(cancelled);
        }
        if let Some(end) = &mut this.end {
            if Pin::new(end).poll(cx).is_pending() {
                Pin::new(&mut this.frame).catch_requests(cx);
                return Poll::Pending;
            }
            this.end = None;
            this.resume(cx);
        }
        if this.resumed && unwinds_around() {
            return Poll::Pending;
        }
        let polled = (this.poll)(&mut this.outcomes, cx);
        match polled {
            Poll::Ready(_) => Pin::new(&mut this.frame).close_frame(),
            Poll::Pending => Pin::new(&mut this.frame).catch_requests(cx),
        }
        polled
    }
}

impl<S, V> Drop for Gather<S, V> {
    fn drop(&mut self) {
        let Some(outcomes) = &mut self.outcomes else { return };
        // Those that were told are not told again.
        let end = self.end.take().unwrap_or_else(|| {
            let end = EndOfAll::of((self.unfinished)(&mut outcomes.slots));
            end.cancel(&CancelCause::of_drop());
            end
        });
        if !end.is_empty() {
            drop(defer(end));
        }
    }
}

impl<S, V> fmt::Debug for Gather<S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("left", &self.outcomes.as_ref().map_or(0, |outcomes| outcomes.left))
            .finish_non_exhaustive()
    }
}

/// The items' outcomes, as they come.
struct Outcomes<S> {
    slots: S,
    /// How many have not been taken.
    left: usize,
    /// Those before it were looked at in this step.
    next: usize,
    gave_way: bool,
    arrivals: Arrivals,
}

impl<S> Outcomes<S> {
    /// Takes outcomes, until a failure or the last. `Pending`: `cx` will be woken with the next.
    fn poll<R: Rule>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>>
    where
        S: Slots<R>,
    {
        let count = self.slots.count();
        while self.next < count {
            if !self.gave_way && is_unfinished(self.slots.slot(self.next).task()) {
                self.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_slot(self.next, cx))?;
            self.next += 1;
        }
        while self.left > 0 {
            let number = ready!(self.arrivals.poll_next(cx));
            match self.poll_slot(number, cx) {
                Poll::Ready(result) => result?,
                Poll::Pending => {
                    self.arrivals.put_back(number);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes one's outcome, or sees to it that it arrives when it has one. `Pending`: not in this turn.
    fn poll_slot<R: Rule>(&mut self, number: usize, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>>
    where
        S: Slots<R>,
    {
        let polled = ready!(self.arrivals.poll_slot(number, self.slots.slot(number), cx));
        self.left -= usize::from(polled.is_some());
        Poll::Ready(polled.unwrap_or(Ok(())))
    }
}

/// The result of all, once it is known. Then there are no outcomes any more.
fn poll_result<S: Slots<R>, R: Rule>(
    outcomes: &mut Option<Outcomes<S>>,
    cx: &mut Context<'_>,
) -> Poll<R::Output<S::Values>> {
    let result = ready!(outcomes.as_mut().expect(SPENT).poll(cx));
    let slots = outcomes.take().expect("it was polled just now").slots;
    Poll::Ready(R::output(result.map(|()| slots.into_values())))
}

/// The tasks that are not over, last to first.
fn unfinished<S: Slots<R>, R: Rule>(slots: &mut S) -> Vec<TaskRef> {
    let tasks = (0..slots.count()).rev();
    tasks
        .filter_map(|number| {
            let task = slots.slot(number).task();
            task.filter(|_| is_unfinished(task)).cloned()
        })
        .collect()
}

fn is_unfinished(task: Option<&TaskRef>) -> bool {
    task.is_some_and(|task| !task.is_finished())
}

/// Waits until several tasks are over. One after the other: they end at the same time all the same, and each wakes this at
/// most once.
struct EndOfAll {
    /// The last of them is the next.
    tasks: Vec<TaskRef>,
    next: Option<Finished>,
}

impl EndOfAll {
    fn of(mut tasks: Vec<TaskRef>) -> Self {
        // One that holds itself would wait for ever.
        if let Some(me) = current_task() {
            tasks.retain(|task| *task != me);
        }
        Self { tasks, next: None }
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// First to last.
    fn cancel(&self, cause: &CancelCause) {
        for task in self.tasks.iter().rev() {
            task.cancel_once(cause);
        }
    }
}

impl Future for EndOfAll {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        while let Some(task) = this.tasks.last() {
            let next = this.next.get_or_insert_with(|| task.finished());
            ready!(Pin::new(next).poll(cx));
            this.next = None;
            this.tasks.pop();
        }
        Poll::Ready(())
    }
}
