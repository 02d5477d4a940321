//! A value that is made once, by the first who wants it.
//!
//! # Protocol
//!
//! A [permit](crate::permits) stands for the right to make the value. Who has it either gives it back, so that the next in line
//! tries; or writes the value, then sets `is_set`, and then releases so many permits that all who wait have one: from then on a
//! permit means nothing but that the value is there, and nobody gives one back.
//!
//! `is_set` is stored with Release after the value was written, and never taken back: who reads it with Acquire sees the
//! value, which nobody writes any more. Who has a permit sees the flag as it was when that was released, since a release is a Release.

use crate::{
    InvalidStateError,
    const_fn::const_fn,
    permits::{self, Permits},
};
use aioli_primitives::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
};
use std::{convert::Infallible, fmt, future::Future, mem};

/// A value that is made once, with awaits, by the first who wants it; the others wait for it. asyncio has no counterpart.
///
/// It may be a `static`. Whose initialiser fails, panics or is cancelled leaves the cell empty, and the next in line
/// tries its own. An initialiser that asks for the value of its own cell waits for itself.
///
/// ```
/// # use aioli_sync as aioli;
/// static CONFIG: aioli::OnceCell<String> = aioli::OnceCell::new();
///
/// async fn config() -> &'static str {
///     CONFIG.get_or_init(async || "read from a file".to_owned()).await
/// }
/// # futures_lite::future::block_on(async {
/// assert_eq!(config().await, "read from a file");
/// assert_eq!(CONFIG.get().map(String::as_str), Some("read from a file"));
/// # });
/// ```
pub struct OnceCell<T> {
    /// The right to make the value.
    turn: Permits,
    is_set: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: a shared reference to it gives the value to several, on any threads, as a shared reference; and it may be written on one
// thread and dropped on another.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

impl<T> OnceCell<T> {
    const_fn! {
        /// An empty cell.
        pub const fn new() -> Self {
            Self {
                turn: Permits::new(1),
                is_set: AtomicBool::new(false),
                value: UnsafeCell::new(None),
            }
        }
    }

    /// The value, if there is one by now.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.is_set.load(Acquire) {
            return None;
        }
        // SAFETY: it is set, so nobody writes it any more while the cell is shared.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    /// The value, if there is one, to change it; nobody else has a reference to the cell.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: by the unique reference, which the result keeps borrowed.
        self.value.with_mut(|value| unsafe { (*value).as_mut() })
    }

    /// Sets the value.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let cell = aioli::OnceCell::new();
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.set(2).unwrap_err().value, 2);
    /// ```
    ///
    /// # Errors
    ///
    /// If there is one, or somebody makes it just now. The value comes back in the error.
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, after all who wait have been woken. The value is set then.
    pub fn set(&self, value: T) -> Result<(), InvalidStateError<T>> {
        if self.get().is_none() && !self.turn.try_acquire(1) {
            return Err(InvalidStateError::with_value("the cell is being set by another", value));
        }
        // Once more: it may have been set in between, so that the permit means nothing.
        if self.get().is_some() {
            return Err(InvalidStateError::with_value("the cell is set already", value));
        }
        Turn(self).end_with(value);
        Ok(())
    }

    /// The value; if there is none, waits for who makes it, or makes it with `init`.
    ///
    /// # Panics
    ///
    /// If `init` does: the next in line tries. And as [`set`](Self::set).
    ///
    /// # Cancel safety
    ///
    /// If it is dropped while `init` runs, that is dropped, with what it had done; the next in line begins with its own.
    /// Nothing else is lost.
    pub async fn get_or_init<F, Fut>(&self, init: F) -> &T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let value = self.get_or_try_init(async || Ok::<T, Infallible>(init().await)).await;
        value.unwrap_or_else(|never| match never {})
    }

    /// The value; if there is none, waits for who makes it, or makes it with `init`, which may fail.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let cell = aioli::OnceCell::new();
    /// assert!(cell.get_or_try_init(async || "x".parse::<u8>()).await.is_err());
    /// assert_eq!(cell.get_or_try_init(async || "7".parse::<u8>()).await, Ok(&7));
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// That of `init`: the next in line tries.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Cancel safety
    ///
    /// As `get_or_init`.
    pub async fn get_or_try_init<F, Fut, E>(&self, init: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        self.turn.acquire(1).await;
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let turn = Turn(self);
        let value = init().await?;
        Ok(turn.end_with(value))
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}

/// The right to make the value, which the next in line has when this is dropped.
struct Turn<'a, T>(&'a OnceCell<T>);

impl<'a, T> Turn<'a, T> {
    /// Sets the value.
    fn end_with(self, value: T) -> &'a T {
        let cell = self.0;
        mem::forget(self);
        // SAFETY: who has the turn of a cell that is not set is the only one who touches its value.
        let value = cell.value.with_mut(|place| unsafe { &*(*place).insert(value) });
        cell.is_set.store(true, Release);
        cell.turn.release(permits::MAX);
        value
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.0.turn.release(1);
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self {
            turn: Permits::new(0),
            is_set: AtomicBool::new(true),
            value: UnsafeCell::new(Some(value)),
        }
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("OnceCell");
        match self.get() {
            Some(value) => out.field(value),
            None => out.field(&format_args!("<unset>")),
        };
        out.finish()
    }
}
