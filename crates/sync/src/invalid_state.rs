//! The error of what is done too early, or once too often.

use std::{error::Error, fmt};

/// The operation does not fit the state. As `asyncio.InvalidStateError`.
///
/// One that was to be given a value brings it back in [`value`](Self::value): nothing is lost.
///
/// ```
/// # use aioli_sync as aioli;
/// let promise = aioli::Promise::new();
/// promise.set_result("first").unwrap();
/// let error = promise.set_result("second").unwrap_err();
/// assert_eq!(error.to_string(), "the promise is done already");
/// assert_eq!(error.value, "second");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidStateError<V = ()> {
    message: &'static str,
    /// What could not be delivered; `()` where there was nothing to deliver.
    pub value: V,
}

impl InvalidStateError {
    /// An error that says `message`, about an operation that delivers nothing.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// assert_eq!(aioli::InvalidStateError::new("too late").to_string(), "too late");
    /// ```
    pub fn new(message: &'static str) -> Self {
        Self::with_value(message, ())
    }
}

impl<V> InvalidStateError<V> {
    /// An error that says `message` and gives `value` back.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// assert_eq!(aioli::InvalidStateError::with_value("too late", 7).value, 7);
    /// ```
    pub fn with_value(message: &'static str, value: V) -> Self {
        Self { message, value }
    }
}

impl<V> fmt::Display for InvalidStateError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl<V> fmt::Debug for InvalidStateError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InvalidStateError").field(&self.message).finish()
    }
}

impl<V> Error for InvalidStateError<V> {}
