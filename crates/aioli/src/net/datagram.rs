//! What UDP and Unix datagram sockets have in common.

use super::{
    reactor,
    stream::{NO_SIGNAL, retry_interrupted},
};
use crate::task::poll_budget;
use aioli_reactor::{Direction, Source};
use rustix::net::{RecvFlags, SocketAddrAny, recv, recvfrom, send};
use socket2::SockRef;
use std::{
    borrow::Borrow,
    fmt,
    future::poll_fn,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    task::{Context, Poll, ready},
};

/// A socket that sends and receives datagrams: [`UdpSocket`](super::UdpSocket) and [`UnixDatagram`](super::UnixDatagram) are names for
/// this type with one socket of the standard library's or the other.
///
/// All takes a shared reference, so that one task may send while another receives. Any number of tasks may wait through the async
/// functions, and in each direction one more through those that begin with `poll_`: of several, the last is woken.
///
/// A datagram is received whole or, if the buffer is too short for it, without its end, which is lost.
pub struct DatagramSocket<S> {
    pub(super) source: Source<S>,
}

/// The sockets that a [`DatagramSocket`] can be made of.
pub trait DatagramKind: AsFd + fmt::Debug + Send + Sync + 'static {
    /// Where datagrams come from and go to.
    type Address;

    /// An address as the system gives it; none is that of a socket without a name.
    fn address(address: Option<SocketAddrAny>) -> io::Result<Self::Address>;

    /// Sends a datagram.
    fn send_to(&self, buf: &[u8], address: &Self::Address) -> io::Result<usize>;
}

impl<S: DatagramKind> DatagramSocket<S> {
    /// Takes over a socket of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn from_std(socket: S) -> io::Result<Self> {
        SockRef::from(&socket).set_nonblocking(true)?;
        Ok(Self {
            source: reactor().register(socket)?,
        })
    }

    /// Gives the socket to the standard library; it stays non-blocking.
    pub fn into_std(self) -> S {
        self.source.into_inner()
    }

    /// Sends a datagram to the address that the socket is connected to, and gives its length. Waits while the system has no room for
    /// it.
    ///
    /// # Errors
    ///
    /// Those of the system: [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if an earlier datagram found nobody there,
    /// `EDESTADDRREQ` or [`NotConnected`](io::ErrorKind::NotConnected) if the socket is not connected, `EMSGSIZE` if the datagram is too
    /// long.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent if it is dropped before it is done.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(poll_budget).await;
        self.source.io(Direction::Write, || self.send_now(buf)).await
    }

    /// As [`send`](Self::send), for hand-written futures.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source.poll_io(cx, Direction::Write, || self.send_now(buf))
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the system has no room; as [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        retry_interrupted(|| self.send_now(buf))
    }

    /// As `send_to`, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the system has no room; as `send_to`.
    pub fn try_send_to(&self, buf: &[u8], address: impl Borrow<S::Address>) -> io::Result<usize> {
        retry_interrupted(|| self.source.get_ref().send_to(buf, address.borrow()))
    }

    /// Waits for a datagram, and gives its length. A connected socket gets only those of its peer.
    ///
    /// # Errors
    ///
    /// Those of the system: [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if a datagram that was sent found nobody there.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(poll_budget).await;
        self.source
            .io(Direction::Read, || self.recv_now(buf, RecvFlags::empty()))
            .await
    }

    /// As [`recv`](Self::recv), for hand-written futures.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.source
            .poll_io(cx, Direction::Read, || self.recv_now(buf, RecvFlags::empty()))
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        retry_interrupted(|| self.recv_now(buf, RecvFlags::empty()))
    }

    /// As [`recv`](Self::recv), and gives the sender's address too.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, S::Address)> {
        poll_fn(poll_budget).await;
        self.source
            .io(Direction::Read, || self.recv_from_now(buf, RecvFlags::empty()))
            .await
    }

    /// As [`recv_from`](Self::recv_from), for hand-written futures.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, S::Address)>> {
        ready!(poll_budget(cx));
        self.source
            .poll_io(cx, Direction::Read, || self.recv_from_now(buf, RecvFlags::empty()))
    }

    /// As [`recv_from`](Self::recv_from), without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none; as [`recv`](Self::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, S::Address)> {
        retry_interrupted(|| self.recv_from_now(buf, RecvFlags::empty()))
    }

    /// As [`recv`](Self::recv), but the datagram stays and is received again.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(poll_budget).await;
        self.source
            .io(Direction::Read, || self.recv_now(buf, RecvFlags::PEEK))
            .await
    }

    /// As [`recv_from`](Self::recv_from), but the datagram stays and is received again.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, S::Address)> {
        poll_fn(poll_budget).await;
        self.source
            .io(Direction::Read, || self.recv_from_now(buf, RecvFlags::PEEK))
            .await
    }

    /// As [`peek_from`](Self::peek_from), for hand-written futures.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_peek_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, S::Address)>> {
        ready!(poll_budget(cx));
        self.source
            .poll_io(cx, Direction::Read, || self.recv_from_now(buf, RecvFlags::PEEK))
    }

    /// Waits until there is a datagram or an error.
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

    /// Waits until the system has room for a datagram. The receiver may have none: only a connected Unix socket knows.
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

    /// The error that the socket has met since the last call, if any.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// How many bytes of datagrams the system holds until they are sent, its own administration included on Linux.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.socket().send_buffer_size()
    }

    /// Asks for a [send buffer](Self::send_buffer_size) of so many bytes; Linux doubles it for its administration.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.socket().set_send_buffer_size(bytes)
    }

    /// How many bytes of datagrams the system holds until they are received. Those of UDP that find no room are lost.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.socket().recv_buffer_size()
    }

    /// Asks for a [receive buffer](Self::recv_buffer_size) of so many bytes; Linux doubles it for its administration.
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

    fn send_now(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(send(self, buf, NO_SIGNAL)?)
    }

    fn recv_now(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        let (count, _) = recv(self, buf, flags)?;
        Ok(count)
    }

    fn recv_from_now(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<(usize, S::Address)> {
        let (count, _, address) = recvfrom(self, buf, flags)?;
        Ok((count, S::address(address)?))
    }
}

impl<S: AsFd> AsFd for DatagramSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl<S: AsFd> AsRawFd for DatagramSocket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: fmt::Debug> fmt::Debug for DatagramSocket<S> {
    /// As the standard library's socket, which shows the addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}
