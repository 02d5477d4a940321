//! A value that is given later, by hand: asyncio's low-level `Future`.
//!
//! # Protocol
//!
//! One lock guards the state: the outcome, the [list](crate::wait_list) of those who wait, and the callbacks. The outcome
//! leaves `Pending` once. Who wants to wait looks at it in the critical section in which it takes its place, so nobody comes
//! once it has left; whoever moved it takes the waiters off the list, wakes them with the lock released, batch by batch,
//! and calls the [callbacks](callbacks) then. A waiter that is polled before its turn leaves the list.
//!
//! The value is behind a lock of its own, because it is cloned under it, and a `Clone` may be anybody's code: it may
//! use the promise in every way, but for reading that value. The value is put there with the state locked too, before
//! the outcome says `Result`; nobody reads before it does, so the two locks cannot be taken crosswise.

mod callbacks;
mod error;
mod read;
mod wait;

pub use callbacks::{CallbackId, PromiseLoop};
pub use error::{Exception, PromiseError};
pub use wait::{PromiseFinished, PromiseWait};

use crate::{InvalidStateError, batches::serve_in_batches, panics::FirstPanic, wait_list::WaitList};
use aioli_primitives::sync::{Arc, Mutex, MutexGuard};
use callbacks::{Callback, Callbacks};
use std::{error::Error, fmt, mem, sync::Arc as StdArc};

/// A value that is given later, by hand: `asyncio.Future`.
///
/// It is pending, and then it has a result, an exception, or is cancelled, for good. This is a handle: clones are the
/// same promise, good from any thread. It is for building the bridge from callbacks to tasks; what tasks run is a
/// future or a task.
///
/// # Waiting
///
/// Any number of tasks may wait. Those who `await` it, or a reference to it, get a clone of the value each. A value
/// that is not `Clone` goes to one of them, with [`take`](Self::take); or make it a `Promise<Arc<T>>`.
/// [`finished`](Self::finished) waits and reads nothing. A promise that nobody ever completes stays pending, also
/// when nobody is left who could.
///
/// It is no future itself, but becomes one where it is awaited: what takes futures takes `async { promise.await }`.
///
/// # Differences from asyncio
///
/// * Cancelling a task that waits for an `asyncio.Future` cancels the future, and so fails everybody else who waits
///   for it. Here a waiter that goes away leaves the promise alone; [`cancel`](Self::cancel) is the way to say
///   otherwise.
/// * That it was cancelled is an error value, [`PromiseError::Cancelled`], and not the cancellation of the task that
///   waits.
/// * Those who wait are woken before the first callback is called; in asyncio both stand in one line.
/// * Callbacks run soon, as asyncio's do, on a promise that was made [with a loop](Self::with_loop), as those of an
///   event loop are. One made by [`new`](Self::new) knows no loop, and has them called by whoever completes it.
///
/// ```
/// # use aioli_sync as aioli;
/// use aioli::Promise;
///
/// # futures_lite::future::block_on(async {
/// let promise = Promise::new();
/// let thread = std::thread::spawn({
///     let promise = promise.clone();
///     move || promise.set_result(42).unwrap()
/// });
/// assert_eq!((&promise).await.unwrap(), 42);
/// assert_eq!(promise.await.unwrap(), 42);
/// # thread.join().unwrap();
/// # });
/// ```
pub struct Promise<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// While the outcome is `Result`, the value, unless it has been taken.
    value: Mutex<Option<T>>,
    event_loop: Option<StdArc<dyn PromiseLoop>>,
}

pub(crate) struct State<T> {
    outcome: Outcome,
    waiters: WaitList,
    callbacks: Callbacks<T>,
}

enum Outcome {
    Pending,
    Result,
    Exception { exception: Exception, retrieved: bool },
    Cancelled { reason: Option<StdArc<str>> },
}

impl Outcome {
    fn is_done(&self) -> bool {
        !matches!(self, Self::Pending)
    }
}

const DONE_ALREADY: &str = "the promise is done already";

