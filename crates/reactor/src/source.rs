//! A source: an I/O object that is registered, and the operations that wait for it.
//!
//! Every operation has the same shape: while the source is believed ready, make the system call; if it would block, take
//! the belief back and wait for an event. [`readiness`](crate::readiness) says why that loses nothing.

use crate::{
    reactor::{Membership, Reactor},
    readiness::{Direction, Seen},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    fmt, io,
    os::fd::AsFd,
    task::{Context, Poll, ready},
};

/// An I/O object registered with a [`Reactor`], from [`Reactor::register`].
///
/// Operations take `&self`. In each direction any number of tasks may wait through the async functions, and one more
/// through the `poll_` functions: of those the last caller is woken.
///
/// Dropping it, or [`into_inner`](Self::into_inner), ends the registration.
pub struct Source<T> {
    /// Before `io`, so that it is dropped before.
    membership: Membership,
    /// Lent only shared, so that its descriptor stays open.
    io: T,
}

impl<T: AsFd + 'static> Source<T> {
    pub(crate) fn new(reactor: &Reactor, io: T) -> io::Result<Self> {
        Ok(Self {
            membership: reactor.enter(io.as_fd())?,
            io,
        })
    }
}

impl<T> Source<T> {
    /// The I/O object.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The reactor that it is registered with.
    pub fn reactor(&self) -> &Reactor {
        self.membership.reactor()
    }

    /// Ends the registration and gives the I/O object back.
    pub fn into_inner(self) -> T {
        drop(self.membership);
        self.io
    }

    /// Makes a system call, `operation`, once the source is ready for it.
    ///
    /// It is tried at once while the source is believed ready. `Interrupted` is retried. On `WouldBlock` the current
    /// task is woken when it may be tried again, if it was the last to poll this direction.
    ///
    /// # Errors
    ///
    /// Those of `operation`, and those of the operating system when it cannot wait for the source.
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let seen = ready!(self.membership.registration().poll_ready(cx, direction));
            if let Some(result) = self.attempt(direction, seen, &mut operation) {
                return Poll::Ready(result);
            }
        }
    }

    /// As [`poll_io`](Self::poll_io), for any number of waiters at a time.
    ///
    /// # Errors
    ///
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does nothing to the source or its other waiters. `operation` has not been carried out, unless
    /// the future had completed.
    pub async fn io<R>(&self, direction: Direction, mut operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        loop {
            let seen = self.membership.registration().ready(direction).await;
            if let Some(result) = self.attempt(direction, seen, &mut operation) {
                return result;
            }
        }
    }

    /// As [`poll_io`](Self::poll_io), for an operation that gives how many of `wanted` bytes it moved: if it is fewer, the
    /// source is taken to be drained (or full), and the next operation waits without asking the kernel.
    ///
    /// Only for byte streams where that is so: TCP, pipes, and Unix-domain streams on which nobody passes descriptors.
    /// On datagram sockets, terminals, inotify and the like a short count means nothing; use [`poll_io`](Self::poll_io).
    /// The end of a stream, an error and urgent data are allowed for.
    ///
    /// # Errors
    ///
    /// As [`poll_io`](Self::poll_io).
    pub fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        wanted: usize,
        mut operation: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let seen = ready!(self.membership.registration().poll_ready(cx, direction));
            if let Some(result) = self.attempt(direction, seen, &mut operation) {
                self.note_count(direction, seen, wanted, &result);
                return Poll::Ready(result);
            }
        }
    }

    /// As [`poll_transfer`](Self::poll_transfer), for any number of waiters at a time.
    ///
    /// # Errors
    ///
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    ///
    /// As [`io`](Self::io).
    pub async fn transfer(
        &self,
        direction: Direction,
        wanted: usize,
        mut operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let seen = self.membership.registration().ready(direction).await;
            if let Some(result) = self.attempt(direction, seen, &mut operation) {
                self.note_count(direction, seen, wanted, &result);
                return result;
            }
        }
    }

    /// Makes the call. `None` if it would block: then the belief is gone, or an event has just renewed it.
    fn attempt<R>(
        &self,
        direction: Direction,
        seen: Seen,
        operation: &mut impl FnMut() -> io::Result<R>,
    ) -> Option<io::Result<R>> {
        loop {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.membership.clear(direction, seen).err().map(Err);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Some(result),
            }
        }
    }

    /// Takes the belief back after a short count, where that can be trusted. No bytes at all are the end of the stream.
    fn note_count(&self, direction: Direction, seen: Seen, wanted: usize, result: &io::Result<usize>) {
        let short = matches!(result, Ok(count) if (1..wanted).contains(count));
        if short && seen.trusts_short_counts(direction) {
            // The bytes have been moved. If there is an error, the next operation finds it again.
            let _ = self.membership.clear(direction, seen);
        }
    }
}

impl<T: AsFd> Source<T> {
    /// Waits until a read or an accept would not block (it may still fail, or find the end of the stream).
    ///
    /// The kernel is asked, so that the answer is true when it is given; somebody else may then be faster.
    ///
    /// # Errors
    ///
    /// Those of the operating system; none is known to occur.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does nothing to the source or its other waiters.
    pub async fn readable(&self) -> io::Result<()> {
        self.io(Direction::Read, || self.ask(PollFlags::IN | PollFlags::PRI))
            .await
    }

    /// Waits until a write would not block, or until a connection attempt has ended.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Cancel safety
    ///
    /// As [`readable`](Self::readable).
    pub async fn writable(&self) -> io::Result<()> {
        self.io(Direction::Write, || self.ask(PollFlags::OUT)).await
    }

    /// Asks the kernel, without waiting, whether one of `flags` holds, or the source has failed or hung up.
    fn ask(&self, flags: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.io, flags)], Some(&Timespec::default()))? {
            0 => Err(Errno::WOULDBLOCK.into()),
            _ => Ok(()),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("io", &self.io)
            .field("registration", self.membership.registration())
            .finish()
    }
}
