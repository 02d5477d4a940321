//! Linux: one system call for a wait, one for a wake-up, none to keep a source registered.
//!
//! The epoll instance is `polling`'s, which exposes its descriptor. Registering and waiting go to that descriptor
//! directly, because `polling` cannot ask for `EPOLLRDHUP`, without which a short read proves nothing (see
//! [`readiness`](crate::readiness)), and because its own wait makes five calls. Its notifier and timer stay dormant.
//!
//! # Wake-ups
//!
//! `wake` is an eventfd, registered edge-triggered: each write is an edge, so nobody ever needs to read it. `notified`
//! says that an edge is on its way which no wait has consumed; it saves writes.
//!
//! * `notify` sets it. Only who finds it clear writes.
//! * `wait` clears it when it comes upon the edge, before it returns.
//!
//! Both are read-modify-writes with acquire and release, on purpose even where the value does not change: a `notify`
//! that finds the flag set is, in the order of the flag's changes, before the clear of the wait that consumes the edge.
//! So whatever the notifier did before is visible to who returns from that wait. (A plain load could read an old "set"
//! after the clear, and the wake-up would be lost.)
//!
//! # Timeouts
//!
//! `epoll_pwait2` takes nanoseconds, from Linux 5.11 on. Where the kernel or a sandbox refuses it (`ENOSYS`; `EPERM` from
//! some seccomp filters), `coarse` remembers that, and waits are `epoll_wait`'s: milliseconds, rounded up, so that a
//! wait is never shorter than asked for.

use super::{Backend, Event};
use crate::{
    readiness::Ready,
    registry::{Key, NOBODY},
};
use aioli_primitives::sync::atomic::{AtomicBool, Ordering};
use polling::Poller;
use rustix::{
    event::{EventfdFlags, Timespec, epoll, eventfd},
    fd::OwnedFd,
    io::{Errno, read, write},
};
use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

/// How many events one wait collects at most; the rest is for the next.
const BATCH: usize = 512;

#[derive(Debug)]
pub(crate) struct Epoll {
    poller: Poller,
    wake: OwnedFd,
    notified: AtomicBool,
    coarse: AtomicBool,
}

impl Epoll {
    /// `coarse`: wait in milliseconds from the start.
    pub(crate) fn new(coarse: bool) -> io::Result<Self> {
        let poller = Poller::new()?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&poller, &wake, epoll::EventData::new_u64(NOBODY as u64), edge)?;
        Ok(Self {
            poller,
            wake,
            notified: AtomicBool::new(false),
            coarse: AtomicBool::new(coarse),
        })
    }

    /// Notes one event of the kernel's; those of `wake` end here.
    fn collect(&self, data: u64, flags: epoll::EventFlags, events: &mut Vec<Event>) {
        let key = data as Key;
        if key == NOBODY {
            self.notified.swap(false, Ordering::AcqRel);
        } else {
            events.push(Event {
                key,
                ready: ready(flags),
            });
        }
    }

    /// Fails with `ENOSYS` or `EPERM` where there is no `epoll_pwait2`.
    fn wait_fine(&self, timeout: Option<Duration>, events: &mut Vec<Event>) -> Result<(), Errno> {
        // A timeout beyond what the kernel can count, 292 billion years, is none.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut batch = [MaybeUninit::<epoll::Event>::uninit(); BATCH];
        let (collected, _) = epoll::wait(&self.poller, &mut batch, timeout.as_ref())?;
        for event in collected {
            self.collect(event.data.u64(), event.flags, events);
        }
        Ok(())
    }

    #[cold]
    fn wait_coarse(&self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let mut batch = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        let epoll = self.poller.as_raw_fd();
        // SAFETY: `batch` is valid for writing `BATCH` entries, and `epoll` stays open while `self.poller` lives.
        let count = unsafe { libc::epoll_wait(epoll, batch.as_mut_ptr(), BATCH as libc::c_int, whole_millis(timeout)) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for event in &batch[..count] {
            self.collect(event.u64, epoll::EventFlags::from_bits_retain(event.events), events);
        }
        Ok(())
    }
}

impl Backend for Epoll {
    fn add(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        use epoll::EventFlags as On;
        let interest = On::IN | On::OUT | On::RDHUP | On::PRI | On::ET;
        Ok(epoll::add(
            &self.poller,
            fd,
            epoll::EventData::new_u64(key as u64),
            interest,
        )?)
    }

    fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.delete(fd)
    }

    fn wait(&self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        if !self.coarse.load(Ordering::Relaxed) {
            match self.wait_fine(timeout, events) {
                Err(Errno::NOSYS | Errno::PERM) => self.coarse.store(true, Ordering::Relaxed),
                result => return Ok(result?),
            }
        }
        self.wait_coarse(timeout, events)
    }

    fn notify(&self) {
        if self.notified.swap(true, Ordering::AcqRel) {
            return;
        }
        let one = 1u64.to_ne_bytes();
        if let Err(Errno::AGAIN) = write(&self.wake, &one) {
            // The counter is full, after 2^64 wake-ups. Reading resets it; then there is room.
            let _ = read(&self.wake, &mut [0; 8]);
            let _ = write(&self.wake, &one);
        }
    }

    fn is_one_shot(&self) -> bool {
        false
    }

    fn arm(&self, _fd: BorrowedFd<'_>, _key: Key, _directions: Ready) -> io::Result<()> {
        Ok(())
    }
}

/// What the kernel's flags mean to us. A hang-up or an error ends both directions' waiting.
fn ready(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as On;
    let ended = On::HUP | On::ERR;
    Ready::READABLE.when(flags.intersects(On::IN | On::RDHUP | On::PRI | ended))
        | Ready::WRITABLE.when(flags.intersects(On::OUT | ended))
        | Ready::READ_CLOSED.when(flags.intersects(On::RDHUP | On::HUP))
        | Ready::WRITE_CLOSED.when(flags.contains(On::HUP))
        | Ready::ERROR.when(flags.contains(On::ERR))
        | Ready::PRIORITY.when(flags.contains(On::PRI))
}

/// `epoll_wait`'s timeout: rounded up, -1 for ever, and at most the 24 days that fit (a wait may end early).
fn whole_millis(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |timeout| {
        timeout
            .as_nanos()
            .div_ceil(1_000_000)
            .try_into()
            .unwrap_or(libc::c_int::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up() {
        assert_eq!(whole_millis(None), -1);
        assert_eq!(whole_millis(Some(Duration::ZERO)), 0);
        assert_eq!(whole_millis(Some(Duration::from_nanos(1))), 1);
        assert_eq!(whole_millis(Some(Duration::from_millis(1))), 1);
        assert_eq!(whole_millis(Some(Duration::from_micros(1001))), 2);
        assert_eq!(whole_millis(Some(Duration::MAX)), libc::c_int::MAX);
    }
}