impl<T: Send + 'static> Promise<T> {
    /// A pending promise that knows no loop: its callbacks are called by whoever completes it, before that returns.
    /// As `asyncio.Future()`, but for that.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::<u32>::new();
    /// assert!(!promise.is_done());
    /// ```
    pub fn new() -> Self {
        Self::build(None)
    }

    /// A pending promise whose callbacks run on a loop: never inside the call that completes it, or that adds them. As
    /// `asyncio.Future(loop=loop)` and `loop.create_future()`.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// use aioli::{Promise, PromiseLoop};
    /// use std::sync::{Arc, Mutex};
    ///
    /// #[derive(Default)]
    /// struct Later(Mutex<Vec<Box<dyn FnOnce() + Send>>>);
    ///
    /// impl PromiseLoop for Later {
    ///     fn call_soon(&self, callback: Box<dyn FnOnce() + Send>) {
    ///         self.0.lock().unwrap().push(callback);
    ///     }
    /// }
    ///
    /// let later = Arc::new(Later::default());
    /// let promise = Promise::with_loop(later.clone());
    /// promise.add_done_callback(|promise| assert_eq!(promise.result().unwrap(), 7));
    /// promise.set_result(7).unwrap();
    /// let callbacks = std::mem::take(&mut *later.0.lock().unwrap());
    /// assert_eq!(callbacks.len(), 1);
    /// callbacks.into_iter().for_each(|callback| callback());
    /// ```
    pub fn with_loop(event_loop: StdArc<dyn PromiseLoop>) -> Self {
        Self::build(Some(event_loop))
    }

    fn build(event_loop: Option<StdArc<dyn PromiseLoop>>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                outcome: Outcome::Pending,
                waiters: WaitList::new(),
                callbacks: Callbacks::new(),
            }),
            value: Mutex::new(None),
            event_loop,
        }))
    }

    /// Gives it a result, wakes all who wait, in the order in which they came, and has the callbacks called. As
    /// `Future.set_result()` in asyncio.
    ///
    /// # Errors
    ///
    /// The value comes back when the promise is done already, also when it was cancelled.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, or of a callback that is called here; by then the promise is done,
    /// all have been woken, and all callbacks have been called. As for every way to complete it.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::new();
    /// promise.set_result(1).unwrap();
    /// assert_eq!(promise.set_result(2).unwrap_err().value, 2);
    /// ```
    pub fn set_result(&self, value: T) -> Result<(), InvalidStateError<T>> {
        let Some(state) = self.lock_pending() else {
            return Err(InvalidStateError::with_value(DONE_ALREADY, value));
        };
        *self.0.value.lock() = Some(value);
        self.complete(state, Outcome::Result);
        Ok(())
    }

    /// Gives it an exception: any error type, a boxed error, an [`Exception`], or a text. Otherwise as
    /// [`set_result`](Self::set_result). As `Future.set_exception()` in asyncio.
    ///
    /// If nobody ever reads it, the promise's loop is [told](PromiseLoop::exception_never_retrieved) when the last
    /// handle goes; without a loop nobody is.
    ///
    /// # Errors
    ///
    /// The exception comes back when the promise is done already.
    ///
    /// # Panics
    ///
    /// As `set_result`.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::<u32>::new();
    /// promise.set_exception("broken").unwrap();
    /// assert_eq!(promise.result().unwrap_err().to_string(), "broken");
    /// assert_eq!(promise.exception().unwrap().unwrap().to_string(), "broken");
    /// ```
    pub fn set_exception(
        &self,
        exception: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), InvalidStateError<Exception>> {
        let exception = Exception::from(exception.into());
        let Some(state) = self.lock_pending() else {
            return Err(InvalidStateError::with_value(DONE_ALREADY, exception));
        };
        let outcome = Outcome::Exception {
            exception,
            retrieved: false,
        };
        self.complete(state, outcome);
        Ok(())
    }

    /// Cancels it: at once, for unlike a task it has nobody inside who could object. False if it was done already. As
    /// `Future.cancel()` in asyncio.
    ///
    /// # Panics
    ///
    /// As [`set_result`](Self::set_result).
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::<u32>::new();
    /// assert!(promise.cancel());
    /// assert!(!promise.cancel());
    /// assert_eq!(promise.set_result(7).unwrap_err().value, 7);
    /// ```
    pub fn cancel(&self) -> bool {
        self.cancel_for(None)
    }

    /// Cancels it as [`cancel`](Self::cancel) does, and says why. As `Future.cancel(msg)` in asyncio.
    ///
    /// # Panics
    ///
    /// As [`set_result`](Self::set_result).
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::<u32>::new();
    /// assert!(promise.cancel_with("closing down"));
    /// assert_eq!(promise.cancel_reason().as_deref(), Some("closing down"));
    /// ```
    pub fn cancel_with(&self, reason: impl Into<StdArc<str>>) -> bool {
        self.cancel_for(Some(reason.into()))
    }

    fn cancel_for(&self, reason: Option<StdArc<str>>) -> bool {
        let Some(state) = self.lock_pending() else {
            return false;
        };
        self.complete(state, Outcome::Cancelled { reason });
        true
    }

    /// The right to [complete](Self::complete) it, if nobody has done so.
    fn lock_pending(&self) -> Option<MutexGuard<'_, State<T>>> {
        let state = self.0.state.lock();
        (!state.outcome.is_done()).then_some(state)
    }

    /// The one way out of `Pending`.
    fn complete(&self, mut state: MutexGuard<'_, State<T>>, outcome: Outcome) {
        state.outcome = outcome;
        let mut panics = FirstPanic::default();
        serve_in_batches(&self.0.state, state, &mut panics, |state, wakers| {
            state.waiters.serve_while(wakers, |_| Some(0));
        });
        // Until here this thread is their caller, so nobody else has called any.
        let first = self.0.state.lock().callbacks.next();
        self.call_callbacks(first, &mut panics);
        panics.resume();
    }

    /// What the caller of the [callbacks] does, beginning with `next`.
    fn call_callbacks(&self, mut next: Option<Callback<T>>, panics: &mut FirstPanic) {
        while let Some(callback) = next {
            panics.catch(|| match &self.0.event_loop {
                None => callback(self),
                Some(event_loop) => {
                    let promise = self.clone();
                    event_loop.call_soon(Box::new(move || callback(&promise)));
                }
            });
            next = self.0.state.lock().callbacks.next();
        }
    }

    /// Has `callback` called once, when the promise is done: after those that were added before it, never two at a
    /// time. As `Future.add_done_callback()` in asyncio.
    ///
    /// With a loop, callbacks run there, soon. Without one, whoever completes the promise calls them; one that is
    /// added when it is done already is called here and now, or by the thread that is about to call others. No lock
    /// is held meanwhile: a callback may use the promise, and add callbacks too.
    ///
    /// A promise that goes before it is done drops its callbacks. One that holds a handle to its own promise keeps it
    /// from going: use the one it is lent.
    ///
    /// # Panics
    ///
    /// With the first panic of a callback that is called here, when all have been called.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::new();
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// promise.add_done_callback(move |promise| sender.send(promise.result().unwrap()).unwrap());
    /// promise.set_result(7).unwrap();
    /// assert_eq!(receiver.recv(), Ok(7));
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&Promise<T>) + Send + 'static) -> CallbackId {
        let callback: Callback<T> = match &self.0.event_loop {
            None => Box::new(callback),
            Some(event_loop) => {
                let within = event_loop.capture();
                let mut callback = Some(callback);
                Box::new(move |promise| within(&mut || callback.take().into_iter().for_each(|call| call(promise))))
            }
        };
        let (id, first) = self.0.state.lock().callbacks.add(callback);
        let mut panics = FirstPanic::default();
        self.call_callbacks(first, &mut panics);
        panics.resume();
        id
    }

    /// Takes a callback back. True if it was still there, and so will never be called; false once it has been called,
    /// handed to the loop, or taken back. As `Future.remove_done_callback()` in asyncio, which goes by the function
    /// and counts.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::new();
    /// let id = promise.add_done_callback(|_| unreachable!());
    /// assert!(promise.remove_done_callback(id));
    /// promise.set_result(7).unwrap();
    /// ```
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        // Dropped when the lock is released: it is anybody's code.
        let removed = self.0.state.lock().callbacks.remove(id);
        removed.is_some()
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let outcome = mem::replace(&mut self.state.lock().outcome, Outcome::Pending);
        if let Outcome::Exception {
            exception,
            retrieved: false,
        } = outcome
        {
            if let Some(event_loop) = &self.event_loop {
                event_loop.exception_never_retrieved(exception);
            }
        }
    }
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Default for Promise<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        let outcome = match state.outcome {
            Outcome::Pending => "pending",
            Outcome::Result => "result",
            Outcome::Exception { .. } => "exception",
            Outcome::Cancelled { .. } => "cancelled",
        };
        f.debug_struct("Promise")
            .field("state", &format_args!("{outcome}"))
            .field("waiters", &state.waiters.len())
            .field("callbacks", &state.callbacks.len())
            .finish()
    }
}
