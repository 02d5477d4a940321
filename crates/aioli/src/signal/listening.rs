//! What the process does on a signal, and for how long.
//!
//! `signal-hook-registry` keeps one handler for the whole process, which calls whatever handler there was before, and then what is
//! registered. It stays when nothing is registered any more, and then the signal does nothing at all: a program that has listened
//! for `SIGTERM` once could not be ended any more. So with the first listener of each kind one more action is registered, for
//! good: it does what the system does by default, whenever nobody listens. Only where that is what the system did before.
//!
//! # Forked children
//!
//! A child that is forked has the parent's handlers until it runs another program, and the parent's listeners behind them: sockets
//! that both have. A signal that the child gets meanwhile is not the parent's. So an action is called in the process only that has
//! registered it, and in any other one nobody listens.

use super::SignalKind;
use signal_hook_registry::{FORBIDDEN, SigId};
use std::{
    collections::BTreeMap,
    ffi::c_int,
    io, mem, process, ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

/// No system has as many kinds of signals.
const KINDS: usize = 129;

/// How many listen for each.
static LISTENERS: [AtomicUsize; KINDS] = [const { AtomicUsize::new(0) }; KINDS];

/// The process that they are in: the last one that somebody has begun to listen in.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// What the system by default ignores.
const IGNORED: &[c_int] = &[
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGURG,
    libc::SIGWINCH,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    libc::SIGIO,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    libc::SIGINFO,
];

/// An action that is called on a signal, until this is dropped.
pub(crate) struct Listening {
    kind: SignalKind,
    action: SigId,
}

impl Listening {
    /// From now on `action` is called on each signal of this kind.
    ///
    /// # Safety
    ///
    /// `action` does only what may be done in a signal handler.
    pub(crate) unsafe fn new(kind: SignalKind, action: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let listeners = listeners(kind)?;
        restore_the_default_when_nobody_listens(kind)?;
        let this = process::id();
        PROCESS.store(this, SeqCst);
        // Before the action is registered: in between, the signal does nothing, instead of what it does by default.
        listeners.fetch_add(1, SeqCst);
        let action = move || {
            if process::id() == this {
                action();
            }
        };
        // SAFETY: the action is as the caller promises, and to ask for the process id may be done in a signal handler.
        match unsafe { register(kind, action) } {
            Ok(action) => Ok(Self { kind, action }),
            Err(error) => {
                listeners.fetch_sub(1, SeqCst);
                Err(error)
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        signal_hook_registry::unregister(self.action);
        // There is a place for it: it was found before.
        LISTENERS[self.kind.as_raw() as usize].fetch_sub(1, SeqCst);
    }
}

/// Whether anybody in this process listens. May be called in a signal handler.
pub(crate) fn is_listened_for(kind: SignalKind) -> bool {
    usize::try_from(kind.as_raw())
        .ok()
        .and_then(|number| LISTENERS.get(number))
        .is_some_and(|listeners| listeners.load(SeqCst) > 0)
        && process::id() == PROCESS.load(SeqCst)
}

/// The number of listeners of a signal that there can be listeners of.
fn listeners(kind: SignalKind) -> io::Result<&'static AtomicUsize> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("cannot listen for {kind}: {why}"));
    if FORBIDDEN.contains(&kind.as_raw()) {
        return Err(invalid(
            "it cannot be handled by a program, or not in a way that lets it go on",
        ));
    }
    usize::try_from(kind.as_raw())
        .ok()
        .filter(|&number| number > 0)
        .and_then(|number| LISTENERS.get(number))
        .ok_or_else(|| no_such(kind))
}

fn no_such(kind: SignalKind) -> io::Error {
    invalid(kind, "there is no such signal")
}

fn invalid(kind: SignalKind, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("cannot listen for {kind}: {why}"))
}

/// Adds something to what is done on the signal.
///
/// # Safety
///
/// As for [`Listening::new`].
pub(crate) unsafe fn register(kind: SignalKind, action: impl Fn() + Send + Sync + 'static) -> io::Result<SigId> {
    // SAFETY: the action is as the caller promises.
    let registered = unsafe { signal_hook_registry::register(kind.as_raw(), action) };
    registered.map_err(|error| io::Error::new(error.kind(), format!("cannot listen for {kind}: {error}")))
}

/// What the system does on a signal, as long as no program handles it; or nothing that is known.
#[derive(Clone, Copy, PartialEq)]
enum Disposition {
    Default,
    Ignored,
    Handled,
}

/// What was done on each signal before anybody listened for it here.
fn before() -> MutexGuard<'static, BTreeMap<c_int, Disposition>> {
    static BEFORE: Mutex<BTreeMap<c_int, Disposition>> = Mutex::new(BTreeMap::new());
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the signal is ignored by this process, or would be if nobody listened: as under `nohup`.
pub(crate) fn is_ignored(kind: SignalKind) -> bool {
    let before = before().get(&kind.as_raw()).copied();
    before.or_else(|| disposition(kind).ok()) == Some(Disposition::Ignored)
}

fn restore_the_default_when_nobody_listens(kind: SignalKind) -> io::Result<()> {
    let mut before = before();
    let signal = kind.as_raw();
    if before.contains_key(&signal) {
        return Ok(());
    }
    let disposition = disposition(kind)?;
    if disposition == Disposition::Default && !IGNORED.contains(&signal) {
        let action = move || {
            if !is_listened_for(kind) {
                do_the_default(signal);
            }
        };
        // SAFETY: the action reads atomics and calls what `do_the_default` says may be called.
        unsafe { register(kind, action)? };
    }
    before.insert(signal, disposition);
    Ok(())
}

fn disposition(kind: SignalKind) -> io::Result<Disposition> {
    // SAFETY: all-zero is a value of this plain structure; the call only fills it in.
    let (result, action) = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        (libc::sigaction(kind.as_raw(), ptr::null(), &mut action), action)
    };
    match (result, action.sa_sigaction) {
        (0, libc::SIG_DFL) => Ok(Disposition::Default),
        (0, libc::SIG_IGN) => Ok(Disposition::Ignored),
        (0, _) => Ok(Disposition::Handled),
        // The one way in which it can fail.
        _ => Err(no_such(kind)),
    }
}

/// Does what the system does by default on a signal that it does not ignore. May be called in a signal handler.
fn do_the_default(signal: c_int) {
    // SAFETY: both functions may be called in a signal handler; all-zero is a value of this plain structure, that of the default.
    unsafe {
        if matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) {
            libc::raise(libc::SIGSTOP);
        } else {
            let default: libc::sigaction = mem::zeroed();
            libc::sigaction(signal, &default, ptr::null_mut());
            // It is blocked while its handler runs, and then ends the process.
            libc::raise(signal);
        }
    }
}
