//! TLS for streams: going over to it on a live connection.

use super::{StreamReader, StreamWriter, connection::Connection, greet::invalid};
use crate::{
    configured::Configured,
    tls::{HANDSHAKE_LIMIT, TlsAcceptor, TlsConnector, TlsWire, server_name},
};
use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// Which side of a connection this is, and what it needs for TLS: a connector with the name that the server's certificate must be for,
/// or an acceptor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TlsSide {
    /// The client's.
    Client(TlsConnector, String),
    /// The server's.
    Server(TlsAcceptor),
}

impl<N: Into<String>> From<(TlsConnector, N)> for TlsSide {
    fn from((connector, name): (TlsConnector, N)) -> Self {
        Self::Client(connector, name.into())
    }
}

impl<N: Into<String>> From<(&TlsConnector, N)> for TlsSide {
    fn from((connector, name): (&TlsConnector, N)) -> Self {
        Self::Client(connector.clone(), name.into())
    }
}

impl From<TlsAcceptor> for TlsSide {
    fn from(acceptor: TlsAcceptor) -> Self {
        Self::Server(acceptor)
    }
}

impl From<&TlsAcceptor> for TlsSide {
    fn from(acceptor: &TlsAcceptor) -> Self {
        Self::Server(acceptor.clone())
    }
}

/// Goes over to TLS on a live connection, after the two ends have agreed to: what was written before is sent first, as it is, and
/// what comes afterwards is encrypted. As `StreamWriter.start_tls()`; here the streams are taken, and new ones given back.
///
/// What the reader has buffered already is taken for the beginning of the handshake, never for text that came by TLS: nobody can
/// slip something in before it. The new streams have the limits of the old ones.
///
/// ```
/// # async fn client() -> std::io::Result<()> {
/// use aioli::{open_connection, tls::{TlsConnector, start_tls}};
/// use std::time::Duration;
///
/// let (mut reader, writer) = open_connection("mail.example.org:587").await?;
/// reader.readline().await?;
/// writer.write(b"STARTTLS\r\n");
/// reader.readline().await?;
/// let connector = TlsConnector::with_system_certificates()?;
/// let (reader, writer) = start_tls(reader, writer, (connector, "mail.example.org"))
///     .handshake_timeout(Duration::from_secs(10))
///     .await?;
/// # drop((reader, writer));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// * [`InvalidInput`](io::ErrorKind::InvalidInput), if the name can be in no certificate, or the reader and the writer are not of the
///   same connection.
/// * [`BrokenPipe`](io::ErrorKind::BrokenPipe), if the connection is being closed.
/// * Those of an earlier write, and of the connection; a [`TlsError`](crate::tls::TlsError).
///
/// The reader and the writer are dropped then, which closes the connection.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it closes the connection.
pub fn start_tls(reader: StreamReader, writer: StreamWriter, side: impl Into<TlsSide>) -> StartingTls {
    StartingTls(Configured::Options(Upgrade {
        reader,
        writer,
        side: side.into(),
        limit: HANDSHAKE_LIMIT,
    }))
}

/// TLS that is being started on a live connection, and before it is awaited, how. Made by [`start_tls`].
#[must_use = "futures do nothing unless polled"]
pub struct StartingTls(Configured<Upgrade, io::Result<(StreamReader, StreamWriter)>>);

impl StartingTls {
    /// How long the handshake may take; 60 seconds unless it is said here. As `ssl_handshake_timeout`. What was written before is waited
    /// for without a limit.
    ///
    /// [Virtual time](crate::Builder::virtual_time) passes while everybody waits for the peer, so give `Duration::MAX` there.
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.0.options().limit = limit;
        self
    }
}

struct Upgrade {
    reader: StreamReader,
    writer: StreamWriter,
    side: TlsSide,
    limit: Duration,
}

impl Upgrade {
    async fn start(self) -> io::Result<(StreamReader, StreamWriter)> {
        let Self {
            reader,
            writer,
            side,
            limit,
        } = self;
        if !writer.belongs_to(&reader) {
            return Err(invalid(
                "the reader and the writer are of two connections: give `start_tls` those of one",
            ));
        }
        if let TlsSide::Client(_, name) = &side {
            // Before anything is sent.
            server_name(name)?;
        }
        let (low, high) = writer.write_buffer_limits();
        let (wire, guest) = writer.hand_over().await?;
        let (rest, longest) = reader.into_rest();
        let wire = match side {
            TlsSide::Client(connector, name) => {
                TlsWire::connect(wire, &connector, server_name(&name)?, rest, limit).await?
            }
            TlsSide::Server(acceptor) => TlsWire::accept(wire, &acceptor, rest, limit).await?,
        };
        let (reader, writer) = Connection::open(Arc::new(wire), guest, longest);
        writer.set_write_buffer_limits(Some(high), Some(low));
        Ok((reader, writer))
    }
}

impl Future for StartingTls {
    type Output = io::Result<(StreamReader, StreamWriter)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Upgrade::start)
    }
}

impl fmt::Debug for StartingTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartingTls").finish_non_exhaustive()
    }
}
