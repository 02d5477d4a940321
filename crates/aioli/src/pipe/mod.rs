//! Pipes: [`PipeReader`] and [`PipeWriter`], the two ends of a stream of bytes that goes one way.

mod end;
mod reader;
mod writer;

pub use reader::PipeReader;
pub use writer::PipeWriter;

use rustix::pipe::{PipeFlags, pipe_with};
use std::io;

/// A new pipe: what is written to the one end is read from the other.
///
/// As `os.pipe()`, connected to the loop. Between tasks a [`Queue`](crate::Queue) does more for less; a pipe is for other processes
/// and foreign code.
///
/// ```
/// use aioli::io::{AsyncReadExt, AsyncWriteExt};
///
/// # aioli::run(async {
/// let (mut reader, mut writer) = aioli::pipe::pipe()?;
/// writer.write_all(b"through the pipe").await?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text).await?;
/// assert_eq!(text, "through the pipe");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of the system, for want of descriptors above all.
///
/// # Panics
///
/// If no event loop runs on this thread.
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    Ok((PipeReader::register(reader)?, PipeWriter::register(writer)?))
}
