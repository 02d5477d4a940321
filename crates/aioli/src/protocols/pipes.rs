//! Protocols for the ends of pipes.

use super::{Protocol, Transport, connect::start, driver::Ways};
use crate::pipe::{PipeReader, PipeWriter};
use std::{io, sync::Arc};

/// Has the protocol that `factory` makes called for what comes through the pipe. As `loop.connect_read_pipe()`, but not to be awaited.
/// A descriptor from elsewhere becomes a [`PipeReader`] by [`from_fd`](PipeReader::from_fd).
///
/// When all writers are gone, [`eof_received`](Protocol::eof_received) is called, and then
/// [`connection_lost(None)`](Protocol::connection_lost) whatever that has given. The transport is not to be written to: that would end it
/// with [`BrokenPipe`](io::ErrorKind::BrokenPipe).
///
/// ```
/// use aioli::{Event, Protocol, connect_read_pipe, io::AsyncWriteExt};
/// use std::sync::Arc;
///
/// struct Until(u8, Arc<Event>);
///
/// impl Protocol for Until {
///     fn data_received(&mut self, data: &[u8]) {
///         if data.contains(&self.0) {
///             self.1.set();
///         }
///     }
/// }
///
/// # aioli::run(async {
/// let (reader, mut writer) = aioli::pipe::pipe()?;
/// let found = Arc::new(Event::new());
/// connect_read_pipe(|| Until(b'!', found.clone()), reader)?;
/// writer.write_all(b"hello!").await?;
/// found.wait().await;
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// One that says so if `connection_made` has panicked: then the pipe is closed, and `connection_lost` was called.
///
/// # Panics
///
/// If no event loop runs on this thread; with `factory`'s panic.
pub fn connect_read_pipe<P: Protocol>(factory: impl FnOnce() -> P, pipe: PipeReader) -> io::Result<Transport> {
    start(Arc::new(pipe), Ways::In, Box::new(factory()))
}

/// Has the protocol that `factory` makes called for what happens to the pipe, which the transport writes to. As
/// `loop.connect_write_pipe()`, but not to be awaited. A descriptor from elsewhere becomes a [`PipeWriter`] by
/// [`from_fd`](PipeWriter::from_fd).
///
/// When all readers are gone, [`connection_lost`](Protocol::connection_lost) is called: with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if something is unsent. Nothing is ever received. To
/// [end the writing](Transport::write_eof) is to [close](Transport::close) the transport.
///
/// # Errors
///
/// As [`connect_read_pipe`].
///
/// # Panics
///
/// As [`connect_read_pipe`].
pub fn connect_write_pipe<P: Protocol>(factory: impl FnOnce() -> P, pipe: PipeWriter) -> io::Result<Transport> {
    start(Arc::new(pipe), Ways::Out, Box::new(factory()))
}
