//! Calling functions that block.

use super::{JoinError, Task};
use crate::runtime::EventLoop;
use aioli_executor::Context as Variables;
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Calls `function` on a thread where it may block, and waits for it to return.
///
/// As `asyncio.to_thread()`. The call sees a copy of the current [`ContextVar`](crate::ContextVar)s. It is queued at once; threads are started as they are needed, up to
/// [`max_blocking_threads`](crate::Builder::max_blocking_threads).
///
/// ```
/// aioli::run(async {
///     let text = aioli::to_thread(|| std::fs::read_to_string("Cargo.toml")).await.unwrap();
///     assert!(text.is_ok());
/// });
/// ```
///
/// # Errors
///
/// [`JoinError::Panicked`] if the function panicked; [`JoinError::Cancelled`] if the loop was closed before the call.
///
/// # Panics
///
/// If no event loop runs on this thread; if a first thread is needed and the system refuses one.
///
/// # Cancel safety
///
/// Dropping it takes a call back that has not begun. One that has begun goes on, its value is lost, and the loop waits for
/// it when it closes: threads cannot be cancelled.
#[track_caller]
pub fn to_thread<F, T>(function: F) -> ToThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let event_loop = EventLoop::current();
    let mut context = Variables::copy();
    ToThread(event_loop.0.spawn_blocking(move || context.run(function)))
}

/// Waits for a call made on another thread. Made by [`to_thread`].
#[must_use = "dropping it takes the call back if it has not begun; await it"]
pub struct ToThread<T>(Task<T>);

impl<T> Future for ToThread<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        pin!((&mut self.0).into_future()).poll(cx)
    }
}

impl<T> Drop for ToThread<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl<T> fmt::Debug for ToThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToThread").field(&self.0).finish()
    }
}
