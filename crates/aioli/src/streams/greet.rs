//! TLS for streams and protocols: who greets whom, on a new connection or on a live one.

use super::{StreamReader, StreamWriter, connection::Connection, server::Serve, wire::Wire};
use crate::{
    runtime::EventLoop,
    task::{UnhandledError, create_task},
    tls::{HANDSHAKE_LIMIT, TlsAcceptor, TlsConnector, TlsError, TlsWire},
};
use std::{io, sync::Arc, time::Duration};

/// The client's side of a new connection.
pub(crate) struct Client {
    /// `None`: there is no TLS.
    pub(crate) connector: Option<TlsConnector>,
    pub(crate) name: Option<String>,
    pub(crate) limit: Duration,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            connector: None,
            name: None,
            limit: HANDSHAKE_LIMIT,
        }
    }
}

impl Client {
    /// `host`: whom the server is expected to be, unless it was said.
    pub(super) async fn greet(self, wire: Arc<dyn Wire>, host: Option<String>) -> io::Result<Arc<dyn Wire>> {
        let Some(connector) = self.connector else {
            return Ok(wire);
        };
        let Some(name) = self.name.or(host) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the address does not say whom the certificate is to be for: call `server_hostname`",
            ));
        };
        let wire = TlsWire::connect(wire, &connector, &name, Vec::new(), self.limit).await?;
        Ok(Arc::new(wire))
    }
}

/// The server's side of new connections.
pub(crate) struct Greeter {
    /// `None`: there is no TLS.
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) limit: Duration,
}

impl Default for Greeter {
    fn default() -> Self {
        Self {
            acceptor: None,
            limit: HANDSHAKE_LIMIT,
        }
    }
}

impl Greeter {
    /// Serves connections when they have been greeted, each in a task of its own, so that slow ones keep nobody waiting.
    pub(super) fn then(self, serve: Serve) -> Serve {
        let Self { acceptor, limit } = self;
        let Some(acceptor) = acceptor else {
            return serve;
        };
        Arc::new(move |wire, guest| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            create_task(async move {
                match TlsWire::accept(wire, &acceptor, Vec::new(), limit).await {
                    Ok(wire) => serve(Arc::new(wire), guest),
                    Err(error) => report(&error),
                }
            })
            .detach();
        })
    }
}

/// As asyncio does: a client that goes away, or is too slow, is its own affair.
fn report(error: &io::Error) {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    if let Some(TlsError::Protocol(error)) = inside {
        let text = format_args!("a client's TLS handshake failed: {error}");
        EventLoop::current().call_exception_handler(UnhandledError::error(text));
    }
}

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
/// slip something in before it. The handshake may take 60 seconds; [`timeout`](crate::timeout) allows less.
///
/// ```
/// # async fn client() -> std::io::Result<()> {
/// use aioli::{open_connection, tls::{TlsConnector, start_tls}};
///
/// let (mut reader, writer) = open_connection("mail.example.org:587").await?;
/// reader.readline().await?;
/// writer.write(b"STARTTLS\r\n");
/// reader.readline().await?;
/// let connector = TlsConnector::with_system_certificates()?;
/// let (reader, writer) = start_tls(reader, writer, (connector, "mail.example.org")).await?;
/// # drop((reader, writer));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of an earlier write; a [`TlsError`]; [`InvalidInput`](io::ErrorKind::InvalidInput) if the name can be in no certificate. The
/// connection is closed then.
///
/// # Cancel safety
///
/// Dropping it closes the connection.
pub async fn start_tls(
    reader: StreamReader,
    writer: StreamWriter,
    side: impl Into<TlsSide>,
) -> io::Result<(StreamReader, StreamWriter)> {
    let side = side.into();
    let (wire, guest) = writer.hand_over().await?;
    let (rest, limit) = reader.into_rest();
    let wire = match side {
        TlsSide::Client(connector, name) => TlsWire::connect(wire, &connector, &name, rest, HANDSHAKE_LIMIT).await?,
        TlsSide::Server(acceptor) => TlsWire::accept(wire, &acceptor, rest, HANDSHAKE_LIMIT).await?,
    };
    Ok(Connection::open(Arc::new(wire), guest, limit))
}
