//! Listening for signals in a task.

use super::{Doorbell, Listening, SignalKind};
use crate::{runtime::driver::with_driver, task::poll_budget};
use futures_core::Stream;
use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Listens for signals of one kind, from now on: none is missed after this has returned, even if nobody waits for it at the time.
///
/// Any number of listeners, on any number of loops, may listen for the same kind; each hears each signal. A listener has two
/// descriptors of its own.
///
/// # Errors
///
/// * [`InvalidInput`](io::ErrorKind::InvalidInput): there is no such signal, or nobody can listen for it: `SIGKILL`, `SIGSTOP`,
///   and `SIGSEGV`, `SIGILL`, `SIGFPE`, from which a program cannot go on;
/// * those of the system, for want of descriptors.
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let doorbell = with_driver(|driver, _| Doorbell::new(&driver.reactor))?;
    let button = doorbell.button();
    // SAFETY: to press the button may be done in a signal handler.
    let listening = unsafe { Listening::new(kind, move || button.press())? };
    Ok(Signal {
        _listening: listening,
        kind,
        doorbell,
    })
}

/// Waits for a Ctrl-C (`SIGINT`), which meanwhile does nothing else.
///
/// It listens from its first poll on until it is ready or dropped; the next Ctrl-C ends the process, unless somebody else
/// listens. To hear of each, or to miss none that comes before the wait, make a listener: [`signal`](fn@signal) of
/// [`SignalKind::interrupt`]. In a run with [`cancel_on_ctrl_c`](crate::Builder::cancel_on_ctrl_c) the signal
/// cancels the main task as well.
///
/// ```no_run
/// # async fn serve() {}
/// aioli::run(async {
///     let server = aioli::create_task(serve());
///     aioli::signal::ctrl_c().await.unwrap();
///     server.cancel();
///     println!("finishing what is under way; press Ctrl-C again to stop at once");
///     let _ = server.await;
/// });
/// ```
///
/// # Errors
///
/// As [`signal`](fn@signal).
///
/// # Panics
///
/// As [`signal`](fn@signal).
///
/// # Cancel safety
///
/// Dropping it ends the listening.
pub async fn ctrl_c() -> io::Result<()> {
    signal(SignalKind::interrupt())?.recv().await;
    Ok(())
}

/// A listener for signals of one kind, made by [`signal`](fn@signal). It hears them until it is dropped.
///
/// It is a [`Stream`], too, which has no end. It belongs to the loop that it was made on, and hears nothing when that one
/// has ended.
#[must_use = "as long as there is a listener the signal does nothing else; wait for it with `recv`"]
pub struct Signal {
    /// Before the doorbell, so that nobody presses a button without one.
    _listening: Listening,
    kind: SignalKind,
    doorbell: Doorbell,
}

impl Signal {
    /// Waits until there was a signal, since this was last ready or the listener was made. Several at a time are as one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: a signal that it has not told of is there for the next call.
    pub async fn recv(&mut self) {
        poll_fn(|cx| self.poll_recv(cx)).await;
    }

    /// As [`recv`](Self::recv), for those who poll.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(poll_budget(cx));
        self.doorbell.poll_rung(cx)
    }

    /// What it listens for.
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

impl Stream for Signal {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_recv(cx).map(Some)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("kind", &self.kind).finish()
    }
}
