//! TLS for streams and protocols: who greets whom on a new connection.

use super::{server::Serve, wire::Wire};
use crate::{
    runtime::EventLoop,
    task::UnhandledError,
    tls::{HANDSHAKE_LIMIT, TlsAcceptor, TlsConnector, TlsError, TlsWire, server_name},
};
use rustls::pki_types::ServerName;
use std::{io, sync::Arc, time::Duration};

/// The client's side of a new connection, as it was asked for.
#[derive(Default)]
pub(crate) struct Client {
    /// `None`: there is no TLS.
    pub(crate) connector: Option<TlsConnector>,
    pub(crate) name: Option<String>,
    pub(crate) limit: Option<Duration>,
}

/// The client's side of a new connection, when nothing is wrong with it; `None`: there is no TLS.
pub(super) struct Greeting(Option<(TlsConnector, ServerName<'static>, Duration)>);

impl Client {
    /// Before anything is connected. `host`: whom the server is expected to be, unless it was said.
    pub(super) fn prepare(self, host: Option<String>) -> io::Result<Greeting> {
        let Some(connector) = self.connector else {
            if self.name.is_some() {
                return Err(no_tls("server_hostname", "tls(connector)"));
            }
            if self.limit.is_some() {
                return Err(no_tls("handshake_timeout", "tls(connector)"));
            }
            return Ok(Greeting(None));
        };
        let Some(name) = self.name.or(host) else {
            return Err(invalid(
                "the address does not say whom the certificate is to be for: call `server_hostname`",
            ));
        };
        let limit = self.limit.unwrap_or(HANDSHAKE_LIMIT);
        Ok(Greeting(Some((connector, server_name(&name)?, limit))))
    }
}

impl Greeting {
    pub(super) async fn greet(self, wire: Arc<dyn Wire>) -> io::Result<Arc<dyn Wire>> {
        let Some((connector, server, limit)) = self.0 else {
            return Ok(wire);
        };
        let wire = TlsWire::connect(wire, &connector, server, Vec::new(), limit).await?;
        Ok(Arc::new(wire))
    }
}

/// Somebody means TLS and does not say so, and would send plain text.
fn no_tls(option: &str, missing: &str) -> io::Error {
    invalid(format!(
        "`{option}` is for TLS, and there is none: call `{missing}`, or leave it out"
    ))
}

pub(super) fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}

/// The server's side of new connections.
#[derive(Default)]
pub(crate) struct Greeter {
    /// `None`: there is no TLS.
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) limit: Option<Duration>,
}

impl Greeter {
    /// Before anything listens.
    pub(super) fn check(&self) -> io::Result<()> {
        match (&self.acceptor, self.limit) {
            (None, Some(_)) => Err(no_tls("handshake_timeout", "tls(acceptor)")),
            _ => Ok(()),
        }
    }

    /// Serves connections when they have been greeted, each in a task of its own, so that slow ones keep nobody waiting.
    pub(super) fn then(self, serve: Serve) -> Serve {
        let Self { acceptor, limit } = self;
        let Some(acceptor) = acceptor else {
            return serve;
        };
        let limit = limit.unwrap_or(HANDSHAKE_LIMIT);
        Arc::new(move |wire, guest| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            EventLoop::current()
                .create_service(async move {
                    match TlsWire::accept(wire, &acceptor, Vec::new(), limit).await {
                        Ok(wire) => serve(Arc::new(wire), guest),
                        Err(error) => report(&error),
                    }
                })
                .detach();
        })
    }
}

/// A client that goes away, is too slow, or does not want to talk to us, is its own affair.
fn report(error: &io::Error) {
    use rustls::Error::AlertReceived;
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    if let Some(TlsError::Protocol(error)) =
        inside.filter(|error| !matches!(error, TlsError::Protocol(AlertReceived(_))))
    {
        let text = format_args!("a client's TLS handshake failed: {error}");
        EventLoop::current().call_exception_handler(UnhandledError::error(text));
    }
}
