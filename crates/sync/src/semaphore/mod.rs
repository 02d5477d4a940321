//! Counters of permits: [`Semaphore`], and [`BoundedSemaphore`] around it. Their protocol is that of
//! [`permits`](crate::permits).

mod bounded;
mod permit;

pub use bounded::BoundedSemaphore;
pub use permit::{OwnedSemaphorePermit, SemaphorePermit};

use crate::{
    block_on::block_on,
    const_fn::const_fn,
    permits::{self, Permits},
};
use permit::Owner;
use std::{fmt, sync::Arc};

/// Lets so many in at a time, first come first served. As `asyncio.Semaphore`.
///
/// A permit goes back when it is dropped, also by a panic; so asyncio's `async with` is a block with a variable. Who asks
/// for many permits is served in its turn as well: those who come later, and want fewer, wait behind.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let connections = aioli::Semaphore::new(2);
/// let first = connections.acquire().await;
/// let second = connections.acquire().await;
/// assert!(connections.is_locked());
/// drop(first);
/// assert_eq!(connections.available_permits(), 1);
/// # drop(second);
/// # });
/// ```
pub struct Semaphore {
    permits: Permits,
}

impl Semaphore {
    /// The most permits that a semaphore may begin with, that may be added to, and that may be asked for at once.
    pub const MAX_PERMITS: usize = permits::MAX;

    const_fn! {
        /// A semaphore with so many permits; 0 is allowed, for one that only [`release`](Self::release) fills.
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            check_beginning(permits);
            Self {
                permits: Permits::new(permits),
            }
        }
    }

    const_fn! {
        #[track_caller]
        const fn bounded(permits: usize) -> Self {
            check_beginning(permits);
            Self {
                permits: Permits::bounded(permits),
            }
        }
    }

    /// Waits for a permit. As `Semaphore.acquire()` in asyncio.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: it loses its place in the line, and if it had been given a permit that it has
    /// not yet seen, the next in line gets that.
    pub async fn acquire(&self) -> SemaphorePermit<'_> {
        self.check(1);
        self.permits.acquire(1).await;
        SemaphorePermit::new(self, 1)
    }

    /// Waits for so many permits, and takes them all at once. Those who come later do not pass it, also when there are
    /// enough for them. asyncio has no counterpart.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let memory = aioli::Semaphore::new(1024);
    /// let buffer = memory.acquire_many(1000).await;
    /// assert!(memory.try_acquire_many(25).is_none());
    /// drop(buffer);
    /// assert!(memory.try_acquire_many(25).is_some());
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// When it is first polled, if that is more than [`MAX_PERMITS`](Self::MAX_PERMITS), which it would wait for in vain.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire). Whom it held up goes on.
    pub async fn acquire_many(&self, count: usize) -> SemaphorePermit<'_> {
        self.check(count);
        self.permits.acquire(count).await;
        SemaphorePermit::new(self, count)
    }

    /// Takes a permit if there is one, and nobody waits for it. asyncio asks `locked()` instead.
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if there are as many, and nobody waits.
    ///
    /// # Panics
    ///
    /// If that is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire_many(&self, count: usize) -> Option<SemaphorePermit<'_>> {
        self.check(count);
        self.permits
            .try_acquire(count)
            .then(|| SemaphorePermit::new(self, count))
    }

    /// Waits for a permit that borrows nothing: to pass on, to a task or a thread.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// use std::sync::Arc;
    ///
    /// let jobs = Arc::new(aioli::Semaphore::new(4));
    /// let permit = jobs.clone().acquire_owned().await;
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(jobs.available_permits(), 4);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_owned(self: Arc<Self>) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1).await
    }

    /// Waits for so many permits, which borrow nothing.
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
        OwnedSemaphorePermit::new(Owner::Plain(self), count)
    }

    /// Takes a permit that borrows nothing, if there is one, and nobody waits for it.
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire_owned(self: Arc<Self>) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many_owned(1)
    }

    /// Takes so many permits, which borrow nothing, if there are as many, and nobody waits.
    ///
    /// # Panics
    ///
    /// If that is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_acquire_many_owned(self: Arc<Self>, count: usize) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many(count)?.forget();
        Some(OwnedSemaphorePermit::new(Owner::Plain(self), count))
    }

    /// Waits for a permit by stopping the thread: for threads that run no tasks, where it would stop all tasks of that thread, and perhaps
    /// the one that it waits for.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let jobs = aioli::Semaphore::new(1);
    /// std::thread::scope(|threads| {
    ///     let permit = jobs.try_acquire();
    ///     threads.spawn(|| jobs.blocking_acquire());
    ///     drop(permit);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// In a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_acquire(&self) -> SemaphorePermit<'_> {
        block_on("acquire()", self.acquire())
    }

    /// Adds a permit, which nobody need have taken. As `Semaphore.release()` in asyncio. A permit that was taken goes back by
    /// itself, when it is dropped.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let items = aioli::Semaphore::new(0);
    /// items.release();
    /// items.acquire().await.forget();
    /// assert_eq!(items.available_permits(), 0);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`release_many`](Self::release_many).
    #[track_caller]
    pub fn release(&self) {
        self.release_many(1);
    }

    /// Adds so many permits.
    ///
    /// # Panics
    ///
    /// If more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free; nothing is added then. And with the first panic of a
    /// foreign waker, after all for whom there are permits have been woken.
    #[track_caller]
    #[doc(alias = "add_permits")]
    pub fn release_many(&self, count: usize) {
        if let Err(free) = self.permits.try_release(count) {
            panic!(
                "a semaphore with {free} free permits cannot get {count} more: Semaphore::MAX_PERMITS is {}",
                Self::MAX_PERMITS
            );
        }
    }

    /// How many permits are free. By the time one looks at the number, it may be another.
    pub fn available_permits(&self) -> usize {
        self.permits.free()
    }

    /// Whether a permit cannot be had without waiting: none is free, or others wait already. As `Semaphore.locked()` in
    /// asyncio.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.permits.are_taken()
    }

    /// Panics if so many cannot be had, however long one waits.
    #[inline]
    #[track_caller]
    fn check(&self, count: usize) {
        let most = self.permits.bound();
        assert!(
            count <= most,
            "a semaphore that never has more than {most} permits cannot give {count} at once"
        );
    }
}

#[track_caller]
const fn check_beginning(permits: usize) {
    assert!(
        permits <= Semaphore::MAX_PERMITS,
        "a semaphore cannot have more than Semaphore::MAX_PERMITS permits"
    );
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .finish_non_exhaustive()
    }
}
