//! The futures that put and get, and the lines in which they wait.

use super::{
    error::QueueShutDown,
    shared::{Shared, Waiting},
    store::Order,
};
use crate::wait_list::{Line, Place, WaitList};
use aioli_primitives::{
    budget,
    sync::{Mutex, MutexGuard},
};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Those who wait for an item. `H` is how they hold the queue.
pub(super) struct Getters<T, O, H> {
    shared: H,
    queue: PhantomData<fn() -> (T, O)>,
}

/// Those who wait for room.
pub(super) struct Putters<'a, T, O: Order<T>>(&'a Shared<T, O>);

// SAFETY: there is one lock, and one list of getters in it.
unsafe impl<T, O, H> Line for Getters<T, O, H>
where
    O: Order<T>,
    H: Deref<Target = Shared<T, O>>,
{
    type State = Waiting;

    fn state(&self) -> &Mutex<Waiting> {
        &self.shared.waiting
    }

    fn waiters(waiting: &mut Waiting) -> &mut WaitList {
        &mut waiting.getters
    }

    fn left(&self, waiting: MutexGuard<'_, Waiting>, served: Option<usize>) {
        self.shared.getter_left(waiting, served);
    }
}

// SAFETY: there is one lock, and one list of putters in it.
unsafe impl<T, O: Order<T>> Line for Putters<'_, T, O> {
    type State = Waiting;

    fn state(&self) -> &Mutex<Waiting> {
        &self.0.waiting
    }

    fn waiters(waiting: &mut Waiting) -> &mut WaitList {
        &mut waiting.putters
    }

    fn left(&self, waiting: MutexGuard<'_, Waiting>, served: Option<usize>) {
        self.0.putter_left(waiting, served);
    }
}

pin_project! {
    /// Gets an item. When it is done, it may be polled for the next one.
    pub(super) struct Get<T, O, H>
    where
        O: Order<T>,
        H: Deref<Target = Shared<T, O>>,
    {
        #[pin]
        place: Place<Getters<T, O, H>>,
    }
}

impl<T, O, H> Get<T, O, H>
where
    O: Order<T>,
    H: Deref<Target = Shared<T, O>>,
{
    pub(super) fn new(shared: H) -> Self {
        let queue = PhantomData;
        Self {
            place: Place::new(Getters { shared, queue }),
        }
    }

    pub(super) fn shared(&self) -> &Shared<T, O> {
        &self.place.line().shared
    }
}

impl<T, O, H> Future for Get<T, O, H>
where
    O: Order<T>,
    H: Deref<Target = Shared<T, O>>,
{
    type Output = Result<T, QueueShutDown>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut place = self.project().place;
        if !place.is_taken() {
            ready!(budget::poll(cx));
            if let Some(item) = place.line().shared.get_fast() {
                return Poll::Ready(Ok(item));
            }
            let entered = place
                .as_mut()
                .poll_enter(cx, |line, waiting| line.shared.get_or_wait(waiting));
            let (taken, _spare) = ready!(entered);
            return Poll::Ready(taken.map(|taken| place.line().shared.get_taken(taken)));
        }
        let served = ready!(place.as_mut().poll_served(cx));
        Poll::Ready(place.line().shared.get_served(served))
    }
}

pin_project! {
    /// Puts an item.
    pub(super) struct Put<'a, T, O>
    where
        O: Order<T>,
    {
        #[pin]
        place: Place<Putters<'a, T, O>>,
        // There until it is done.
        item: Option<T>,
    }
}

impl<'a, T, O: Order<T>> Put<'a, T, O> {
    pub(super) fn new(shared: &'a Shared<T, O>, item: T) -> Self {
        Self {
            place: Place::new(Putters(shared)),
            item: Some(item),
        }
    }
}

impl<T, O: Order<T>> Future for Put<'_, T, O> {
    type Output = Result<(), QueueShutDown<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const POLLED_AGAIN: &str = "`put` was polled again after it was done";
        let this = self.project();
        let mut place = this.place;
        if !place.is_taken() {
            ready!(budget::poll(cx));
            match place.line().0.put_fast(this.item.take().expect(POLLED_AGAIN)) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(item) => *this.item = Some(item),
            }
            let entered = place
                .as_mut()
                .poll_enter(cx, |line, waiting| line.0.put_or_wait(waiting));
            let (taken, _spare) = ready!(entered);
            let item = this.item.take().expect(POLLED_AGAIN);
            return Poll::Ready(match taken {
                Ok(taken) => {
                    place.line().0.put_taken(taken, item);
                    Ok(())
                }
                Err(QueueShutDown(())) => Err(QueueShutDown(item)),
            });
        }
        let served = ready!(place.as_mut().poll_served(cx));
        let item = this.item.take().expect(POLLED_AGAIN);
        Poll::Ready(place.line().0.put_served(served, item))
    }
}
