//! A limit in time for something else.

use super::sleep::{Sleep, sleep};
use aioli_executor::Scoped;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::{Future, IntoFuture},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// Awaits `what`, and cancels it if it takes longer than `limit` (`None`: it may take for ever).
///
/// As `asyncio.wait_for()`. What is cancelled is `what` and nothing else: it is dropped, what it deferred is finished,
/// and only then comes the error. A task that is given by its handle is cancelled and waited for. If the value is
/// there in the same turn in which the time is up, the value wins. What `what` deferred is finished before the value is
/// given, too, and the limit is not for that.
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
pub fn wait_for<F: IntoFuture>(what: F, limit: impl Into<Option<Duration>>) -> WaitFor<F::IntoFuture> {
    WaitFor {
        body: Scoped::new(what.into_future()),
        timer: limit.into().map(sleep),
        expired: false,
    }
}

pin_project! {
    /// Waits for a future, but no longer than a limit. Made by [`wait_for`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitFor<F: Future> {
        #[pin]
        body: Scoped<F>,
        timer: Option<Sleep>,
        // The time was up before the value was there.
        expired: bool,
    }
}

impl<F: Future> Future for WaitFor<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if !*this.expired {
            // The body first, so that its value wins.
            if let Poll::Ready(value) = this.body.as_mut().poll(cx) {
                return Poll::Ready(value.ok_or(TimeoutError));
            }
            let Some(timer) = this.timer else { return Poll::Pending };
            ready!(Pin::new(timer).poll(cx));
            *this.expired = true;
            *this.timer = None;
            this.body.as_mut().cancel();
        }
        this.body.poll(cx).map(|value| value.ok_or(TimeoutError))
    }
}

impl<F: Future> fmt::Debug for WaitFor<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor")
            .field("timer", &self.timer)
            .field("expired", &self.expired)
            .finish_non_exhaustive()
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
