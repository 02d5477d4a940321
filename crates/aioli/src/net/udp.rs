//! What is UDP's alone about a datagram socket: addresses, and options.

use super::{
    ToAddresses,
    addr::first_that_works,
    datagram::{DatagramKind, DatagramSocket},
};
use crate::task::poll_budget;
use aioli_reactor::Direction;
use rustix::net::SocketAddrAny;
use std::{
    borrow::Borrow,
    future::poll_fn,
    io,
    net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll, ready},
};

/// A UDP socket. [`DatagramSocket`] says what can be done with it, besides what is here.
///
/// ```
/// use aioli::net::UdpSocket;
///
/// # aioli::run(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"hello", server.local_addr()?).await?;
///
/// let mut buf = [0; 1500];
/// let (length, peer) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..length], peer), (&b"hello"[..], client.local_addr()?));
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub type UdpSocket = DatagramSocket<net::UdpSocket>;

impl DatagramKind for net::UdpSocket {
    type Address = SocketAddr;

    fn address(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
        match address {
            Some(address) => Ok(address.try_into()?),
            None => Err(io::Error::other("a UDP datagram without a sender's address")),
        }
    }

    fn send_to(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.send_to(buf, address)
    }
}

impl DatagramSocket<net::UdpSocket> {
    /// A socket with the first of the addresses that can be had; port 0 has the system choose one.
    ///
    /// For options that must be set before, make a socket with the crate [`socket2`](super::socket2), and take it over
    /// with [`from_std`](Self::from_std).
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
            Self::from_std(net::UdpSocket::bind(address)?)
        })
        .await
    }

    /// A socket that is [connected](Self::connect) to the first of the addresses that can be had. It is bound to any address of that
    /// family, and to a port that the system chooses.
    ///
    /// ```
    /// use aioli::net::UdpSocket;
    ///
    /// # aioli::run(async {
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// let client = UdpSocket::connect_to(server.local_addr()?).await?;
    /// client.send(b"hello").await?;
    /// assert_eq!(server.recv_from(&mut [0; 8]).await?, (5, client.local_addr()?));
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// That of the last address: no way leads there; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address, or what was
    /// given is not one.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn connect_to(addresses: impl ToAddresses) -> io::Result<Self> {
        first_that_works(addresses, async |address| {
            let any: IpAddr = match address {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = net::UdpSocket::bind((any, 0))?;
            socket.connect(address)?;
            Self::from_std(socket)
        })
        .await
    }

    /// Has [`send`](Self::send) send to the first of the addresses that can be had, and receives only from there. Nothing is sent, so
    /// nobody needs to be there.
    ///
    /// # Errors
    ///
    /// That of the last address; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address, or what was given is not one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn connect(&self, addresses: impl ToAddresses) -> io::Result<()> {
        first_that_works(addresses, async |address| self.source.get_ref().connect(address)).await
    }

    /// Sends a datagram, and gives its length. Waits while the system has no room for it.
    ///
    /// # Errors
    ///
    /// Those of the system: no way leads there, or `EMSGSIZE` if the datagram is too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent if it is dropped before it is done.
    pub async fn send_to(&self, buf: &[u8], address: impl Borrow<SocketAddr>) -> io::Result<usize> {
        poll_fn(poll_budget).await;
        let (socket, address) = (self.source.get_ref(), address.borrow());
        self.source.io(Direction::Write, || socket.send_to(buf, address)).await
    }

    /// As [`send_to`](Self::send_to), for hand-written futures.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        address: impl Borrow<SocketAddr>,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        let (socket, address) = (self.source.get_ref(), address.borrow());
        self.source
            .poll_io(cx, Direction::Write, || socket.send_to(buf, address))
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

    /// Whether it may send to a whole network.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.source.get_ref().broadcast()
    }

    /// Says whether it may send to a whole network.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_broadcast(&self, yes: bool) -> io::Result<()> {
        self.source.get_ref().set_broadcast(yes)
    }

    /// How many routers a datagram may pass.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get_ref().ttl()
    }

    /// Says how many routers a datagram may pass.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.source.get_ref().set_ttl(ttl)
    }

    /// Receives, from now on, what is sent to a group; `interface` is the address of a network card, or
    /// [`UNSPECIFIED`](Ipv4Addr::UNSPECIFIED) to have the system choose one.
    ///
    /// # Errors
    ///
    /// Those of the system: [`InvalidInput`](io::ErrorKind::InvalidInput) if the address is not a group's.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.source.get_ref().join_multicast_v4(&group, &interface)
    }

    /// Receives no longer what is sent to a group.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.source.get_ref().leave_multicast_v4(&group, &interface)
    }

    /// Receives, from now on, what is sent to a group; `interface` is the number of a network card, or 0 to have the system choose
    /// one.
    ///
    /// # Errors
    ///
    /// Those of the system: [`InvalidInput`](io::ErrorKind::InvalidInput) if the address is not a group's.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.source.get_ref().join_multicast_v6(&group, interface)
    }

    /// Receives no longer what is sent to a group.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.source.get_ref().leave_multicast_v6(&group, interface)
    }

    /// Whether this machine gets what the socket sends to groups.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.source.get_ref().multicast_loop_v4()
    }

    /// Says whether this machine gets what the socket sends to groups.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_multicast_loop_v4(&self, yes: bool) -> io::Result<()> {
        self.source.get_ref().set_multicast_loop_v4(yes)
    }

    /// Whether this machine gets what the socket sends to groups of IPv6.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.source.get_ref().multicast_loop_v6()
    }

    /// Says whether this machine gets what the socket sends to groups of IPv6.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_multicast_loop_v6(&self, yes: bool) -> io::Result<()> {
        self.source.get_ref().set_multicast_loop_v6(yes)
    }

    /// How many routers a datagram to a group may pass; by default 1.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.source.get_ref().multicast_ttl_v4()
    }

    /// Says how many routers a datagram to a group may pass.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.source.get_ref().set_multicast_ttl_v4(ttl)
    }

    /// Says from which network card datagrams to groups are sent, by its address.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_multicast_interface_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        self.socket().set_multicast_if_v4(&interface)
    }
}
