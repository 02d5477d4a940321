//! [`RwLock`]: a value that many read at a time, or one writes.
//!
//! # Protocol
//!
//! The lock has as many [permits](crate::permits) as it allows readers. A read guard holds one of them, and a write guard all:
//! so there is no other guard beside a write guard. The permits are taken in the order in which they were asked for, so a
//! writer waits for those who read already, and those who come later wait behind it.

mod read;
mod write;

pub use read::{OwnedRwLockReadGuard, RwLockReadGuard};
pub use write::{OwnedRwLockWriteGuard, RwLockWriteGuard};

use crate::{block_on::block_on, const_fn::const_fn, permits::Permits};
use aioli_primitives::cell::UnsafeCell;
use std::{fmt, sync::Arc};

/// What a reader holds.
const ONE: usize = 1;
/// What a writer holds: there are no more. The most readers at a time, too; another one waits.
const ALL: usize = (u32::MAX >> 3) as usize;

/// A value that many tasks read at a time, or one writes. asyncio has no counterpart.
///
/// First come first served: a reader that comes while a writer waits does not pass it, so neither side is starved. Readers
/// that come one after another share the lock. A task that reads must not read again beside that, with the first guard
/// still there: a writer may have come in between, and each would wait for the other.
///
/// There is no poisoning: a task that panics with a guard releases it, and the next finds the value as it was left.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let rates = aioli::RwLock::new(vec![1.0]);
/// rates.write().await.push(1.5);
/// let (some, others) = (rates.read().await, rates.read().await);
/// assert_eq!(some.len() + others.len(), 4);
/// # });
/// ```
pub struct RwLock<T: ?Sized> {
    permits: Permits,
    value: UnsafeCell<T>,
}

// SAFETY: a shared reference to it gives the value to one at a time, who may be on any thread, as a unique reference, or
// to several as shared ones; so it is as if the value were sent, and shared.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    const_fn! {
        /// A lock around `value`, which nobody holds.
        pub const fn new(value: T) -> Self {
            Self {
                permits: Permits::new(ALL),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value; owning the lock is proof that nobody holds it.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until it may read: until there is no writer, and those who came before have had their turn.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: it loses its place in the line, and if it had been let in and has not yet seen
    /// it, the next in line is.
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        self.permits.acquire(ONE).await;
        RwLockReadGuard::new(self)
    }

    /// Waits until it may write: until those who came before have had their turn, and are done.
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read). Readers whom it held up go on.
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.permits.acquire(ALL).await;
        RwLockWriteGuard::new(self)
    }

    /// Reads if nobody writes, and nobody waits.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let lock = aioli::RwLock::new(1);
    /// let reading = lock.try_read().unwrap();
    /// assert!(lock.try_read().is_some());
    /// assert!(lock.try_write().is_none());
    /// # drop(reading);
    /// ```
    #[inline]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.permits.try_acquire(ONE).then(|| RwLockReadGuard::new(self))
    }

    /// Writes if nobody reads or writes, and nobody waits.
    #[inline]
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.permits.try_acquire(ALL).then(|| RwLockWriteGuard::new(self))
    }

    /// Waits until it may read by stopping the thread: for threads that run no tasks, where it would stop all tasks of that thread, and
    /// perhaps the one that writes.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let lock = aioli::RwLock::new(1);
    /// *lock.blocking_write() += 1;
    /// assert_eq!(*lock.blocking_read(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// In a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        block_on("read()", self.read())
    }

    /// Waits until it may write by stopping the thread: for threads that run no tasks, as
    /// [`blocking_read`](Self::blocking_read).
    ///
    /// # Panics
    ///
    /// In a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        block_on("write()", self.write())
    }

    /// Waits until it may read, with a guard that borrows nothing: to pass on, to a task or a thread.
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        self.permits.acquire(ONE).await;
        OwnedRwLockReadGuard::new(self)
    }

    /// Waits until it may write, with a guard that borrows nothing: to pass on, to a task or a thread.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(aioli::RwLock::new(1));
    /// let mut guard = lock.clone().write_owned().await;
    /// std::thread::spawn(move || *guard += 1).join().unwrap();
    /// assert_eq!(*lock.read().await, 2);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`write`](Self::write).
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        self.permits.acquire(ALL).await;
        OwnedRwLockWriteGuard::new(self)
    }

    /// Reads if nobody writes, and nobody waits, with a guard that borrows nothing.
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_read_owned(self: Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        self.permits.try_acquire(ONE).then(|| OwnedRwLockReadGuard::new(self))
    }

    /// Writes if nobody reads or writes, and nobody waits, with a guard that borrows nothing.
    #[must_use = "what was taken is given back when it is dropped"]
    pub fn try_write_owned(self: Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        self.permits.try_acquire(ALL).then(|| OwnedRwLockWriteGuard::new(self))
    }

    /// The value; a unique reference to the lock is proof that nobody holds it.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: by the unique reference, which the result keeps borrowed.
        self.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => out.field("value", &&*guard),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}
