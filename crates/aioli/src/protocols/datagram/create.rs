//! Making sockets that have a datagram protocol.

use super::{DatagramProtocol, DatagramTransport, driver::Driver};
use crate::{
    configured::Configured,
    net::{Addresses, ToAddresses, UdpSocket},
    runtime::EventLoop,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A UDP socket that has the protocol called, which `factory` makes, for what arrives. As `loop.create_datagram_endpoint()`; what that
/// takes as arguments are methods of [`CreateDatagramEndpoint`], to be called before it is awaited:
/// [`local_addr`](CreateDatagramEndpoint::local_addr), [`remote_addr`](CreateDatagramEndpoint::remote_addr) or both.
///
/// ```
/// use aioli::{DatagramProtocol, DatagramTransport, create_datagram_endpoint, net::UdpSocket};
/// use std::net::SocketAddr;
///
/// #[derive(Default)]
/// struct Echo(Option<DatagramTransport>);
///
/// impl DatagramProtocol for Echo {
///     fn connection_made(&mut self, transport: &DatagramTransport) {
///         self.0 = Some(transport.clone());
///     }
///
///     fn datagram_received(&mut self, data: &[u8], sender: SocketAddr) {
///         if let Some(transport) = &self.0 {
///             transport.send_to(data, Some(sender));
///         }
///     }
/// }
///
/// # aioli::run(async {
/// let server = create_datagram_endpoint(Echo::default).local_addr("127.0.0.1:0").await?;
/// let address = server.get_extra_info().sockname.unwrap().as_ip().unwrap();
///
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"hello", address).await?;
/// let mut buf = [0; 100];
/// let length = client.recv(&mut buf).await?;
/// assert_eq!(&buf[..length], b"hello");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// * [`InvalidInput`](io::ErrorKind::InvalidInput) if no address was given, what was given is not one, or one is of IPv4 and the other
///   of IPv6.
/// * [`AddrInUse`](io::ErrorKind::AddrInUse) and the system's other errors; with several addresses, that of the last.
/// * One that says so if `connection_made` has panicked: then the socket is closed, and `connection_lost` was called.
///
/// # Panics
///
/// When it is polled where no event loop runs; with `factory`'s panic.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped, and no protocol is made.
pub fn create_datagram_endpoint<F, P>(factory: F) -> CreateDatagramEndpoint
where
    F: FnOnce() -> P + Send + 'static,
    P: DatagramProtocol,
{
    CreateDatagramEndpoint(Configured::Options(Options {
        factory: Box::new(|| Box::new(factory())),
        local: None,
        remote: None,
        reuse_port: false,
        broadcast: false,
    }))
}

/// A UDP socket with a protocol that is being made, and before it is awaited, how. Made by [`create_datagram_endpoint`].
#[must_use = "futures do nothing unless polled"]
pub struct CreateDatagramEndpoint(Configured<Options, io::Result<DatagramTransport>>);

struct Options {
    factory: Box<dyn FnOnce() -> Box<dyn DatagramProtocol> + Send>,
    local: Option<io::Result<Addresses>>,
    remote: Option<io::Result<Addresses>>,
    reuse_port: bool,
    broadcast: bool,
}

impl CreateDatagramEndpoint {
    /// The address of the socket; port 0 has the system choose one. Without this, the system chooses all of it.
    pub fn local_addr(mut self, addresses: impl ToAddresses) -> Self {
        self.0.options().local = Some(addresses.to_addresses());
        self
    }

    /// Where datagrams go, and come from: those of others are not received. (With [`broadcast`](Self::broadcast), they only go there, as
    /// in asyncio.) Nobody needs to be there.
    pub fn remote_addr(mut self, addresses: impl ToAddresses) -> Self {
        self.0.options().remote = Some(addresses.to_addresses());
        self
    }

    /// Whether other sockets, of other processes even, may have the same address, if they want it too (`SO_REUSEPORT`). By default not.
    pub fn reuse_port(mut self, yes: bool) -> Self {
        self.0.options().reuse_port = yes;
        self
    }

    /// Whether it may send to a whole network. By default not. As `allow_broadcast`.
    pub fn broadcast(mut self, yes: bool) -> Self {
        self.0.options().broadcast = yes;
        self
    }
}

impl Options {
    async fn create(mut self) -> io::Result<DatagramTransport> {
        let (socket, remote) = self.socket().await?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let transport = DatagramTransport::new(socket.clone(), remote);
        let mut driver = Driver::new(socket, transport.clone(), (self.factory)());
        driver.make()?;
        EventLoop::current().create_service(driver).detach();
        Ok(transport)
    }

    /// A socket with the first pair of addresses that can be had.
    async fn socket(&mut self) -> io::Result<(Socket, Option<SocketAddr>)> {
        let local = resolve(self.local.take()).await?;
        let remote = resolve(self.remote.take()).await?;
        let pairs = local
            .iter()
            .flat_map(|local| remote.iter().map(move |remote| (*local, *remote)));
        let mut last = io::Error::new(
            io::ErrorKind::InvalidInput,
            "no addresses to use: a local or a remote one is needed, and both must be of IPv4 or both of IPv6",
        );
        for (local, remote) in pairs {
            let domain = match (local, remote) {
                (Some(local), Some(remote)) if local.is_ipv4() != remote.is_ipv4() => continue,
                (Some(address), _) | (None, Some(address)) => Domain::for_address(address),
                (None, None) => continue,
            };
            match self.try_socket(domain, local, remote) {
                Ok(socket) => return Ok((socket, remote)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_socket(&self, domain: Domain, local: Option<SocketAddr>, remote: Option<SocketAddr>) -> io::Result<Socket> {
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.set_broadcast(self.broadcast)?;
        if let Some(local) = local {
            socket.bind(&local.into())?;
        }
        match remote {
            Some(remote) if !self.broadcast => socket.connect(&remote.into())?,
            // So that it has an address to be told, and can receive.
            _ if local.is_none() => socket.bind(&unspecified(domain).into())?,
            _ => {}
        }
        Ok(socket)
    }
}

fn unspecified(domain: Domain) -> SocketAddr {
    match domain {
        Domain::IPV6 => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        _ => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
    }
}

/// The addresses, or `None` once if there are none to be had.
async fn resolve(addresses: Option<io::Result<Addresses>>) -> io::Result<Vec<Option<SocketAddr>>> {
    Ok(match addresses {
        None => vec![None],
        Some(addresses) => addresses?.resolve().await?.into_iter().map(Some).collect(),
    })
}

impl Future for CreateDatagramEndpoint {
    type Output = io::Result<DatagramTransport>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::create)
    }
}

impl fmt::Debug for CreateDatagramEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateDatagramEndpoint").finish_non_exhaustive()
    }
}
