//! Waiting for a promise.
//!
//! Both futures hold a handle of the promise rather than borrow one, so that `promise.await` and `(&promise).await`
//! are the same thing.

use super::{Promise, PromiseError};
use crate::waiters::Place;
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Waits until a [`Promise`] is done. Made by [`Promise::finished`].
#[must_use = "futures do nothing unless awaited"]
pub struct PromiseFinished<T> {
    promise: Promise<T>,
    /// Once it waits.
    place: Option<Place>,
}

impl<T> PromiseFinished<T> {
    pub(super) fn new(promise: Promise<T>) -> Self {
        Self { promise, place: None }
    }
}

impl<T> Future for PromiseFinished<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { promise, place } = self.get_mut();
        let waker = cx.waker().clone();
        let mut state = promise.0.state.lock();
        if state.outcome.is_done() {
            *place = None;
            return Poll::Ready(());
        }
        let unused = state.waiters.wait(place, waker);
        drop(state);
        drop(unused);
        Poll::Pending
    }
}

impl<T> Drop for PromiseFinished<T> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let mut state = self.promise.0.state.lock();
            let unused = state.waiters.leave(place);
            drop(state);
            drop(unused);
        }
    }
}

impl<T> fmt::Debug for PromiseFinished<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseFinished")
            .field("promise", &self.promise)
            .finish_non_exhaustive()
    }
}

/// Waits for the outcome of a [`Promise`]. What `promise.await` and `(&promise).await` make of it.
#[must_use = "futures do nothing unless awaited"]
pub struct PromiseWait<T>(PromiseFinished<T>);

impl<T: Clone> Future for PromiseWait<T> {
    type Output = Result<T, PromiseError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(self.0.promise.result())
    }
}

impl<T> fmt::Debug for PromiseWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseWait")
            .field("promise", &self.0.promise)
            .finish_non_exhaustive()
    }
}

impl<T: Clone> IntoFuture for Promise<T> {
    type Output = Result<T, PromiseError>;
    type IntoFuture = PromiseWait<T>;

    fn into_future(self) -> PromiseWait<T> {
        PromiseWait(PromiseFinished::new(self))
    }
}

impl<T: Clone> IntoFuture for &Promise<T> {
    type Output = Result<T, PromiseError>;
    type IntoFuture = PromiseWait<T>;

    fn into_future(self) -> PromiseWait<T> {
        self.clone().into_future()
    }
}
