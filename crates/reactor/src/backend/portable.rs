//! Anywhere: `polling` as it is, edge-triggered where the system can, else one-shot.
//!
//! `polling` does not say whether a stream has ended behind its bytes, so every readable event is taken to mean that it
//! may have: a short read is then followed by one more, and no end is missed.
//!
//! # One-shot
//!
//! An event silences its source. What keeps it heard is one invariant: *a direction that is not believed ready is
//! armed, or somebody is about to arm it*. It can be broken in two ways, an operation clearing a belief and an event
//! silencing the direction it did not report, and both are followed by `Registration::arm`, which runs one at a time
//! and arms all that is missing.

use super::{Backend, Event};
use crate::{readiness::Ready, registry::Key};
use aioli_primitives::sync::Mutex;
use polling::{Events, PollMode, Poller};
use std::{io, os::fd::BorrowedFd, time::Duration};

#[derive(Debug)]
pub(crate) struct Portable {
    poller: Poller,
    mode: PollMode,
    /// Of the one thread that waits.
    collected: Mutex<Events>,
}

impl Portable {
    /// `one_shot`: even where there are edges.
    pub(crate) fn new(one_shot: bool) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mode = if one_shot || !poller.supports_edge() {
            PollMode::Oneshot
        } else {
            PollMode::Edge
        };
        Ok(Self {
            poller,
            mode,
            collected: Mutex::new(Events::new()),
        })
    }

    fn interest(&self, key: Key, directions: Ready) -> polling::Event {
        use crate::Direction::{Read, Write};
        polling::Event::new(key, directions.allows(Read), directions.allows(Write)).with_interrupt()
    }
}

impl Backend for Portable {
    fn add(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        // SAFETY: the descriptor is deleted before it is closed: `Reactor::enter`'s caller promises that it stays open for
        // as long as the membership, whose end is the call of `delete`.
        unsafe {
            self.poller
                .add_with_mode(&fd, self.interest(key, Ready::BOTH), self.mode)
        }
    }

    fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.delete(fd)
    }

    fn wait(&self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let mut collected = self.collected.lock();
        collected.clear();
        self.poller.wait(&mut collected, timeout)?;
        events.extend(collected.iter().map(|event| Event {
            key: event.key,
            ready: ready(&event),
        }));
        Ok(())
    }

    fn notify(&self) {
        // Fails only if the poller's own descriptors are gone, and they live as long as it does.
        let _ = self.poller.notify();
    }

    fn is_one_shot(&self) -> bool {
        self.mode == PollMode::Oneshot
    }

    fn arm(&self, fd: BorrowedFd<'_>, key: Key, directions: Ready) -> io::Result<()> {
        self.poller
            .modify_with_mode(fd, self.interest(key, directions), self.mode)
    }
}

fn ready(event: &polling::Event) -> Ready {
    let error = event.is_err() == Some(true);
    let hangup = event.is_interrupt();
    let readable = event.readable || hangup || error;
    (Ready::READABLE | Ready::READ_CLOSED).when(readable)
        | Ready::WRITABLE.when(event.writable || hangup || error)
        | Ready::WRITE_CLOSED.when(hangup)
        | Ready::ERROR.when(error)
}
