//! Accepting TCP connections.

use super::{TcpSocket, TcpStream};
use crate::{
    net::{BACKLOG, ToAddresses, addr::first_that_works, reactor},
    task::poll_budget,
};
use aioli_reactor::{Direction, Source};
use futures_core::Stream;
use futures_lite::stream;
use std::{
    fmt,
    future::poll_fn,
    io,
    net::{self, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    task::{Context, Poll, ready},
};

/// A TCP socket that accepts connections.
///
/// ```
/// use aioli::net::{TcpListener, TcpStream};
///
/// # aioli::run(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = aioli::create_task(TcpStream::connect(listener.local_addr()?));
/// let (stream, peer) = listener.accept().await?;
/// assert_eq!(client.await.unwrap()?.local_addr()?, peer);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub struct TcpListener {
    source: Source<net::TcpListener>,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be had; port 0 has the system choose one. The address may be taken over
    /// from connections that are just being closed (`SO_REUSEADDR`). [`TcpSocket`] is for other options.
    ///
    /// # Errors
    ///
    /// That of the last address: [`AddrInUse`](io::ErrorKind::AddrInUse) above all;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address, or what was given is not one.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn bind(addresses: impl ToAddresses) -> io::Result<Self> {
        first_that_works(addresses, async |address| {
            let socket = TcpSocket::for_address(address)?;
            socket.set_reuse_address(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })
        .await
    }

    /// Takes over a listener of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn from_std(listener: net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::register(listener)
    }

    /// Takes over a listener that is non-blocking already.
    #[track_caller]
    pub(super) fn register(listener: net::TcpListener) -> io::Result<Self> {
        Ok(Self {
            source: reactor().register(listener)?,
        })
    }

    /// Gives the listener to the standard library; it stays non-blocking.
    pub fn into_std(self) -> net::TcpListener {
        self.source.into_inner()
    }

    /// Waits for a connection, and gives it with the peer's address. Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`. Some concern one connection ([`ConnectionAborted`](io::ErrorKind::ConnectionAborted)) and some
    /// the moment (no descriptor or no memory is left): a server waits a little, and goes on. A connection that could not
    /// be accepted for want of a descriptor waits in the backlog.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: no connection has been accepted.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        // Clients who come in a crowd do not keep the other tasks waiting.
        poll_fn(poll_budget).await;
        let listener = self.source.get_ref();
        let (socket, peer) = self.source.io(Direction::Read, || accept(listener)).await?;
        Ok((TcpStream::register(socket)?, peer))
    }

    /// As [`accept`](Self::accept), for hand-written futures; only the last task to call this is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        ready!(poll_budget(cx));
        let listener = self.source.get_ref();
        let accepted = self.source.poll_io(cx, Direction::Read, || accept(listener));
        accepted.map(|accepted| accepted.and_then(|(socket, peer)| Ok((TcpStream::register(socket)?, peer))))
    }

    /// The connections that come, one after the other; it never ends. Each item is what [`accept`](Self::accept) gives, without the
    /// address.
    pub fn incoming(&self) -> impl Stream<Item = io::Result<TcpStream>> + Send + '_ {
        stream::poll_fn(|cx| {
            self.poll_accept(cx)
                .map(|accepted| Some(accepted.map(|(stream, _)| stream)))
        })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }
}

/// One system call, which makes the new socket non-blocking at once.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let (socket, peer) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let peer = peer.ok_or_else(|| io::Error::other("a TCP connection without a peer's address"))?;
    Ok((socket.into(), peer.try_into()?))
}

/// Where there is no `accept4`.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpListener").field(self.source.get_ref()).finish()
    }
}
