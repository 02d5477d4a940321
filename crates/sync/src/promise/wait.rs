//! Waiting for a promise.
//!
//! Both futures hold a handle of the promise rather than borrow one, so that `promise.await` and `(&promise).await`
//! are the same thing.

use super::{Promise, PromiseError, State};
use crate::wait_list::{Line, Look, Place, WaitList};
use aioli_primitives::{
    budget,
    sync::{Mutex, MutexGuard},
};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll, ready},
};

// SAFETY: there is one lock, and one list in it.
unsafe impl<T> Line for Promise<T> {
    type State = State<T>;

    fn state(&self) -> &Mutex<State<T>> {
        &self.0.state
    }

    fn waiters(state: &mut State<T>) -> &mut WaitList {
        &mut state.waiters
    }

    /// Those who wait are all served sooner or later: nothing has to go to another.
    fn left(&self, _state: MutexGuard<'_, State<T>>, _served: Option<usize>) {}
}

pin_project! {
    /// Waits until a [`Promise`] is done. Made by [`Promise::finished`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct PromiseFinished<T> {
        #[pin]
        place: Place<Promise<T>>,
    }
}

impl<T> PromiseFinished<T> {
    pub(super) fn new(promise: Promise<T>) -> Self {
        Self {
            place: Place::new(promise),
        }
    }

    fn promise(&self) -> &Promise<T> {
        self.place.line()
    }
}

impl<T> Future for PromiseFinished<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut place = self.project().place;
        if place.is_taken() {
            if place.as_mut().poll_served(cx).is_ready() {
                return Poll::Ready(());
            }
            if !place.line().is_done() {
                return Poll::Pending;
            }
            // Whoever completed it has not come to this one yet.
            place.leave();
            return Poll::Ready(());
        }
        ready!(budget::poll(cx));
        place
            .poll_enter(cx, |_, state| match state.outcome.is_done() {
                true => Look::Ready(()),
                false => Look::Wait(0),
            })
            .map(|((), _spare)| ())
    }
}

impl<T> fmt::Debug for PromiseFinished<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseFinished")
            .field("promise", self.promise())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits for the outcome of a [`Promise`]. What `promise.await` and `(&promise).await` make of it.
    #[must_use = "futures do nothing unless awaited"]
    pub struct PromiseWait<T> {
        #[pin]
        finished: PromiseFinished<T>,
    }
}

impl<T: Clone> Future for PromiseWait<T> {
    type Output = Result<T, PromiseError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut finished = self.project().finished;
        ready!(finished.as_mut().poll(cx));
        Poll::Ready(finished.promise().result())
    }
}

impl<T> fmt::Debug for PromiseWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseWait")
            .field("promise", self.finished.promise())
            .finish_non_exhaustive()
    }
}

impl<T: Clone> IntoFuture for Promise<T> {
    type Output = Result<T, PromiseError>;
    type IntoFuture = PromiseWait<T>;

    fn into_future(self) -> PromiseWait<T> {
        PromiseWait {
            finished: PromiseFinished::new(self),
        }
    }
}

impl<T: Clone> IntoFuture for &Promise<T> {
    type Output = Result<T, PromiseError>;
    type IntoFuture = PromiseWait<T>;

    fn into_future(self) -> PromiseWait<T> {
        self.clone().into_future()
    }
}
