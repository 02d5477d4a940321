//! The writing side of a connection: a handle to its outbox, which does the work.

use super::{
    connection::Connection,
    outbox::{Ending, Outbox},
};
use aioli_primitives::sync::Arc;
use futures_io::AsyncWrite;
use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
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
/// It also implements `futures-io`'s [`AsyncWrite`], which waits instead of buffering.
pub struct StreamWriter {
    outbox: Arc<Outbox>,
}

impl StreamWriter {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            outbox: Outbox::new(connection),
        }
    }

    /// Sends `bytes`, without waiting: what the system does not take at once is buffered, and sent in the background.
    ///
    /// After an error, the end or the close of the connection, they are discarded, and the next [`drain`](Self::drain)
    /// says so.
    pub fn write(&self, bytes: &[u8]) {
        Outbox::write(&self.outbox, bytes);
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
        self.outbox.drained().await
    }

    /// How many bytes were written and not sent yet.
    pub fn unsent(&self) -> usize {
        self.outbox.unsent()
    }

    /// Ends the writing direction once everything is sent: the peer reads the end of the stream, and reading goes on.
    pub fn write_eof(&self) {
        self.outbox.end(Ending::Writing);
    }

    /// Closes the connection once everything is sent, without waiting for that. Reads find the end of the stream.
    pub fn close(&self) {
        self.outbox.end(Ending::Everything);
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closing(&self) -> bool {
        self.outbox.asked() == Ending::Everything
    }

    /// Waits until the writer is [closed](Self::close) and everything is sent.
    ///
    /// # Errors
    ///
    /// That of an earlier write: not everything was sent.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn wait_closed(&self) -> io::Result<()> {
        self.outbox.ended(Ending::Everything).await
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.outbox.connection.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the system; the connection may be gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.outbox.connection.peer_addr()
    }
}

impl AsyncWrite for StreamWriter {
    /// Waits for what was written before to be sent; then the bytes go from `buf` to the socket directly.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.outbox.poll_write(cx, buf)
    }

    /// Waits until everything is sent.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.poll_sent(cx)
    }

    /// Ends the writing direction, once everything is sent; reading goes on.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.outbox.poll_sent(cx))?;
        self.write_eof();
        self.outbox.poll_ended(cx, Ending::Writing)
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.write_eof();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("connection", &self.outbox.connection.stream)
            .field("unsent", &self.unsent())
            .field("ending", &self.outbox.asked())
            .finish()
    }
}
