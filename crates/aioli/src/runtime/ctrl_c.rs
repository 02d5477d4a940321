//! Ctrl-C: the first one cancels the main task of the run in progress, the second one ends the process.
//!
//! The signal handler rings the [doorbell](crate::signal::Doorbell); the worker that waits for events hears it, and cancels the main
//! task. So there is no thread for this.
//!
//! # Between two runs
//!
//! The process's handler stays when nothing is registered any more, and then the signal does nothing at all: the program could not be
//! interrupted between two runs. So one action is registered for good, with the first run; it ends the process when no run is in
//! progress, nor anybody else listens for the signal.
//!
//! # Where the signal is ignored
//!
//! A program that was started with the signal ignored, by `nohup` or in the background of a shell's script, is not meant, and is left alone.

use super::state::LoopState;
use crate::signal::{Doorbell, Listening, SignalKind, is_ignored, is_listened_for, register};
use aioli_reactor::Reactor;
use std::{
    io,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

const CTRL_C: SignalKind = SignalKind::interrupt();

/// What a shell says of a program that was ended by this signal.
const EXIT_CODE: i32 = 128 + CTRL_C.as_raw();

/// What a loop has to hear the signal with.
pub(super) struct CtrlC(Doorbell);

impl CtrlC {
    pub(super) fn new(reactor: &Reactor) -> io::Result<Self> {
        Doorbell::new(reactor).map(Self)
    }

    /// Sees to the signal until the guard is dropped; `None` if it is ignored.
    pub(super) fn watch(&self, state: &Arc<LoopState>) -> Option<Watch> {
        if is_ignored(CTRL_C) {
            return None;
        }
        static BETWEEN_RUNS: Once = Once::new();
        BETWEEN_RUNS.call_once(|| {
            let action = || {
                if !is_listened_for(CTRL_C) {
                    end_process();
                }
            };
            // SAFETY: the action reads an atomic, or ends the process by `_exit`.
            unsafe { register(CTRL_C, action) }.expect("SIGINT is a signal that can be handled");
        });
        let interrupt = Arc::new(Interrupt {
            state: state.clone(),
            over: AtomicBool::new(false),
        });
        // A signal that came too late for the run before is forgotten.
        let waker = Waker::from(interrupt.clone());
        let _ = self.0.poll_rung(&mut Context::from_waker(&waker));
        let (button, again) = (self.0.button(), AtomicBool::new(false));
        let action = move || {
            if again.swap(true, SeqCst) {
                end_process();
            }
            button.press();
        };
        // SAFETY: the action touches an atomic, and presses a button or ends the process by `_exit`.
        let listening = unsafe { Listening::new(CTRL_C, action) };
        Some(Watch {
            _listening: listening.expect("SIGINT is a signal that can be handled"),
            interrupt,
        })
    }
}

/// Ends the process at once: no destructors, no exit handlers.
fn end_process() {
    // SAFETY: it has no preconditions, and may be called in a signal handler.
    unsafe { libc::_exit(EXIT_CODE) }
}

/// The main task is cancelled by the signal until this is dropped.
pub(super) struct Watch {
    _listening: Listening,
    interrupt: Arc<Interrupt>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.interrupt.over.store(true, SeqCst);
    }
}

/// Woken by the bell.
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
