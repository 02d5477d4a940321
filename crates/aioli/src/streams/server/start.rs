//! Starting a server that hands each connection to a function as a reader and a writer.

use super::{Listen, Serve, Server};
#[cfg(feature = "tls")]
use crate::tls::TlsAcceptor;
use crate::{
    configured::Configured,
    net::{TcpListener, ToAddresses},
    streams::{StreamReader, StreamWriter, connection::Connection, reader::LIMIT},
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

/// Listens on all of `addresses`, and calls `handler` in a task of its own for each connection. As
/// `asyncio.start_server()`; what that takes as keyword arguments are methods of [`StartServer`], to be called before it is awaited.
///
/// A handler that panics ends alone, and the loop's
/// [exception handler](crate::EventLoop::set_exception_handler) is told. What it leaves in the writer is still sent.
/// Connections that end before they are accepted are passed over; out of descriptors or memory, the server looks again
/// after 100 ms, while those that it has are served.
///
/// [`open_connection`](crate::open_connection) has an example.
///
/// # Errors
///
/// Those of [`TcpListener::bind`]: [`AddrInUse`](io::ErrorKind::AddrInUse) if one of the addresses is.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped.
pub fn start_server<H, F>(handler: H, addresses: impl ToAddresses) -> StartServer
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    StartServer::new(handler, Listen::on(addresses))
}

/// As [`start_server`], on a Unix socket. As `asyncio.start_unix_server()`; [`UnixListener::bind`](crate::net::UnixListener::bind) says
/// what becomes of the socket's file.
///
/// ```
/// use aioli::{StreamReader, StreamWriter, open_unix_connection, start_unix_server};
///
/// # aioli::run(async {
/// async fn greet(_reader: StreamReader, writer: StreamWriter) {
///     writer.write(b"hello\n");
/// }
/// let path = std::env::temp_dir().join(format!("aioli-greet-{}", std::process::id()));
/// let server = start_unix_server(greet, &path).await?;
/// let (mut reader, _writer) = open_unix_connection(&path).await?;
/// assert_eq!(reader.readline().await?, b"hello\n");
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
pub fn start_unix_server<H, F>(handler: H, path: impl AsRef<Path>) -> StartServer
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    StartServer::new(handler, Listen::on_path(path.as_ref().to_owned()))
}

/// As [`start_server`], with a listener that is there already: made by a [`TcpSocket`](crate::net::TcpSocket) with options of its own, or
/// passed on by another process. As `asyncio.start_server(sock=...)`.
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
pub fn start_server_on<H, F>(handler: H, listener: TcpListener) -> StartServer
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    StartServer::new(handler, Listen::on_listener(listener))
}

/// A server that is being started, and before it is awaited, how. Made by [`start_server`].
#[must_use = "futures do nothing unless polled"]
pub struct StartServer(Configured<Options, io::Result<Server>>);

struct Options {
    handler: Handler,
    listen: Listen,
    limit: usize,
}

/// Calls the handler in a task.
type Handler = Arc<dyn Fn(StreamReader, StreamWriter) + Send + Sync>;

fn erase<H, F>(handler: H) -> Handler
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |reader, writer| {
        let handler = handler.clone();
        // In the task, so that a handler which panics before its first await ends alone too.
        create_task(async move { handler(reader, writer).await }).detach();
    })
}

impl StartServer {
    fn new<H, F>(handler: H, listen: Listen) -> Self
    where
        H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Configured::Options(Options {
            handler: erase(handler),
            listen,
            limit: LIMIT,
        }))
    }

    /// How many bytes there may be in front of a separator; 64 KiB unless it is said here. See [`StreamReader::limit`].
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
        let Self { handler, listen, limit } = self;
        let serve: Serve = Arc::new(move |wire, guest| {
            let (reader, writer) = Connection::open(wire, Some(guest), limit);
            handler(reader, writer);
        });
        listen.serve(serve).await
    }
}

impl Future for StartServer {
    type Output = io::Result<Server>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::start)
    }
}

impl fmt::Debug for StartServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer").finish_non_exhaustive()
    }
}
