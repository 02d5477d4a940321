//! The guards of who writes a [`RwLock`]. They reach the value as those of a [`Lock`](crate::Lock) do.

use super::{ALL, ONE, OwnedRwLockReadGuard, RwLock, RwLockReadGuard};
use std::{
    fmt, mem,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// Writes a [`RwLock`] until it is dropped.
///
/// # Panics
///
/// Dropping it panics with the first panic of a foreign waker, after all who are let in have been woken.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// For who has acquired [`ALL`].
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock }
    }

    /// Goes on as a reader, with no writer in between. Readers who are next in line are let in as well.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let lock = aioli::RwLock::new(1);
    /// let mut writing = lock.write().await;
    /// *writing = 2;
    /// let reading = writing.downgrade();
    /// assert_eq!(*reading + *lock.read().await, 4);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// As when it is dropped, and the lock is released then.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let lock = self.lock;
        mem::forget(self);
        // First the guard: it releases the rest if a waker panics.
        let reading = RwLockReadGuard::new(lock);
        lock.permits.release(ALL - ONE);
        reading
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while this is there nobody else reads or writes, and it is borrowed for as long as the result is.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while this is there nobody else reads or writes, and it is uniquely borrowed for as long as the result is.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.permits.release(ALL);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Writes a [`RwLock`] in an [`Arc`] until it is dropped. It borrows nothing.
///
/// # Panics
///
/// Dropping it panics as that of a [`RwLockWriteGuard`] does.
#[must_use = "the lock is released when the guard is dropped"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    /// The permits that go back with it.
    held: usize,
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// For who has acquired [`ALL`].
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self { lock, held: ALL }
    }

    /// Goes on as a reader, with no writer in between. As [`RwLockWriteGuard::downgrade`].
    ///
    /// # Panics
    ///
    /// As `RwLockWriteGuard::downgrade`.
    pub fn downgrade(mut self) -> OwnedRwLockReadGuard<T> {
        // First the guard: it releases the rest if a waker panics when this one goes.
        let reading = OwnedRwLockReadGuard::new(self.lock.clone());
        self.held -= ONE;
        drop(self);
        reading
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while this is there nobody else reads or writes, and it is borrowed for as long as the result is.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while this is there nobody else reads or writes, and it is uniquely borrowed for as long as the result is.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: ?Sized> Drop for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.permits.release(self.held);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
