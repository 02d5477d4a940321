//! The reading side of a connection.
//!
//! Every method keeps one rule, which makes it cancel safe: bytes stay in the buffer until the method returns with them.

use super::{
    buffer::{Buffer, CHUNK, find},
    connection::Connection,
    errors::{IncompleteReadError, LimitOverrunError, ReadError, repeat},
    info::ExtraInfo,
    wire::Wire,
};
use crate::task::poll_budget;
use futures_core::Stream;
use futures_io::{AsyncBufRead, AsyncRead};
use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// How long a line, or what is in front of another separator, may be unless the reader is told otherwise.
pub(crate) const LIMIT: usize = 64 * 1024;

/// The reading side of a connection. As `asyncio.StreamReader`.
///
/// It has a buffer of its own, so reading bytes, lines and records may be mixed. An error of the connection is repeated
/// by every later read, once what had arrived before has been read.
///
/// It is a [`Stream`] of lines, as the reader is an asynchronous iterator in asyncio, and implements `futures-io`'s [`AsyncRead`] and
/// [`AsyncBufRead`].
///
/// ```
/// use aioli::{StreamReader, StreamWriter, open_connection, start_server, stream::StreamExt};
///
/// # aioli::run(async {
/// async fn count(_reader: StreamReader, writer: StreamWriter) {
///     writer.write(b"one\ntwo\nthree\n");
/// }
/// let server = start_server(count, "127.0.0.1:0").await?;
/// let (mut reader, _writer) = open_connection(server.local_addr()).await?;
/// assert_eq!(reader.readexactly(3).await?, b"one");
/// assert_eq!(reader.readline().await?, b"\n");
/// while let Some(line) = reader.next().await {
///     print!("{}", String::from_utf8_lossy(&line?));
/// }
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub struct StreamReader {
    connection: Arc<Connection>,
    buffer: Buffer,
    limit: usize,
    end: End,
    /// How much of the buffer is known to have no line's end in it.
    searched: usize,
    /// The last direct read filled the caller's buffer, so that there may be more.
    filled: bool,
}

/// What is known about bytes to come.
enum End {
    NotYet,
    Reached,
    Failed(io::Error),
    /// And the stream of lines, which ends with the error, has given it.
    FailedAndTold(io::Error),
}

impl StreamReader {
    pub(super) fn new(connection: Arc<Connection>, limit: usize) -> Self {
        Self {
            connection,
            buffer: Buffer::default(),
            limit,
            end: End::NotYet,
            searched: 0,
            filled: false,
        }
    }

    /// A reader of something that is only read from.
    pub(crate) fn over(wire: impl Wire + 'static, limit: usize) -> Self {
        Self::new(Connection::new(Arc::new(wire), None), limit)
    }

    /// How many bytes there may be in front of a separator; 64 KiB unless it was said otherwise, here or when the connection was made.
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
        Ok(self.take(self.buffer.data().len()))
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
        Ok(self.take(count))
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
        poll_fn(|cx| self.poll_readline(cx)).await
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
        self.readuntil_any(&[separator.as_ref()]).await
    }

    /// As [`readuntil`](Self::readuntil), up to whichever of the separators ends first. As `readuntil()` with a tuple in asyncio.
    ///
    /// ```
    /// # use aioli::{StreamReader, StreamWriter, open_connection, start_server};
    /// # aioli::run(async {
    /// # async fn lines(_reader: StreamReader, writer: StreamWriter) {
    /// #     writer.write(b"unix\ndos\r\n");
    /// # }
    /// # let server = start_server(lines, "127.0.0.1:0").await?;
    /// # let (mut reader, _writer) = open_connection(server.local_addr()).await?;
    /// assert_eq!(reader.readuntil_any(&["\r\n", "\n"]).await?, b"unix\n");
    /// assert_eq!(reader.readuntil_any(&["\r\n", "\n"]).await?, b"dos\r\n");
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`readuntil`](Self::readuntil).
    ///
    /// # Panics
    ///
    /// If there is no separator, or one of them is empty.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost when it is dropped.
    pub async fn readuntil_any<S: AsRef<[u8]>>(&mut self, separators: &[S]) -> Result<Vec<u8>, ReadError> {
        assert!(!separators.is_empty(), "there is no separator to read up to");
        assert!(
            separators.iter().all(|separator| !separator.as_ref().is_empty()),
            "a separator needs at least one byte"
        );
        poll_fn(poll_budget).await;
        let mut searched = 0;
        poll_fn(|cx| self.poll_until(cx, separators, &mut searched)).await
    }

    /// What is known about the connection. As `writer.get_extra_info()` in asyncio.
    pub fn get_extra_info(&self) -> ExtraInfo {
        self.connection.wire.extra_info()
    }

    /// `searched`: no separator begins before this; kept from poll to poll.
    fn poll_until<S: AsRef<[u8]>>(
        &mut self,
        cx: &mut Context<'_>,
        separators: &[S],
        searched: &mut usize,
    ) -> Poll<Result<Vec<u8>, ReadError>> {
        loop {
            let data = self.buffer.data();
            let found = first_to_end(data, separators, *searched);
            let longest = separators.iter().map(|separator| separator.as_ref().len()).max();
            *searched = match found {
                Some((start, _)) => start,
                None => (data.len() + 1).saturating_sub(longest.unwrap_or(1)).max(*searched),
            };
            if *searched > self.limit {
                return Poll::Ready(Err(ReadError::LimitOverrun(LimitOverrunError {
                    consumed: *searched,
                    limit: self.limit,
                })));
            }
            if let Some((_, end)) = found {
                return Poll::Ready(Ok(self.take(end)));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(self.incomplete(None)));
            }
        }
    }

    fn poll_readline(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, ReadError>> {
        ready!(poll_budget(cx));
        let mut searched = self.searched;
        let Poll::Ready(line) = self.poll_until(cx, &[b"\n"], &mut searched) else {
            self.searched = searched;
            return Poll::Pending;
        };
        match line {
            Err(ReadError::Incomplete(error)) => Poll::Ready(Ok(error.partial)),
            Err(ReadError::LimitOverrun(error)) => {
                let data = self.buffer.data();
                let line_ends = data.get(error.consumed) == Some(&b'\n');
                let skipped = if line_ends { error.consumed + 1 } else { data.len() };
                self.take_out(skipped);
                Poll::Ready(Err(ReadError::LimitOverrun(error)))
            }
            result => Poll::Ready(result),
        }
    }

    fn incomplete(&mut self, expected: Option<usize>) -> ReadError {
        ReadError::Incomplete(IncompleteReadError {
            partial: self.take(self.buffer.data().len()),
            expected,
        })
    }

    /// Removes and gives the first `count` bytes.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.buffer.data()[..count].to_vec();
        self.take_out(count);
        taken
    }

    /// Removes the first `count` bytes.
    fn take_out(&mut self, count: usize) {
        self.searched = 0;
        self.buffer.consume(count);
    }
}

