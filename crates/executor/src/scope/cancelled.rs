//! A request that a frame took: the token that the program resumes, swallows or drops.

use super::{
    around,
    issue::{CancelCause, Request},
    tree::{Kind, Place, Wakes},
};
use crate::Never;
use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

/// A cancellation that [`catch_cancelled`](super::catch_cancelled) caught. It goes on when the program says so:
/// [`resume`](Self::resume) it after cleaning up, as `raise` does in `except asyncio.CancelledError`, or
/// [`swallow`](Self::swallow) it, as falling out of the `except` does.
///
/// Dropped, it goes on as well, at the next await: no cancellation is lost by accident. A scope that was asked to end waits
/// for as long as the token is there.
#[must_use = "dropping it lets the cancellation go on at the next await; say `resume().await` or `swallow()`"]
pub struct CancelledError {
    requests: Vec<Request>,
    /// Where it was taken: those around there wait for it.
    place: Option<Place>,
}

impl CancelledError {
    /// Takes what came to a frame.
    pub(super) fn take(requests: Vec<Request>, place: Option<Place>) -> Self {
        requests.iter().for_each(Request::hold);
        Self { requests, place }
    }

    /// The cancellation ends here, and the program goes on. As in asyncio, the task still counts the request; see
    /// [`TaskRef::uncancel`](crate::TaskRef::uncancel).
    ///
    /// As leaving `except asyncio.CancelledError` without `raise`.
    pub fn swallow(mut self) {
        self.let_go(around::forget);
    }

    /// Lets the cancellation go on: awaiting this never returns, and what is around is dropped or catches it in turn.
    ///
    /// As `raise` in `except asyncio.CancelledError`. If the scope that was cancelled is not around, because the token was
    /// moved elsewhere, the current task is cancelled as well.
    ///
    /// # Panics
    ///
    /// When it is awaited inside deferred work, or inside an [`uncancellable`](super::uncancellable) that the cancelled scope
    /// is around: neither would ever end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is polled, it goes on all the same.
    pub fn resume(self) -> Resume {
        Resume(Some(self))
    }

    /// Why, if the one who cancelled said so: the text given to `cancel_with`.
    pub fn reason(&self) -> Option<&str> {
        self.requests.iter().find_map(Request::reason)
    }

    /// What the cancellation is known by, for those who pass it on to tasks: see
    /// [`TaskRef::cancel_once`](crate::TaskRef::cancel_once). Of several that came together it is the newest.
    pub fn cause(&self) -> CancelCause {
        let newest = self.requests.last();
        newest.map_or_else(CancelCause::unknown, Request::cause)
    }

    /// Lets the requests go on outward. `false`: one of them comes from a scope that is not around.
    fn go_on(&mut self) -> bool {
        let mut found = true;
        self.let_go(|request| {
            found &= around::forward(request);
        });
        found
    }

    fn let_go(&mut self, mut f: impl FnMut(&Request)) {
        let mut wakes = Wakes::default();
        for request in mem::take(&mut self.requests) {
            request.release();
            f(&request);
            // Whoever polls the scope may be waiting for this.
            wakes.push(request.issue.take_waker());
            wakes.keep_request(request);
        }
        // Not earlier: those around are to find what went on.
        self.place = None;
        wakes.wake();
    }
}

impl Drop for CancelledError {
    fn drop(&mut self) {
        self.go_on();
    }
}

impl fmt::Debug for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelledError")
            .field("reason", &self.reason())
            .finish()
    }
}

impl fmt::Display for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "cancelled: {reason}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl Error for CancelledError {}

/// A cancellation going on. Made by [`CancelledError::resume`]; it is never ready.
#[must_use = "the cancellation goes on when this is awaited"]
#[derive(Debug)]
pub struct Resume(Option<CancelledError>);

impl Future for Resume {
    type Output = Never;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Never> {
        if let Some(mut cancelled) = self.0.take() {
            let stops = |kind| {
                cancelled
                    .requests
                    .iter()
                    .any(|request| around::stopped_by(request) == Some(kind))
            };
            assert!(
                !stops(Kind::Island),
                "a cancellation cannot go on inside deferred work, which nothing cancels: drop the `CancelledError` there"
            );
            assert!(
                !stops(Kind::Wall),
                "a cancellation cannot go on inside `uncancellable`, which keeps it back: resume it after that"
            );
            if !cancelled.go_on() {
                around::cancel_current();
            }
        }
        Poll::Pending
    }
}
