//! What a queue answers when it cannot do what it is asked for.

use std::{error::Error, fmt};

/// The queue is shut down: nothing can be put, or everything has been got. As `asyncio.QueueShutDown`.
///
/// Who wanted to put gets the item back in it.
///
/// ```
/// # use aioli_sync as aioli;
/// # futures_lite::future::block_on(async {
/// let queue = aioli::Queue::new();
/// queue.shutdown(false);
/// let error = queue.put("late").await.unwrap_err();
/// assert_eq!(error.to_string(), "the queue is shut down");
/// assert_eq!(error.0, "late");
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueShutDown<T = ()>(pub T);

/// Why [`Queue::put_nowait`](crate::Queue::put_nowait) put nothing. The item is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutNowaitError<T> {
    /// There is no room, or others wait for it. As `asyncio.QueueFull`.
    QueueFull(T),
    /// The queue is shut down. As `asyncio.QueueShutDown`.
    QueueShutDown(T),
}

impl<T> PutNowaitError<T> {
    /// The item that was not put.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let queue = aioli::Queue::bounded(1);
    /// queue.put_nowait("a").unwrap();
    /// assert_eq!(queue.put_nowait("b").unwrap_err().into_item(), "b");
    /// ```
    pub fn into_item(self) -> T {
        match self {
            Self::QueueFull(item) | Self::QueueShutDown(item) => item,
        }
    }
}

/// Why [`Queue::get_nowait`](crate::Queue::get_nowait) got nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GetNowaitError {
    /// There is no item that is not promised to somebody who waits. As `asyncio.QueueEmpty`.
    QueueEmpty,
    /// The queue is shut down, and everything in it has been got. As `asyncio.QueueShutDown`.
    QueueShutDown,
}

const EMPTY: &str = "the queue is empty";
const FULL: &str = "the queue is full";
const SHUT_DOWN: &str = "the queue is shut down";

impl<T> fmt::Display for QueueShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHUT_DOWN)
    }
}

impl<T> fmt::Debug for QueueShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueShutDown")
    }
}

impl<T> fmt::Display for PutNowaitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueFull(_) => FULL,
            Self::QueueShutDown(_) => SHUT_DOWN,
        })
    }
}

impl<T> fmt::Debug for PutNowaitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueFull(_) => "QueueFull",
            Self::QueueShutDown(_) => "QueueShutDown",
        })
    }
}

impl fmt::Display for GetNowaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueEmpty => EMPTY,
            Self::QueueShutDown => SHUT_DOWN,
        })
    }
}

impl<T> Error for QueueShutDown<T> {}
impl<T> Error for PutNowaitError<T> {}
impl Error for GetNowaitError {}
