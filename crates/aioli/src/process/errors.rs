//! What can be wrong with a process.

use std::{error::Error, fmt, io};

/// There is no such process any more: it has exited, and its exit was noticed. As Python's `ProcessLookupError`.
///
/// It is inside of the [`io::Error`] that [`Process::send_signal`](super::Process::send_signal) and its like give, whose kind is
/// [`NotFound`](io::ErrorKind::NotFound).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessLookupError {
    /// The id that the process had.
    pub id: u32,
}

impl fmt::Display for ProcessLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} has exited", self.id)
    }
}

impl Error for ProcessLookupError {}

impl From<ProcessLookupError> for io::Error {
    fn from(error: ProcessLookupError) -> Self {
        io::Error::new(io::ErrorKind::NotFound, error)
    }
}
