//! Sockets: [`TcpStream`] and [`TcpListener`], [`UnixStream`] and [`UnixListener`], [`UdpSocket`] and [`UnixDatagram`], and where they
//! take addresses from.
//!
//! These are the plain sockets, with `futures-io`'s traits, for those who want bytes with nothing between. asyncio's
//! streams, with their buffers and lines, are built on them in [`streams`](crate::streams).
//!
//! A read or write tries the system call first and waits only if it would block; a socket is registered once, and never
//! again. Reads go from the kernel straight into the caller's buffer.
//!
//! # Options
//!
//! Those that must be set before a socket is connected or listens are [`TcpSocket`]'s, and the most used of the others are methods
//! of each type. For all that is left there is the crate [`socket2`]: its `SockRef` works on all sockets here.
//!
//! ```
//! use aioli::net::{TcpListener, socket2::SockRef};
//!
//! # aioli::run(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! SockRef::from(&listener).set_ttl_v4(3)?;
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```

mod addr;
mod connect;
mod datagram;
mod lookup;
mod resolver;
mod sendfile;
mod split;
mod stream;
mod tcp;
mod udp;
mod unix;

pub use addr::{Addresses, ToAddresses};
pub use connect::{ConnectError, ConnectOptions};
pub use datagram::DatagramSocket;
pub use lookup::{AddrInfo, AddrInfoHints, LookupError, NameInfoFlags, getaddrinfo, getnameinfo};
pub use resolver::{Lookup, Resolver, SystemResolver};
pub use sendfile::sendfile;
pub use socket2;
pub use split::{ReadHalf, ReuniteError, WriteHalf};
pub use stream::SocketStream;
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
pub use unix::{PeerCredentials, UnixDatagram, UnixListener, UnixStream, unix_address};

use crate::runtime::driver::with_driver;
use aioli_reactor::Reactor;

/// How many connections the system may hold for a listener until they are accepted; it may allow fewer.
const BACKLOG: u32 = 1024;

/// The reactor of the loop that runs on this thread.
#[track_caller]
fn reactor() -> Reactor {
    with_driver(|driver, _| driver.reactor.clone())
}
