//! What a reader, a writer and what is left to be sent share: a wire, and the outbox in front of it. The wire is dropped, which closes it,
//! when the last of them is gone; only then does a server that waits for its connections count it as over.

use super::{
    StreamReader, StreamWriter,
    changes::Changes,
    errors::repeat,
    flusher::Flusher,
    outbox::{Ending, Job, Outbox, Standing},
    server::Guest,
    wire::Wire,
};
use crate::{runtime::EventLoop, task::poll_budget};
use aioli_primitives::sync::{Mutex, MutexGuard};
use std::{
    fmt,
    future::poll_fn,
    io,
    net::Shutdown,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

/// A wire, and its place in a server.
#[cfg(feature = "tls")]
pub(super) type HandedOver = (Arc<dyn Wire>, Option<Arc<Guest>>);

/// What is kept of a write that has to wait. It is sent in one step, if the peer takes it.
const KEPT: usize = 64 * 1024;

/// One connection, in several hands. [`Outbox`] says who may send when.
pub(crate) struct Connection {
    /// Before `guest`, so that it is closed before the server hears of it.
    pub(crate) wire: Arc<dyn Wire>,
    /// Its place in a server, until all has ended.
    guest: Mutex<Option<Arc<Guest>>>,
    pub(crate) event_loop: EventLoop,
    outbox: Mutex<Outbox>,
    /// Of the outbox: drained, all sent, ended, failed.
    changes: Changes,
}

impl Connection {
    pub(crate) fn new(wire: Arc<dyn Wire>, guest: Option<Arc<Guest>>) -> Arc<Self> {
        let connection = Arc::new(Self {
            wire,
            guest: Mutex::new(guest.clone()),
            event_loop: EventLoop::current(),
            outbox: Mutex::default(),
            changes: Changes::default(),
        });
        if let Some(guest) = guest {
            guest.is_connected(&connection);
        }
        connection
    }

    /// A new connection, as a reader and a writer.
    pub(super) fn open(wire: Arc<dyn Wire>, guest: Option<Arc<Guest>>, limit: usize) -> (StreamReader, StreamWriter) {
        let connection = Self::new(wire, guest);
        (
            StreamReader::new(connection.clone(), limit),
            StreamWriter::new(connection),
        )
    }

    /// Sends `bytes` now as far as the wire takes them, and later for the rest.
    pub(crate) fn write(this: &Arc<Self>, bytes: &[u8]) {
        let mut outbox = this.outbox.lock();
        if !outbox.takes_more() || bytes.is_empty() {
            return;
        }
        let sent = if outbox.is_idle() {
            this.wire.try_write(bytes)
        } else {
            Ok(0)
        };
        let rest = match sent {
            Ok(count) => &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => bytes,
            Err(error) => {
                outbox.fail(error);
                this.announce(outbox);
                return;
            }
        };
        if rest.is_empty() && !this.wire.needs_flush() {
            return;
        }
        let was_paused = outbox.is_paused();
        let begins = outbox.keep(rest);
        let pauses = outbox.is_paused() != was_paused;
        // A loop that is closing drops the flusher here and now, and that takes the lock.
        drop(outbox);
        if begins {
            Flusher::new(this.clone()).wait();
        }
        if pauses {
            this.wake_watcher();
        }
    }

    /// Asks for an end, once everything is sent.
    pub(crate) fn end(this: &Arc<Self>, ending: Ending) {
        let begins = this.outbox.lock().ask(ending);
        if begins {
            Flusher::new(this.clone()).start();
        }
        this.wake_watcher();
    }

    /// Ends everything now. What is unsent is lost.
    pub(crate) fn abort(&self) {
        self.outbox.lock().abort();
        // Not under the lock: closing may wake whoever waits for the wire.
        self.wire.close();
        self.leave();
        self.announce(self.outbox.lock());
    }

    /// Gives the wire, and the place in a server, to somebody else: this connection is over, and leaves the wire alone. To be called
    /// when all is sent.
    #[cfg(feature = "tls")]
    pub(super) fn hand_over(&self) -> io::Result<HandedOver> {
        let guest = self.guest.lock().take();
        {
            let mut outbox = self.outbox.lock();
            if outbox.asked() > Ending::Nothing {
                return Err(io::Error::new(
                    io::ErrorKind::BrokenPipe,
                    "the connection is being closed",
                ));
            }
            outbox.abort();
        }
        if let Some(guest) = &guest {
            guest.is_arriving(&self.wire);
        }
        Ok((self.wire.clone(), guest))
    }

    /// Everything has ended, and no server need wait for it.
    fn leave(&self) {
        let guest = self.guest.lock().take();
        // Not under the lock: it may be the last one for whom somebody waits.
        drop(guest);
    }

    pub(crate) fn asked(&self) -> Ending {
        self.outbox.lock().asked()
    }

    pub(crate) fn unsent(&self) -> usize {
        self.outbox.lock().unsent()
    }

    /// The low and the high mark.
    pub(crate) fn limits(&self) -> (usize, usize) {
        self.outbox.lock().limits()
    }

    #[track_caller]
    pub(crate) fn set_limits(&self, low: Option<usize>, high: Option<usize>) {
        let mut outbox = self.outbox.lock();
        if outbox.set_limits(low, high) {
            self.announce(outbox);
        } else {
            drop(outbox);
            self.wake_watcher();
        }
    }

    /// Waits until little enough is unsent for more to be written.
    pub(super) async fn drained(&self) -> io::Result<()> {
        poll_fn(poll_budget).await;
        self.until(|outbox| !outbox.is_paused()).await?;
        self.outbox.lock().refusal().map_or(Ok(()), Err)
    }

    /// Waits until everything that was written is sent.
    #[cfg(feature = "tls")]
    pub(super) async fn all_sent(&self) -> io::Result<()> {
        self.until(Outbox::is_idle).await
    }

    /// Waits until the end has come.
    pub(super) async fn ended(&self, ending: Ending) -> io::Result<()> {
        self.until(|outbox| outbox.carried_out() >= ending).await?;
        self.outbox.lock().lateness().map_or(Ok(()), Err)
    }

    async fn until(&self, ready: impl Fn(&Outbox) -> bool) -> io::Result<()> {
        let now = self.outbox.lock().look(&ready);
        match now {
            Some(result) => result,
            None => self.changes.until(|| self.outbox.lock().look(&ready)).await,
        }
    }

    /// Ready when the end has come.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>, ending: Ending) -> Poll<io::Result<()>> {
        self.poll_until(cx, |outbox| outbox.carried_out() >= ending)
    }

    /// Sends some of `buf`, after everything that was written before: what the wire takes at once, or else as much as a flusher may be
    /// left with.
    pub(super) fn poll_write(this: &Arc<Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        loop {
            ready!(this.poll_until(cx, Outbox::is_idle))?;
            let mut outbox = this.outbox.lock();
            if outbox.asked() > Ending::Nothing {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if !outbox.is_idle() {
                continue;
            }
            let (taken, kept) = match this.wire.try_write(buf) {
                Ok(count) => (count, 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let most = buf.len().min(KEPT);
                    (most, most)
                }
                Err(error) => {
                    let repeated = repeat(&error);
                    outbox.fail(error);
                    this.announce(outbox);
                    return Poll::Ready(Err(repeated));
                }
            };
            if kept > 0 || this.wire.needs_flush() {
                let begins = outbox.keep(&buf[..kept]);
                drop(outbox);
                if begins {
                    Flusher::new(this.clone()).wait();
                }
            }
            return Poll::Ready(Ok(taken));
        }
    }

    /// Ready when everything that was written is the system's.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(cx, Outbox::is_idle)
    }

    /// Ready when the outbox is as `ready` says, or has failed. The last to call this is woken at the next change.
    fn poll_until(&self, cx: &mut Context<'_>, ready: impl FnOnce(&Outbox) -> bool) -> Poll<io::Result<()>> {
        // A waker's clone and drop may be anybody's code, so they are not called with the lock.
        let waker = cx.waker().clone();
        let mut outbox = self.outbox.lock();
        if let Some(result) = outbox.look(ready) {
            drop(outbox);
            return Poll::Ready(result);
        }
        let before = outbox.poller.replace(waker);
        drop(outbox);
        drop(before);
        Poll::Pending
    }

    /// How things stand. From then on `waker` is woken at every change of that, and by [`wake_watcher`](Self::wake_watcher).
    /// For one caller at a time, while nobody uses the `poll_` functions.
    pub(crate) fn watch(&self, waker: &Waker) -> Standing {
        let outbox = self.outbox.lock();
        if outbox.poller.as_ref().is_some_and(|poller| poller.will_wake(waker)) {
            return outbox.standing();
        }
        drop(outbox);
        let waker = waker.clone();
        let mut outbox = self.outbox.lock();
        let before = outbox.poller.replace(waker);
        let standing = outbox.standing();
        drop(outbox);
        drop(before);
        standing
    }

    /// Has whoever [watches](Self::watch) look again.
    pub(crate) fn wake_watcher(&self) {
        let waker = self.outbox.lock().poller.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The flusher has sent some more of what it took.
    pub(super) fn has_sent(&self, left: usize) {
        let mut outbox = self.outbox.lock();
        if outbox.sent(left) {
            self.announce(outbox);
        }
    }

    /// What the flusher does next.
    pub(super) fn next_job(&self) -> Job {
        self.outbox.lock().next_job(self.wire.needs_flush())
    }

    /// The flusher has retired.
    pub(super) fn all_is_sent(&self) {
        self.announce(self.outbox.lock());
    }

    /// The flusher carries an end out.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>, ending: Ending) -> Poll<()> {
        let how = match ending {
            Ending::Everything => Shutdown::Both,
            _ => Shutdown::Write,
        };
        // The connection may be gone, which is as good.
        let _ = ready!(self.wire.poll_end(cx, how));
        self.outbox.lock().has_ended(ending);
        if ending == Ending::Everything {
            self.leave();
        }
        Poll::Ready(())
    }

    /// The flusher has been ended.
    pub(super) fn flusher_has_gone(&self, error: io::Error) {
        let mut outbox = self.outbox.lock();
        outbox.flusher_has_gone(error);
        self.announce(outbox);
    }

    pub(super) fn fail(&self, error: io::Error) {
        let mut outbox = self.outbox.lock();
        outbox.fail(error);
        self.announce(outbox);
    }

    /// Tells those who wait.
    fn announce(&self, mut outbox: MutexGuard<'_, Outbox>) {
        let poller = outbox.poller.take();
        drop(outbox);
        let told = catch_unwind(AssertUnwindSafe(|| self.changes.announce()));
        if let Some(waker) = poller {
            waker.wake();
        }
        if let Err(payload) = told {
            // Of a foreign waker; everybody has been told all the same.
            resume_unwind(payload);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outbox = self.outbox.lock();
        f.debug_struct("Connection")
            .field("wire", &self.wire)
            .field("unsent", &outbox.unsent())
            .field("ending", &outbox.asked())
            .finish()
    }
}
