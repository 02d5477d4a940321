//! Pipes: [`PipeReader`] and [`PipeWriter`], the two ends of a stream of bytes that goes one way.
//!
//! An end is a source behind a lock, so that it can be closed through a shared reference: whoever else holds the handle
//! then finds it closed, and the descriptor is gone when the operations that are under way have returned. Each of them takes a
//! share of the source for as long as it takes, and no task that waits holds one. A source that is dropped wakes nobody, so those
//! who wait leave a waker here, too, for whoever closes.

use crate::{
    runtime::driver::with_driver,
    streams::{ExtraInfo, wire::Wire},
    task::poll_budget,
};
use aioli_primitives::sync::{Arc, Mutex};
use aioli_reactor::{Direction, Source};
use futures_io::{AsyncRead, AsyncWrite};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, OFlags, fcntl_getfl, fstat},
    io::{Errno, ioctl_fionbio},
    pipe::{PipeFlags, pipe_with},
};
use std::{
    fmt,
    fs::File,
    future::poll_fn,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::Shutdown,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

/// A new pipe: what is written to the one end is read from the other.
///
/// As `os.pipe()`, connected to the loop. Between tasks a [`Queue`](crate::Queue) does more for less; a pipe is for other processes
/// and foreign code.
///
/// ```
/// use aioli::io::{AsyncReadExt, AsyncWriteExt};
///
/// # aioli::run(async {
/// let (mut reader, mut writer) = aioli::pipe::pipe()?;
/// writer.write_all(b"through the pipe").await?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text).await?;
/// assert_eq!(text, "through the pipe");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of the system, for want of descriptors above all.
///
/// # Panics
///
/// If no event loop runs on this thread.
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    Ok((PipeReader(End::register(reader)?), PipeWriter(End::register(writer)?)))
}

/// The end of a pipe that is read from.
///
/// Reading is `futures-io`'s [`AsyncRead`], here and on `&PipeReader`; one task at a time. A read of no bytes is the end: all writers are
/// gone. Dropping the reader closes it, and whoever writes on gets [`BrokenPipe`](io::ErrorKind::BrokenPipe).
pub struct PipeReader(End);

/// The end of a pipe that is written to.
///
/// Writing is `futures-io`'s [`AsyncWrite`], here and on `&PipeWriter`; one task at a time. Dropping the writer closes it, and so does
/// [`close`](crate::io::AsyncWriteExt::close), through a shared reference too: the other end reads what is on its way, and then the
/// end.
///
/// When the reader is gone, writing fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe); [`broken`](Self::broken) waits for that.
pub struct PipeWriter(End);

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

    /// For our end of a pipe to a child.
    pub(crate) fn from_blocking_pipe(fd: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&fd, true)?;
        Ok(Self(End::register(fd)?))
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

    /// For our end of a pipe to a child.
    pub(crate) fn from_blocking_pipe(fd: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&fd, true)?;
        Ok(Self(End::register(fd)?))
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
        poll_fn(|cx| {
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
        })
        .await;
    }
}

/// One end: the open file, or that it was closed, and who is to be told when it is.
struct End(Mutex<State>);

struct State {
    open: Option<Arc<Open>>,
    /// The last to wait, for each direction.
    waiting: [Option<Waker>; 2],
}

struct Open {
    source: Source<File>,
    /// A short count shows that it is drained: it is a pipe, and no terminal or the like.
    is_pipe: bool,
}

impl Open {
    /// Not before the other end is gone.
    fn has_failed(&self) -> io::Result<()> {
        let mut asked = [PollFd::new(self.source.get_ref(), PollFlags::empty())];
        match poll(&mut asked, Some(&Timespec::default()))? {
            0 => Err(Errno::WOULDBLOCK.into()),
            _ => Ok(()),
        }
    }

