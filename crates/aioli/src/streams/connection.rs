//! The socket that a reader and a writer share. It is closed when the last of them, and what the writer left to be sent,
//! are gone; only then does a server that waits for its connections count it as over.

use super::{StreamReader, StreamWriter, server::Guest};
use crate::net::{TcpStream, ToAddresses};
use aioli_primitives::sync::Arc;
use std::{io, net::SocketAddr};

/// Connects, and gives the connection as a reader and a writer. As `asyncio.open_connection()`.
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
/// let (mut reader, writer) = aioli::open_connection(server.local_addr()).await?;
/// writer.write(b"hello\n");
/// assert_eq!(reader.readline().await?, b"HELLO\n");
/// writer.close();
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of [`TcpStream::connect`].
///
/// # Panics
///
/// If no event loop runs on this thread.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up.
pub async fn open_connection(addresses: impl ToAddresses) -> io::Result<(StreamReader, StreamWriter)> {
    let stream = TcpStream::connect(addresses).await?;
    Ok(Connection::open(stream, None))
}

/// A socket, and for a server's connection its place among the guests.
pub(super) struct Connection {
    /// Before `guest`, so that it is closed before the server hears of it.
    pub(super) stream: TcpStream,
    _guest: Option<Guest>,
}

impl Connection {
    /// Takes the socket into a reader's and a writer's hands.
    pub(super) fn open(stream: TcpStream, guest: Option<Guest>) -> (StreamReader, StreamWriter) {
        // A connection that the peer has reset already may refuse; reading will tell.
        let _ = stream.set_nodelay(true);
        let connection = Arc::new(Self { stream, _guest: guest });
        (StreamReader::new(connection.clone()), StreamWriter::new(connection))
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
