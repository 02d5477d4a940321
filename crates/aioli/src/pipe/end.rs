//! What both ends of a pipe are: an open file that can be closed through a shared reference.
//!
//! The source is behind a lock. Whoever holds the handle finds it closed afterwards, and the descriptor is gone when the operations that
//! are under way have returned: each of them takes a share of the source for as long as it takes, and no task that waits holds one. A
//! source that is dropped wakes nobody, so those who wait leave a waker here, too, for whoever closes.

use crate::{runtime::driver::with_driver, task::poll_budget};
use aioli_primitives::sync::Mutex;
use aioli_reactor::{Direction, Source};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, OFlags, fcntl_getfl, fstat},
    io::{Errno, ioctl_fionbio},
};
use std::{
    fmt,
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

/// One end: the open file, or that it was closed, and who is to be told when it is.
pub(super) struct End(Mutex<State>);

struct State {
    open: Option<Arc<Open>>,
    /// The last to wait, for each direction.
    waiting: [Option<Waker>; 2],
}

pub(super) struct Open {
    pub(super) source: Source<File>,
    /// A short write shows that it is full: it is a pipe, and no terminal or the like.
    ///
    /// A short read shows nothing. Whoever writes may have turned on `O_DIRECT`, and then each read gives one packet.
    is_pipe: bool,
}

impl Open {
    /// Not before the other end is gone.
    pub(super) fn has_failed(&self) -> io::Result<()> {
        let mut asked = [PollFd::new(self.source.get_ref(), PollFlags::empty())];
        match poll(&mut asked, Some(&Timespec::default()))? {
            0 => Err(Errno::WOULDBLOCK.into()),
            _ => Ok(()),
        }
    }
}

impl End {
    /// A descriptor from anywhere, which is to allow what `wanted` says.
    pub(super) fn from_foreign(fd: OwnedFd, wanted: OFlags) -> io::Result<Self> {
        let refused = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        if matches!(kind, FileType::RegularFile | FileType::Directory) {
            return refused("this is a regular file or a directory, and no pipe: read and write it in `to_thread`");
        }
        let access = fcntl_getfl(&fd)? & OFlags::RWMODE;
        if access != wanted && access != OFlags::RDWR {
            return refused(match wanted {
                OFlags::RDONLY => "the descriptor is not open for reading: is it the other end of the pipe?",
                _ => "the descriptor is not open for writing: is it the other end of the pipe?",
            });
        }
        ioctl_fionbio(&fd, true)?;
        match Self::new(fd, kind == FileType::Fifo) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused("the system cannot wait for this kind of file: read and write it in `to_thread`")
            }
            result => result,
        }
    }

    /// A pipe's descriptor that is non-blocking.
    pub(super) fn register(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd, true)
    }

    fn new(fd: OwnedFd, is_pipe: bool) -> io::Result<Self> {
        let reactor = with_driver(|driver, _| driver.reactor.clone());
        let source = reactor.register(File::from(fd))?;
        Ok(Self(Mutex::new(State {
            open: Some(Arc::new(Open { source, is_pipe })),
            waiting: [None, None],
        })))
    }

    fn open(&self) -> Option<Arc<Open>> {
        self.0.lock().open.clone()
    }

    /// Polls `operation` while this is open; `closed` from then on.
    pub(super) fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        closed: impl FnOnce() -> io::Result<T>,
        operation: impl FnOnce(&Open, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(open) = self.open() else {
            return Poll::Ready(closed());
        };
        let result = operation(&open, cx);
        if result.is_pending() {
            let waker = cx.waker().clone();
            let mut state = self.0.lock();
            if state.open.is_none() {
                drop(state);
                return Poll::Ready(closed());
            }
            let before = state.waiting[direction as usize].replace(waker);
            drop(state);
            drop(before);
        }
        result
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&File) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.poll_with(
            cx,
            Direction::Read,
            || Ok(0),
            |end, cx| end.source.poll_io(cx, Direction::Read, || read(end.source.get_ref())),
        )
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        wanted: usize,
        mut write: impl FnMut(&File) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        self.poll_with(
            cx,
            Direction::Write,
            || Err(closed()),
            |end, cx| {
                let write = || write(end.source.get_ref());
                if end.is_pipe {
                    end.source.poll_transfer(cx, Direction::Write, wanted, write)
                } else {
                    end.source.poll_io(cx, Direction::Write, write)
                }
            },
        )
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let open = self.open().ok_or_else(closed)?;
        loop {
            match open.source.get_ref().write(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Closes it, and tells those who wait.
    pub(super) fn close(&self) {
        let (open, waiting) = {
            let mut state = self.0.lock();
            (state.open.take(), std::mem::take(&mut state.waiting))
        };
        drop(open);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    pub(super) fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        // Nobody else holds this end, so nobody holds a share of it.
        let open = self.0.into_inner().open.and_then(Arc::into_inner);
        let open = open.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the pipe was closed"))?;
        let fd = OwnedFd::from(open.source.into_inner());
        ioctl_fionbio(&fd, false)?;
        Ok(fd)
    }

    pub(super) fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open() {
            Some(open) => f.debug_tuple(name).field(open.source.get_ref()).finish(),
            None => f.debug_tuple(name).field(&"closed").finish(),
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "written to after the pipe was closed")
}
