//! Making connections.

use super::{Connecting, StreamReader, StreamWriter, connect::Connect, connection::Connection};
use crate::net::ToAddresses;
use std::path::Path;

/// Connects, and gives the connection as a reader and a writer. As `asyncio.open_connection()`; what that takes as keyword arguments
/// are methods of [`Connecting`], to be called before it is awaited.
///
/// Small writes are sent at once (`TCP_NODELAY`), as in asyncio.
///
/// ```
/// use aioli::{StreamReader, StreamWriter};
///
/// # aioli::run(async {
/// async fn shout(mut reader: StreamReader, writer: StreamWriter) {
///     while let Ok(line @ [_, ..]) = reader.readline().await.as_deref() {
///         writer.write(&line.to_ascii_uppercase());
///         if writer.drain().await.is_err() {
///             return;
///         }
///     }
/// }
/// let server = aioli::start_server(shout, "127.0.0.1:0").await?;
///
/// let (mut reader, writer) = aioli::open_connection(server.local_addr()).limit(1024).await?;
/// writer.write(b"hello\n");
/// assert_eq!(reader.readline().await?, b"HELLO\n");
/// writer.close();
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`TcpStream::connect`](crate::net::TcpStream::connect), and of the TLS handshake if there is one.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up.
pub fn open_connection(addresses: impl ToAddresses) -> Connecting<(StreamReader, StreamWriter)> {
    streams(Connect::to(addresses))
}

/// As [`open_connection`], to a Unix socket. As `asyncio.open_unix_connection()`;
/// [`start_unix_server`](crate::start_unix_server) has an example.
///
/// # Errors
///
/// Those of [`UnixStream::connect`](crate::net::UnixStream::connect), and of the TLS handshake if there is one.
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up.
pub fn open_unix_connection(path: impl AsRef<Path>) -> Connecting<(StreamReader, StreamWriter)> {
    streams(Connect::to_path(path.as_ref().to_owned()))
}

/// A reader and a writer when there is a connection.
fn streams(connect: Connect) -> Connecting<(StreamReader, StreamWriter)> {
    Connecting::new(connect, |wire, limit| Ok(Connection::open(wire, None, limit)))
}
