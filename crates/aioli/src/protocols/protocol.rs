//! What a program implements: the callbacks of a connection.

use super::Transport;
use std::io;

/// The callbacks of a connection whose bytes are handed over as they come. As `asyncio.Protocol`.
///
/// The calls for one connection come one after the other, never two at once, on whatever worker:
/// [`connection_made`](Self::connection_made) first, then [`data_received`](Self::data_received) any number of times,
/// [`eof_received`](Self::eof_received) at most once, and [`connection_lost`](Self::connection_lost) once and last. Then the protocol is
/// dropped. They must not block, and have no way to wait: they can [create tasks](crate::create_task).
///
/// A callback that panics ends its connection, and nothing else: the loop's
/// [exception handler](crate::EventLoop::set_exception_handler) is told, and `connection_lost` is called with an error (but not if it was
/// that which panicked). In asyncio an exception in `connection_made` leaves the connection open.
///
/// A loop that ends aborts the connection, and `connection_lost` is called with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted).
///
/// [`create_server`](crate::create_server) has an example.
pub trait Protocol: Send + 'static {
    /// The connection is there. This is where the transport can be kept: it is a handle, to be cloned.
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Bytes have arrived: at least one, at most 64 KiB. They are whatever the system had, and neither lines nor what the peer wrote in
    /// one piece.
    fn data_received(&mut self, data: &[u8]);

    /// The peer has ended its writing direction. `false`, the default: the transport closes itself, as by
    /// [`close`](Transport::close). `true`: it stays, and what is written is sent, until it is closed.
    ///
    /// It is not called if the connection was closed here before. After it on a pipe that is only read from, the transport closes itself
    /// in either case.
    fn eof_received(&mut self) -> bool {
        false
    }

    /// The connection is over. `None`: it was closed or aborted here, or by the peer's end. Otherwise what has happened to it.
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }

    /// More than the high water mark is unsent: it makes sense to write no more until [`resume_writing`](Self::resume_writing).
    ///
    /// asyncio calls this while [`write`](Transport::write) is running. Here it comes after the callback that has written; if a task has,
    /// soon.
    fn pause_writing(&mut self) {}

    /// After [`pause_writing`](Self::pause_writing): no more than the low water mark is unsent.
    fn resume_writing(&mut self) {}

    /// Where bytes are to be read into, if that is the protocol's own affair. Not to be implemented: a [`BufferedProtocol`] is a
    /// protocol that gives itself here, and then neither [`data_received`](Self::data_received) nor a buffer of the loop's is used.
    fn as_buffered(&mut self) -> Option<&mut dyn BufferedProtocol> {
        None
    }
}

/// The callbacks of a connection whose bytes are read into a buffer of the protocol's. As `asyncio.BufferedProtocol`.
///
/// It is for those who keep what arrives, and save a copy by this. All other callbacks are as [`Protocol`]'s, and whatever takes a
/// `Protocol` takes this.
///
/// ```
/// use aioli::{BufferedProtocol, Event, StreamReader, StreamWriter, create_connection, start_server};
/// use std::sync::Arc;
///
/// /// Reads a header of four bytes.
/// struct Header {
///     bytes: [u8; 4],
///     filled: usize,
///     complete: Arc<Event>,
/// }
///
/// impl BufferedProtocol for Header {
///     fn get_buffer(&mut self, _hint: usize) -> &mut [u8] {
///         &mut self.bytes[self.filled..]
///     }
///
///     fn buffer_updated(&mut self, count: usize) {
///         self.filled += count;
///         if self.filled == self.bytes.len() {
///             assert_eq!(&self.bytes, b"RIFF");
///             self.complete.set();
///             self.filled = 0;
///         }
///     }
/// }
///
/// # aioli::run(async {
/// # async fn riff(_reader: StreamReader, writer: StreamWriter) {
/// #     writer.write(b"RIFF");
/// # }
/// let server = start_server(riff, "127.0.0.1:0").await?;
/// let complete = Arc::new(Event::new());
/// let header = Header { bytes: [0; 4], filled: 0, complete: complete.clone() };
/// create_connection(|| header, server.local_addr()).await?;
/// complete.wait().await;
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub trait BufferedProtocol: Send + 'static {
    /// As [`Protocol::connection_made`].
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Where the next bytes are to go. `hint` is how many make sense; the buffer may be larger or smaller. It may be asked for again
    /// without anything having been read.
    ///
    /// A buffer of no bytes is a mistake that ends the connection: the exception handler is told, and
    /// [`connection_lost`](Self::connection_lost) with [`InvalidInput`](io::ErrorKind::InvalidInput). A protocol that has no room
    /// [pauses reading](Transport::pause_reading).
    fn get_buffer(&mut self, hint: usize) -> &mut [u8];

    /// Bytes have arrived: the first `count` of the buffer that was given last, at least one.
    fn buffer_updated(&mut self, count: usize);

    /// As [`Protocol::eof_received`].
    fn eof_received(&mut self) -> bool {
        false
    }

    /// As [`Protocol::connection_lost`].
    fn connection_lost(&mut self, error: Option<io::Error>) {
        let _ = error;
    }

    /// As [`Protocol::pause_writing`].
    fn pause_writing(&mut self) {}

    /// As [`Protocol::resume_writing`].
    fn resume_writing(&mut self) {}
}

impl<P: BufferedProtocol> Protocol for P {
    fn connection_made(&mut self, transport: &Transport) {
        BufferedProtocol::connection_made(self, transport);
    }

    /// Copies the bytes to where they belong. For who has bytes and no connection: a test, another protocol.
    ///
    /// # Panics
    ///
    /// If the buffer has no bytes.
    fn data_received(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let buffer = self.get_buffer(data.len());
            assert!(!buffer.is_empty(), "`get_buffer` gave a buffer of no bytes");
            let count = buffer.len().min(data.len());
            buffer[..count].copy_from_slice(&data[..count]);
            self.buffer_updated(count);
            data = &data[count..];
        }
    }

    fn eof_received(&mut self) -> bool {
        BufferedProtocol::eof_received(self)
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        BufferedProtocol::connection_lost(self, error);
    }

    fn pause_writing(&mut self) {
        BufferedProtocol::pause_writing(self);
    }

    fn resume_writing(&mut self) {
        BufferedProtocol::resume_writing(self);
    }

    fn as_buffered(&mut self) -> Option<&mut dyn BufferedProtocol> {
        Some(self)
    }
}

impl Protocol for Box<dyn Protocol> {
    fn connection_made(&mut self, transport: &Transport) {
        (**self).connection_made(transport);
    }

    fn data_received(&mut self, data: &[u8]) {
        (**self).data_received(data);
    }

    fn eof_received(&mut self) -> bool {
        (**self).eof_received()
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        (**self).connection_lost(error);
    }

    fn pause_writing(&mut self) {
        (**self).pause_writing();
    }

    fn resume_writing(&mut self) {
        (**self).resume_writing();
    }

    fn as_buffered(&mut self) -> Option<&mut dyn BufferedProtocol> {
        (**self).as_buffered()
    }
}
