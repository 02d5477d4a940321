//! What is TCP's alone about a connection: how it is made, addresses, and options.

use crate::net::{
    ConnectOptions, ToAddresses,
    stream::{SocketStream, StreamSocket},
};
use socket2::{SockRef, TcpKeepalive};
use std::{
    io,
    net::{self, SocketAddr},
    time::Duration,
};

/// A TCP connection. [`SocketStream`] says what can be done with it, besides what is here.
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
pub type TcpStream = SocketStream<net::TcpStream>;

impl StreamSocket for net::TcpStream {
    const SHORT_READS_DRAIN: bool = true;
}

impl SocketStream<net::TcpStream> {
    /// Connects to the first of the addresses that answers. [`ConnectOptions`] is for other ways.
    ///
    /// # Errors
    ///
    /// Those of [`ConnectOptions::connect`].
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up.
    pub async fn connect(addresses: impl ToAddresses) -> io::Result<Self> {
        ConnectOptions::new().connect(addresses).await
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
    /// Those of the system; [`NotConnected`](io::ErrorKind::NotConnected) if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().peer_addr()
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

    /// Whether the system looks after an idle connection.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.socket().keepalive()
    }

    /// Has the system look after an idle connection every `interval`, and end it when the peer does not answer.
    /// `None`: it does not look.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_keepalive(&self, interval: Option<Duration>) -> io::Result<()> {
        set_keepalive(self.socket(), interval)
    }

    /// How long the connection lingers; see [`set_linger`](Self::set_linger).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket().linger()
    }

    /// What happens to unsent bytes when the connection is closed. `None`, the default: the system goes on sending them. `Some(0)`:
    /// they are thrown away, and the peer finds that the connection was reset. Any longer time has the thread that drops the
    /// connection wait for them, and with it all tasks on that thread: use [`poll_close`](futures_io::AsyncWrite::poll_close) instead.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket().set_linger(linger)
    }

    /// How many routers a packet may pass.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get_ref().ttl()
    }

    /// Says how many routers a packet may pass.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.source.get_ref().set_ttl(ttl)
    }
}

pub(super) fn set_keepalive(socket: SockRef<'_>, interval: Option<Duration>) -> io::Result<()> {
    match interval {
        Some(interval) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(interval).with_interval(interval)),
        None => socket.set_keepalive(false),
    }
}
