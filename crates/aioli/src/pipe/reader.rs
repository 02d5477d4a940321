//! The end that is read from.

use super::end::End;
use crate::streams::{ExtraInfo, wire::Wire};
use futures_io::AsyncRead;
use rustix::{fs::OFlags, io::ioctl_fionbio};
use std::{
    fmt,
    io::{self, IoSliceMut, Read},
    net::Shutdown,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll},
};

/// The end of a pipe that is read from.
///
/// Reading is `futures-io`'s [`AsyncRead`], here and on `&PipeReader`; one task at a time. A read of no bytes is the end: all writers are
/// gone. Dropping the reader closes it, and whoever writes on gets [`BrokenPipe`](io::ErrorKind::BrokenPipe).
pub struct PipeReader(End);

impl PipeReader {
    /// Takes over the reading end of a pipe, and makes it non-blocking: of an anonymous or a named one, or a socket or a terminal.
    /// Non-blocking are then all descriptors that share its open file, those of other processes too.
    ///
    /// As `loop.connect_read_pipe()`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a regular file or a directory, which cannot be waited for, and for a descriptor
    /// that cannot be read; those of the system. The descriptor is closed then.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self(End::from_foreign(fd.into(), OFlags::RDONLY)?))
    }

    /// Takes over an end that is non-blocking already.
    pub(super) fn register(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self(End::register(fd)?))
    }

    /// For our end of a pipe to a child.
    pub(crate) fn from_blocking_pipe(fd: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&fd, true)?;
        Self::register(fd)
    }

    /// Gives the descriptor away, in blocking mode as other programs expect it: to be a child's
    /// [`Stdio`](crate::process::Stdio) for example.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it was closed; those of the system.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        self.0.into_blocking_fd()
    }
}

impl AsyncRead for &PipeReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, |mut file| file.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, |mut file| file.read_vectored(bufs))
    }
}

impl AsyncRead for PipeReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl Wire for PipeReader {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.try_write(buf))
    }

    fn try_write(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn poll_end(&self, _: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>> {
        if how != Shutdown::Write {
            self.0.close();
        }
        Poll::Ready(Ok(()))
    }

    fn close(&self) {
        self.0.close();
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo::default()
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("PipeReader", f)
    }
}
