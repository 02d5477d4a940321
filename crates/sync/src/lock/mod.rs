//! [`Lock`]: a value that one task has at a time.
//!
//! # Protocol
//!
//! One [permit](crate::permits) stands for the value: a guard is made by who has acquired it, and releases it when it is
//! dropped. So at most one guard is there at any time, and what was done through one happens before what is done through the next.

mod guard;

pub use guard::{LockGuard, OwnedLockGuard};

use crate::{block_on::block_on, const_fn::const_fn, permits::Permits};
use aioli_primitives::cell::UnsafeCell;
use std::{fmt, sync::Arc};

/// A value that one task has at a time, first come first served; it may be held across awaits. As `asyncio.Lock`, with the value that
/// it protects inside.
///
/// The [guard](LockGuard) that [`lock`](Self::lock) gives is asyncio's `async with`: the lock is released when it is dropped, and the
/// next in line has it at once, so that a newcomer cannot pass. asyncio's error of a release without holding cannot be written.
/// As in asyncio, a task that locks twice waits for itself.
///
/// There is no poisoning: a task that panics while it holds the lock releases it, and the next finds the value as it was
/// left.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let names = aioli::Lock::new(Vec::new());
/// names.lock().await.push("anna");
/// assert_eq!(*names.lock().await, ["anna"]);
/// # });
/// ```
#[doc(alias = "Mutex")]
pub struct Lock<T: ?Sized> {
    permit: Permits,
    value: UnsafeCell<T>,
}

// SAFETY: a shared reference to it gives the value to one at a time, who may be on any thread, also as a unique
// reference; so it is as if the value were sent there.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    const_fn! {
        /// A lock around `value`, which nobody holds.
        pub const fn new(value: T) -> Self {
            Self {
                permit: Permits::new(1),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value; owning the lock is proof that nobody holds it.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Waits for the lock. As `Lock.acquire()` in asyncio.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: it loses its place in the line, and if it had been given the lock and has not yet
    /// seen it, the next in line gets that.
    pub async fn lock(&self) -> LockGuard<'_, T> {
        self.permit.acquire(1).await;
        LockGuard::new(self)
    }

    /// Takes the lock if nobody holds it or waits for it.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let lock = aioli::Lock::new(1);
    /// let held = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// # drop(held);
    /// ```
    #[inline]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.permit.try_acquire(1).then(|| LockGuard::new(self))
    }

    /// Waits for the lock by stopping the thread: for threads that run no tasks, where it would stop all tasks of that thread, and perhaps
    /// the one that holds the lock.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let lock = aioli::Lock::new(1);
    /// *lock.blocking_lock() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// In a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_lock(&self) -> LockGuard<'_, T> {
        block_on("lock()", self.lock())
    }

    /// Waits for the lock, for a guard that borrows nothing: to pass on, to a task or a thread.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(aioli::Lock::new(1));
    /// let mut guard = lock.clone().lock_owned().await;
    /// std::thread::spawn(move || *guard += 1).join().unwrap();
    /// assert_eq!(*lock.lock().await, 2);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn lock_owned(self: Arc<Self>) -> OwnedLockGuard<T> {
        self.permit.acquire(1).await;
        OwnedLockGuard::new(self)
    }

    /// Takes the lock if nobody holds it or waits for it, for a guard that borrows nothing.
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_lock_owned(self: Arc<Self>) -> Option<OwnedLockGuard<T>> {
        self.permit.try_acquire(1).then(|| OwnedLockGuard::new(self))
    }

    /// Whether somebody holds the lock, or waits for it. As `Lock.locked()` in asyncio.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.permit.are_taken()
    }

    /// The value; a unique reference to the lock is proof that nobody holds it.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: by the unique reference, which the result keeps borrowed.
        self.value.with_mut(|value| unsafe { &mut *value })
    }

    /// Gives the lock to the next in line. The caller has acquired it, and has no guard any more.
    #[inline]
    fn release(&self) {
        self.permit.release(1);
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Lock");
        match self.try_lock() {
            Some(guard) => out.field("value", &&*guard),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}
