//! Signals: listeners, and handlers that are callbacks.
//!
//! Tests of one binary run at the same time in one process, and a signal is the process's. So each test in `listeners` and
//! `handlers` has a kind of its own, and those of `processes` run this binary again.

#[path = "../common/mod.rs"]
mod common;
mod handlers;
mod listeners;
mod processes;
#[path = "../common/terminal.rs"]
mod terminal;

use aioli::signal::SignalKind;

/// Sends a signal to this thread: when it returns the signal's handlers have been called.
fn raise(kind: SignalKind) {
    // SAFETY: it has no preconditions.
    assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
}
