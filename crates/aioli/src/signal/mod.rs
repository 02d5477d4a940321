//! Signals of the operating system: waiting for them as for anything else.
//!
//! [`signal`](fn@signal) gives a listener, which hears every signal of its [kind](SignalKind) from then on; [`ctrl_c`] waits for one
//! Ctrl-C. For asyncio's way, a callback of the loop's, there is
//! [`EventLoop::add_signal_handler`](crate::EventLoop::add_signal_handler); to have Ctrl-C cancel the main task,
//! [`Builder::cancel_on_ctrl_c`](crate::Builder::cancel_on_ctrl_c).
//!
//! ```
//! use aioli::signal::{SignalKind, signal};
//!
//! # aioli::run(async {
//! let mut reload = signal(SignalKind::hangup())?;
//! # rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)?;
//! reload.recv().await;
//! println!("reading the configuration again");
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```
//!
//! # What happens to the process
//!
//! As long as anybody in the process listens for a signal, it does nothing else. When nobody does any more, it has its default effect
//! again: `SIGTERM` ends the process. (asyncio does the same.) A handler that there was before the first listener is still called, before
//! the listeners hear of the signal, and then nothing else is done about it when they are gone.
//!
//! Signals coalesce: the system does not count those of one kind, and neither does a listener. To hear of one means that there was at
//! least one since the last.
//!
//! # How it works
//!
//! The handler writes a byte into a socket whose other end is on the loop's reactor. So there is no thread for this, and what is done about
//! a signal is done by a task or a callback, which may do anything, unlike a signal handler.
//!
//! A child that is forked from the process has the default handlers as soon as it runs another program; a signal that it gets before is
//! not heard by the parent's listeners, and has its default effect. A program that forks and runs no other one, as daemons do, does
//! so before its first loop: a child has a copy of one thread, no workers, and shares with the parent what a loop waits with.

mod doorbell;
mod kind;
mod listener;
mod listening;

pub(crate) use doorbell::Doorbell;
pub use kind::SignalKind;
pub use listener::{Signal, ctrl_c, signal};
pub(crate) use listening::{Listening, is_ignored, is_listened_for, register};
