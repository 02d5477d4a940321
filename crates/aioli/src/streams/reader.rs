//! The reading side of a connection.
//!
//! Every method keeps one rule, which makes it cancel safe: bytes stay in the buffer until the method returns with them.

use super::{
    buffer::{Buffer, CHUNK, find},
    connection::Connection,
    errors::{IncompleteReadError, LimitOverrunError, ReadError, repeat},
};
use crate::task::poll_budget;
use aioli_primitives::sync::Arc;
use futures_io::{AsyncBufRead, AsyncRead};
use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How long a line, or what is in front of another separator, may be unless the reader is told otherwise.
const LIMIT: usize = 64 * 1024;

/// The reading side of a connection. As `asyncio.StreamReader`.
///
/// It has a buffer of its own, so reading bytes, lines and records may be mixed. An error of the connection is repeated
/// by every later read, once what had arrived before has been read.
///
/// It also implements `futures-io`'s [`AsyncRead`] and [`AsyncBufRead`].
pub struct StreamReader {
    connection: Arc<Connection>,
    buffer: Buffer,
    limit: usize,
    end: End,
}

/// What is known about bytes to come.
enum End {
    NotYet,
    Reached,
    Failed(io::Error),
}

impl StreamReader {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            buffer: Buffer::default(),
            limit: LIMIT,
            end: End::NotYet,
        }
    }

    /// How many bytes there may be in front of a separator; 64 KiB unless [set](Self::set_limit).
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Sets how many bytes there may be in front of a separator.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether the stream has ended and everything was read. As in asyncio, `false` until a read has met the end.
    pub fn at_eof(&self) -> bool {
        matches!(self.end, End::Reached) && self.buffer.data().is_empty()
    }

    /// Reads at least one byte and at most as many as `buf` takes; 0 at the end of the stream, or if `buf` is empty.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost when it is dropped.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, buf)).await
    }

    /// Reads everything up to the end of the stream, however much that is. As `read()` without a count in asyncio.
    ///
    /// # Errors
    ///
    /// Those of the connection; what had arrived can still be read.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost when it is dropped.
    pub async fn read_to_eof(&mut self) -> io::Result<Vec<u8>> {
        while self.fill().await? > 0 {}
        Ok(self.buffer.take_all())
    }

    /// Reads `count` bytes, however large that is.
    ///
    /// # Errors
    ///
    /// [`ReadError::Incomplete`] with what there was, if the stream ends before; those of the connection.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost when it is dropped.
    pub async fn readexactly(&mut self, count: usize) -> Result<Vec<u8>, ReadError> {
        poll_fn(poll_budget).await;
        while self.buffer.data().len() < count {
            if self.fill().await? == 0 {
                return Err(self.incomplete(Some(count)));
            }
        }
        Ok(self.buffer.take(count))
    }

    /// Reads a line, with its `\n`. At the end of the stream it gives what is left, which has none and may be empty.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] if the line is longer than the [limit](Self::limit). Then the line is skipped, or as much
    /// of it as has arrived if its end has not. Those of the connection.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost when it is dropped.
    pub async fn readline(&mut self) -> Result<Vec<u8>, ReadError> {
        match self.readuntil(b"\n").await {
            Err(ReadError::Incomplete(error)) => Ok(error.partial),
            Err(ReadError::LimitOverrun(error)) => {
                let data = self.buffer.data();
                let line_ends = data.get(error.consumed) == Some(&b'\n');
                let skipped = if line_ends { error.consumed + 1 } else { data.len() };
                self.buffer.consume(skipped);
                Err(ReadError::LimitOverrun(error))
            }
            result => result,
        }
    }

    /// Reads everything up to `separator`, and it too.
    ///
    /// # Errors
    ///
    /// * [`ReadError::LimitOverrun`] if there are more bytes than the [limit](Self::limit) in front of the separator;
    ///   nothing is taken from the stream.
    /// * [`ReadError::Incomplete`] with what there was, if the stream ends before.
    /// * Those of the connection.
    ///
    /// # Panics
    ///
    /// If the separator is empty.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost when it is dropped.
    pub async fn readuntil(&mut self, separator: impl AsRef<[u8]>) -> Result<Vec<u8>, ReadError> {
        let separator = separator.as_ref();
        assert!(!separator.is_empty(), "a separator needs at least one byte");
        poll_fn(poll_budget).await;
        // No separator begins before this.
        let mut searched = 0;
        loop {
            let data = self.buffer.data();
            let found = find(data, separator, searched);
            searched = found.unwrap_or((data.len() + 1).saturating_sub(separator.len()));
            if searched > self.limit {
                return Err(ReadError::LimitOverrun(LimitOverrunError {
                    consumed: searched,
                    limit: self.limit,
                }));
            }
            if found.is_some() {
                return Ok(self.buffer.take(searched + separator.len()));
            }
            if self.fill().await? == 0 {
                return Err(self.incomplete(None));
            }
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.connection.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the system; the connection may be gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.connection.peer_addr()
    }

    fn incomplete(&mut self, expected: Option<usize>) -> ReadError {
        ReadError::Incomplete(IncompleteReadError {
            partial: self.buffer.take_all(),
            expected,
        })
    }

    /// Waits for more bytes, and gives how many there are; 0 at the end.
    async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Self {
            connection,
            buffer,
            end,
            ..
        } = self;
        let result = ready!(end.poll_read(connection, cx, buffer.room()));
        if let Ok(count) = result {
            buffer.filled(count);
        }
        Poll::Ready(result)
    }
}

impl End {
    /// Reads from the connection unless its end is known, which is noted when it is met.
    fn poll_read(&mut self, connection: &Connection, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Reached => return Poll::Ready(Ok(0)),
            Self::Failed(error) => return Poll::Ready(Err(repeat(error))),
            Self::NotYet => {}
        }
        let result = ready!(Pin::new(&mut &connection.stream).poll_read(cx, buf));
        match &result {
            Ok(0) => *self = Self::Reached,
            Ok(_) => {}
            Err(error) => *self = Self::Failed(repeat(error)),
        }
        Poll::Ready(result)
    }
}

impl AsyncRead for StreamReader {
    /// A large read goes from the socket to the caller directly, if nothing is buffered.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.buffer.data().is_empty() && buf.len() >= CHUNK {
            return this.end.poll_read(&this.connection, cx, buf);
        }
        let data = ready!(Pin::new(&mut *this).poll_fill_buf(cx))?;
        let count = data.len().min(buf.len());
        buf[..count].copy_from_slice(&data[..count]);
        this.buffer.consume(count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.buffer.data().is_empty() {
            ready!(this.poll_fill(cx))?;
        } else {
            ready!(poll_budget(cx));
        }
        Poll::Ready(Ok(this.buffer.data()))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        self.get_mut().buffer.consume(count);
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("connection", &self.connection.stream)
            .field("buffered", &self.buffer.data().len())
            .finish_non_exhaustive()
    }
}
