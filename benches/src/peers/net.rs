//! What the echo server needs of a runtime: sockets, and what each runtime's own documentation recommends for buffered
//! reading and writing.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use super::Peer;
use crate::server;

/// A runtime with TCP.
pub trait NetPeer: Peer + Sized {
    /// A listening TCP socket.
    type Listener: Send + Sync + 'static;
    /// A connected TCP socket.
    type Stream: Send + 'static;

    /// Listens on a free port of the loopback interface.
    fn listen() -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    /// Accepts a connection, with Nagle's algorithm off.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Reads what is there into `buffer`; zero at the end of the stream.
    fn read(stream: &mut Self::Stream, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes all of `bytes`.
    fn write_all(stream: &mut Self::Stream, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Serves echo of whatever bytes are there, through a buffered reader and a buffered writer.
    fn serve_streams() -> impl Future<Output = io::Result<()>> + Send;

    /// Serves echo line by line, through the same two.
    fn serve_lines() -> impl Future<Output = io::Result<()>> + Send;

    /// Serves echo of whatever bytes are there in callbacks, or, where there is no such thing, by sockets.
    fn serve_protocol() -> impl Future<Output = io::Result<()>> + Send {
        server::accept::<Self, _>(server::echo::<Self>)
    }
}
