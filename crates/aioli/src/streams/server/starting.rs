//! A server that is being started: its options, until it is awaited.

use super::{Listen, Serve, Server};
#[cfg(feature = "tls")]
use crate::tls::TlsAcceptor;
use crate::{configured::Configured, streams::reader::LIMIT};
use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// A server that is being started, and before it is awaited, how. Made by [`start_server`](crate::start_server) and
/// [`create_server`](crate::create_server), and by their twins for Unix sockets and for listeners that are there already.
#[must_use = "futures do nothing unless polled"]
pub struct Starting(Configured<Options, io::Result<Server>>);

struct Options {
    listen: Listen,
    limit: usize,
    /// What is done with connections, whose readers have that limit.
    serve: Box<dyn FnOnce(usize) -> Serve + Send>,
}

impl Starting {
    pub(crate) fn new(listen: Listen, serve: impl FnOnce(usize) -> Serve + Send + 'static) -> Self {
        Self(Configured::Options(Options {
            listen,
            limit: LIMIT,
            serve: Box::new(serve),
        }))
    }

    /// For servers with readers: how many bytes there may be in front of a separator; 64 KiB unless it is said here. See
    /// [`StreamReader::limit`](crate::StreamReader::limit).
    pub fn limit(mut self, bytes: usize) -> Self {
        self.0.options().limit = bytes;
        self
    }

    /// Whether the server accepts connections at once, which is the default. If not, the system lets them wait in the backlog until
    /// [`Server::start_serving`] or [`Server::serve_forever`] is called.
    pub fn start_serving(mut self, yes: bool) -> Self {
        self.0.options().listen.serving = yes;
        self
    }

    /// How many connections the system may hold until they are accepted; 1024 unless it is said here, and the system may allow fewer.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.0.options().listen.backlog = connections;
        self
    }

    /// Whether other sockets, of other processes even, may listen on the same address, if they want it too (`SO_REUSEPORT`); the system then
    /// shares the connections out. By default not.
    pub fn reuse_port(mut self, yes: bool) -> Self {
        self.0.options().listen.reuse_port = yes;
        self
    }

    /// Whether the file of a Unix socket is removed when the server is closed, which is the default. As `cleanup_socket`.
    pub fn cleanup_socket(mut self, yes: bool) -> Self {
        self.0.options().listen.cleanup_socket = yes;
        self
    }

    /// Serves clients by TLS, and by nothing else. As `ssl`.
    ///
    /// A handshake that fails is reported to the [exception handler](crate::EventLoop::set_exception_handler), unless the client has just
    /// gone away, refused our certificate, or taken too long.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, acceptor: TlsAcceptor) -> Self {
        self.0.options().listen.tls.acceptor = Some(acceptor);
        self
    }

    /// How long a TLS handshake may take; 60 seconds unless it is said here. As `ssl_handshake_timeout`.
    ///
    /// [Virtual time](crate::Builder::virtual_time) passes while everybody waits for the peer, so give `Duration::MAX` there.
    ///
    /// Without [TLS](Self::tls) it is an error of the kind [`InvalidInput`](io::ErrorKind::InvalidInput) to say this.
    #[cfg(feature = "tls")]
    pub fn handshake_timeout(mut self, limit: std::time::Duration) -> Self {
        self.0.options().listen.tls.limit = Some(limit);
        self
    }
}

impl Options {
    async fn start(self) -> io::Result<Server> {
        #[cfg(feature = "tls")]
        self.listen.tls.check()?;
        self.listen.serve((self.serve)(self.limit)).await
    }
}

impl Future for Starting {
    type Output = io::Result<Server>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::start)
    }
}

impl fmt::Debug for Starting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting").finish_non_exhaustive()
    }
}
