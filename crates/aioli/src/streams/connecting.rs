//! A connection that is being made: its options, until it is awaited.

use super::{StreamReader, StreamWriter, connect::Connect, reader::LIMIT, wire::Wire};
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
use crate::{configured::Configured, net::ConnectOptions};
use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A connection that is being made, and before it is awaited, how. Made by [`open_connection`](crate::open_connection) and
/// [`create_connection`](crate::create_connection), and by their twins for Unix sockets.
#[must_use = "futures do nothing unless polled"]
pub struct Connecting<T>(Configured<Options<T>, io::Result<T>>);

struct Options<T> {
    connect: Connect,
    /// Of the reader, if there is one.
    limit: usize,
    finish: Finish<T>,
}

/// Makes what was asked for of a connection that is there.
type Finish<T> = Box<dyn FnOnce(Arc<dyn Wire>, usize) -> io::Result<T> + Send>;

impl<T: 'static> Connecting<T> {
    pub(crate) fn new(
        connect: Connect,
        finish: impl FnOnce(Arc<dyn Wire>, usize) -> io::Result<T> + Send + 'static,
    ) -> Self {
        Self(Configured::Options(Options {
            connect,
            limit: LIMIT,
            finish: Box::new(finish),
        }))
    }

    /// How the connection is made: from which local address, and in which order several addresses are tried. As `local_addr`,
    /// `happy_eyeballs_delay` and `interleave`. Nothing of it concerns Unix sockets.
    ///
    /// ```
    /// use aioli::{StreamReader, StreamWriter, net::ConnectOptions, open_connection, start_server};
    /// use std::time::Duration;
    ///
    /// # aioli::run(async {
    /// # async fn nothing(_: StreamReader, _: StreamWriter) {}
    /// let server = start_server(nothing, "localhost:0").await?;
    /// let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_millis(250));
    /// open_connection(("localhost", server.local_addr().port())).connect_options(options).await?;
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn connect_options(mut self, options: ConnectOptions) -> Self {
        self.0.options().connect.options = options;
        self
    }

    /// Speaks TLS. The server's certificate must be for the host that was connected to, unless
    /// [`server_hostname`](Self::server_hostname) says otherwise. As `ssl`. A protocol is made when the handshake is done.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, connector: TlsConnector) -> Self {
        self.0.options().connect.tls.connector = Some(connector);
        self
    }

    /// With [TLS](Self::tls), whom the server's certificate must be for: a DNS name or an IP address.
    ///
    /// Without TLS it is an error of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) to say this, as it is to give the handshake a
    /// limit: nobody sends plain text because the call of `tls` is missing.
    #[cfg(feature = "tls")]
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.0.options().connect.tls.name = Some(name.into());
        self
    }

    /// How long a TLS handshake may take; 60 seconds unless it is said here. As `ssl_handshake_timeout`.
    ///
    /// [Virtual time](crate::Builder::virtual_time) passes while everybody waits for the peer, so give `Duration::MAX` there.
    #[cfg(feature = "tls")]
    pub fn handshake_timeout(mut self, limit: std::time::Duration) -> Self {
        self.0.options().connect.tls.limit = Some(limit);
        self
    }
}

impl Connecting<(StreamReader, StreamWriter)> {
    /// How many bytes there may be in front of a separator; 64 KiB unless it is said here. See [`StreamReader::limit`].
    pub fn limit(mut self, bytes: usize) -> Self {
        self.0.options().limit = bytes;
        self
    }
}

impl<T> Options<T> {
    async fn connect(self) -> io::Result<T> {
        let wire = self.connect.connect().await?;
        (self.finish)(wire, self.limit)
    }
}

impl<T: 'static> Future for Connecting<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::connect)
    }
}

impl<T> fmt::Debug for Connecting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}
