//! Waiting until some of several tasks are over, without touching any.

use super::arrivals::Arrivals;
use crate::{
    task::{Finished, Task, TaskRef, poll_budget},
    time::{Sleep, sleep},
};
use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// What [`wait`] waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReturnWhen {
    /// All tasks are over.
    AllCompleted,
    /// One task is.
    FirstCompleted,
    /// One task has failed, or else all are over. See [`TaskRef::has_failed`] for what a failure is: a panic, and an `Err` where
    /// the task was created by [`create_fallible_task`](crate::create_fallible_task) or in a [`TaskGroup`](crate::TaskGroup); to
    /// any other task an `Err` is a value. Being cancelled is no failure.
    FirstException,
}

/// Waits until `tasks` are over, as many as `return_when` says, and gives those that are and those that are not, each in the
/// order in which they came.
///
/// As `asyncio.wait()`. It only looks: outcomes stay where they are, no error is raised, and no task is cancelled, neither when
/// its [`timeout`](Wait::timeout) is over nor when the one who waits is cancelled. The tasks are given by reference, and then
/// still there to be awaited, or for good, and then they are in the answer.
///
/// A task that is there twice is twice in the answer (asyncio's sets have it once).
///
/// ```
/// use aioli::{ReturnWhen, create_task, sleep, wait};
/// use std::time::Duration;
///
/// aioli::run(async {
///     let quick = create_task(async { 42 });
///     let slow = create_task(sleep(Duration::from_secs(3600)));
///     let tasks = [quick.task_ref(), slow.task_ref()];
///     let (done, pending) = wait(&tasks, ReturnWhen::FirstCompleted).await;
///     assert_eq!((done, pending), (vec![&tasks[0]], vec![&tasks[1]]));
///     assert_eq!(quick.await.unwrap(), 42);
/// });
/// ```
///
/// # Panics
///
/// If there are no tasks: there is nothing that could ever happen. As the `ValueError` of asyncio.
///
/// # Cancel safety
///
/// Dropped before it is ready, it drops the handles that it was given for good, which detaches those tasks; nothing else
/// is lost.
#[track_caller]
pub fn wait<W>(tasks: W, return_when: ReturnWhen) -> Wait<W::Item>
where
    W: IntoIterator,
    W::Item: AsTaskRef,
{
    let tasks: Vec<_> = tasks.into_iter().collect();
    assert!(
        !tasks.is_empty(),
        "wait() was given no tasks, and would have nothing to wait for: ask whether there are any before"
    );
    Wait {
        return_when,
        running: tasks.len(),
        tasks,
        ends: Vec::new(),
        is_met: false,
        arrivals: Arrivals::new(),
        timer: None,
    }
}

/// What names a task: a [`TaskRef`], a [`Task`], or a reference to one of them.
pub trait AsTaskRef {
    /// The task's name.
    fn as_task_ref(&self) -> &TaskRef;
}

impl AsTaskRef for TaskRef {
    fn as_task_ref(&self) -> &TaskRef {
        self
    }
}

impl<T> AsTaskRef for Task<T> {
    fn as_task_ref(&self) -> &TaskRef {
        self
    }
}

impl<A: AsTaskRef + ?Sized> AsTaskRef for &A {
    fn as_task_ref(&self) -> &TaskRef {
        (**self).as_task_ref()
    }
}

impl<A: AsTaskRef + ?Sized> AsTaskRef for &mut A {
    fn as_task_ref(&self) -> &TaskRef {
        (**self).as_task_ref()
    }
}

/// Waits until some of several tasks are over. Made by [`wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<W> {
    /// Empty once they were given back.
    tasks: Vec<W>,
    return_when: ReturnWhen,
    /// What wakes this when they end; `None` for those that have. Empty until it is polled.
    ends: Vec<Option<Finished>>,
    running: usize,
    /// One has done what is waited for.
    is_met: bool,
    arrivals: Arrivals,
    timer: Option<Sleep>,
}

// The tasks are not pinned in here.
impl<W> Unpin for Wait<W> {}

impl<W: AsTaskRef> Wait<W> {
    /// Waits no longer than this (`None`: as long as it takes), and then gives what there is. As `asyncio.wait(timeout=..)`; it is
    /// no error.
    ///
    /// The time counts from now.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timer = limit.into().map(sleep);
        self
    }

    fn poll_end(&mut self, number: usize, cx: &mut Context<'_>) {
        let Some(end) = &mut self.ends[number] else { return };
        if Pin::new(end).poll(cx).is_pending() {
            return;
        }
        self.ends[number] = None;
        self.running -= 1;
        self.is_met |= match self.return_when {
            ReturnWhen::AllCompleted => false,
            ReturnWhen::FirstCompleted => true,
            ReturnWhen::FirstException => self.tasks[number].as_task_ref().has_failed(),
        };
    }
}

impl<W: AsTaskRef> Future for Wait<W> {
    type Output = (Vec<W>, Vec<W>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(!this.tasks.is_empty(), "a wait was polled after it was ready");
        ready!(poll_budget(cx));
        if this.ends.is_empty() {
            let ends = this.tasks.iter().map(|task| Some(task.as_task_ref().finished()));
            this.ends = ends.collect();
            for number in 0..this.tasks.len() {
                let waker = this.arrivals.waker(number);
                this.poll_end(number, &mut Context::from_waker(&waker));
            }
        }
        while let Poll::Ready(number) = this.arrivals.poll_next(cx) {
            let waker = this.arrivals.waker(number);
            this.poll_end(number, &mut Context::from_waker(&waker));
        }
        if this.running > 0 && !this.is_met {
            let Some(timer) = &mut this.timer else {
                return Poll::Pending;
            };
            ready!(Pin::new(timer).poll(cx));
        }
        this.ends.clear();
        Poll::Ready(
            mem::take(&mut this.tasks)
                .into_iter()
                .partition(|task| task.as_task_ref().is_finished()),
        )
    }
}

impl<W> fmt::Debug for Wait<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("return_when", &self.return_when)
            .field("running", &self.running)
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}
