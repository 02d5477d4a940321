//! One connection in two hands.

use super::stream::{SocketStream, StreamSocket};
use futures_io::{AsyncRead, AsyncWrite};
use std::{
    error::Error,
    fmt,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::{self, Shutdown},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The reading half of a connection; see [`SocketStream::into_split`]. Of a TCP connection, if nothing else is said.
#[derive(Debug)]
pub struct ReadHalf<S = net::TcpStream>(Arc<SocketStream<S>>);

/// The writing half of a connection; see [`SocketStream::into_split`]. Of a TCP connection, if nothing else is said.
///
/// Dropping it ends the writing direction.
#[derive(Debug)]
pub struct WriteHalf<S: StreamSocket = net::TcpStream> {
    stream: Arc<SocketStream<S>>,
    ends_when_dropped: bool,
}

pub(super) fn halves<S: StreamSocket>(stream: SocketStream<S>) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = WriteHalf {
        stream: stream.clone(),
        ends_when_dropped: true,
    };
    (ReadHalf(stream), write)
}

impl<S: StreamSocket> ReadHalf<S> {
    /// The connection: for its addresses and options.
    pub fn stream(&self) -> &SocketStream<S> {
        &self.0
    }

    /// Puts the halves of a connection together again.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not of the same connection.
    pub fn reunite(self, mut write: WriteHalf<S>) -> Result<SocketStream<S>, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.ends_when_dropped = false;
        drop(write);
        Ok(Arc::into_inner(self.0).expect("there are two halves, and one is gone"))
    }
}

impl<S: StreamSocket> WriteHalf<S> {
    /// The connection: for its addresses and options.
    pub fn stream(&self) -> &SocketStream<S> {
        &self.stream
    }
}

impl<S: StreamSocket> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        if self.ends_when_dropped {
            // The connection may be gone, which is as good.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

/// Two halves of different connections, which cannot be put together.
pub struct ReuniteError<S: StreamSocket = net::TcpStream>(pub ReadHalf<S>, pub WriteHalf<S>);

impl<S: StreamSocket> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are of different connections: reunite those that one `into_split` gave")
    }
}

impl<S: StreamSocket> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReuniteError").field(&self.0).field(&self.1).finish()
    }
}

impl<S: StreamSocket> Error for ReuniteError<S> {}

impl<S: StreamSocket> AsyncRead for ReadHalf<S>
where
    for<'a> &'a S: Read,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read_vectored(cx, bufs)
    }
}

impl<S: StreamSocket> AsyncWrite for WriteHalf<S>
where
    for<'a> &'a S: Write,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.stream).poll_close(cx)
    }
}
