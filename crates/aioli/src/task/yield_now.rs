//! Giving way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Lets the other tasks that are ready run first.
///
/// As `await asyncio.sleep(0)`. A task that computes for long should do so now and then: tasks are not preempted.
///
/// ```
/// aioli::run(async {
///     for _ in 0..3 {
///         // Compute for a while, then give way.
///         aioli::yield_now().await;
///     }
/// });
/// ```
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// A future that is ready when it is polled for the second time. Made by [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
