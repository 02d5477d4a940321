//! Ctrl-C: the first one cancels the main task of the run in progress, the second one ends the process.
//!
//! # What happens in the signal handler
//!
//! Very little may: a handler runs in the middle of anything, so it must not lock or allocate. Here it counts, and writes a byte into
//! a socket whose other end is a source on the loop's reactor; or it ends the process, by the one function that may do so there.
//! The worker that waits for events finds the byte, and cancels the main task. So there is no thread for this.
//!
//! # Whose handlers there are
//!
//! `signal-hook-registry` keeps one handler for the whole process, which calls what is registered, and whatever handler there was
//! before. It stays when nothing is registered any more, and then the signal does nothing at all: the program could not be interrupted
//! between two runs. So one action is registered for good, with the first run; it ends the process when no run is in progress.

use super::state::LoopState;
use aioli_reactor::{Reactor, Source};
use signal_hook_registry::SigId;
use std::{
    io,
    os::unix::net::UnixStream,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

/// What a shell says of a program that was ended by this signal.
const EXIT_CODE: i32 = 128 + libc::SIGINT;

/// How many runs in progress see to the signal themselves.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// The two ends between the handler and the loop.
pub(super) struct CtrlC {
    source: Source<UnixStream>,
    writer: Arc<UnixStream>,
}

impl CtrlC {
    pub(super) fn new(reactor: &Reactor) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self {
            source: reactor.register(reader)?,
            writer: Arc::new(writer),
        })
    }

    /// Sees to the signal until the guard is dropped.
    pub(super) fn watch(&self, state: &Arc<LoopState>) -> Watch {
        static BETWEEN_RUNS: Once = Once::new();
        BETWEEN_RUNS.call_once(|| {
            register(|| {
                if RUNS.load(SeqCst) == 0 {
                    end_process();
                }
            });
        });
        let interrupt = Arc::new(Interrupt {
            state: state.clone(),
            over: AtomicBool::new(false),
        });
        self.listen(Waker::from(interrupt.clone()));
        let (writer, again) = (self.writer.clone(), AtomicBool::new(false));
        // Before the action is registered: in between, the signal does nothing, instead of ending the process.
        RUNS.fetch_add(1, SeqCst);
        let action = register(move || {
            if again.swap(true, SeqCst) {
                end_process();
            }
            // It cannot fail: there is room for a byte, and the other end is open as long as this is registered.
            let _ = rustix::io::write(&*writer, &[0]);
        });
        Watch { action, interrupt }
    }

    /// Has `waker` woken by the next byte. One that came too late for the run before is forgotten.
    fn listen(&self, waker: Waker) {
        let mut cx = Context::from_waker(&waker);
        while let Poll::Ready(Ok(1..)) = self.source.poll_read(&mut cx, &mut [0; 8]) {}
    }
}

/// Adds something to what is done on the signal.
fn register(action: impl Fn() + Send + Sync + 'static) -> SigId {
    // SAFETY: the actions, all of this file, touch atomics, write to a descriptor, or end the process by `_exit`.
    let registered = unsafe { signal_hook_registry::register(libc::SIGINT, action) };
    registered.expect("SIGINT is a signal that can be handled")
}

/// Ends the process at once: no destructors, no exit handlers.
fn end_process() {
    // SAFETY: it has no preconditions, and may be called in a signal handler.
    unsafe { libc::_exit(EXIT_CODE) }
}

/// The main task is cancelled by the signal until this is dropped.
pub(super) struct Watch {
    action: SigId,
    interrupt: Arc<Interrupt>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.interrupt.over.store(true, SeqCst);
        signal_hook_registry::unregister(self.action);
        RUNS.fetch_sub(1, SeqCst);
    }
}

/// Woken by the byte.
struct Interrupt {
    state: Arc<LoopState>,
    /// The run is over, and the next one is not meant.
    over: AtomicBool,
}

impl Wake for Interrupt {
    fn wake(self: Arc<Self>) {
        if !self.over.load(SeqCst) {
            self.state.main.end("interrupted by Ctrl-C");
        }
    }
}