impl StreamReader {
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
        let room = buffer.room();
        let Poll::Ready(result) = end.poll(|| connection.wire.poll_read(cx, room)) else {
            buffer.release();
            return Poll::Pending;
        };
        if let Ok(count) = result {
            buffer.filled(count);
        }
        Poll::Ready(result)
    }

    /// Reads from the wire straight into `buf`, while nothing is buffered. If the last such read filled its buffer, this one reads ahead:
    /// so that one call finds out whether there is more, and not the next one, in vain.
    fn poll_read_directly(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self {
            connection,
            buffer,
            end,
            filled,
            ..
        } = self;
        let wire = &*connection.wire;
        let count = if *filled {
            let ahead = buffer.room();
            let read = end.poll(|| wire.poll_read_ahead(cx, buf, ahead));
            if let Poll::Ready(Ok(count)) = read {
                buffer.filled(count.saturating_sub(buf.len()));
            }
            buffer.release();
            ready!(read)?
        } else {
            ready!(end.poll(|| wire.poll_read(cx, buf)))?
        };
        *filled = count >= buf.len();
        Poll::Ready(Ok(count.min(buf.len())))
    }

    #[cfg(feature = "tls")]
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// What has been read and not been asked for, when the wire goes to somebody else; and the limit.
    #[cfg(feature = "tls")]
    pub(super) fn into_rest(mut self) -> (Vec<u8>, usize) {
        let rest = self.take(self.buffer.data().len());
        (rest, self.limit)
    }
}

/// Which of the separators is the first to end in `data`, of those that begin at `from` or later: where it starts and where it ends.
fn first_to_end<S: AsRef<[u8]>>(data: &[u8], separators: &[S], from: usize) -> Option<(usize, usize)> {
    let found = separators.iter().filter_map(|separator| {
        let start = find(data, separator.as_ref(), from)?;
        Some((start, start + separator.as_ref().len()))
    });
    found.min_by_key(|&(_, end)| end)
}

impl End {
    /// Reads unless the end is known, which is noted when it is met.
    fn poll(&mut self, read: impl FnOnce() -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match self {
            Self::Reached => return Poll::Ready(Ok(0)),
            Self::Failed(error) | Self::FailedAndTold(error) => return Poll::Ready(Err(repeat(error))),
            Self::NotYet => {}
        }
        let result = ready!(read());
        match &result {
            Ok(0) => *self = Self::Reached,
            Ok(_) => {}
            Err(error) => *self = Self::Failed(repeat(error)),
        }
        Poll::Ready(result)
    }
}

impl Stream for StreamReader {
    type Item = Result<Vec<u8>, ReadError>;

    /// The next line, with its `\n` if it has one. A line that is too long is an error, is skipped, and the next one follows; an
    /// error of the connection is the last item.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let End::FailedAndTold(_) = this.end {
            return Poll::Ready(None);
        }
        let line = ready!(this.poll_readline(cx));
        Poll::Ready(match line {
            Ok(line) if line.is_empty() => None,
            Err(ReadError::Io(error)) => {
                this.end = End::FailedAndTold(repeat(&error));
                Some(Err(ReadError::Io(error)))
            }
            line => Some(line),
        })
    }
}

impl AsyncRead for StreamReader {
    /// A large read goes from the wire to the caller directly, if nothing is buffered.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.buffer.data().is_empty() && buf.len() >= CHUNK {
            return this.poll_read_directly(cx, buf);
        }
        let data = ready!(Pin::new(&mut *this).poll_fill_buf(cx))?;
        let count = data.len().min(buf.len());
        buf[..count].copy_from_slice(&data[..count]);
        this.take_out(count);
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
        self.get_mut().take_out(count);
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("wire", &self.connection.wire)
            .field("buffered", &self.buffer.data().len())
            .finish_non_exhaustive()
    }
}
