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
        self.poll_transfer(cx, Reading, buf.len(), || self.get_ref().read(buf))
    }

    /// Reads from a byte stream into several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// As [`Source::poll_io`].
    pub fn poll_read_vectored(&self, cx: &mut Context<'_>, bufs: &mut [IoSliceMut<'_>]) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
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
        self.poll_transfer(cx, Writing, buf.len(), || self.get_ref().write(buf))
    }

    /// Writes several buffers to a byte stream, one after the other.
    ///
    /// # Errors
    ///
    /// As [`Source::poll_io`].
    pub fn poll_write_vectored(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_transfer(cx, Writing, wanted, || self.get_ref().write_vectored(bufs))
    }
}
