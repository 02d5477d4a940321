//! Bytes that were written and not sent yet, and the task that sends them.
//!
//! A write tries to send at once. Only what the system does not take goes into the buffer, and only then is there a
//! *flusher*: a task of the loop's that sends the buffer and ends. So a connection whose peer keeps up has neither buffer
//! nor task, and a writer that is closed or dropped delivers what it has, because the flusher owns a share of the
//! connection.
//!
//! # Who sends
//!
//! The order of the bytes is kept by one rule: while there is a flusher, it alone sends. It takes the whole buffer and
//! sends it with the lock released; whoever writes meanwhile fills the next one. It retires, under the lock, when it finds
//! the buffer empty. Without a flusher everything is sent, and the next write may go to the socket itself.
//!
//! # The end
//!
//! What was asked for (the end of writing, or of the connection) is carried out when everything is sent: at once, or by
//! the flusher as it retires. After a failure nothing more is sent, what was buffered is gone, and everybody who waits is
//! told the same error.

use super::{changes::Changes, connection::Connection, errors::repeat};
use crate::{runtime::EventLoop, task::poll_budget};
use aioli_primitives::sync::{Arc, Mutex, MutexGuard};
use futures_io::AsyncWrite;
use std::{
    future::poll_fn,
    io,
    net::Shutdown,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

/// With more bytes than this unsent, `drain` begins to wait.
const HIGH_WATER: usize = 64 * 1024;

/// With this many bytes or fewer unsent, `drain` waits no longer.
const LOW_WATER: usize = 16 * 1024;

pub(super) struct Outbox {
    pub(super) connection: Arc<Connection>,
    event_loop: EventLoop,
    state: Mutex<State>,
    /// Drained, all sent, ended, failed.
    changes: Changes,
}

#[derive(Default)]
struct State {
    /// Written, and nobody sends it yet.
    buffer: Vec<u8>,
    /// How much of what the flusher has taken it has not sent.
    in_flight: usize,
    /// There is a flusher.
    flushing: bool,
    /// Above the high mark, and not at the low one since.
    paused: bool,
    asked: Ending,
    carried_out: Ending,
    failure: Option<io::Error>,
    /// Something was written after the end, and lost.
    written_late: bool,
    /// The last to call one of the `poll_` functions in vain.
    poller: Option<Waker>,
}

/// How much of a connection has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    #[default]
    Nothing,
    Writing,
    Everything,
}

impl State {
    fn unsent(&self) -> usize {
        self.buffer.len() + self.in_flight
    }

    /// What those who wait for this are told; `None`: to wait on.
    fn look(&self, ready: impl FnOnce(&State) -> bool) -> Option<io::Result<()>> {
        match &self.failure {
            Some(error) => Some(Err(repeat(error))),
            None => ready(self).then_some(Ok(())),
        }
    }
}

