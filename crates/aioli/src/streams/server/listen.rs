//! Where a server listens and how: what streams and protocols have in common when they listen.

use super::{
    Server,
    accept::{Listener, Serve},
};
use crate::net::{Addresses, TcpListener, TcpSocket, ToAddresses, UnixListener};
#[cfg(feature = "tls")]
use crate::streams::greet::Greeter;
use rustix::io::Errno;
use std::{io, net::SocketAddr, path::PathBuf};

/// How many connections the system may hold for us until they are accepted; it may allow fewer.
const BACKLOG: u32 = 1024;

pub(crate) struct Listen {
    place: Place,
    pub(crate) backlog: u32,
    pub(crate) reuse_port: bool,
    pub(crate) cleanup_socket: bool,
    pub(crate) serving: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Greeter,
}

enum Place {
    Ip(io::Result<Addresses>),
    Unix(PathBuf),
    /// They listen already.
    Taken(TcpListener),
}

impl Listen {
    pub(crate) fn on(addresses: impl ToAddresses) -> Self {
        Self::new(Place::Ip(addresses.to_addresses()))
    }

    pub(crate) fn on_path(path: PathBuf) -> Self {
        Self::new(Place::Unix(path))
    }

    pub(crate) fn on_listener(listener: TcpListener) -> Self {
        Self::new(Place::Taken(listener))
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            backlog: BACKLOG,
            reuse_port: false,
            cleanup_socket: true,
            serving: true,
            #[cfg(feature = "tls")]
            tls: Greeter::default(),
        }
    }

    /// A server that has `serve` see to its connections.
    pub(crate) async fn serve(self, serve: Serve) -> io::Result<Server> {
        let listeners = match self.place {
            Place::Ip(addresses) => {
                let addresses = addresses?.resolve().await?;
                listen_on_all(addresses, self.backlog, self.reuse_port)?
            }
            Place::Unix(path) => {
                let mut listener = UnixListener::bind(path)?;
                listener.set_cleanup_socket(self.cleanup_socket);
                vec![Listener::Unix(listener)]
            }
            Place::Taken(listener) => vec![Listener::Tcp(listener)],
        };
        #[cfg(feature = "tls")]
        let serve = self.tls.then(serve);
        Server::new(listeners, serve, self.serving)
    }
}

/// Of the addresses of a name, not all need be this machine's at the moment: a system without IPv6 may know those of `localhost` all the same.
/// What is not to be had is passed over, as in asyncio, if anything is left.
fn listen_on_all(addresses: Vec<SocketAddr>, backlog: u32, reuse_port: bool) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    let mut passed_over = None;
    for address in addresses {
        match listen(address, backlog, reuse_port) {
            Ok(listener) => listeners.push(Listener::Tcp(listener)),
            Err(error) if is_not_here(&error) => passed_over = Some(error),
            Err(error) => return Err(error),
        }
    }
    match passed_over {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn is_not_here(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
    )
}

fn listen(address: SocketAddr, backlog: u32, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = TcpSocket::for_address(address)?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        // As asyncio: `localhost` stands for an address of either kind, and each has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.bind(address)?;
    socket.listen(backlog)
}
