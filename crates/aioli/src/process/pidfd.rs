//! A descriptor that names a process: one of Linux's, which is readable when the process has exited.
//!
//! Elsewhere, and where a kernel before 5.3 or a sandbox refuses it, there is none.

use rustix::process::Pid;
use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::PidFd;
#[cfg(target_os = "linux")]
pub(super) use linux::PidFd;

/// There is to be none even where there could be.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// From now on children of this process are watched by `SIGCHLD`, as where there are no pidfds: so that tests can run on both.
#[doc(hidden)]
pub fn watch_by_sigchld() {
    REFUSED.store(true, Relaxed);
}

/// The descriptor of a child that has not been waited for; `None` where there are none.
pub(super) fn open(child: Pid) -> io::Result<Option<PidFd>> {
    if REFUSED.load(Relaxed) {
        return Ok(None);
    }
    PidFd::open(child)
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::{
        io::Errno,
        process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    };
    use std::{
        io,
        os::fd::{AsFd, BorrowedFd, OwnedFd},
    };

    pub struct PidFd(OwnedFd);

    impl PidFd {
        pub(super) fn open(child: Pid) -> io::Result<Option<Self>> {
            match pidfd_open(child, PidfdFlags::empty()) {
                Ok(fd) => Ok(Some(Self(fd))),
                Err(Errno::NOSYS | Errno::PERM) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }

        pub fn send(&self, signal: Signal) -> rustix::io::Result<()> {
            pidfd_send_signal(&self.0, signal)
        }
    }

    impl AsFd for PidFd {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use rustix::process::{Pid, Signal};
    use std::{
        io,
        os::fd::{AsFd, BorrowedFd},
    };

    pub enum PidFd {}

    impl PidFd {
        pub(super) fn open(_: Pid) -> io::Result<Option<Self>> {
            Ok(None)
        }

        pub fn send(&self, _: Signal) -> rustix::io::Result<()> {
            match *self {}
        }
    }

    impl AsFd for PidFd {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match *self {}
        }
    }
}
