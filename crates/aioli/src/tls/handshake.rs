//! The handshake: what makes a TLS wire of another wire. One task both reads and writes until it is over.

use super::{TlsAcceptor, TlsConnector, TlsError, TlsWire, session::Session};
use crate::{streams::wire::Wire, time::timeout};
use aioli_primitives::sync::Mutex;
use rustls::{ClientConnection, Connection, ServerConnection, pki_types::ServerName};
use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// Whom a certificate is to be for.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if `name` is neither a DNS name nor an address.
pub(crate) fn server_name(name: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        let message = format!("{name:?} is neither a DNS name nor an IP address, and can be in no certificate");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// How long a handshake may take unless it is told otherwise. As `ssl_handshake_timeout`.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

impl TlsWire {
    /// The handshake of a client that wants to speak to `server`. `arrived` has been read from the wire already, and is part of the
    /// handshake.
    ///
    /// # Errors
    ///
    /// A [`TlsError`]; those of the wire.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops its share of the wire, in the middle of the handshake.
    pub(crate) async fn connect(
        below: Arc<dyn Wire>,
        connector: &TlsConnector,
        server: ServerName<'static>,
        arrived: Vec<u8>,
        limit: Duration,
    ) -> io::Result<Self> {
        let asked = match &server {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let tls = ClientConnection::new(connector.config().clone(), server).map_err(TlsError::Protocol)?;
        Self::open(below, tls.into(), asked, arrived, limit).await
    }

    /// The handshake of a server. Otherwise as [`connect`](Self::connect).
    pub(crate) async fn accept(
        below: Arc<dyn Wire>,
        acceptor: &TlsAcceptor,
        arrived: Vec<u8>,
        limit: Duration,
    ) -> io::Result<Self> {
        let tls = ServerConnection::new(acceptor.config().clone()).map_err(TlsError::Protocol)?;
        Self::open(below, tls.into(), None, arrived, limit).await
    }

    async fn open(
        below: Arc<dyn Wire>,
        tls: Connection,
        asked: Option<String>,
        arrived: Vec<u8>,
        limit: Duration,
    ) -> io::Result<Self> {
        let mut wire = Self {
            below,
            session: Mutex::new(Session::new(tls, arrived)),
            linger: Mutex::default(),
            info: None,
        };
        match timeout(limit, wire.shake_hands()).await {
            Ok(result) => result?,
            Err(_) => return Err(TlsError::HandshakeTimeout(limit).into()),
        }
        wire.info = wire.session.lock().info(asked);
        Ok(wire)
    }

    async fn shake_hands(&self) -> io::Result<()> {
        loop {
            {
                let mut session = self.session.lock();
                if session.is_open() {
                    // What there is not room for goes with the next write.
                    let _ = session.send(&*self.below);
                    return Ok(());
                }
            }
            let sent = poll_fn(|cx| self.poll_send_or_arrival(cx)).await;
            let goes_on = self.session.lock().shake_hands(sent)?;
            if !goes_on {
                poll_fn(|cx| self.poll_arrival(cx)).await?;
            }
        }
    }

    /// Waits until all is sent, which gives `true`, or something has arrived: the other end may be waiting to send, too.
    fn poll_send_or_arrival(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.poll_send(cx) {
            Poll::Pending => self.poll_arrival(cx).map_ok(|_| false),
            sent => sent.map_ok(|()| true),
        }
    }
}
