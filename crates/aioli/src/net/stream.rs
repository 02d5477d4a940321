//! What TCP and Unix streams have in common, which is nearly all.

use super::{ReadHalf, WriteHalf, reactor, split};
use crate::task::poll_budget;
use aioli_reactor::{Direction, Source};
use futures_io::{AsyncRead, AsyncWrite};
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;
use std::{
    fmt,
    future::poll_fn,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::Shutdown,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How many buffers, and how many bytes of them, the system takes at once: if it takes as many, there may be room for more.
const MOST_BUFFERS: usize = 1024;
const MOST_BYTES: usize = 0x7fff_f000;

/// A peer that is gone is an error, and no signal that ends the process, where the system can be told so.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// A connection that carries bytes: [`TcpStream`](super::TcpStream) and [`UnixStream`](super::UnixStream) are names for this type
/// with one socket of the standard library's or the other.
///
/// Reading and writing are `futures-io`'s traits, here and on a shared reference, so one task may read while another writes; the
/// extension traits in [`io`](crate::io) give `read_exact`, `write_all` and the like. In each direction one task may wait
/// through these traits and the `poll_` functions: of several, the last is woken. Dropping it closes the connection.
pub struct SocketStream<S> {
    pub(super) source: Source<S>,
}

/// The sockets that a [`SocketStream`] can be made of.
pub trait StreamSocket: AsFd + fmt::Debug + Send + Sync + 'static {
    /// Whether a read that gives less than was asked for has taken all there was.
    const SHORT_READS_DRAIN: bool;
}

impl<S: StreamSocket> SocketStream<S> {
    /// Takes over a connection of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn from_std(stream: S) -> io::Result<Self> {
        SockRef::from(&stream).set_nonblocking(true)?;
        Self::register(stream)
    }

    /// Takes over a socket that is non-blocking already.
    #[track_caller]
    pub(super) fn register(stream: S) -> io::Result<Self> {
        Ok(Self {
            source: reactor().register(stream)?,
        })
    }

    /// Gives the connection to the standard library; it stays non-blocking.
    pub fn into_std(self) -> S {
        self.source.into_inner()
    }

    /// Two halves that can go to different tasks. The connection is closed when both are gone; the writing direction, as
    /// far as the peer can see, when the [`WriteHalf`] is closed or dropped. [`ReadHalf::reunite`] puts them together again.
    pub fn into_split(self) -> (ReadHalf<S>, WriteHalf<S>) {
        split::halves(self)
    }

    /// Two references, one to read from and one to write to, both at a time and in one task.
    ///
    /// ```
    /// use aioli::{io, net::UnixStream};
    ///
    /// # aioli::run(async {
    /// # use aioli::io::{AsyncReadExt, AsyncWriteExt};
    /// # let (here, mut there) = UnixStream::pair()?;
    /// # there.write_all(b"hello").await?;
    /// # there.shutdown(std::net::Shutdown::Write)?;
    /// // Sends back what comes.
    /// let (reader, writer) = here.split();
    /// io::copy(reader, writer).await?;
    /// # drop(here);
    /// # let mut echo = String::new();
    /// # there.read_to_string(&mut echo).await?;
    /// # assert_eq!(echo, "hello");
    /// # io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn split(&self) -> (&Self, &Self) {
        (self, self)
    }

    /// Waits for bytes, and copies them without taking them; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(poll_budget).await;
        self.source.io(Direction::Read, || self.peek_now(buf)).await
    }

    /// As [`peek`](Self::peek), for hand-written futures; only the last task to call this, or to read, is woken.
    ///
    /// # Errors
    ///
    /// As [`peek`](Self::peek).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_io(cx, Direction::Read, || self.peek_now(buf))
    }

    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        let (count, _) = rustix::net::recv(self, buf, RecvFlags::PEEK)?;
        Ok(count)
    }

    /// Waits until a read would not block: there are bytes, or the end, or an error.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn readable(&self) -> io::Result<()> {
        self.source.readable().await
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn writable(&self) -> io::Result<()> {
        self.source.writable().await
    }

    /// Ends one direction or both. Writes that are under way are delivered.
    ///
    /// # Errors
    ///
    /// Those of the system; [`NotConnected`](io::ErrorKind::NotConnected) if the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    /// The error that the connection has met since the last call, if any.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// How many bytes the system holds for the peer until it has taken them, and a write has to wait. Linux counts its own
    /// administration as well, for which it doubles what was asked for.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.socket().send_buffer_size()
    }

    /// Asks for a [send buffer](Self::send_buffer_size) of so many bytes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.socket().set_send_buffer_size(bytes)
    }

    /// How many bytes the system holds for us until we read them.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.socket().recv_buffer_size()
    }

    /// Asks for a [receive buffer](Self::recv_buffer_size) of so many bytes. With TCP, the peer learns of more than 64 KiB only if this
    /// is set before the connection is made: see [`TcpSocket`](super::TcpSocket).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.socket().set_recv_buffer_size(bytes)
    }

    pub(super) fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.source.get_ref())
    }
}

impl<S: StreamSocket> SocketStream<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Reads what is there, without waiting; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing: await [`readable`](Self::readable) and try again. Those of the
    /// system.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        retry_interrupted(|| self.source.get_ref().read(buf))
    }

    /// Writes what the system takes at once, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if that is nothing: await [`writable`](Self::writable) and try again. Those of the
    /// system.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        retry_interrupted(|| self.source.get_ref().write(buf))
    }
}

/// Repeats a call as long as it is interrupted by signals.
pub(super) fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl<S: StreamSocket> AsyncRead for &SocketStream<S>
where
    for<'a> &'a S: Read,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        if S::SHORT_READS_DRAIN {
            return self.source.poll_read(cx, buf);
        }
        let mut socket = self.source.get_ref();
        self.source.poll_io(cx, Direction::Read, || socket.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        if S::SHORT_READS_DRAIN {
            return self.source.poll_read_vectored(cx, bufs);
        }
        let mut socket = self.source.get_ref();
        self.source.poll_io(cx, Direction::Read, || socket.read_vectored(bufs))
    }
}

impl<S: StreamSocket> AsyncWrite for &SocketStream<S>
where
    for<'a> &'a S: Write,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        // No system takes more at once.
        let bufs = &bufs[..bufs.len().min(MOST_BUFFERS)];
        let wanted = bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        self.source
            .poll_transfer(cx, Direction::Write, wanted.min(MOST_BYTES), || {
                self.socket().send_vectored_with_flags(bufs, NO_SIGNAL.bits() as i32)
            })
    }

    /// Nothing to do: what was written is the system's.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the writing direction; reading goes on.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            // It is as closed as it can be.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl<S: StreamSocket> AsyncRead for SocketStream<S>
where
    for<'a> &'a S: Read,
{
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

impl<S: StreamSocket> AsyncWrite for SocketStream<S>
where
    for<'a> &'a S: Write,
{
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

impl<S: AsFd> AsFd for SocketStream<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl<S: AsFd> AsRawFd for SocketStream<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: fmt::Debug> fmt::Debug for SocketStream<S> {
    /// As the standard library's socket, which shows the addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}
