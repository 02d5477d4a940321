//! Making connections.

use super::{StreamReader, StreamWriter, connect::Connect, connection::Connection, reader::LIMIT};
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
use crate::{
    configured::Configured,
    net::{ConnectOptions, ToAddresses},
};
use std::{
    fmt,
    future::Future,
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

/// Connects, and gives the connection as a reader and a writer. As `asyncio.open_connection()`; what that takes as keyword arguments
/// are methods of [`OpenConnection`], to be called before it is awaited.
///
/// Small writes are sent at once (`TCP_NODELAY`), as in asyncio.
///
/// ```
/// use aioli::{StreamReader, StreamWriter};
///
/// # aioli::run(async {
/// async fn shout(mut reader: StreamReader, writer: StreamWriter) {
///     while let Ok(line @ [_, ..]) = reader.readline().await.as_deref() {
///         writer.write(&line.to_ascii_uppercase());
///         if writer.drain().await.is_err() {
///             return;
///         }
///     }
/// }
/// let server = aioli::start_server(shout, "127.0.0.1:0").await?;
///
/// let (mut reader, writer) = aioli::open_connection(server.local_addr()).limit(1024).await?;
/// writer.write(b"hello\n");
/// assert_eq!(reader.readline().await?, b"HELLO\n");
/// writer.close();
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`TcpStream::connect`](crate::net::TcpStream::connect), and of the TLS handshake if there is one.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up.
pub fn open_connection(addresses: impl ToAddresses) -> OpenConnection {
    OpenConnection::new(Connect::to(addresses))
}

/// As [`open_connection`], to a Unix socket. As `asyncio.open_unix_connection()`;
/// [`start_unix_server`](crate::start_unix_server) has an example.
///
/// # Errors
///
/// Those of [`UnixStream::connect`](crate::net::UnixStream::connect), and of the TLS handshake if there is one.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up.
pub fn open_unix_connection(path: impl AsRef<Path>) -> OpenConnection {
    OpenConnection::new(Connect::to_path(path.as_ref().to_owned()))
}

/// A connection that is being made, and before it is awaited, how. Made by [`open_connection`] and [`open_unix_connection`].
#[must_use = "futures do nothing unless polled"]
pub struct OpenConnection(Configured<Options, io::Result<(StreamReader, StreamWriter)>>);

struct Options {
    connect: Connect,
    limit: usize,
}

impl OpenConnection {
    fn new(connect: Connect) -> Self {
        Self(Configured::Options(Options { connect, limit: LIMIT }))
    }

    /// How many bytes there may be in front of a separator; 64 KiB unless it is said here. See [`StreamReader::limit`].
    pub fn limit(mut self, bytes: usize) -> Self {
        self.0.options().limit = bytes;
        self
    }

    /// How the connection is made: from which local address, and in which order several addresses are tried. As `local_addr`,
    /// `happy_eyeballs_delay` and `interleave`. Nothing of it concerns Unix sockets.
    pub fn connect_options(mut self, options: ConnectOptions) -> Self {
        self.0.options().connect.options = options;
        self
    }

    /// Speaks TLS. The server's certificate must be for the host that was connected to, unless
    /// [`server_hostname`](Self::server_hostname) says otherwise. As `ssl`.
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
    async fn open(self) -> io::Result<(StreamReader, StreamWriter)> {
        let wire = self.connect.connect().await?;
        Ok(Connection::open(wire, None, self.limit))
    }
}

impl Future for OpenConnection {
    type Output = io::Result<(StreamReader, StreamWriter)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::open)
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection").finish_non_exhaustive()
    }
}
