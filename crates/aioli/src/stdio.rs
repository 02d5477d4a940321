//! Standard input, output and error, without a thread.
//!
//! [`stdin`] is read with `futures-io`'s `AsyncRead`, [`stdout`] and [`stderr`] are written with its `AsyncWrite`; the extension traits
//! in [`io`](crate::io) give lines, `write_all` and the like.
//!
//! ```no_run
//! use aioli::{io::{AsyncBufReadExt, AsyncWriteExt, BufReader}, stdio::{stdin, stdout}};
//! use futures_lite::StreamExt;
//!
//! # aioli::run(async {
//! let (mut lines, mut output) = (BufReader::new(stdin()?).lines(), stdout()?);
//! while let Some(line) = lines.next().await {
//!     output.write_all(format!("you said: {}\n", line?).as_bytes()).await?;
//! }
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```
//!
//! # How it works
//!
//! These descriptors are shared with other processes: the shell, the other end of the pipeline. To make one non-blocking would make
//! it so for all of them. So it is left as it is: the loop waits until the descriptor is ready, and then reads what is there, or
//! writes what has room. No thread is ever in a read that does not return, and the end of a [`run`](crate::run) waits for nobody who
//! types.
//!
//! Regular files, and devices like `/dev/null`, are always ready: they are read and written at once, on the worker. Where other
//! processes read the same input at the same time, or the output is a terminal that takes only a part, an operation may block the
//! worker after all, until there is something to read or room, if the system has no call that would rather fail; Linux has one for pipes
//! and sockets.
//!
//! # Besides the standard library
//!
//! `std::io::stdin()` has a buffer of its own: what it has read is not seen here, nor the other way round. So read with one of
//! them only. `print!` has a buffer, too, which holds an unfinished line back: flush it before you write here. Nothing is buffered
//! here; wrap an [`Input`] in a [`BufReader`](crate::io::BufReader).

use crate::{runtime::driver::with_driver, task::poll_budget};
use aioli_reactor::{Direction, Source};
use futures_io::{AsyncRead, AsyncWrite};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The standard input of the process.
///
/// # Errors
///
/// Those of the system: it is closed, or there is no descriptor left for the duplicate that the loop waits for.
///
/// # Panics
///
/// If no event loop runs on this thread.
pub fn stdin() -> io::Result<Input> {
    Shared::new(rustix::stdio::stdin()).map(Input)
}

/// The standard output of the process.
///
/// # Errors
///
/// As [`stdin`].
///
/// # Panics
///
/// As [`stdin`].
pub fn stdout() -> io::Result<Output> {
    Shared::new(rustix::stdio::stdout()).map(Output)
}

/// The standard error of the process.
///
/// # Errors
///
/// As [`stdin`].
///
/// # Panics
///
/// As [`stdin`].
pub fn stderr() -> io::Result<Output> {
    Shared::new(rustix::stdio::stderr()).map(Output)
}

/// What is read from: given by [`stdin`].
///
/// A read that is dropped before it is ready has read nothing. Dropping this closes nothing but the loop's duplicate.
#[derive(Debug)]
pub struct Input(Shared);

/// What is written to: given by [`stdout`] and [`stderr`].
///
/// What a write has taken is the system's: there is nothing to flush. A write that is dropped before it is ready has written nothing.
/// Closing it does nothing, as the descriptor is everybody's.
#[derive(Debug)]
pub struct Output(Shared);

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Direction::Read, |fd, way| match way {
            Way::Plain => Ok(rustix::io::read(fd, &mut *buf)?),
            #[cfg(target_os = "linux")]
            Way::NoWait(flags) => Ok(rustix::io::preadv2(fd, &mut [io::IoSliceMut::new(buf)], CURSOR, flags)?),
        })
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // There is room for as much in a pipe that is ready.
        let some = match self.0 {
            Shared::Waits(_) => &buf[..buf.len().min(libc::PIPE_BUF)],
            Shared::AlwaysReady(_) => buf,
        };
        self.0.poll(cx, Direction::Write, |fd, way| match way {
            Way::Plain => Ok(rustix::io::write(fd, some)?),
            #[cfg(target_os = "linux")]
            Way::NoWait(flags) => Ok(rustix::io::pwritev2(fd, &[io::IoSlice::new(buf)], CURSOR, flags)?),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Input {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Output {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// For those who read or write at an offset: none, go on where the last one stopped.
#[cfg(target_os = "linux")]
const CURSOR: u64 = u64::MAX;

/// How to make a system call.
#[derive(Clone, Copy)]
enum Way {
    /// So that it may block.
    Plain,
    /// So that it rather fails.
    #[cfg(target_os = "linux")]
    NoWait(rustix::io::ReadWriteFlags),
}

/// A duplicate of a descriptor that others use, too.
enum Shared {
    Waits(Source<OwnedFd>),
    /// The reactor refuses what is always ready.
    AlwaysReady(OwnedFd),
}

impl Shared {
    #[track_caller]
    fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let reactor = with_driver(|driver, _| driver.reactor.clone());
        match reactor.register(fd.try_clone_to_owned()?) {
            Ok(source) => Ok(Self::Waits(source)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Self::AlwaysReady(fd.try_clone_to_owned()?))
            }
            Err(error) => Err(error),
        }
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut call: impl FnMut(BorrowedFd<'_>, Way) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        match self {
            Self::Waits(source) => source.poll_io(cx, direction, || {
                try_call(source.get_ref().as_fd(), direction, |way| {
                    call(source.get_ref().as_fd(), way)
                })
            }),
            Self::AlwaysReady(fd) => Poll::Ready(loop {
                match call(fd.as_fd(), Way::Plain) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result,
                }
            }),
        }
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Waits(source) => source.get_ref().as_fd(),
            Self::AlwaysReady(fd) => fd.as_fd(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.as_fd()).finish()
    }
}

/// Makes a call that may block if it does not, as far as can be known; fails with `WouldBlock` otherwise.
fn try_call(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut call: impl FnMut(Way) -> io::Result<usize>,
) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        let result = call(Way::NoWait(rustix::io::ReadWriteFlags::NOWAIT));
        let refused = |error| {
            matches!(
                Errno::from_io_error(error),
                Some(Errno::AGAIN | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM)
            )
        };
        // If it would block, the kernel is asked once more, so that nobody waits for what is there.
        if !result.as_ref().is_err_and(refused) {
            return result;
        }
    }
    let flags = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    match poll(&mut [PollFd::new(&fd, flags)], Some(&Timespec::default()))? {
        0 => Err(Errno::WOULDBLOCK.into()),
        _ => call(Way::Plain),
    }
}
