//! What a program implements: the callbacks of a socket that sends and receives datagrams.

use super::DatagramTransport;
use std::{io, net::SocketAddr};

/// The callbacks of a UDP socket. As `asyncio.DatagramProtocol`.
///
/// The calls for one socket come one after the other, never two at once, on whatever worker:
/// [`connection_made`](Self::connection_made) first, [`connection_lost`](Self::connection_lost) once and last. What is said of the
/// callbacks of [`Protocol`](crate::Protocol), of their panics and of a loop that ends, holds for these.
///
/// [`create_datagram_endpoint`](crate::create_datagram_endpoint) has an example.
pub trait DatagramProtocol: Send + 'static {
    /// The socket is there. This is where the transport can be kept: it is a handle, to be cloned.
    fn connection_made(&mut self, transport: &DatagramTransport) {
        let _ = transport;
    }

    /// A datagram has arrived, whole; it may be empty.
    fn datagram_received(&mut self, data: &[u8], sender: SocketAddr);

    /// Sending or receiving has failed: a datagram found nobody there, has no way to go or is too long. The socket lives on. Of failures
    /// to send that come before this is called, it is told one.
    fn error_received(&mut self, error: io::Error) {
        let _ = error;
    }

    /// The socket is closed. `None`: by the transport.
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }

    /// The system takes no more, and what waits for it is above the high water mark: it makes sense to send no more until
    /// [`resume_writing`](Self::resume_writing).
    fn pause_writing(&mut self) {}

    /// After [`pause_writing`](Self::pause_writing): what waits is at or below the low water mark.
    fn resume_writing(&mut self) {}
}
