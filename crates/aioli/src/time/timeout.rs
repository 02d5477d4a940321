//! A limit in time for something else.

use super::sleep::{Sleep, sleep, sleep_until};
use crate::runtime::clock;
use aioli_executor::{Awaitable, Scoped, unwinds_around};
use aioli_primitives::sync::Mutex;
use aioli_sync::InvalidStateError;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::{Future, IntoFuture},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Awaits `what`, and cancels it if it takes longer than `limit` (`None`: it may take for ever).
///
/// As `async with asyncio.timeout(limit)`. What is cancelled is `what` and nothing else: catchers inside have their say,
/// then it is dropped, what it deferred is finished, and only then comes the error. If it has a value all the same, because that
/// was there in the same turn in which the time was up or a catcher swallowed the cancellation, the value wins. A
/// cancellation from outside passes through and is no timeout.
///
/// The time counts from when this is called, also if it is awaited later; asyncio's counts from where the block is entered.
///
/// ```
/// use std::time::Duration;
///
/// aioli::run(async {
///     let slow = aioli::sleep(Duration::from_secs(3600));
///     assert_eq!(aioli::timeout(Duration::from_millis(1), slow).await, Err(aioli::TimeoutError));
///     assert_eq!(aioli::timeout(Duration::from_secs(1), async { 42 }).await, Ok(42));
///     let no_limit: Option<Duration> = None;
///     assert_eq!(aioli::timeout(no_limit, async { 42 }).await, Ok(42));
/// });
/// ```
///
/// # Errors
///
/// [`TimeoutError`] if the time was up first.
///
/// # Panics
///
/// When it is first awaited, if it has to wait and no event loop runs on this thread.
///
/// # Cancel safety
///
/// Dropping it drops `what`; what that defers goes to the scope around.
pub fn timeout<F: IntoFuture>(limit: impl Into<Option<Duration>>, what: F) -> WaitFor<F::IntoFuture> {
    WaitFor::new(what.into_future(), limit.into().map(sleep))
}

/// As [`timeout`], until an instant (`None`: for ever). As `asyncio.timeout_at()`.
pub fn timeout_at<F: IntoFuture>(deadline: impl Into<Option<Instant>>, what: F) -> WaitFor<F::IntoFuture> {
    WaitFor::new(what.into_future(), deadline.into().map(sleep_until))
}

/// Awaits `what`, and cancels it if it takes longer than `limit` (`None`: it may take for ever).
///
/// As `asyncio.wait_for()`, and as [`timeout`] with its arguments the other way round, but for this: with a limit of zero a
/// future is not started at all, and a task that is over gives its outcome. A task that is given by its handle is
/// cancelled when the time is up, and waited for; one that is given by reference is left alone.
///
/// The time counts from when this is called, also if it is awaited later; asyncio's counts from the await.
///
/// ```
/// use std::time::Duration;
///
/// aioli::run(async {
///     let slow = aioli::sleep(Duration::from_secs(3600));
///     assert_eq!(aioli::wait_for(slow, Duration::from_millis(1)).await, Err(aioli::TimeoutError));
///     assert_eq!(aioli::wait_for(async { 42 }, Duration::from_secs(1)).await, Ok(42));
///     assert_eq!(aioli::wait_for(async { 42 }, None).await, Ok(42));
/// });
/// ```
///
/// # Errors
///
/// [`TimeoutError`] if the time was up first.
///
/// # Panics
///
/// When it is first awaited, if it has to wait and no event loop runs on this thread.
///
/// # Cancel safety
///
/// Dropping it drops `what`; what that defers goes to the scope around.
pub fn wait_for<A: Awaitable>(what: A, limit: impl Into<Option<Duration>>) -> WaitFor<A::Future> {
    let limit = limit.into();
    let late = limit == Some(Duration::ZERO) && !what.is_over();
    let mut wait_for = WaitFor::new(what.into_awaited(), limit.map(sleep));
    if late {
        wait_for.phase = Phase::Late;
    }
    wait_for
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    InTime,
    /// The time was up before it began.
    Late,
    /// The time was up before the value was there.
    Expired,
}

pin_project! {
    /// Waits for a future, but no longer than a limit. Made by [`wait_for`], [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitFor<F: Future> {
        #[pin]
        body: Scoped<F>,
        timer: Option<Sleep>,
        phase: Phase,
    }
}

impl<F: Future> WaitFor<F> {
    fn new(body: F, timer: Option<Sleep>) -> Self {
        Self {
            body: Scoped::new(body),
            timer,
            phase: Phase::InTime,
        }
    }

    /// Has the time be up at another instant, or never. `false`: it is up.
    fn reset(self: Pin<&mut Self>, deadline: Option<Instant>) -> bool {
        let this = self.project();
        if *this.phase == Phase::InTime {
            *this.timer = deadline.map(sleep_until);
        }
        *this.phase == Phase::InTime
    }
}

impl<F: Future> Future for WaitFor<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.phase == Phase::InTime {
            // The body first, so that its value wins.
            if let Poll::Ready(Some(value)) = this.body.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            // One that is gone has its value, and finishes what it deferred: the limit is not for that.
            let Some(timer) = this.timer.as_mut().filter(|_| !this.body.is_gone()) else {
                return Poll::Pending;
            };
            if Pin::new(timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        if *this.phase != Phase::Expired {
            *this.phase = Phase::Expired;
            *this.timer = None;
            this.body.as_mut().cancel(cx);
        }
        match this.body.poll(cx) {
            Poll::Ready(Some(value)) => Poll::Ready(Ok(value)),
            // Who is cancelled from outside does not see an error any more.
            Poll::Ready(None) if !unwinds_around() => Poll::Ready(Err(TimeoutError)),
            _ => Poll::Pending,
        }
    }
}

