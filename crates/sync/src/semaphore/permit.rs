//! Permits that were acquired, and go back when they are dropped.

use super::{BoundedSemaphore, Semaphore};
use std::{fmt, mem, ops::Deref, sync::Arc};

/// Permits of a [`Semaphore`] or [`BoundedSemaphore`], which gets them back when this is dropped.
///
/// # Panics
///
/// Dropping it panics with the first panic of a foreign waker, after all for whom there are permits have been woken.
#[must_use = "a permit goes back when it is dropped"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl<'a> SemaphorePermit<'a> {
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits it is.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Does not give the permits back: the semaphore has so many fewer from now on, until somebody
    /// [releases](Semaphore::release) them.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let semaphore = aioli::Semaphore::new(3);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.permits.release(self.count);
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SemaphorePermit").field(&self.count).finish()
    }
}

/// Permits that borrow nothing. The semaphore gets them back when this is dropped.
///
/// # Panics
///
/// Dropping it panics as that of a [`SemaphorePermit`] does.
#[must_use = "a permit goes back when it is dropped"]
pub struct OwnedSemaphorePermit {
    semaphore: Owner,
    count: usize,
}

impl OwnedSemaphorePermit {
    pub(super) fn new(semaphore: Owner, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits it is.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Does not give the permits back. As [`SemaphorePermit::forget`].
    pub fn forget(mut self) {
        // The share in the semaphore has to go, so the destructor runs.
        self.count = 0;
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        if self.count > 0 {
            self.semaphore.permits.release(self.count);
        }
    }
}

impl fmt::Debug for OwnedSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSemaphorePermit").field(&self.count).finish()
    }
}

/// A share in the semaphore that owned permits go back to.
pub(super) enum Owner {
    Plain(Arc<Semaphore>),
    Bounded(Arc<BoundedSemaphore>),
}

impl Deref for Owner {
    type Target = Semaphore;

    fn deref(&self) -> &Semaphore {
        match self {
            Owner::Plain(semaphore) => semaphore,
            Owner::Bounded(bounded) => bounded.semaphore(),
        }
    }
}
