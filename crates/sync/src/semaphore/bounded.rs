//! [`BoundedSemaphore`]: a [`Semaphore`] that knows how many permits it began with.

use super::{OwnedSemaphorePermit, Owner, Semaphore, SemaphorePermit};
use crate::{InvalidStateError, const_fn::const_fn};
use std::{fmt, sync::Arc};

/// A [`Semaphore`] that never has more permits free than at the beginning. As `asyncio.BoundedSemaphore`.
///
/// Permits go back by themselves, so that it takes a [`release`](Self::release) by hand to release too often: that is an error
/// (a `ValueError` in asyncio) when it would go above the bound. Where somebody has released for the holder of a permit, and
/// all are free, that permit adds nothing when it is dropped.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let seats = aioli::BoundedSemaphore::new(1);
/// seats.acquire().await.forget();
/// seats.release().unwrap();
/// assert!(seats.release().is_err());
/// # });
/// ```
pub struct BoundedSemaphore {
    semaphore: Semaphore,
}

impl BoundedSemaphore {
    const_fn! {
        /// A semaphore that has so many permits, and never more; with 0 there is nothing to be had at any time.
        ///
        /// # Panics
        ///
        /// If there are more than [`Semaphore::MAX_PERMITS`].
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            Self {
                semaphore: Semaphore::bounded(permits),
            }
        }
    }

    /// Waits for a permit. As `BoundedSemaphore.acquire()` in asyncio.
    ///
    /// # Panics
    ///
    /// When it is first polled, if the bound is 0: it would wait in vain.
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`]: nothing is lost when it is dropped.
    pub async fn acquire(&self) -> SemaphorePermit<'_> {
        self.semaphore.acquire().await
    }

    /// Waits for so many permits, and takes them all at once, in its turn. As [`Semaphore::acquire_many`].
    ///
    /// # Panics
    ///
    /// When it is first polled, if that is more than the bound: it would wait in vain.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped, and whom it held up goes on.
    pub async fn acquire_many(&self, count: usize) -> SemaphorePermit<'_> {
        self.semaphore.acquire_many(count).await
    }

    /// Takes a permit if there is one, and nobody waits for it.
    ///
    /// # Panics
    ///
    /// If the bound is 0.
    #[track_caller]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.semaphore.try_acquire_many(1)
    }

    /// Takes so many permits if there are as many, and nobody waits.
    ///
    /// # Panics
    ///
    /// If that is more than the bound.
    #[track_caller]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire_many(&self, count: usize) -> Option<SemaphorePermit<'_>> {
        self.semaphore.try_acquire_many(count)
    }

    /// Waits for a permit that borrows nothing. As [`Semaphore::acquire_owned`].
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As `acquire`.
    pub async fn acquire_owned(self: Arc<Self>) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1).await
    }

    /// Waits for so many permits, which borrow nothing. As [`Semaphore::acquire_many_owned`].
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Self::acquire_many).
    ///
    /// # Cancel safety
    ///
    /// As `acquire_many`.
    pub async fn acquire_many_owned(self: Arc<Self>, count: usize) -> OwnedSemaphorePermit {
        self.acquire_many(count).await.forget();
        OwnedSemaphorePermit::new(Owner::Bounded(self), count)
    }

    /// Takes a permit that borrows nothing, if there is one, and nobody waits for it.
    ///
    /// # Panics
    ///
    /// If the bound is 0.
    #[track_caller]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire_owned(self: Arc<Self>) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many_owned(1)
    }

    /// Takes so many permits, which borrow nothing, if there are as many, and nobody waits.
    ///
    /// # Panics
    ///
    /// If that is more than the bound.
    #[track_caller]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire_many_owned(self: Arc<Self>, count: usize) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many(count)?.forget();
        Some(OwnedSemaphorePermit::new(Owner::Bounded(self), count))
    }

    /// Waits for a permit by stopping the thread: for threads that run no tasks, as [`Semaphore::blocking_acquire`].
    ///
    /// # Panics
    ///
    /// If the bound is 0; and in a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_acquire(&self) -> SemaphorePermit<'_> {
        self.semaphore.blocking_acquire()
    }

    /// Adds a permit, in place of one that was taken and [forgotten](SemaphorePermit::forget). As
    /// `BoundedSemaphore.release()` in asyncio.
    ///
    /// # Errors
    ///
    /// If all are free.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, after all for whom there are permits have been woken.
    pub fn release(&self) -> Result<(), InvalidStateError> {
        self.release_many(1)
    }

    /// Adds so many permits.
    ///
    /// # Errors
    ///
    /// If more would be free than at the beginning; nothing is added then.
    ///
    /// # Panics
    ///
    /// As [`release`](Self::release).
    pub fn release_many(&self, count: usize) -> Result<(), InvalidStateError> {
        self.semaphore
            .permits
            .try_release(count)
            .map_err(|_| InvalidStateError::new("the bounded semaphore was released too often"))
    }

    /// How many permits there are at most: those of the beginning.
    pub fn bound(&self) -> usize {
        self.semaphore.permits.bound()
    }

    /// How many permits are free. By the time one looks at the number, it may be another.
    pub fn available_permits(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// Whether a permit cannot be had without waiting. As [`Semaphore::is_locked`].
    pub fn is_locked(&self) -> bool {
        self.semaphore.is_locked()
    }

    pub(super) fn semaphore(&self) -> &Semaphore {
        &self.semaphore
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("available_permits", &self.available_permits())
            .field("bound", &self.bound())
            .finish_non_exhaustive()
    }
}
