//! The reactor: waits for events and tells whom they concern.
//!
//! # One wait
//!
//! Take the *turn*, wait, pass the events on to their registrations (the registry's lock is held, nothing foreign runs),
//! and with the lock released wake everybody who waited for them.
//!
//! The turn is a token, and with it the buffers. One thread holds it at a time, so events are passed on in the order
//! in which the kernel gave them, which the readiness snapshots rely on. Callers arrange for one waiter at a time; if two
//! wait all the same, the second sleeps until the first is done and then returns as if it had been notified.
//!
//! Lock order: registry, then a registration's waiters. The turn's lock is held while nothing else is.

use crate::{
    backend::{Backend, BackendKind, Event},
    readiness::{Direction, Ready, Seen},
    registration::Registration,
    registry::{Key, Registry},
    source::Source,
};
use aioli_primitives::sync::{Arc, Condvar, Mutex};
use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    task::Waker,
    time::Duration,
};

/// Waits for events of many file descriptors, and wakes whoever waits for them.
///
/// A handle: clones are the same reactor. One thread at a time calls [`wait`](Self::wait); all else may be called from
/// any thread at any time.
#[derive(Clone)]
pub struct Reactor(Arc<Shared>);

struct Shared {
    backend: Box<dyn Backend>,
    registry: Mutex<Registry>,
    /// Absent while somebody waits.
    turn: Mutex<Option<Turn>>,
    turn_is_back: Condvar,
}

#[derive(Default)]
struct Turn {
    events: Vec<Event>,
    wakers: Vec<Waker>,
}

impl Reactor {
    /// A reactor with nothing registered.
    ///
    /// # Errors
    ///
    /// Those of the operating system, for want of file descriptors above all; nothing is left open then.
    pub fn new() -> io::Result<Self> {
        Self::with_backend(BackendKind::NATIVE)
    }

    /// A reactor on this very backend, so that tests can run on each.
    #[doc(hidden)]
    pub fn with_backend(kind: BackendKind) -> io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            backend: kind.open()?,
            registry: Mutex::new(Registry::new()),
            turn: Mutex::new(Some(Turn::default())),
            turn_is_back: Condvar::new(),
        })))
    }

    /// Registers an I/O object, for reading and writing, until the source is dropped.
    ///
    /// The object must be in non-blocking mode already, or operations on it will block. It may be registered with one
    /// reactor once at a time.
    ///
    /// # Errors
    ///
    /// Those of the operating system, and the object is dropped: `PermissionDenied` for what cannot be waited for
    /// (a regular file), `AlreadyExists` for what is registered already, and others when the system's limits are reached.
    pub fn register<T: AsFd + 'static>(&self, io: T) -> io::Result<Source<T>> {
        Source::new(self, io)
    }

    /// How many sources are registered.
    pub fn source_count(&self) -> usize {
        self.0.registry.lock().len()
    }

    /// Blocks until there are events, the time is up (`None`: never) or somebody [notifies](Self::notify); wakes all
    /// whom the events concern, and gives the number of events.
    ///
    /// Zero never blocks. Timeouts are as fine as the system's, and rounded up; it may return early with 0, as it does when
    /// a signal interrupts it.
    ///
    /// Meant for one thread at a time. While one waits, another with a timeout of zero gets 0 at once, and with any other
    /// blocks until that one is done or its own time is up, and gets 0. Not to be called by a waker, except with zero.
    ///
    /// # Errors
    ///
    /// Those of the operating system; none is known to occur.
    ///
    /// # Panics
    ///
    /// If a waker panics, its panic goes on here, after the others were woken. The reactor stays in order.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<usize> {
        let Some(mut turn) = Held::take(&self.0, timeout) else {
            return Ok(0);
        };
        let Turn { events, wakers } = &mut turn.turn;
        match self.0.backend.wait(timeout, events) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        let count = events.len();
        if count > 0 {
            self.0.pass_on(events, wakers);
            wake_all(wakers);
        }
        Ok(count)
    }

    /// Makes the current [`wait`](Self::wait) return, or the next one if nobody waits.
    ///
    /// What the caller did before is visible to the thread whose wait returns. Repeated calls before that cost one
    /// atomic operation each and no system call.
    pub fn notify(&self) {
        self.0.backend.notify();
    }

    /// Registers `fd`, which must stay open for as long as the membership lasts, and for ever if that is forgotten.
    pub(crate) fn enter(&self, fd: BorrowedFd<'_>) -> io::Result<Membership> {
        let registration = Arc::new(Registration::new());
        let key = self.0.registry.lock().insert(fd.as_raw_fd(), registration.clone());
        let key = key.ok_or_else(|| io::Error::new(io::ErrorKind::OutOfMemory, "too many sources in one reactor"))?;
        self.0.backend.add(fd, key).inspect_err(|_| self.0.forget(key))?;
        Ok(Membership {
            reactor: self.clone(),
            registration,
            key,
            fd: fd.as_raw_fd(),
        })
    }
}

