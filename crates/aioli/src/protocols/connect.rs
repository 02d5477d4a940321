//! Making connections that have a protocol.

use super::{
    Protocol, Transport,
    driver::{Driver, Ways},
};
use crate::{
    net::ToAddresses,
    runtime::EventLoop,
    streams::{Connecting, connect::Connect, connection::Connection, wire::Wire},
};
use std::{io, path::Path, sync::Arc};

/// Connects, and has the protocol that `factory` makes called for what happens on the connection. As `loop.create_connection()`; what
/// that takes as keyword arguments are methods of [`Connecting`], to be called before it is awaited. The protocol is not given back,
/// as it belongs to the connection's task: share what is to be seen of it.
///
/// Small writes are sent at once (`TCP_NODELAY`), as in asyncio.
///
/// ```
/// use aioli::{Promise, Protocol, StreamReader, StreamWriter, Transport, create_connection, start_server};
/// use std::io;
///
/// struct Collect {
///     text: Vec<u8>,
///     whole: Promise<Vec<u8>>,
/// }
///
/// impl Protocol for Collect {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"tell me\n");
///     }
///
///     fn data_received(&mut self, data: &[u8]) {
///         self.text.extend_from_slice(data);
///     }
///
///     fn connection_lost(&mut self, error: Option<io::Error>) {
///         assert!(error.is_none());
///         self.whole.set_result(std::mem::take(&mut self.text)).unwrap();
///     }
/// }
///
/// # aioli::run(async {
/// async fn tell(mut reader: StreamReader, writer: StreamWriter) {
///     writer.write(&reader.readline().await.unwrap());
/// }
/// let server = start_server(tell, "127.0.0.1:0").await?;
/// let whole = Promise::new();
/// let collect = Collect { text: Vec::new(), whole: whole.clone() };
/// create_connection(|| collect, server.local_addr()).await?;
/// assert_eq!(whole.await.unwrap(), b"tell me\n");
/// # io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`TcpStream::connect`](crate::net::TcpStream::connect), of the TLS handshake if there is one, and one that says so if
/// `connection_made` has panicked: then the connection is closed, and `connection_lost` was called.
///
/// # Panics
///
/// When it is polled where no event loop runs; with `factory`'s panic.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up, and no protocol is made. Once there is a connection it is ready in the same step.
pub fn create_connection<F, P>(factory: F, addresses: impl ToAddresses) -> Connecting<Transport>
where
    F: FnOnce() -> P + Send + 'static,
    P: Protocol,
{
    transport(factory, Connect::to(addresses))
}

/// As [`create_connection`], to a Unix socket. As `loop.create_unix_connection()`;
/// [`create_unix_server`](crate::create_unix_server) has an example.
///
/// # Errors
///
/// Those of [`UnixStream::connect`](crate::net::UnixStream::connect), and as [`create_connection`].
///
/// # Panics
///
/// As [`create_connection`].
///
/// # Cancel safety
///
/// As [`create_connection`].
pub fn create_unix_connection<F, P>(factory: F, path: impl AsRef<Path>) -> Connecting<Transport>
where
    F: FnOnce() -> P + Send + 'static,
    P: Protocol,
{
    transport(factory, Connect::to_path(path.as_ref().to_owned()))
}

/// A transport when there is a connection.
fn transport<F, P>(factory: F, connect: Connect) -> Connecting<Transport>
where
    F: FnOnce() -> P + Send + 'static,
    P: Protocol,
{
    Connecting::new(connect, |wire, _| start(wire, Ways::Both, Box::new(factory())))
}

/// Has `protocol` called from now on, and in here for the first time.
pub(super) fn start(wire: Arc<dyn Wire>, ways: Ways, protocol: Box<dyn Protocol>) -> io::Result<Transport> {
    let mut driver = Driver::new(Connection::new(wire, None), ways, protocol);
    let transport = driver.make()?;
    EventLoop::current().create_service(driver).detach();
    Ok(transport)
}