    /// Waits until `operation`, which is for `wanted` bytes, moves some.
    fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        wanted: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.is_pipe {
            self.source.poll_transfer(cx, direction, wanted, operation)
        } else {
            self.source.poll_io(cx, direction, operation)
        }
    }
}

impl End {
    /// A descriptor from anywhere, which is to allow what `wanted` says.
    fn from_foreign(fd: OwnedFd, wanted: OFlags) -> io::Result<Self> {
        let refused = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        if matches!(kind, FileType::RegularFile | FileType::Directory) {
            return refused("this is a regular file or a directory, and no pipe: read and write it in `to_thread`");
        }
        let access = fcntl_getfl(&fd)? & OFlags::RWMODE;
        if access != wanted && access != OFlags::RDWR {
            return refused(match wanted {
                OFlags::RDONLY => "the descriptor is not open for reading: is it the other end of the pipe?",
                _ => "the descriptor is not open for writing: is it the other end of the pipe?",
            });
        }
        ioctl_fionbio(&fd, true)?;
        match Self::new(fd, kind == FileType::Fifo) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused("the system cannot wait for this kind of file: read and write it in `to_thread`")
            }
            result => result,
        }
    }

    /// A pipe's descriptor that is non-blocking.
    fn register(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd, true)
    }

    fn new(fd: OwnedFd, is_pipe: bool) -> io::Result<Self> {
        let reactor = with_driver(|driver, _| driver.reactor.clone());
        let source = reactor.register(File::from(fd))?;
        Ok(Self(Mutex::new(State {
            open: Some(Arc::new(Open { source, is_pipe })),
            waiting: [None, None],
        })))
    }

    fn open(&self) -> Option<Arc<Open>> {
        self.0.lock().open.clone()
    }

    /// Polls `operation` while this is open; `closed` from then on.
    fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        closed: impl FnOnce() -> io::Result<T>,
        operation: impl FnOnce(&Open, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(open) = self.open() else {
            return Poll::Ready(closed());
        };
        let result = operation(&open, cx);
        if result.is_pending() {
            let waker = cx.waker().clone();
            let mut state = self.0.lock();
            if state.open.is_none() {
                drop(state);
                return Poll::Ready(closed());
            }
            let before = state.waiting[direction as usize].replace(waker);
            drop(state);
            drop(before);
        }
        result
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        wanted: usize,
        mut read: impl FnMut(&File) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.poll_with(
            cx,
            Direction::Read,
            || Ok(0),
            |end, cx| end.poll_transfer(cx, Direction::Read, wanted, || read(end.source.get_ref())),
        )
    }

    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        wanted: usize,
        mut write: impl FnMut(&File) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.poll_with(
            cx,
            Direction::Write,
            || Err(closed()),
            |end, cx| end.poll_transfer(cx, Direction::Write, wanted, || write(end.source.get_ref())),
        )
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let open = self.open().ok_or_else(closed)?;
        loop {
            match open.source.get_ref().write(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Closes it, and tells those who wait.
    fn close(&self) {
        let (open, waiting) = {
            let mut state = self.0.lock();
            (state.open.take(), std::mem::take(&mut state.waiting))
        };
        drop(open);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        // Nobody else holds this end, so nobody holds a share of it.
        let open = self.0.into_inner().open.and_then(Arc::into_inner);
        let open = open.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the pipe was closed"))?;
        let fd = OwnedFd::from(open.source.into_inner());
        ioctl_fionbio(&fd, false)?;
        Ok(fd)
    }
}

impl End {
    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open() {
            Some(open) => f.debug_tuple(name).field(open.source.get_ref()).finish(),
            None => f.debug_tuple(name).field(&"closed").finish(),
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "written to after the pipe was closed")
}

impl AsyncRead for &PipeReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf.len(), |mut file| file.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        self.0.poll_read(cx, wanted, |mut file| file.read_vectored(bufs))
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

impl Wire for PipeWriter {
    fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
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

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("PipeReader", f)
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("PipeWriter", f)
    }
}
