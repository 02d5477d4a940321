//! What the reactor asks of the operating system, in two forms: [`Epoll`] on Linux, [`Portable`] anywhere.
//!
//! Only `Reactor` calls this; the shape is that of `polling`, cut down to sources that are registered once, for both
//! directions, until they leave.

#[cfg(target_os = "linux")]
mod epoll;
mod portable;

#[cfg(target_os = "linux")]
pub(crate) use epoll::Epoll;
pub(crate) use portable::Portable;

use crate::{readiness::Ready, registry::Key};
use std::{fmt::Debug, io, os::fd::BorrowedFd, time::Duration};

/// Something happened to the source named `key`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) key: Key,
    pub(crate) ready: Ready,
}

pub(crate) trait Backend: Debug + Send + Sync {
    /// Reports events of `fd` under `key` from now on; if it is ready already, that is the first event.
    fn add(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()>;

    /// Reports nothing more of `fd`, except what was collected already.
    fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Waits for events, for a [`notify`](Self::notify), or until the time is up, and appends the events. May return
    /// early with nothing. Called by one thread at a time.
    fn wait(&self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Ends the current [`wait`](Self::wait), else the next one.
    fn notify(&self);

    /// Whether a source is silent after an event until it is [armed](Self::arm) again.
    fn is_one_shot(&self) -> bool;

    /// Asks for one more event of `fd`, when one of `directions` becomes ready (or if one is already).
    fn arm(&self, fd: BorrowedFd<'_>, key: Key, directions: Ready) -> io::Result<()>;
}

/// Which backend a reactor uses. [`Reactor::new`](crate::Reactor::new) takes the first that fits; tests take each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// epoll and an eventfd, timeouts in nanoseconds where the kernel can.
    #[cfg(target_os = "linux")]
    Epoll,
    /// The same, with the millisecond timeouts of kernels before 5.11.
    #[cfg(target_os = "linux")]
    EpollMillis,
    /// `polling`, edge-triggered where that exists.
    Portable,
    /// `polling`, one-shot.
    PortableOneShot,
}

impl BackendKind {
    /// The fastest here.
    pub(crate) const NATIVE: Self = {
        #[cfg(target_os = "linux")]
        {
            Self::Epoll
        }
        #[cfg(not(target_os = "linux"))]
        {
            Self::Portable
        }
    };

    pub(crate) fn open(self) -> io::Result<Box<dyn Backend>> {
        Ok(match self {
            #[cfg(target_os = "linux")]
            Self::Epoll => Box::new(Epoll::new(false)?),
            #[cfg(target_os = "linux")]
            Self::EpollMillis => Box::new(Epoll::new(true)?),
            Self::Portable => Box::new(Portable::new(false)?),
            Self::PortableOneShot => Box::new(Portable::new(true)?),
        })
    }
}
