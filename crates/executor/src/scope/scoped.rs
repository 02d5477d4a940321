//! A body in a scope of its own: what timeouts, groups, races and catchers are made of.

use super::{
    cancelled::CancelledError, deferred::hand_on, dropping::dropping_for, inner::Scope, issue::CancelCause, tree::Kind,
};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A future in a scope of its own, which can be cancelled apart from the task around it, and can be a frame: one that
    /// takes cancellations on their way.
    ///
    /// The building block of timeouts, groups and catchers. It is ready when the future is gone, by finishing or because it
    /// was dropped, *and* all work that it deferred is done; then it gives the future's value, or `None` if it was
    /// dropped before.
    pub struct Scoped<F: Future> {
        scope: Scope,
        #[pin]
        body: Option<F>,
        value: Option<F::Output>,
    }

    impl<F: Future> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            /// Even if the body's destructor panics.
            struct HandOn<'a>(&'a Scope);
            impl Drop for HandOn<'_> {
                fn drop(&mut self) {
                    self.0.close();
                    hand_on(&self.0.deferred);
                }
            }
            let this = this.project();
            let _hand_on = HandOn(this.scope);
            drop_within(this.scope, this.body);
        }
    }
}

/// Drops a body, if it is there, with its scope current, so that what it defers lands there.
fn drop_within<F>(scope: &Scope, mut body: Pin<&mut Option<F>>) {
    if body.is_some() {
        let _scope = scope.enter();
        body.set(None);
    }
}

/// The same, because of the scope's own cancellation.
#[cold]
fn drop_cancelled<F>(scope: &Scope, body: Pin<&mut Option<F>>) {
    dropping_for(scope.cause().as_ref(), || drop_within(scope, body));
}

impl<F: Future> Scoped<F> {
    /// Puts `body` into a scope.
    pub fn new(body: F) -> Self {
        Self {
            scope: Scope::new(Kind::Scope),
            body: Some(body),
            value: None,
        }
    }

    /// Whether the body is gone: it has its value, or was dropped.
    pub fn is_gone(&self) -> bool {
        self.body.is_none()
    }

    /// Cancels the body, as a task is cancelled: the frames inside have their say first, and then it is dropped where it
    /// stands. Keep polling: frames, and what it deferred, may take their time, and a catcher may even have the body end
    /// with a value.
    ///
    /// # Panics
    ///
    /// Passes on a panic of the body's destructor.
    pub fn cancel(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.cancel_once(cx, &CancelCause::unknown());
    }

    /// As [`cancel`](Self::cancel), for one who cancels tasks as well, which the body may await: see
    /// [`TaskRef::cancel_once`](crate::TaskRef::cancel_once).
    ///
    /// # Panics
    ///
    /// Passes on a panic of the body's destructor.
    pub fn cancel_once(self: Pin<&mut Self>, cx: &mut Context<'_>, cause: &CancelCause) {
        if self.body.is_some() && !self.scope.ask(cx, cause.clone()) {
            let this = self.project();
            drop_cancelled(this.scope, this.body);
        }
    }

    /// Drops the body where it stands, without asking anybody inside, because of a cancellation that this frame has taken. What it
    /// deferred remains to be done: keep polling.
    ///
    /// # Panics
    ///
    /// Passes on a panic of the body's destructor.
    pub fn drop_body(self: Pin<&mut Self>, cause: &CancelCause) {
        let this = self.project();
        dropping_for(Some(cause), || drop_within(this.scope, this.body));
    }

    /// Makes this a frame, or keeps it one: a cancellation that comes by is left to it, and wakes `cx`. To be called whenever it
    /// was polled and is pending.
    pub fn catch_requests(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.open_frame(Kind::Frame, cx);
    }

    pub(super) fn open_frame(self: Pin<&mut Self>, kind: Kind, cx: &mut Context<'_>) {
        self.scope.open_frame(kind, cx);
    }

    /// Takes a cancellation that came to this frame and that nobody inside is to have first.
    pub fn take(&self) -> Option<CancelledError> {
        let (requests, place) = self.scope.take()?;
        Some(CancelledError::take(requests, place))
    }

    /// Whether [`take`](Self::take) would give something.
    pub(super) fn can_take(&self) -> bool {
        self.scope.can_take()
    }

    /// Is a frame no longer: what came and was not taken goes on outward.
    pub fn close_frame(self: Pin<&mut Self>) {
        self.scope.close();
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.body.is_some() {
            if this.scope.must_drop(cx) {
                drop_cancelled(this.scope, this.body.as_mut());
            }
            if let Some(body) = this.body.as_mut().as_pin_mut() {
                let polled = {
                    let _scope = this.scope.enter();
                    body.poll(cx)
                };
                if let Poll::Ready(value) = polled {
                    *this.value = Some(value);
                    drop_within(this.scope, this.body.as_mut());
                } else if this.scope.must_drop(cx) {
                    drop_cancelled(this.scope, this.body.as_mut());
                }
            }
        }
        let done = this.scope.deferred.is_empty() || {
            let _scope = this.scope.enter();
            this.scope.deferred.poll(cx)
        };
        if done && this.body.is_none() {
            Poll::Ready(this.value.take())
        } else {
            Poll::Pending
        }
    }
}
