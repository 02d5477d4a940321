//! Making connections that have a protocol.

use super::{Protocol, Transport, driver::Driver};
use crate::{
    configured::Configured,
    net::{Addresses, TcpStream, ToAddresses},
    streams::{connection::Connection, open::tcp, wire::Wire},
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

/// Connects, and has the protocol that `factory` makes called for what happens on the connection. As `loop.create_connection()`; the
/// protocol is not given back, as it belongs to the connection's task: share what is to be seen of it.
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
/// Those of [`TcpStream::connect`], and one that says so if `connection_made` has panicked: then the connection is closed, and
/// `connection_lost` was called.
///
/// # Panics
///
/// When it is polled where no event loop runs; with `factory`'s panic.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up, and no protocol is made. Once there is a connection it is ready in the same step.
pub fn create_connection<F, P>(factory: F, addresses: impl ToAddresses) -> CreateConnection
where
    F: FnOnce() -> P + Send + 'static,
    P: Protocol,
{
    CreateConnection(Configured::Options(Options {
        factory: Box::new(|| Box::new(factory())),
        addresses: addresses.to_addresses(),
    }))
}

/// A connection with a protocol that is being made. Made by [`create_connection`].
#[must_use = "futures do nothing unless polled"]
pub struct CreateConnection(Configured<Options, io::Result<Transport>>);

struct Options {
    factory: Box<dyn FnOnce() -> Box<dyn Protocol> + Send>,
    addresses: io::Result<Addresses>,
}

impl Options {
    async fn connect(self) -> io::Result<Transport> {
        let wire = tcp(TcpStream::connect(self.addresses?).await?);
        start(wire, (self.factory)())
    }
}

/// Has `protocol` called from now on, and in here for the first time.
pub(super) fn start(wire: Arc<dyn Wire>, protocol: Box<dyn Protocol>) -> io::Result<Transport> {
    let mut driver = Driver::new(Connection::new(wire, None), protocol);
    let transport = driver.make()?;
    create_task(driver).detach();
    Ok(transport)
}

impl Future for CreateConnection {
    type Output = io::Result<Transport>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::connect)
    }
}

impl fmt::Debug for CreateConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateConnection").finish_non_exhaustive()
    }
}
