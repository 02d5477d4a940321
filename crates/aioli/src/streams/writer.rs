//! The writing side of a connection: a handle to it that ends the writing direction.

use super::{connection::Connection, info::ExtraInfo, outbox::Ending, wire::Wire};
use futures_io::AsyncWrite;
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// The writing side of a connection. As `asyncio.StreamWriter`.
///
/// [`write`](Self::write) never waits; [`drain`](Self::drain) is where a writer waits for a slow peer. All methods take
/// `&self`, so tasks may share a writer (in an [`Arc`](std::sync::Arc)); each `write` arrives in one piece.
///
/// Dropping it ends the writing direction once everything is sent, in the background, and the connection as soon as the
/// reader is gone too. [`close`](Self::close) ends both directions. What is unsent when the event loop ends is lost: await
/// [`wait_closed`](Self::wait_closed) where that matters.
///
/// It also implements `futures-io`'s [`AsyncWrite`], which waits for room before it takes more than 64 KiB.
pub struct StreamWriter {
    connection: Arc<Connection>,
}

impl StreamWriter {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// A writer to something that is only written to.
    pub(crate) fn over(wire: impl Wire + 'static) -> Self {
        Self::new(Connection::new(Arc::new(wire), None))
    }

    /// Sends `bytes`, without waiting: what the system does not take at once is buffered, and sent in the background.
    ///
    /// After an error, the end or the close of the connection, they are discarded, and the next [`drain`](Self::drain)
    /// says so.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        Connection::write(&self.connection, bytes.as_ref());
    }

    /// As one [`write`](Self::write) of all the pieces.
    pub fn writelines<I>(&self, pieces: I)
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend_from_slice(piece.as_ref());
        }
        self.write(&bytes);
    }

    /// Waits until it makes sense to write more: at once while at most 64 KiB are unsent, else until no more than 16 KiB
    /// are. Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// That of an earlier write; [`BrokenPipe`](io::ErrorKind::BrokenPipe) if there was one after the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn drain(&self) -> io::Result<()> {
        self.connection.drained().await
    }

    /// How many bytes were written and not sent yet.
    pub fn unsent(&self) -> usize {
        self.connection.unsent()
    }

    /// Whether [`write_eof`](Self::write_eof) or [`close`](Self::close) was called.
    pub(crate) fn is_ending(&self) -> bool {
        self.connection.asked() != Ending::Nothing
    }

    /// Ends the writing direction once everything is sent: the peer reads the end of the stream, and reading goes on.
    pub fn write_eof(&self) {
        Connection::end(&self.connection, Ending::Writing);
    }

    /// Closes the connection once everything is sent, without waiting for that. Reads find the end of the stream, after what had arrived. The
    /// descriptor is closed when the reader and the writer are dropped.
    pub fn close(&self) {
        Connection::end(&self.connection, Ending::Everything);
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closing(&self) -> bool {
        self.connection.asked() == Ending::Everything
    }

    /// Waits until the writer is [closed](Self::close) and everything is sent.
    ///
    /// # Errors
    ///
    /// That of an earlier write, or one that says that there was a write after the end: not everything was sent.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn wait_closed(&self) -> io::Result<()> {
        self.connection.ended(Ending::Everything).await
    }

    /// Ends both directions now, and drops what is unsent. The peer may see a reset. A [`drain`](Self::drain) says so from then on.
    ///
    /// As `writer.transport.abort()`.
    pub fn abort(&self) {
        self.connection.abort();
    }

    /// The low and the high water mark, in bytes. As `writer.transport.get_write_buffer_limits()`.
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.connection.limits()
    }

    /// Sets the water marks, in bytes: with more than `high` unsent [`drain`](Self::drain) begins to wait, and with `low` or fewer it waits
    /// no longer. A mark that is not given follows from the other, a quarter of the high one or four times the low one; without any they are
    /// 16 KiB and 64 KiB again.
    ///
    /// As `writer.transport.set_write_buffer_limits(high, low)`.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    #[track_caller]
    pub fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) {
        self.connection.set_limits(low, high);
    }

    /// What is known about the connection: its addresses above all.
    ///
    /// As `get_extra_info()`, which takes the name of what it is to give; here it is a field.
    ///
    /// ```
    /// # use aioli::{StreamReader, StreamWriter, open_connection, start_server};
    /// # aioli::run(async {
    /// # async fn nothing(_: StreamReader, _: StreamWriter) {}
    /// let server = start_server(nothing, "127.0.0.1:0").await?;
    /// let (_reader, writer) = open_connection(server.local_addr()).await?;
    /// let peer = writer.get_extra_info().peername.unwrap();
    /// assert_eq!(peer.as_ip(), Some(server.local_addr()));
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn get_extra_info(&self) -> ExtraInfo {
        self.connection.wire.extra_info()
    }

    /// Whether that one reads what the peer of this one writes.
    #[cfg(feature = "tls")]
    pub(super) fn belongs_to(&self, reader: &super::StreamReader) -> bool {
        Arc::ptr_eq(&self.connection, reader.connection())
    }

    /// Waits until all is sent, and leaves the wire and its place in a server to somebody else.
    #[cfg(feature = "tls")]
    pub(super) async fn hand_over(self) -> io::Result<super::connection::HandedOver> {
        self.connection.all_sent().await?;
        self.connection.hand_over()
    }
}

impl AsyncWrite for StreamWriter {
    /// Waits for what was written before to be sent; then the bytes go from `buf` to the socket directly, or, if that takes none, 64 KiB of
    /// them at most are kept and sent in the background.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Connection::poll_write(&self.connection, cx, buf)
    }

    /// Waits until everything is sent.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_flush(cx)
    }

    /// Ends the writing direction, once everything is sent; reading goes on.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.connection.poll_flush(cx))?;
        self.write_eof();
        self.connection.poll_ended(cx, Ending::Writing)
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.write_eof();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamWriter").field(&self.connection).finish()
    }
}
