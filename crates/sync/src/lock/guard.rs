//! The guards of a [`Lock`].
//!
//! They reach the value through the lock each time, so that loom sees each access. That the reference outlives the closure in
//! which it is made changes nothing for loom: it orders accesses by what happened before them, not by when they end.

use super::Lock;
use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// Holds a [`Lock`] until it is dropped, and gives the value meanwhile.
///
/// # Panics
///
/// Dropping it panics when the waker of the next in line does; that one has the lock all the same.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<'a, T: ?Sized> {
    lock: &'a Lock<T>,
    /// It is `Send` and `Sync` as this is.
    _value: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    /// For who has acquired the lock.
    #[inline]
    pub(super) fn new(lock: &'a Lock<T>) -> Self {
        Self {
            lock,
            _value: PhantomData,
        }
    }

    /// The lock that it holds. A function and no method, so as not to hide one of the value's.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let lock = aioli::Lock::new(1);
    /// let guard = lock.lock().await;
    /// assert!(aioli::LockGuard::lock(&guard).is_locked());
    /// # });
    /// ```
    pub fn lock(guard: &Self) -> &'a Lock<T> {
        guard.lock
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this holds the lock, and is borrowed for as long as the result is.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this holds the lock, and is uniquely borrowed for as long as the result is.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Holds a [`Lock`] in an [`Arc`] until it is dropped, and gives the value meanwhile. It borrows nothing.
///
/// # Panics
///
/// Dropping it panics as that of a [`LockGuard`] does.
#[must_use = "the lock is released when the guard is dropped"]
pub struct OwnedLockGuard<T: ?Sized> {
    lock: Arc<Lock<T>>,
    /// It is `Send` and `Sync` as this is.
    _value: PhantomData<T>,
}

impl<T: ?Sized> OwnedLockGuard<T> {
    /// For who has acquired the lock.
    pub(super) fn new(lock: Arc<Lock<T>>) -> Self {
        Self {
            lock,
            _value: PhantomData,
        }
    }

    /// The lock that it holds. A function and no method, so as not to hide one of the value's.
    pub fn lock(guard: &Self) -> &Arc<Lock<T>> {
        &guard.lock
    }
}

impl<T: ?Sized> Deref for OwnedLockGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this holds the lock, and is borrowed for as long as the result is.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for OwnedLockGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this holds the lock, and is uniquely borrowed for as long as the result is.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Drop for OwnedLockGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
