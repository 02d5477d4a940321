//! One connection.

use super::{ReadHalf, ToAddresses, WriteHalf, addr::first_that_works, reactor, split};
use crate::task::poll_budget;
use aioli_reactor::{Direction, Source};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::{
    fmt, io,
    net::{self, Shutdown, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// A TCP connection.
///
/// Reading and writing are `futures-io`'s traits, here and on `&TcpStream`, so one task may read while another writes; the
/// extension traits in [`io`](crate::io) give `read_exact`, `write_all` and the like. Dropping it closes the connection.
///
/// ```
/// use aioli::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
///
/// # aioli::run(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let server = aioli::create_task(async move { listener.accept().await?.0.write_all(b"hello").await });
///
/// let mut greeting = String::new();
/// TcpStream::connect(address).await?.read_to_string(&mut greeting).await?;
/// assert_eq!(greeting, "hello");
/// # server.await.unwrap()
/// # }).unwrap();
/// ```
pub struct TcpStream {
    source: Source<net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    ///
    /// That of the last address; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is none, or what was given is
    /// not one.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up.
    pub async fn connect(addresses: impl ToAddresses) -> io::Result<Self> {
        first_that_works(addresses, Self::connect_to).await
    }

    async fn connect_to(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let pending = match socket.connect(&address.into()) {
            Ok(()) => false,
            // A signal does not end the attempt, which goes on as if it had been told that it is in progress.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) if is_in_progress(&error) => true,
            Err(error) => return Err(error),
        };
        let stream = Self::register(socket.into())?;
        if pending {
            stream.connected().await?;
        }
        Ok(stream)
    }

    /// Waits until the connection is there, or has failed.
    async fn connected(&self) -> io::Result<()> {
        let socket = SockRef::from(self.source.get_ref());
        self.source
            .io(Direction::Write, || match socket.take_error()? {
                Some(error) => Err(error),
                // Neither failed nor connected: what woke us was not the end of the attempt.
                None if socket.peer_addr().is_err() => Err(io::ErrorKind::WouldBlock.into()),
                None => Ok(()),
            })
            .await
    }

    /// Takes over a connection of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    pub fn from_std(stream: net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::register(stream)
    }

    /// Takes over a socket that is non-blocking already.
    pub(super) fn register(stream: net::TcpStream) -> io::Result<Self> {
        Ok(Self {
            source: reactor().register(stream)?,
        })
    }

    /// Gives the connection to the standard library; it stays non-blocking.
    pub fn into_std(self) -> net::TcpStream {
        self.source.into_inner()
    }

    /// Two halves that can go to different tasks. The connection is closed when both are gone; the writing direction, as
    /// far as the peer can see, when the [`WriteHalf`] is closed or dropped.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        split::halves(Arc::new(self))
    }

    /// Waits for bytes, and copies them without taking them.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let stream = self.source.get_ref();
        self.source.io(Direction::Read, || stream.peek(buf)).await
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

    /// Writes what the system takes at once, without a task that could wait; `WouldBlock` if that is nothing.
    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match io::Write::write(&mut self.source.get_ref(), buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of the system; the connection may be gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().peer_addr()
    }

    /// Ends one direction or both. Writes that are under way are delivered.
    ///
    /// # Errors
    ///
    /// Those of the system; the connection may be gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.source.get_ref().shutdown(how)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`), and not held back to be sent together.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.source.get_ref().nodelay()
    }

    /// Says whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.source.get_ref().set_nodelay(nodelay)
    }

    /// Has the system look after an idle connection every `interval`, and end it when the peer does not answer.
    /// `None`: it does not look.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_keepalive(&self, interval: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(self.source.get_ref());
        match interval {
            Some(interval) => {
                socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(interval).with_interval(interval))
            }
            None => socket.set_keepalive(false),
        }
    }

    /// The error that the connection has met since the last call, if any.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.source.get_ref().take_error()
    }
}

#[cfg(unix)]
fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

impl AsyncRead for &TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_write_vectored(cx, bufs)
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

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
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

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpStream").field(self.source.get_ref()).finish()
    }
}
