//! A descriptor that belongs to somebody else, who may close it at any time.
//!
//! A number says little: the descriptor may be closed, and the next one that is opened anywhere in the process gets its number. So the
//! reactor is given a duplicate, which is ours, and which nobody else closes. What the number stands for is compared with it.

use aioli_reactor::{Direction, Reactor, Source};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    task::{Context, Poll},
};

pub(super) struct Descriptor {
    /// Not ours.
    number: RawFd,
    duplicate: Source<OwnedFd>,
}

impl Descriptor {
    pub(super) fn new(reactor: &Reactor, fd: BorrowedFd<'_>) -> io::Result<Self> {
        let (number, duplicate) = (fd.as_raw_fd(), fd.try_clone_to_owned()?);
        let duplicate = reactor.register(duplicate).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let text = format!(
                    "file descriptor {number} cannot be waited for, as it is always ready: a regular file is read and written \
                     in `to_thread`"
                );
                io::Error::new(error.kind(), text)
            }
            _ => error,
        })?;
        Ok(Self { number, duplicate })
    }

    pub(super) fn number(&self) -> RawFd {
        self.number
    }

    /// Whether it is ready at this moment, or has failed. If not, the current task is woken when it may be.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let flags = match direction {
            Direction::Read => PollFlags::IN,
            Direction::Write => PollFlags::OUT,
        };
        self.duplicate.poll_io(cx, direction, || {
            let mut asked = [PollFd::new(self.duplicate.get_ref(), flags)];
            match poll(&mut asked, Some(&Timespec::default()))? {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            }
        })
    }

    /// Whether the number does not stand any more for what it stood for when the watch began.
    pub(super) fn is_stale(&self) -> bool {
        !stand_for_the_same(self.number, self.duplicate.get_ref().as_raw_fd())
    }
}

/// What somebody is told who closed a descriptor too early.
pub(super) fn closed(number: RawFd) -> io::Error {
    io::Error::other(format!(
        "file descriptor {number} was closed while it was watched, and is not watched any more: call `remove_reader` and \
         `remove_writer` before closing it"
    ))
}

/// Whether both numbers are open, and stand for the same, as far as the system tells.
fn stand_for_the_same(a: RawFd, b: RawFd) -> bool {
    share_open_file(a, b).unwrap_or_else(|| matches!((identity(a), identity(b)), (Some(a), Some(b)) if a == b))
}

/// Whether two descriptors share their open file; `None` if the system does not say.
#[cfg(target_os = "linux")]
fn share_open_file(a: RawFd, b: RawFd) -> Option<bool> {
    /// From Linux 6.10 on.
    const F_DUPFD_QUERY: libc::c_int = 1024 + 3;
    /// What `kcmp` is to compare. It is not in every kernel, and is often forbidden in containers.
    const KCMP_FILE: libc::c_long = 0;
    // SAFETY: these only ask, and whatever the numbers are harms nobody.
    unsafe {
        match libc::fcntl(a, F_DUPFD_QUERY, b) {
            -1 => {}
            answer => return Some(answer == 1),
        }
        let process = libc::c_long::from(libc::getpid());
        match libc::syscall(
            libc::SYS_kcmp,
            process,
            process,
            KCMP_FILE,
            libc::c_long::from(a),
            libc::c_long::from(b),
        ) {
            -1 => None,
            order => Some(order == 0),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn share_open_file(_: RawFd, _: RawFd) -> Option<bool> {
    None
}

/// What tells files apart; not those without a place in a file system, such as one eventfd from another, which are all one file.
fn identity(fd: RawFd) -> Option<(libc::dev_t, libc::ino_t)> {
    // SAFETY: all-zero is a value of this plain structure; the call only fills it in, and whatever the number is harms nobody.
    unsafe {
        let mut status: libc::stat = mem::zeroed();
        (libc::fstat(fd, &mut status) == 0).then_some((status.st_dev, status.st_ino))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;
    use std::fs::File;

    #[test]
    fn files_are_told_apart() {
        let (reader, writer) = pipe().unwrap();
        let (other, _) = pipe().unwrap();
        let again = reader.try_clone().unwrap();
        let file = File::open("Cargo.toml").unwrap();
        let raw = |fd: &dyn AsRawFd| fd.as_raw_fd();
        assert!(stand_for_the_same(raw(&reader), raw(&again)));
        assert!(!stand_for_the_same(raw(&reader), raw(&other)));
        assert!(!stand_for_the_same(raw(&reader), raw(&file)));
        assert!(!stand_for_the_same(i32::MAX, raw(&file)));
        assert!(!stand_for_the_same(-1, raw(&writer)));
        // And where the system has no better way.
        assert_eq!(identity(raw(&reader)), identity(raw(&again)));
        assert_ne!(identity(raw(&reader)), identity(raw(&other)));
        assert_ne!(identity(raw(&reader)), identity(raw(&file)));
        assert_eq!(identity(-1), None);
    }
}