impl Outbox {
    pub(super) fn new(connection: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            event_loop: EventLoop::current(),
            state: Mutex::default(),
            changes: Changes::default(),
        })
    }

    /// Sends `bytes` now as far as the system takes them, and later for the rest.
    pub(super) fn write(this: &Arc<Self>, bytes: &[u8]) {
        let mut state = this.state.lock();
        if state.asked > Ending::Nothing {
            state.written_late = true;
            return;
        }
        if state.failure.is_some() || bytes.is_empty() {
            return;
        }
        let sent = if state.flushing {
            Ok(0)
        } else {
            this.connection.stream.try_write(bytes)
        };
        let rest = match sent {
            Ok(count) => &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => bytes,
            Err(error) => {
                this.fail_locked(state, error);
                return;
            }
        };
        if rest.is_empty() {
            return;
        }
        state.buffer.extend_from_slice(rest);
        state.paused |= state.unsent() > HIGH_WATER;
        if !std::mem::replace(&mut state.flushing, true) {
            // A loop that is closing drops the flusher here and now, and that takes the lock.
            drop(state);
            this.event_loop.create_task(Flusher::new(this.clone()).run()).detach();
        }
    }

    /// Asks for an end, once everything is sent.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.state.lock();
        state.asked = state.asked.max(ending);
        self.carry_out(state);
    }

    pub(super) fn asked(&self) -> Ending {
        self.state.lock().asked
    }

    pub(super) fn unsent(&self) -> usize {
        self.state.lock().unsent()
    }

    /// Waits until little enough is unsent for more to be written.
    pub(super) async fn drained(&self) -> io::Result<()> {
        poll_fn(poll_budget).await;
        self.until(|state| !state.paused).await?;
        if self.state.lock().written_late {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "written to after the end"));
        }
        Ok(())
    }

    /// Waits until the end has come.
    pub(super) async fn ended(&self, ending: Ending) -> io::Result<()> {
        self.until(|state| state.carried_out >= ending).await
    }

    async fn until(&self, ready: impl Fn(&State) -> bool) -> io::Result<()> {
        self.changes.until(|| self.state.lock().look(&ready)).await
    }

    /// Ready when everything is sent.
    pub(super) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(cx, |state| !state.flushing)
    }

    /// Ready when the end has come.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>, ending: Ending) -> Poll<io::Result<()>> {
        self.poll_until(cx, |state| state.carried_out >= ending)
    }

    /// Sends from `buf` directly, after everything that was written before. For one caller at a time, while nobody else
    /// writes.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_sent(cx))?;
        if self.asked() > Ending::Nothing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let result = ready!(Pin::new(&mut &self.connection.stream).poll_write(cx, buf));
        if let Err(error) = &result {
            self.fail(repeat(error));
        }
        Poll::Ready(result)
    }

    fn poll_until(&self, cx: &mut Context<'_>, ready: impl FnOnce(&State) -> bool) -> Poll<io::Result<()>> {
        // A waker's clone and drop may be anybody's code, so they are not called with the lock.
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        if let Some(result) = state.look(ready) {
            return Poll::Ready(result);
        }
        let before = state.poller.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Tells those who wait.
    fn announce(&self, mut state: MutexGuard<'_, State>) {
        let poller = state.poller.take();
        drop(state);
        let told = catch_unwind(AssertUnwindSafe(|| self.changes.announce()));
        if let Some(waker) = poller {
            waker.wake();
        }
        if let Err(payload) = told {
            // Of a foreign waker; everybody has been told all the same.
            resume_unwind(payload);
        }
    }

    /// The flusher takes what is to be sent; `None`: it retires.
    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        if state.buffer.is_empty() {
            state.flushing = false;
            self.carry_out(state);
            return None;
        }
        state.in_flight = state.buffer.len();
        Some(std::mem::take(&mut state.buffer))
    }

    /// The flusher sends what it has taken.
    async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = poll_fn(|cx| Pin::new(&mut &self.connection.stream).poll_write(cx, rest)).await?;
            rest = &rest[count..];
            let mut state = self.state.lock();
            state.in_flight = rest.len();
            if state.paused && state.unsent() <= LOW_WATER {
                state.paused = false;
                self.announce(state);
            }
        }
        Ok(())
    }

    /// Ends what was asked to be ended, if everything is sent, and tells those who wait for either.
    fn carry_out(&self, mut state: MutexGuard<'_, State>) {
        if state.flushing {
            return;
        }
        if state.asked > state.carried_out {
            // The connection may be gone, which is as good.
            let _ = self.connection.stream.shutdown(match state.asked {
                Ending::Everything => Shutdown::Both,
                _ => Shutdown::Write,
            });
            state.carried_out = state.asked;
        }
        self.announce(state);
    }

    fn fail(&self, error: io::Error) {
        self.fail_locked(self.state.lock(), error);
    }

    /// The first failure counts.
    fn fail_locked(&self, mut state: MutexGuard<'_, State>, error: io::Error) {
        state.failure.get_or_insert(error);
        state.buffer = Vec::new();
        state.in_flight = 0;
        state.paused = false;
        self.announce(state);
    }
}

/// Sends an outbox's buffer until it is empty.
struct Flusher {
    outbox: Arc<Outbox>,
    retired: bool,
}

impl Flusher {
    fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, retired: false }
    }

    async fn run(mut self) {
        while let Some(bytes) = self.outbox.take() {
            if let Err(error) = self.outbox.send(&bytes).await {
                self.outbox.fail(error);
            }
        }
        self.retired = true;
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        if !self.retired {
            let error = io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the event loop ended before all was sent",
            );
            self.outbox.fail(error);
        }
    }
}
