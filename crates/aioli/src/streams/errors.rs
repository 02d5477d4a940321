//! What a read can fail with, and what it had got by then. All of it turns into `io::Error` by `?`.

#[cfg(feature = "tls")]
use crate::tls::TlsError;
use std::{error::Error, fmt, io};

/// The stream ended before the read was complete. As `asyncio.IncompleteReadError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncompleteReadError {
    /// What had arrived; it has been taken from the stream.
    pub partial: Vec<u8>,
    /// How many bytes were wanted; `None`: up to a separator.
    pub expected: Option<usize>,
}

impl fmt::Display for IncompleteReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let got = self.partial.len();
        match self.expected {
            Some(expected) => write!(f, "the stream ended after {got} of {expected} bytes"),
            None => write!(f, "the stream ended after {got} bytes, without the separator"),
        }
    }
}

impl Error for IncompleteReadError {}

/// The separator did not come within the reader's limit. As `asyncio.LimitOverrunError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitOverrunError {
    /// How many bytes there are in front of the separator, as far as is known.
    pub consumed: usize,
    /// The reader's limit.
    pub limit: usize,
}

impl fmt::Display for LimitOverrunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { consumed, limit } = self;
        write!(
            f,
            "{consumed} bytes or more before the separator, and the limit is {limit}"
        )
    }
}

impl Error for LimitOverrunError {}

/// Why a read of a [`StreamReader`](super::StreamReader) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream ended too early.
    Incomplete(IncompleteReadError),
    /// The separator did not come within the limit.
    LimitOverrun(LimitOverrunError),
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(error) => error.fmt(f),
            Self::LimitOverrun(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Incomplete(error) => error,
            Self::LimitOverrun(error) => error,
            Self::Io(error) => error,
        })
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadError> for io::Error {
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for an incomplete read, [`InvalidData`](io::ErrorKind::InvalidData)
    /// for an overrun limit; both keep the error inside.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Incomplete(error) => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            ReadError::LimitOverrun(error) => io::Error::new(io::ErrorKind::InvalidData, error),
            ReadError::Io(error) => error,
        }
    }
}

/// The same error once more: a connection that has failed says so to whoever asks.
pub(crate) fn repeat(error: &io::Error) -> io::Error {
    #[cfg(feature = "tls")]
    if let Some(inside) = error.get_ref().and_then(|inside| inside.downcast_ref::<TlsError>()) {
        return inside.clone().into();
    }
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