/// A descriptor's registration, until it is dropped. Its owner, a [`Source`], keeps the descriptor open for that long, and
/// even if it is forgotten: its I/O object is `'static`, so nobody else can close what it borrows.
pub(crate) struct Membership {
    reactor: Reactor,
    registration: Arc<Registration>,
    key: Key,
    fd: RawFd,
}

impl Membership {
    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The kernel had nothing for `direction` after `seen` was loaded: takes the belief back, unless an event came in
    /// between, and makes sure that there will be an event to restore it.
    pub(crate) fn clear(&self, direction: Direction, seen: Seen) -> io::Result<()> {
        if self.registration.clear(direction, seen) {
            let armed = self.reactor.0.arm(self.fd(), self.key, &self.registration);
            armed.inspect_err(|_| self.registration.believe(direction))
        } else {
            Ok(())
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: our owner keeps the descriptor open.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // First the registry, so that nobody finds a descriptor there which is about to be closed.
        self.reactor.0.forget(self.key);
        // Fails only if the descriptor was closed behind our back, and then there is nothing to undo.
        let _ = self.reactor.0.backend.delete(self.fd());
    }
}

impl Shared {
    fn forget(&self, key: Key) {
        let removed = self.registry.lock().remove(key);
        // Its wakers may run anything, so not before the lock is released.
        drop(removed);
    }

    /// Makes sure that there will be an event of each direction that is not believed ready.
    fn arm(&self, fd: BorrowedFd<'_>, key: Key, registration: &Registration) -> io::Result<()> {
        if self.backend.is_one_shot() {
            registration.arm(|directions| self.backend.arm(fd, key, directions))
        } else {
            Ok(())
        }
    }

    /// Tells the registrations about their events; collects the wakers of those who waited.
    fn pass_on(&self, events: &[Event], wakers: &mut Vec<Waker>) {
        let registry = self.registry.lock();
        for &Event { key, ready } in events {
            let Some((registration, fd)) = registry.event(key, ready, wakers) else {
                continue;
            };
            // SAFETY: a source leaves the registry, whose lock we hold, before it closes its descriptor.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            if self.arm(fd, key, registration).is_err() {
                // No event will come. Let everybody try: who would block then hears of the error.
                registration.event(Ready::BOTH | Ready::ERROR, wakers);
            }
        }
    }
}

/// Wakes all, even if some panic; the first panic then goes on.
fn wake_all(wakers: &mut Vec<Waker>) {
    let mut panicked = None;
    for waker in wakers.drain(..) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panicked.get_or_insert(payload);
        }
    }
    if let Some(payload) = panicked {
        resume_unwind(payload);
    }
}

/// Holds the turn; gives it back, emptied, when dropped.
struct Held<'a> {
    shared: &'a Shared,
    turn: Turn,
}

impl<'a> Held<'a> {
    /// `None` if somebody else has the turn and the time is up, or that one has finished.
    fn take(shared: &'a Shared, timeout: Option<Duration>) -> Option<Self> {
        let mut turn = shared.turn.lock();
        if let Some(turn) = turn.take() {
            return Some(Self { shared, turn });
        }
        match timeout {
            None => shared.turn_is_back.wait(&mut turn),
            Some(Duration::ZERO) => {}
            Some(timeout) => {
                shared.turn_is_back.wait_for(&mut turn, timeout);
            }
        }
        None
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut turn = std::mem::take(&mut self.turn);
        turn.events.clear();
        turn.wakers.clear();
        *self.shared.turn.lock() = Some(turn);
        self.shared.turn_is_back.notify_all();
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("backend", &self.0.backend)
            .field("sources", &self.source_count())
            .finish()
    }
}
