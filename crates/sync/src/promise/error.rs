//! What reading a promise gives when it has no value to give.

use crate::InvalidStateError;
use std::{error::Error, fmt, sync::Arc};

/// The exception of a [`Promise`](crate::Promise): shared, for it may be read many times.
pub type Exception = Arc<dyn Error + Send + Sync>;

/// Why a [`Promise`](crate::Promise) gives no value.
///
/// asyncio raises these three out of `Future.result()`, and `await` raises the first two.
///
/// ```
/// # use aioli_sync as aioli;
/// use aioli::{Promise, PromiseError};
///
/// let promise = Promise::<u32>::new();
/// assert!(matches!(promise.result(), Err(PromiseError::InvalidState(_))));
/// promise.cancel();
/// assert!(matches!(promise.result(), Err(PromiseError::Cancelled)));
/// ```
#[derive(Clone, Debug)]
pub enum PromiseError {
    /// It was cancelled; [`cancel_reason`](crate::Promise::cancel_reason) says why.
    Cancelled,
    /// It was given this exception. Displayed as the exception, whose source is its source.
    Exception(Exception),
    /// It is not done yet, or its value has been [taken](crate::Promise::take).
    InvalidState(InvalidStateError),
}

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the promise was cancelled"),
            Self::Exception(exception) => exception.fmt(f),
            Self::InvalidState(error) => error.fmt(f),
        }
    }
}

impl Error for PromiseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled | Self::InvalidState(_) => None,
            Self::Exception(exception) => exception.source(),
        }
    }
}
