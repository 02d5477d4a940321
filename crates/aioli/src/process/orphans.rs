//! Children that no loop watches: those that outlive theirs, and all of them where there are no pidfds. One thread of the process
//! waits for them, and ends when none is left.
//!
//! It sleeps on a reactor of its own. Pidfds are registered there; for other children there is a handler of `SIGCHLD` that writes
//! a byte into a socket, and every child is looked at.
//!
//! The list is what the thread lives for: it ends under the lock, and only if the list is empty. Those who are on the list are
//! never touched under the lock, since they wake whoever waits for them.

use super::child::Child;
use aioli_primitives::sync::Mutex;
use aioli_reactor::{Reactor, Source};
use signal_hook_registry::SigId;
use std::{
    io,
    os::unix::net::UnixStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
    task::{Context, Poll, Wake, Waker},
    thread,
};

static ORPHANS: LazyLock<Mutex<Orphans>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Orphans {
    running: Vec<Arc<Child>>,
    /// Those for whom no thread could be had.
    refused: Vec<Arc<Child>>,
    /// While there is a thread: what it sleeps on.
    reactor: Option<Reactor>,
    /// Since there is somebody for whom it is needed.
    sigchld: Option<Arc<Sigchld>>,
}

/// Waits for `children` from now on.
///
/// If there is an error, nobody notices their exit, until they are waited for with those who come next.
pub(super) fn adopt(children: Vec<Arc<Child>>) -> io::Result<()> {
    // A thread is not started for those who have exited already.
    let (exited, mut children): (Vec<_>, Vec<_>) = children.into_iter().partition(|child| child.look());
    exited.iter().for_each(|child| announce(child));
    if children.is_empty() {
        return Ok(());
    }
    let reactor = {
        let mut orphans = ORPHANS.lock();
        children.append(&mut orphans.refused);
        match orphans.start(children.iter().any(|child| child.needs_sigchld())) {
            Ok(reactor) => {
                orphans.running.extend(children.iter().cloned());
                reactor
            }
            Err(error) => {
                orphans.refused = children;
                return Err(error);
            }
        }
    };
    for child in &children {
        child.move_to(&reactor);
    }
    let watched = match children.iter().any(|child| child.needs_sigchld()) {
        true => ORPHANS.lock().watch_sigchld(),
        false => Ok(()),
    };
    for child in &children {
        // Somebody who exits from now on is noticed, and who did so before, here.
        Arc::new(Reaper(child.clone())).wake();
    }
    if children.iter().any(|child| !child.is_running()) {
        // They are on the list, and that may be why the thread goes on.
        reactor.notify();
    }
    watched
}

impl Orphans {
    /// Starts the thread, if there is none, and watches the signal, if that is needed. If there is an error, a thread that there was
    /// not is not there.
    fn start(&mut self, needs_sigchld: bool) -> io::Result<Reactor> {
        let reactor = match &self.reactor {
            Some(reactor) => reactor.clone(),
            None => Reactor::new()?,
        };
        let sigchld = match self.sigchld {
            None if needs_sigchld => Some(Arc::new(Sigchld::watch(&reactor)?)),
            _ => None,
        };
        if self.reactor.is_none() {
            let theirs = reactor.clone();
            thread::Builder::new()
                .name("aioli-orphans".to_owned())
                .spawn(move || wait_for_all(&theirs))?;
            self.reactor = Some(reactor.clone());
        }
        self.sigchld = self.sigchld.take().or(sigchld);
        Ok(reactor)
    }

    /// For those that could not be watched otherwise after all.
    fn watch_sigchld(&mut self) -> io::Result<()> {
        // Without a reactor the thread has ended, and so have the children.
        match self.reactor {
            Some(_) => self.start(true).map(drop),
            None => Ok(()),
        }
    }

    /// Forgets who has exited; gives who has to be looked at.
    fn left(&mut self) -> Vec<Arc<Child>> {
        self.running.retain(|child| child.is_running());
        let unwatched = self.running.iter().filter(|child| child.needs_sigchld());
        unwatched.cloned().collect()
    }
}

/// What the thread does.
fn wait_for_all(reactor: &Reactor) {
    loop {
        // Its errors, of which none is known, leave children unnoticed until it succeeds.
        let _ = reactor.wait(None);
        let sigchld = ORPHANS.lock().sigchld.clone();
        if let Some(sigchld) = sigchld {
            sigchld.forget_bytes();
        }
        let unwatched = ORPHANS.lock().left();
        for child in unwatched {
            if child.look() {
                announce(&child);
            }
        }
        let mut orphans = ORPHANS.lock();
        orphans.left();
        if orphans.running.is_empty() {
            let ended = (orphans.reactor.take(), orphans.sigchld.take());
            drop(orphans);
            drop(ended);
            return;
        }
    }
}

/// Woken when a child that has a pidfd may have exited.
struct Reaper(Arc<Child>);

impl Wake for Reaper {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        if self.0.poll_exit(&mut Context::from_waker(&waker)).is_ready() {
            // It leaves the list when the thread looks at that next.
            announce(&self.0);
        }
    }
}

/// Those who wait for a child may have wakers that panic. That is no reason for the thread to end.
fn announce(child: &Child) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| child.announce_exit())) {
        std::mem::forget(payload);
    }
}

/// The handler of the signal, for as long as this lives, and the bytes that it has written.
struct Sigchld {
    bytes: Source<UnixStream>,
    action: SigId,
}

impl Sigchld {
    fn watch(reactor: &Reactor) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        let bytes = reactor.register(reader)?;
        let notify = move || {
            // If there is no room, the bytes before are enough.
            let _ = rustix::io::write(&writer, &[0]);
        };
        // SAFETY: the action does nothing but to write to a descriptor that it owns.
        let action = unsafe { signal_hook_registry::register(libc::SIGCHLD, notify)? };
        Ok(Self { bytes, action })
    }

    /// The next byte is to end a wait again. What it says is then looked for.
    fn forget_bytes(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(1..)) = self.bytes.poll_read(&mut cx, &mut [0; 64]) {}
    }
}

impl Drop for Sigchld {
    fn drop(&mut self) {
        signal_hook_registry::unregister(self.action);
    }
}
