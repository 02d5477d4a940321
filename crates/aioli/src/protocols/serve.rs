//! Servers whose connections have protocols.

use super::{Protocol, driver::Driver};
use crate::{
    configured::Configured,
    net::ToAddresses,
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
    CreateServer(Configured::Options(Options {
        serve: serve(factory),
        listen: Listen::on(addresses),
        serving: true,
    }))
}

/// A server that is being started, and before it is awaited, how. Made by [`create_server`].
#[must_use = "futures do nothing unless polled"]
pub struct CreateServer(Configured<Options, io::Result<Server>>);

struct Options {
    serve: Serve,
    listen: Listen,
    serving: bool,
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
        create_task(async move { Driver::new(connection, Box::new(factory())).await }).detach();
    })
}

impl CreateServer {
    /// Whether the server accepts connections at once, which is the default. If not, the system lets them wait in the backlog until
    /// [`Server::start_serving`] or [`Server::serve_forever`] is called.
    pub fn start_serving(mut self, yes: bool) -> Self {
        self.0.options().serving = yes;
        self
    }
}

impl Options {
    async fn start(self) -> io::Result<Server> {
        Server::listening(self.listen, self.serve, self.serving).await
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
