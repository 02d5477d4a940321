//! What is the Unix sockets' alone about a datagram socket: paths, and a wait that the system does not help with.

use super::{Pauses, file, unix_address};
use crate::{
    net::datagram::{DatagramKind, DatagramSocket},
    task::poll_budget,
};
use rustix::net::SocketAddrAny;
use std::{
    borrow::Borrow,
    ffi::OsStr,
    future::poll_fn,
    io,
    mem::offset_of,
    os::unix::{
        ffi::OsStrExt,
        net::{self, SocketAddr},
    },
    path::Path,
    slice,
};

/// A Unix socket for datagrams, none of which is lost. [`DatagramSocket`] says what can be done with it, besides what is here.
///
/// On Linux a sender may be bound to a path one byte longer than an address of the standard library's holds: its datagrams come
/// from an unnamed address.
///
/// ```
/// use aioli::net::UnixDatagram;
///
/// # aioli::run(async {
/// let (here, there) = UnixDatagram::pair()?;
/// here.send(b"hello").await?;
/// let mut buf = [0; 100];
/// let length = there.recv(&mut buf).await?;
/// assert_eq!(&buf[..length], b"hello");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub type UnixDatagram = DatagramSocket<net::UnixDatagram>;

impl DatagramKind for net::UnixDatagram {
    type Address = SocketAddr;

    fn address(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
        match address.as_ref().and_then(named) {
            Some(address) => Ok(address),
            None => SocketAddr::from_pathname(""),
        }
    }

    fn send_to(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.send_to_addr(buf, address)
    }
}

/// The path or the abstract name in an address of the system's. `None` for a socket that was not bound, and for a path that fills the
/// address to its last byte, as it may on Linux: the standard library's type wants a NUL behind it.
fn named(address: &SocketAddrAny) -> Option<SocketAddr> {
    // SAFETY: the address is there as long as it is borrowed, and has as many bytes as it says.
    let bytes = unsafe { slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.addr_len() as usize) };
    match bytes.get(offset_of!(libc::sockaddr_un, sun_path)..)? {
        [] => None,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [0, name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name).ok()
        }
        path => {
            let end = memchr::memchr(0, path).unwrap_or(path.len());
            SocketAddr::from_pathname(OsStr::from_bytes(&path[..end])).ok()
        }
    }
}

impl DatagramSocket<net::UnixDatagram> {
    /// A socket at a path, or at an abstract name as [`unix_address`] has it.
    ///
    /// A socket that is there already and that nobody has open, left by a program that has died, is removed first. The file stays
    /// when this is dropped. As asyncio, which removes the old one in any case.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if somebody receives there, or there is something else than a socket;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that [cannot be an address](unix_address);
    /// [`NotFound`](io::ErrorKind::NotFound) if the directory does not exist; others of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        // What may fail or panic comes before there is a file.
        let socket = Self::unbound()?;
        if let Some(mut file) = file::bind(&socket, path.as_ref())? {
            file.is_removed = false;
        }
        Ok(socket)
    }

    /// A socket without an address: it can send, and nobody can answer.
    ///
    /// # Errors
    ///
    /// Those of the system: no descriptor is left.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::unbound()?)
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
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Has [`send`](Self::send) send to a path, or to an abstract name, and receives only from there.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is nothing, [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody
    /// receives there, [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that [cannot be an address](unix_address), and
    /// others of the system.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.source.get_ref().connect_addr(&unix_address(path)?)
    }

    /// Sends a datagram, and gives its length. [`unix_address`] makes an address of a path. Waits while the receiver has more than the
    /// system holds for it: the system does not tell when that is over, so it is tried again every few milliseconds. Connected sockets
    /// need not do so, and are better where much is sent.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is nothing, [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody
    /// receives there, and others of the system.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent if it is dropped before it is done.
    pub async fn send_to(&self, buf: &[u8], address: impl Borrow<SocketAddr>) -> io::Result<usize> {
        poll_fn(poll_budget).await;
        let address = address.borrow();
        let mut pauses = Pauses::new();
        loop {
            match self.try_send_to(buf, address) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pauses.pause().await,
                result => return result,
            }
        }
    }

    /// The address of the socket.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it is not, and others of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().peer_addr()
    }
}
