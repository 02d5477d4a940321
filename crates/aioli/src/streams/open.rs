//! Making connections.

use super::{StreamReader, StreamWriter, connection::Connection, reader::LIMIT, wire::Wire};
use crate::{
    configured::Configured,
    net::{Addresses, TcpStream, ToAddresses},
};
use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Connects, and gives the connection as a reader and a writer. As `asyncio.open_connection()`; what that takes as keyword arguments
/// are methods of [`OpenConnection`], to be called before it is awaited.
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
/// Those of [`TcpStream::connect`].
///
/// # Panics
///
/// When it is polled where no event loop runs.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up.
pub fn open_connection(addresses: impl ToAddresses) -> OpenConnection {
    OpenConnection(Configured::Options(Options {
        addresses: addresses.to_addresses(),
        limit: LIMIT,
    }))
}

/// A connection that is being made, and before it is awaited, how. Made by [`open_connection`].
#[must_use = "futures do nothing unless polled"]
pub struct OpenConnection(Configured<Options, io::Result<(StreamReader, StreamWriter)>>);

struct Options {
    addresses: io::Result<Addresses>,
    limit: usize,
}

impl OpenConnection {
    /// How many bytes there may be in front of a separator; 64 KiB unless it is said here. See [`StreamReader::limit`].
    pub fn limit(mut self, bytes: usize) -> Self {
        self.0.options().limit = bytes;
        self
    }
}

impl Options {
    async fn open(self) -> io::Result<(StreamReader, StreamWriter)> {
        let stream = TcpStream::connect(self.addresses?).await?;
        Ok(Connection::open(tcp(stream), None, self.limit))
    }
}

/// A TCP connection as streams use it.
pub(crate) fn tcp(stream: TcpStream) -> Arc<dyn Wire> {
    // A connection that the peer has reset already may refuse; reading will tell.
    let _ = stream.set_nodelay(true);
    Arc::new(stream)
}

impl Future for OpenConnection {
    type Output = io::Result<(StreamReader, StreamWriter)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll(cx, Options::open)
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection").finish_non_exhaustive()
    }
}
