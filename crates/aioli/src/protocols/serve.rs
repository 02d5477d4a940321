//! Servers whose connections have protocols.

use super::{
    Protocol,
    driver::{Driver, Ways},
};
#[cfg(feature = "tls")]
use crate::tls::TlsAcceptor;
use crate::{
    configured::Configured,
    net::{TcpListener, ToAddresses},
    streams::{
        Server,
        connection::Connection,
        server::{Listen, Serve},
    },
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

/// Listens on all of `addresses`, and has a protocol that `factory` makes called for what happens on each connection. As
/// `loop.create_server()`; what that takes as keyword arguments are methods of [`CreateServer`], to be called before it is awaited.
///
/// The factory is called in the connection's task. If it panics, the loop's
/// [exception handler](crate::EventLoop::set_exception_handler) is told, and the connection is closed.
///
/// ```
/// use aioli::{Protocol, Transport, create_server, open_connection};
///
/// #[derive(Default)]
/// struct Echo(Option<Transport>);
///
/// impl Protocol for Echo {
///     fn connection_made(&mut self, transport: &Transport) {
///         self.0 = Some(transport.clone());
///     }
///
///     fn data_received(&mut self, data: &[u8]) {
///         if let Some(transport) = &self.0 {
///             transport.write(data);
///         }
///     }
/// }
///
/// # aioli::run(async {
/// let server = create_server(Echo::default, "127.0.0.1:0").await?;
/// let (mut reader, writer) = open_connection(server.local_addr()).await?;
/// writer.write(b"hello\n");
/// assert_eq!(reader.readline().await?, b"hello\n");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`TcpListener::bind`](crate::net::TcpListener::bind): [`AddrInUse`](io::ErrorKind::AddrInUse) if one of the addresses is.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped.
pub fn create_server<F, P>(factory: F, addresses: impl ToAddresses) -> CreateServer
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    CreateServer::new(factory, Listen::on(addresses))
}

/// As [`create_server`], on a Unix socket. As `loop.create_unix_server()`; [`UnixListener::bind`](crate::net::UnixListener::bind) says
/// what becomes of the socket's file.
///
/// ```
/// use aioli::{Event, Protocol, Transport, create_unix_connection, create_unix_server};
/// use std::sync::Arc;
///
/// struct Greeter;
///
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"hello");
///         transport.close();
///     }
///
///     fn data_received(&mut self, _: &[u8]) {}
/// }
///
/// struct Greeted(Arc<Event>);
///
/// impl Protocol for Greeted {
///     fn data_received(&mut self, data: &[u8]) {
///         assert_eq!(data, b"hello");
///         self.0.set();
///     }
/// }
///
/// # aioli::run(async {
/// let path = std::env::temp_dir().join(format!("aioli-greeter-{}", std::process::id()));
/// let server = create_unix_server(|| Greeter, &path).await?;
/// let greeted = Arc::new(Event::new());
/// let protocol = Greeted(greeted.clone());
/// create_unix_connection(|| protocol, &path).await?;
/// greeted.wait().await;
/// drop(server);
/// assert!(!path.exists());
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`UnixListener::bind`](crate::net::UnixListener::bind).
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped.
pub fn create_unix_server<F, P>(factory: F, path: impl AsRef<Path>) -> CreateServer
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    CreateServer::new(factory, Listen::on_path(path.as_ref().to_owned()))
}

/// As [`create_server`], with a listener that is there already: made by a [`TcpSocket`](crate::net::TcpSocket) with options of its own, or
/// passed on by another process. As `loop.create_server(sock=...)`.
///
/// # Errors
///
/// Those of the system.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it closes the listener.
pub fn create_server_on<F, P>(factory: F, listener: TcpListener) -> CreateServer
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    CreateServer::new(factory, Listen::on_listener(listener))
}

/// A server that is being started, and before it is awaited, how. Made by [`create_server`] and its like.
#[must_use = "futures do nothing unless polled"]
pub struct CreateServer(Configured<Options, io::Result<Server>>);

struct Options {
    serve: Serve,
    listen: Listen,
}

/// What a server does with a connection: it has a protocol called in a task.
fn serve<F, P>(factory: F) -> Serve
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    let factory = Arc::new(factory);
    Arc::new(move |wire, guest| {
        let connection = Connection::new(wire, Some(guest));
        let factory = factory.clone();
        // The factory may panic, which ends this task alone.
        create_task(async move { Driver::new(connection, Ways::Both, Box::new(factory())).await }).detach();
    })
}

impl CreateServer {
    fn new<F, P>(factory: F, listen: Listen) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Protocol,
    {
        let serve = serve(factory);
        Self(Configured::Options(Options { serve, listen }))
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
    /// gone away, or taken too long.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, acceptor: TlsAcceptor) -> Self {
        self.0.options().listen.tls.acceptor = Some(acceptor);
        self
    }

    /// How long a TLS handshake may take; 60 seconds unless it is said here. As `ssl_handshake_timeout`.
    #[cfg(feature = "tls")]
    pub fn handshake_timeout(mut self, limit: std::time::Duration) -> Self {
        self.0.options().listen.tls.limit = limit;
        self
    }
}

impl Options {
    async fn start(self) -> io::Result<Server> {
        self.listen.serve(self.serve).await
    }
}

impl Future for CreateServer {
    type Output = io::Result<Server>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::start)
    }
}

impl fmt::Debug for CreateServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateServer").finish_non_exhaustive()
    }
}
