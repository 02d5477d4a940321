//! Starting a server that hands each connection to a function as a reader and a writer.

use super::{
    Server,
    accept::{Listener, Serve},
};
use crate::{
    configured::Configured,
    net::{Addresses, TcpListener, ToAddresses},
    streams::{StreamReader, StreamWriter, connection::Connection, reader::LIMIT},
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
    StartServer(Configured::Options(Options {
        handler: erase(handler),
        listen: Listen {
            addresses: addresses.to_addresses(),
        },
        limit: LIMIT,
        serving: true,
    }))
}

/// A server that is being started, and before it is awaited, how. Made by [`start_server`].
#[must_use = "futures do nothing unless polled"]
pub struct StartServer(Configured<Options, io::Result<Server>>);

struct Options {
    handler: Handler,
    listen: Listen,
    limit: usize,
    serving: bool,
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
    /// How many bytes there may be in front of a separator; 64 KiB unless it is said here. See [`StreamReader::limit`].
    pub fn limit(mut self, bytes: usize) -> Self {
        self.0.options().limit = bytes;
        self
    }

    /// Whether the server accepts connections at once, which is the default. If not, the system lets them wait in the backlog until
    /// [`Server::start_serving`] or [`Server::serve_forever`] is called.
    pub fn start_serving(mut self, yes: bool) -> Self {
        self.0.options().serving = yes;
        self
    }
}

impl Options {
    async fn start(self) -> io::Result<Server> {
        let Self {
            handler,
            listen,
            limit,
            serving,
        } = self;
        let listeners = listen.listen().await?;
        let serve: Serve = Arc::new(move |wire, guest| {
            let (reader, writer) = Connection::open(wire, Some(guest), limit);
            handler(reader, writer);
        });
        Server::new(listeners, serve, serving)
    }
}

/// Where to listen, and how.
pub(crate) struct Listen {
    addresses: io::Result<Addresses>,
}

impl Listen {
    pub(super) async fn listen(self) -> io::Result<Vec<Listener>> {
        let mut listeners = Vec::new();
        for address in self.addresses?.resolve().await? {
            listeners.push(Listener::Tcp(TcpListener::bind(address).await?));
        }
        Ok(listeners)
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
