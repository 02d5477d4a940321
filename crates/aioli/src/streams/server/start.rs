//! Starting a server that hands each connection to a function as a reader and a writer.

use super::{Listen, Starting};
use crate::{
    net::{TcpListener, ToAddresses},
    streams::{StreamReader, StreamWriter, connection::Connection},
    task::create_task,
};
use std::{future::Future, path::Path, sync::Arc};

/// Listens on all of `addresses`, and calls `handler` in a task of its own for each connection. As
/// `asyncio.start_server()`; what that takes as keyword arguments are methods of [`Starting`], to be called before it is awaited.
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
/// Those of [`TcpListener::bind`]: [`AddrInUse`](std::io::ErrorKind::AddrInUse) if one of the addresses is.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped.
pub fn start_server<H, F>(handler: H, addresses: impl ToAddresses) -> Starting
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    streams(handler, Listen::on(addresses))
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
pub fn start_unix_server<H, F>(handler: H, path: impl AsRef<Path>) -> Starting
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    streams(handler, Listen::on_path(path.as_ref().to_owned()))
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
pub fn start_server_on<H, F>(handler: H, listener: TcpListener) -> Starting
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    streams(handler, Listen::on_listener(listener))
}

/// Has the handler called in a task, with a reader and a writer.
fn streams<H, F>(handler: H, listen: Listen) -> Starting
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(handler);
    Starting::new(listen, |limit| {
        Arc::new(move |wire, guest| {
            let (reader, writer) = Connection::open(wire, Some(guest), limit);
            let handler = handler.clone();
            // In the task, so that a handler which panics before its first await ends alone too.
            create_task(async move { handler(reader, writer).await }).detach();
        })
    })
}
