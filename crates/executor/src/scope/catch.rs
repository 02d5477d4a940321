//! What a program writes to see a cancellation: [`catch_cancelled`], [`finally`] and [`uncancellable`].

use super::{cancelled::CancelledError, scoped::Scoped, tree::Kind};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Awaits `what`, and catches a cancellation that would go through here: `what` is dropped where it stands, what it
/// deferred is finished, and then comes the error, with which the program decides how to go on.
///
/// As `try: await what; except asyncio.CancelledError`. The innermost catcher takes the request, whichever scope it was meant for: the
/// task, a timeout or a group around. Catchers side by side in one task (under `join!`, say) each get it.
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::catch_cancelled;
///
/// # async fn wait_for_work() {} async fn say_goodbye() {}
/// async fn worker() {
///     if let Err(cancelled) = catch_cancelled(wait_for_work()).await {
///         say_goodbye().await;
///         cancelled.resume().await;
///     }
/// }
/// ```
///
/// While it is pending it must be polled: one that is kept unpolled keeps a cancellation that comes to it, so that the task
/// cannot be cancelled. Await it, or drop it.
///
/// # Errors
///
/// [`CancelledError`] if a cancellation was caught. A value that is there before wins.
///
/// # Cancel safety
///
/// Dropping it drops `what`; what that deferred goes to the scope around.
pub fn catch_cancelled<F: IntoFuture>(what: F) -> CatchCancelled<F::IntoFuture> {
    CatchCancelled {
        body: Scoped::new(what.into_future()),
        taken: None,
    }
}

pin_project! {
    /// Awaits a future and catches a cancellation. Made by [`catch_cancelled`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct CatchCancelled<F: Future> {
        #[pin]
        body: Scoped<F>,
        taken: Option<CancelledError>,
    }
}

impl<F: Future> Future for CatchCancelled<F> {
    type Output = Result<F::Output, CancelledError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if this.taken.is_none() {
                if let Some(cancelled) = this.body.take() {
                    let cause = cancelled.cause();
                    *this.taken = Some(cancelled);
                    this.body.as_mut().drop_body(&cause);
                }
            }
            if let Poll::Ready(value) = this.body.as_mut().poll(cx) {
                this.body.as_mut().close_frame();
                return Poll::Ready(match (value, this.taken.take()) {
                    (Some(value), _) => Ok(value),
                    (None, taken) => Err(taken.expect("a catcher was polled after it was ready")),
                });
            }
            this.body.as_mut().open_frame(Kind::Frame, cx);
            // What came may have waited for a frame inside, which closed just now.
            if this.taken.is_some() || !this.body.can_take() {
                return Poll::Pending;
            }
        }
    }
}

impl<F: Future> fmt::Debug for CatchCancelled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchCancelled").finish_non_exhaustive()
    }
}

/// Awaits `what`, then in any case `cleanup`, and then gives the value, or lets the cancellation go on.
///
/// As `try: await what; finally: await cleanup`. The cleanup may await in peace; only a second request interrupts it, as in
/// asyncio. A panic of `what` does not run it: use [`defer`](super::defer), whose guard sees panics, too.
///
/// The cleanup may borrow, but not mutably what `what` borrows, for both exist at the same time: use [`catch_cancelled`] there,
/// whose body is gone when it gives its outcome.
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::finally;
///
/// # async fn wait_for_answer() -> u32 { 42 }
/// async fn converse() {
///     let mut log = vec!["hello"];
///     // A cancelled task says goodbye, too, and only then is it over.
///     let answer = finally(wait_for_answer(), async { log.push("goodbye") }).await;
///     assert_eq!(log, ["hello", "goodbye"]);
///     assert_eq!(answer, 42);
/// }
/// # use std::{future::Future, pin::pin, task::{Context, Waker}};
/// # assert!(pin!(converse()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
/// ```
///
/// # Cancel safety
///
/// Dropped by a foreign combinator, it drops `what` and `cleanup` without running it. What must be done even then belongs
/// in [`defer`](super::defer).
pub fn finally<F, C>(what: F, cleanup: C) -> Finally<F::IntoFuture, C::IntoFuture>
where
    F: IntoFuture,
    C: IntoFuture<Output = ()>,
{
    Finally {
        body: catch_cancelled(what),
        cleanup: cleanup.into_future(),
        ended: None,
        resume: None,
    }
}

pin_project! {
    /// Awaits a future, and another one after it in any case. Made by [`finally`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Finally<F: Future, C> {
        #[pin]
        body: CatchCancelled<F>,
        #[pin]
        cleanup: C,
        ended: Option<Result<F::Output, CancelledError>>,
        resume: Option<super::cancelled::Resume>,
    }
}

impl<F: Future, C: Future<Output = ()>> Future for Finally<F, C> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(resume) = this.resume {
            return Pin::new(resume).poll(cx).map(|never| match never {});
        }
        if this.ended.is_none() {
            *this.ended = Some(ready!(this.body.poll(cx)));
        }
        ready!(this.cleanup.poll(cx));
        match this.ended.take().expect("polled after it was ready") {
            Ok(value) => Poll::Ready(value),
            Err(cancelled) => Pin::new(this.resume.insert(cancelled.resume()))
                .poll(cx)
                .map(|never| match never {}),
        }
    }
}

impl<F: Future, C> fmt::Debug for Finally<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finally").finish_non_exhaustive()
    }
}

/// Awaits `what`, and keeps every cancellation back until it is done: the request then goes on at the next await.
///
/// A shield in place: unlike asyncio's `shield`, it needs no task of its own, and `what` may borrow. The one who cancels
/// waits for as long.
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::uncancellable;
///
/// # async fn write(page: u32) {}
/// async fn write_all() {
///     let mut written = 0;
///     uncancellable(async {
///         for page in 1..=2 {
///             write(page).await;
///             written += 1;
///         }
///     })
///     .await;
///     // Both, or this was never reached.
///     assert_eq!(written, 2);
/// }
/// # use std::{future::Future, pin::pin, task::{Context, Waker}};
/// # assert!(pin!(write_all()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
/// ```
///
/// # Cancel safety
///
/// A foreign combinator that drops it does drop `what`: only cancellations are kept back.
pub fn uncancellable<F: IntoFuture>(what: F) -> Uncancellable<F::IntoFuture> {
    Uncancellable {
        body: Scoped::new(what.into_future()),
    }
}

pin_project! {
    /// Awaits a future and keeps cancellations back. Made by [`uncancellable`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Uncancellable<F: Future> {
        #[pin]
        body: Scoped<F>,
    }
}

impl<F: Future> Future for Uncancellable<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        match this.body.as_mut().poll(cx) {
            Poll::Ready(value) => {
                this.body.as_mut().close_frame();
                Poll::Ready(value.expect("nobody drops the body but with the whole"))
            }
            Poll::Pending => {
                this.body.open_frame(Kind::Wall, cx);
                Poll::Pending
            }
        }
    }
}

impl<F: Future> fmt::Debug for Uncancellable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncancellable").finish_non_exhaustive()
    }
}
