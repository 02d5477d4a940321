//! Making connections that have a protocol.

use super::{
    Protocol, Transport,
    driver::{Driver, Ways},
};
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
use crate::{
    configured::Configured,
    net::ToAddresses,
    streams::{connect::Connect, connection::Connection, wire::Wire},
    task::create_task,
};
use std::{
    fmt,
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Connects, and has the protocol that `factory` makes called for what happens on the connection. As `loop.create_connection()`; what
/// that takes as keyword arguments are methods of [`CreateConnection`], to be called before it is awaited. The protocol is not given back,
/// as it belongs to the connection's task: share what is to be seen of it.
///
/// Small writes are sent at once (`TCP_NODELAY`), as in asyncio.
///
/// ```
/// use aioli::{Promise, Protocol, StreamReader, StreamWriter, Transport, create_connection, start_server};
/// use std::io;
///
/// struct Collect {
///     text: Vec<u8>,
///     whole: Promise<Vec<u8>>,
/// }
///
/// impl Protocol for Collect {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"tell me\n");
///     }
///
///     fn data_received(&mut self, data: &[u8]) {
///         self.text.extend_from_slice(data);
///     }
///
///     fn connection_lost(&mut self, error: Option<io::Error>) {
///         assert!(error.is_none());
///         self.whole.set_result(std::mem::take(&mut self.text)).unwrap();
///     }
/// }
///
/// # aioli::run(async {
/// async fn tell(mut reader: StreamReader, writer: StreamWriter) {
///     writer.write(&reader.readline().await.unwrap());
/// }
/// let server = start_server(tell, "127.0.0.1:0").await?;
/// let whole = Promise::new();
/// let collect = Collect { text: Vec::new(), whole: whole.clone() };
/// create_connection(|| collect, server.local_addr()).await?;
/// assert_eq!(whole.await.unwrap(), b"tell me\n");
/// # io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`TcpStream::connect`](crate::net::TcpStream::connect), of the TLS handshake if there is one, and one that says so if
/// `connection_made` has panicked: then the connection is closed, and `connection_lost` was called.
///
/// # Panics
///
/// When it is polled where no event loop runs; with `factory`'s panic.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up, and no protocol is made. Once there is a connection it is ready in the same step.
pub fn create_connection<F, P>(factory: F, addresses: impl ToAddresses) -> CreateConnection
where
    F: FnOnce() -> P + Send + 'static,
    P: Protocol,
{
    CreateConnection::new(factory, Connect::to(addresses))
}

/// As [`create_connection`], to a Unix socket. As `loop.create_unix_connection()`;
/// [`create_unix_server`](crate::create_unix_server) has an example.
///
/// # Errors
///
/// Those of [`UnixStream::connect`](crate::net::UnixStream::connect), and as [`create_connection`].
///
/// # Panics
///
/// As [`create_connection`].
///
/// # Cancel safety
///
/// As [`create_connection`].
pub fn create_unix_connection<F, P>(factory: F, path: impl AsRef<Path>) -> CreateConnection
where
    F: FnOnce() -> P + Send + 'static,
    P: Protocol,
{
    CreateConnection::new(factory, Connect::to_path(path.as_ref().to_owned()))
}

/// A connection with a protocol that is being made, and before it is awaited, how. Made by [`create_connection`] and
/// [`create_unix_connection`].
#[must_use = "futures do nothing unless polled"]
pub struct CreateConnection(Configured<Options, io::Result<Transport>>);

struct Options {
    factory: Box<dyn FnOnce() -> Box<dyn Protocol> + Send>,
    connect: Connect,
}

impl CreateConnection {
    fn new<F, P>(factory: F, connect: Connect) -> Self
    where
        F: FnOnce() -> P + Send + 'static,
        P: Protocol,
    {
        Self(Configured::Options(Options {
            factory: Box::new(|| Box::new(factory())),
            connect,
        }))
    }

    /// Speaks TLS. The server's certificate must be for the host that was connected to, unless
    /// [`server_hostname`](Self::server_hostname) says otherwise. As `ssl`. The protocol is made when the handshake is done.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, connector: TlsConnector) -> Self {
        self.0.options().connect.tls.connector = Some(connector);
        self
    }

    /// With TLS, whom the server's certificate must be for: a DNS name or an IP address.
    #[cfg(feature = "tls")]
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.0.options().connect.tls.name = Some(name.into());
        self
    }

    /// How long a TLS handshake may take; 60 seconds unless it is said here. As `ssl_handshake_timeout`.
    #[cfg(feature = "tls")]
    pub fn handshake_timeout(mut self, limit: std::time::Duration) -> Self {
        self.0.options().connect.tls.limit = limit;
        self
    }
}

impl Options {
    async fn connect(self) -> io::Result<Transport> {
        let wire = self.connect.connect().await?;
        start(wire, Ways::Both, (self.factory)())
    }
}

/// Has `protocol` called from now on, and in here for the first time.
pub(super) fn start(wire: Arc<dyn Wire>, ways: Ways, protocol: Box<dyn Protocol>) -> io::Result<Transport> {
    let mut driver = Driver::new(Connection::new(wire, None), ways, protocol);
    let transport = driver.make()?;
    create_task(driver).detach();
    Ok(transport)
}

impl Future for CreateConnection {
    type Output = io::Result<Transport>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::connect)
    }
}

impl fmt::Debug for CreateConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateConnection").finish_non_exhaustive()
    }
}