impl<F: Future> fmt::Debug for WaitFor<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor")
            .field("timer", &self.timer)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

/// A limit that can be looked at and moved while what it limits goes on. Clones are handles to the same limit.
///
/// As the object that `asyncio.timeout()` gives: `async with asyncio.timeout(10) as limit`.
///
/// ```
/// use std::time::Duration;
///
/// aioli::run(async {
///     let limit = aioli::Timeout::after(Duration::from_secs(3600));
///     let mover = limit.clone();
///     let result = limit
///         .run(async move {
///             mover.reschedule(Some(aioli::EventLoop::current().time())).unwrap();
///             aioli::sleep(Duration::from_secs(10)).await;
///         })
///         .await;
///     assert_eq!(result, Err(aioli::TimeoutError));
///     assert!(limit.expired());
/// });
/// ```
#[derive(Clone)]
pub struct Timeout(Arc<Mutex<Limit>>);

struct Limit {
    when: Option<Instant>,
    state: State,
    /// It was moved since the one who runs looked.
    moved: bool,
    runner: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Created,
    Running,
    Expiring,
    Expired,
    Finished,
}

impl Timeout {
    fn new(when: Option<Instant>) -> Self {
        Self(Arc::new(Mutex::new(Limit {
            when,
            state: State::Created,
            moved: false,
            runner: None,
        })))
    }

    /// The time will be up after `limit` (`None`: never). It counts from this call, and not from when something is
    /// [run](Self::run).
    pub fn after(limit: impl Into<Option<Duration>>) -> Self {
        Self::new(limit.into().and_then(|limit| clock::now().checked_add(limit)))
    }

    /// The time will be up at `deadline` (`None`: never).
    pub fn at(deadline: impl Into<Option<Instant>>) -> Self {
        Self::new(deadline.into())
    }

    /// The time will not be up, unless it is [rescheduled](Self::reschedule).
    pub fn never() -> Self {
        Self::new(None)
    }

    /// When the time will be up, or was; `None`: never. As `Timeout.when()`.
    pub fn when(&self) -> Option<Instant> {
        self.0.lock().when
    }

    /// Whether the time was up before what was run had ended. As `Timeout.expired()`.
    pub fn expired(&self) -> bool {
        matches!(self.0.lock().state, State::Expiring | State::Expired)
    }

    /// Has the time be up at another instant, which may have passed; `None`: never. As `Timeout.reschedule()`.
    ///
    /// # Errors
    ///
    /// If nothing is being run under this limit: it has not begun, or has ended, or the time is up.
    pub fn reschedule(&self, when: impl Into<Option<Instant>>) -> Result<(), InvalidStateError> {
        let when = when.into();
        let mut limit = self.0.lock();
        let problem = match limit.state {
            State::Running => {
                limit.when = when;
                limit.moved = true;
                let runner = limit.runner.take();
                drop(limit);
                if let Some(runner) = runner {
                    runner.wake();
                }
                return Ok(());
            }
            State::Created => "this timeout has not begun: there is nothing to reschedule",
            State::Expiring | State::Expired => "this timeout has expired: it cannot be rescheduled",
            State::Finished => "this timeout has ended: it cannot be rescheduled",
        };
        Err(InvalidStateError::new(problem))
    }

    /// Awaits `what` under this limit, as [`timeout`] does.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`] if the time was up first.
    ///
    /// # Panics
    ///
    /// If something was run under this limit before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `what`; what that defers goes to the scope around.
    pub async fn run<F: IntoFuture>(&self, what: F) -> Result<F::Output, TimeoutError> {
        /// However it ends.
        struct End<'a>(&'a Timeout);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                let mut limit = self.0.0.lock();
                let runner = limit.runner.take();
                limit.state = match limit.state {
                    State::Expiring => State::Expired,
                    _ => State::Finished,
                };
                drop(limit);
                drop(runner);
            }
        }
        let when = {
            let mut limit = self.0.lock();
            assert!(
                limit.state == State::Created,
                "something was run under this timeout before: make another one"
            );
            limit.state = State::Running;
            limit.when
        };
        let _end = End(self);
        let mut body = std::pin::pin!(WaitFor::new(what.into_future(), when.map(sleep_until)));
        std::future::poll_fn(|cx| {
            loop {
                let polled = body.as_mut().poll(cx);
                // Made and dropped outside the lock: wakers may be anybody's.
                let waker = cx.waker().clone();
                let mut limit = self.0.lock();
                if body.phase == Phase::Expired && limit.state == State::Running {
                    limit.state = State::Expiring;
                }
                if polled.is_pending() && std::mem::take(&mut limit.moved) {
                    let when = limit.when;
                    drop(limit);
                    if body.as_mut().reset(when) {
                        continue;
                    }
                } else {
                    let old = limit.runner.replace(waker);
                    drop(limit);
                    drop(old);
                }
                return polled;
            }
        })
        .await
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.0.lock();
        f.debug_struct("Timeout")
            .field("when", &limit.when)
            .field("state", &limit.state)
            .finish()
    }
}

/// The time was up. As the `TimeoutError` that asyncio raises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeoutError;

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up")
    }
}

impl Error for TimeoutError {}

impl From<TimeoutError> for io::Error {
    fn from(error: TimeoutError) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, error)
    }
}
