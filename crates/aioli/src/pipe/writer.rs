//! The end that is written to.

use super::end::End;
use crate::{
    streams::{ExtraInfo, wire::Wire},
    task::poll_budget,
};
use aioli_reactor::Direction;
use futures_io::AsyncWrite;
use rustix::{fs::OFlags, io::ioctl_fionbio};
use std::{
    fmt,
    future::poll_fn,
    io::{self, IoSlice, Write},
    net::Shutdown,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The end of a pipe that is written to.
///
/// Writing is `futures-io`'s [`AsyncWrite`], here and on `&PipeWriter`; one task at a time. Dropping the writer closes it, and so does
/// [`close`](crate::io::AsyncWriteExt::close), through a shared reference too: the other end reads what is on its way, and then the
/// end.
///
/// When the reader is gone, writing fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe); [`broken`](Self::broken) waits for that.
pub struct PipeWriter(End);

impl PipeWriter {
    /// Takes over the writing end of a pipe, and makes it non-blocking: of an anonymous or a named one, or a socket or a terminal.
    /// Non-blocking are then all descriptors that share its open file, those of other processes too.
    ///
    /// As `loop.connect_write_pipe()`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a regular file or a directory, which cannot be waited for, and for a descriptor
    /// that cannot be written; those of the system. The descriptor is closed then.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self(End::from_foreign(fd.into(), OFlags::WRONLY)?))
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

    /// Waits until there is no point in writing: all readers are gone, or the writer was closed. One task at a time.
    ///
    /// As `connection_lost()` of a protocol that was given to `loop.connect_write_pipe()`.
    ///
    /// ```
    /// # aioli::run(async {
    /// let (reader, writer) = aioli::pipe::pipe()?;
    /// let notice = aioli::create_task(async move { writer.broken().await });
    /// drop(reader);
    /// notice.await.unwrap();
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn broken(&self) {
        poll_fn(|cx| self.poll_broken(cx)).await;
    }

    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(poll_budget(cx));
        // Nobody reads here, so the direction is free to be waited for: a pipe without readers has failed both ways.
        // An error says that it cannot be watched, and then it cannot be written to either.
        let _ = ready!(self.0.poll_with(
            cx,
            Direction::Read,
            || Ok(()),
            |end, cx| { end.source.poll_io(cx, Direction::Read, || end.has_failed()) }
        ));
        Poll::Ready(())
    }
}

impl AsyncWrite for &PipeWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf.len(), |mut file| file.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        self.0.poll_write(cx, wanted, |mut file| file.write_vectored(bufs))
    }

    /// Nothing to do: what was written is the system's.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the descriptor: the other end reads what is on its way, and then the end.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PipeWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl Wire for PipeWriter {
    /// There is nothing to read but that the other end is gone.
    fn poll_read(&self, cx: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_broken(cx).map(|()| Ok(0))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn poll_end(&self, cx: &mut Context<'_>, _: Shutdown) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }

    fn close(&self) {
        self.0.close();
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo::default()
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("PipeWriter", f)
    }
}
