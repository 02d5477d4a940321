//! What carries the bytes of a connection: a socket, a pipe, or TLS over one of these.
//!
//! A reader and an outbox share one wire and use it at the same time, the reader to read and the outbox for all else. So of
//! the tasks that poll a wire there is one for each direction, and it alone is woken.

use super::info::{Address, ExtraInfo};
use crate::net::{TcpStream, UnixStream};
use futures_io::{AsyncRead, AsyncWrite};
use std::{
    fmt,
    io::{self, IoSliceMut},
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll},
};

/// Carries bytes both ways. All calls spend the budget of the poll they are made in, but for those that cannot wait.
pub(crate) trait Wire: fmt::Debug + Send + Sync {
    /// Reads what there is, and waits if that is nothing; 0 is the end of the stream.
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// As [`poll_read`](Self::poll_read), and what does not fit goes into `ahead`, if this wire can do so in one step. Who knows that not both
    /// were filled knows that there is no more.
    fn poll_read_ahead(&self, cx: &mut Context<'_>, buf: &mut [u8], ahead: &mut [u8]) -> Poll<io::Result<usize>> {
        let _ = ahead;
        self.poll_read(cx, buf)
    }

    /// Takes bytes, and waits if it can take none. What it has taken may need a flush to arrive.
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// As [`poll_write`](Self::poll_write), for somebody who does not wait, but gets `WouldBlock`.
    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;

    /// Whether a flush has anything to do.
    fn needs_flush(&self) -> bool {
        false
    }

    /// Waits until all that was taken is the system's.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }

    /// Ends the writing direction, so that the peer reads the end of the stream, or both directions. To be called when all is
    /// flushed, until it is ready.
    fn poll_end(&self, cx: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>>;

    /// Ends both directions, at once and without a word to the peer. Whoever reads finds the end of the stream.
    fn close(&self);

    /// Who is at the ends, and what is between them.
    fn extra_info(&self) -> ExtraInfo;
}

impl Wire for TcpStream {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_ahead(&self, cx: &mut Context<'_>, buf: &mut [u8], ahead: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut bufs = [IoSliceMut::new(buf), IoSliceMut::new(ahead)];
        Pin::new(&mut &*self).poll_read_vectored(cx, &mut bufs)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        Self::try_write(self, buf)
    }

    fn poll_end(&self, _: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(how))
    }

    fn close(&self) {
        // The connection may be gone, which is as good.
        let _ = self.shutdown(Shutdown::Both);
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo {
            sockname: self.local_addr().ok().map(Address::Ip),
            peername: self.peer_addr().ok().map(Address::Ip),
            ..ExtraInfo::default()
        }
    }
}

impl Wire for UnixStream {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        Self::try_write(self, buf)
    }

    fn poll_end(&self, _: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(how))
    }

    fn close(&self) {
        // The connection may be gone, which is as good.
        let _ = self.shutdown(Shutdown::Both);
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo {
            sockname: self.local_addr().ok().map(Address::Unix),
            peername: self.peer_addr().ok().map(Address::Unix),
            ..ExtraInfo::default()
        }
    }
}
