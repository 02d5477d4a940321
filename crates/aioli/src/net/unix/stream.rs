//! What is the Unix sockets' alone about a connection: how it is made, addresses, and who the peer is.

use super::{Pauses, PeerCredentials, credentials, unix_address};
use crate::net::stream::{SocketStream, StreamSocket};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io,
    os::unix::net::{self, SocketAddr},
    path::Path,
};

/// A connection between two sockets on one machine. [`SocketStream`] says what can be done with it, besides what is here.
///
/// ```
/// use aioli::{io::{AsyncReadExt, AsyncWriteExt}, net::UnixStream};
///
/// # aioli::run(async {
/// let (mut here, mut there) = UnixStream::pair()?;
/// here.write_all(b"hello").await?;
/// let mut greeting = [0; 5];
/// there.read_exact(&mut greeting).await?;
/// assert_eq!(&greeting, b"hello");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub type UnixStream = SocketStream<net::UnixStream>;

impl StreamSocket for net::UnixStream {
    /// A read stops where the peer has passed a descriptor, and there may be more behind it.
    const SHORT_READS_DRAIN: bool = false;
}

impl SocketStream<net::UnixStream> {
    /// Connects to the listener at a path, or at an abstract name as [`unix_address`](super::unix_address) has it. Waits while the listener
    /// has more clients than its backlog takes.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is nothing, [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody
    /// listens there, [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that
    /// [cannot be an address](super::unix_address), and others of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        unix_address(path)?;
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let mut pauses = Pauses::new();
        let pending = loop {
            match socket.connect(&address) {
                Ok(()) => break false,
                // The backlog is full, and nothing tells us when it no longer is.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pauses.pause().await,
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::INTR) => {}
                    // Not on Linux.
                    Some(Errno::INPROGRESS) => break true,
                    _ => return Err(error),
                },
            }
        };
        let stream = Self::register(socket.into())?;
        if pending {
            stream.writable().await?;
            stream.take_error()?.map_or(Ok(()), Err)?;
        }
        Ok(stream)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the system: no descriptor is left.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// The address of this end; that of a client is unnamed.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// The address of the other end; that of a client is unnamed.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().peer_addr()
    }

    /// Who is at the other end, by what the system knew when it connected, or began to listen.
    ///
    /// # Errors
    ///
    /// Those of the system; [`NotConnected`](io::ErrorKind::NotConnected) if there is no peer,
    /// [`Unsupported`](io::ErrorKind::Unsupported) where the system cannot tell.
    pub fn peer_cred(&self) -> io::Result<PeerCredentials> {
        credentials::of_peer(self)
    }
}
