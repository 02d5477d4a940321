//! Reading and writing byte streams: [`Source`]s whose I/O object is `Read` or `Write` through a shared reference.
//!
//! Each function is the standard library's call inside [`Source::poll_transfer`]; that says for which streams they are.

use crate::{
    readiness::Direction::{Read as Reading, Write as Writing},
    source::Source,
};
use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    os::fd::AsFd,
    task::{Context, Poll},
};

/// The most that one call moves, whatever the readiness: no system takes more than 1024 buffers at once, and Linux no more
/// than this many bytes. To move that much is no sign that there is no more.
fn most(lengths: impl IntoIterator<Item = usize>) -> usize {
    const BUFFERS: usize = 1024;
    const BYTES: usize = 0x7fff_f000;
    let wanted = lengths.into_iter().take(BUFFERS);
    wanted.fold(0, usize::saturating_add).min(BYTES)
}

impl<T: AsFd> Source<T>
where
    for<'a> &'a T: Read,
{
    /// Reads from a byte stream; 0 is its end.
    ///
    /// # Errors
    ///
    /// As [`Source::poll_io`].
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_transfer(cx, Reading, most([buf.len()]), || self.get_ref().read(buf))
    }

    /// Reads from a byte stream into several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// As [`Source::poll_io`].
    pub fn poll_read_vectored(&self, cx: &mut Context<'_>, bufs: &mut [IoSliceMut<'_>]) -> Poll<io::Result<usize>> {
        let wanted = most(bufs.iter().map(|buf| buf.len()));
        self.poll_transfer(cx, Reading, wanted, || self.get_ref().read_vectored(bufs))
    }
}

impl<T: AsFd> Source<T>
where
    for<'a> &'a T: Write,
{
    /// Writes to a byte stream; gives how much of `buf` it took.
    ///
    /// # Errors
    ///
    /// As [`Source::poll_io`].
    pub fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_transfer(cx, Writing, most([buf.len()]), || self.get_ref().write(buf))
    }

    /// Writes several buffers to a byte stream, one after the other.
    ///
    /// # Errors
    ///
    /// As [`Source::poll_io`].
    pub fn poll_write_vectored(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let wanted = most(bufs.iter().map(|buf| buf.len()));
        self.poll_transfer(cx, Writing, wanted, || self.get_ref().write_vectored(bufs))
    }
}
