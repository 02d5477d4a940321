//! Reading a promise.
//!
//! Nothing here has a bound on `T` that a reader does not need, `'static` least of all: when the compiler looks whether a task that
//! waits for a promise is `Send`, it has forgotten the lifetime of a `dyn Error` in `T`.

use super::{Exception, Outcome, Promise, PromiseError, PromiseFinished};
use crate::InvalidStateError;
use std::sync::Arc as StdArc;

impl<T> Promise<T> {
    /// Whether it has a result or an exception, or is cancelled. As `Future.done()` in asyncio.
    pub fn is_done(&self) -> bool {
        self.0.state.lock().outcome.is_done()
    }

    /// Whether it was cancelled. As `Future.cancelled()` in asyncio.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.state.lock().outcome, Outcome::Cancelled { .. })
    }

    /// The reason that was given to [`cancel_with`](Self::cancel_with); asyncio puts it into the `CancelledError`.
    pub fn cancel_reason(&self) -> Option<StdArc<str>> {
        match &self.0.state.lock().outcome {
            Outcome::Cancelled { reason } => reason.clone(),
            _ => None,
        }
    }

    /// A clone of its result. It can be read many times. As `Future.result()` in asyncio.
    ///
    /// The clone is made under a lock: a `Clone` that reads the value of this same promise never ends.
    ///
    /// # Errors
    ///
    /// That it was cancelled, the exception it was given, or [`InvalidStateError`] when it is not done, or the value
    /// was [taken](Self::take).
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::new();
    /// assert!(promise.result().is_err());
    /// promise.set_result(7).unwrap();
    /// assert_eq!(promise.result().unwrap(), 7);
    /// assert_eq!(promise.result().unwrap(), 7);
    /// ```
    pub fn result(&self) -> Result<T, PromiseError>
    where
        T: Clone,
    {
        self.read(|value| value.clone())
    }

    /// The exception it was given; `None` if it has a result. As `Future.exception()` in asyncio.
    ///
    /// # Errors
    ///
    /// That it was cancelled, or [`InvalidStateError`] when it is not done.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let promise = aioli::Promise::<u32>::new();
    /// promise.set_exception(std::io::Error::other("broken")).unwrap();
    /// let exception = promise.exception().unwrap().unwrap();
    /// assert!(exception.downcast_ref::<std::io::Error>().is_some());
    /// ```
    pub fn exception(&self) -> Result<Option<Exception>, PromiseError> {
        match self.retrieve() {
            Ok(()) => Ok(None),
            Err(PromiseError::Exception(exception)) => Ok(Some(exception)),
            Err(error) => Err(error),
        }
    }

    /// Waits until it is done, and reads nothing: an exception stays unread. As `asyncio.wait([future])`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let promise = aioli::Promise::<u32>::new();
    /// promise.cancel();
    /// promise.finished().await;
    /// # });
    /// ```
    pub fn finished(&self) -> PromiseFinished<T> {
        PromiseFinished::new(self.clone())
    }

    /// Waits for its result and takes it out, which is for values that are not `Clone`. asyncio has no counterpart.
    ///
    /// # Errors
    ///
    /// That it was cancelled, the exception it was given, or [`InvalidStateError`] when somebody else took the value.
    /// Whoever reads it from then on gets that too.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// struct Unique;
    /// # futures_lite::future::block_on(async {
    /// let promise = aioli::Promise::new();
    /// assert!(promise.set_result(Unique).is_ok());
    /// assert!(promise.take().await.is_ok());
    /// assert!(promise.take().await.is_err());
    /// # });
    /// ```
    pub async fn take(&self) -> Result<T, PromiseError> {
        self.finished().await;
        self.read(Option::take)
    }

    fn read(&self, read: impl FnOnce(&mut Option<T>) -> Option<T>) -> Result<T, PromiseError> {
        self.retrieve()?;
        let value = read(&mut self.0.value.lock());
        value.ok_or(PromiseError::InvalidState(InvalidStateError::new(
            "the value of the promise was taken",
        )))
    }

    /// Whether there is a result to read; an exception is seen from now on.
    fn retrieve(&self) -> Result<(), PromiseError> {
        match &mut self.0.state.lock().outcome {
            Outcome::Result => Ok(()),
            Outcome::Exception { exception, retrieved } => {
                *retrieved = true;
                Err(PromiseError::Exception(exception.clone()))
            }
            Outcome::Cancelled { .. } => Err(PromiseError::Cancelled),
            Outcome::Pending => Err(PromiseError::InvalidState(InvalidStateError::new(
                "the promise is not done yet",
            ))),
        }
    }
}
