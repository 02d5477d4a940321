//! Servers whose connections have protocols.

use super::{
    Protocol,
    driver::{Driver, Ways},
};
use crate::{
    net::{TcpListener, ToAddresses},
    streams::{Starting, connection::Connection, server::Listen},
};
use std::{path::Path, sync::Arc};

/// Listens on all of `addresses`, and has a protocol that `factory` makes called for what happens on each connection. As
/// `loop.create_server()`; what that takes as keyword arguments are methods of [`Starting`], to be called before it is awaited.
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
/// Those of [`TcpListener::bind`](crate::net::TcpListener::bind): [`AddrInUse`](std::io::ErrorKind::AddrInUse) if one of the addresses is.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped.
pub fn create_server<F, P>(factory: F, addresses: impl ToAddresses) -> Starting
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    protocols(factory, Listen::on(addresses))
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
pub fn create_unix_server<F, P>(factory: F, path: impl AsRef<Path>) -> Starting
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    protocols(factory, Listen::on_path(path.as_ref().to_owned()))
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
pub fn create_server_on<F, P>(factory: F, listener: TcpListener) -> Starting
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    protocols(factory, Listen::on_listener(listener))
}

/// Has a protocol called in a task.
fn protocols<F, P>(factory: F, listen: Listen) -> Starting
where
    F: Fn() -> P + Send + Sync + 'static,
    P: Protocol,
{
    let factory = Arc::new(factory);
    Starting::new(listen, |_| {
        Arc::new(move |wire, guest| {
            let connection = Connection::new(wire, Some(guest));
            let factory = factory.clone();
            // The factory may panic, which ends this task alone.
            let event_loop = connection.event_loop.clone();
            let drive = async move { Driver::new(connection, Ways::Both, Box::new(factory())).await };
            event_loop.create_service(drive).detach();
        })
    })
}
