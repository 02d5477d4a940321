//! A TCP socket that is not connected yet, and does not listen.

use super::{TcpListener, TcpStream, stream::set_keepalive};
use aioli_reactor::Direction;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

/// A TCP socket before it is connected or listens, for the options that must be set before that.
///
/// Options that are not here are those of the crate [`socket2`]: its `SockRef` can be made from a reference to this.
///
/// ```
/// use aioli::net::TcpSocket;
///
/// # aioli::run(async {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuse_address(true)?;
/// socket.set_recv_buffer_size(1 << 20)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(128)?;
///
/// let stream = TcpSocket::new_v4()?.connect(listener.local_addr()?).await?;
/// assert_eq!(listener.accept().await?.1, stream.local_addr()?);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub struct TcpSocket(Socket);

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of the system: no descriptor is left.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of the system: no descriptor is left, or it knows no IPv6.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    /// A socket for addresses like this one.
    ///
    /// # Errors
    ///
    /// As [`new_v4`](Self::new_v4) and [`new_v6`](Self::new_v6).
    pub fn for_address(address: SocketAddr) -> io::Result<Self> {
        Self::new(Domain::for_address(address))
    }

    fn new(domain: Domain) -> io::Result<Self> {
        Self::from_socket(Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?)
    }

    /// Takes over a TCP socket that is neither connected nor listens, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn from_socket(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Gives the socket away; it stays non-blocking.
    pub fn into_socket(self) -> Socket {
        self.0
    }

    /// Gives the socket an address; port 0 has the system choose one.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse), [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address that is not of this
    /// machine, and others of the system.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.0.bind(&address.into())
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody listens there,
    /// [`TimedOut`](io::ErrorKind::TimedOut) if nobody answers, and others of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up, and closes the socket.
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        let pending = match self.0.connect(&address.into()) {
            Ok(()) => false,
            // A signal does not end the attempt, which goes on as if it had been told that it is in progress.
            Err(error) if is_in_progress(&error) => true,
            Err(error) => return Err(error),
        };
        let stream = TcpStream::register(self.0.into())?;
        if pending {
            connected(&stream).await?;
        }
        Ok(stream)
    }

    /// Listens. The system may hold `backlog` connections until they are accepted, or as many as it allows.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if the address has been taken since the socket was bound, and others of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.0.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        TcpListener::register(self.0.into())
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?.as_socket();
        address.ok_or_else(|| io::Error::other("a TCP socket with an address of another kind"))
    }

    /// Whether an address can be taken over from connections that are just being closed (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn reuse_address(&self) -> io::Result<bool> {
        self.0.reuse_address()
    }

    /// Says whether an address can be taken over from connections that are just being closed.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_reuse_address(&self, yes: bool) -> io::Result<()> {
        self.0.set_reuse_address(yes)
    }

    /// Whether several sockets that all say so may listen on one address (`SO_REUSEPORT`); the system distributes the connections.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn reuse_port(&self) -> io::Result<bool> {
        self.0.reuse_port()
    }

    /// Says whether several sockets may listen on one address.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_reuse_port(&self, yes: bool) -> io::Result<()> {
        self.0.set_reuse_port(yes)
    }

    /// Whether a socket for IPv6 leaves the connections of IPv4 to others (`IPV6_V6ONLY`).
    ///
    /// # Errors
    ///
    /// Those of the system, above all for a socket of IPv4.
    pub fn only_v6(&self) -> io::Result<bool> {
        self.0.only_v6()
    }

    /// Says whether a socket for IPv6 leaves the connections of IPv4 to others.
    ///
    /// # Errors
    ///
    /// Those of the system, above all for a socket of IPv4.
    pub fn set_only_v6(&self, yes: bool) -> io::Result<()> {
        self.0.set_only_v6(yes)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`). Connections that a listener accepts have its setting.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.tcp_nodelay()
    }

    /// Says whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_nodelay(&self, yes: bool) -> io::Result<()> {
        self.0.set_tcp_nodelay(yes)
    }

    /// Whether the system looks after an idle connection.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.0.keepalive()
    }

    /// As [`TcpStream::set_keepalive`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_keepalive(&self, interval: Option<Duration>) -> io::Result<()> {
        set_keepalive(SockRef::from(self), interval)
    }

    /// As [`TcpStream::linger`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.0.linger()
    }

    /// As [`TcpStream::set_linger`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.0.set_linger(linger)
    }

    /// As [`TcpStream::send_buffer_size`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.0.send_buffer_size()
    }

    /// As [`TcpStream::set_send_buffer_size`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.0.set_send_buffer_size(bytes)
    }

    /// As [`TcpStream::recv_buffer_size`].
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.0.recv_buffer_size()
    }

    /// As [`TcpStream::set_recv_buffer_size`]. Set here, it is in time for the peer to be told of it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.0.set_recv_buffer_size(bytes)
    }
}

/// Waits until the connection is there, or has failed.
async fn connected(stream: &TcpStream) -> io::Result<()> {
    stream
        .source
        .io(Direction::Write, || match stream.take_error()? {
            Some(error) => Err(error),
            // Neither failed nor connected: what woke us was not the end of the attempt.
            None if stream.peer_addr().is_err() => Err(io::ErrorKind::WouldBlock.into()),
            None => Ok(()),
        })
        .await
}

fn is_in_progress(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INPROGRESS | Errno::INTR))
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpSocket").field(&self.0).finish()
    }
}
