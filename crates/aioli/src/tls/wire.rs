//! The wire: TLS over another wire.
//!
//! # Who sends, and who waits
//!
//! One task reads and another writes, and each waits on the wire below for its own direction only. Reading may leave something to be
//! sent: an alert, when what was read is no good. The reader sends it if that needs no waiting. If it does, the reader leaves
//! it: the wire below is full then, either of what the writing task waits to send, and it sends the rest too; or of what was sent before,
//! and then it can wait for the next write, or for the end of writing, which comes when the connection is given up. Nothing that the
//! peer waits for is ever sent this way: rustls keeps an answer to a change of keys for the next write itself.
//!
//! When both directions are ended, who ends them may have to wait for something to arrive, and takes the place of who reads: that one is
//! woken, for it has come to the end. Should it be on its way to the wire below at that moment, and be the last to say whom to wake, it
//! wakes the other one, as soon as it sees that the end has come.
//!
//! The lock is held for encrypting, decrypting and system calls that do not wait, never while a waker is in play: whoever has to wait
//! takes the bytes out, and puts the rest back.
//!
//! # What is in memory
//!
//! An idle connection has what rustls needs, of which the largest part is 4 KiB for records that arrive. Encrypted bytes are read into
//! the reader's own buffer and decrypted from there. Nothing is encrypted before what was encrypted earlier is sent, so there are
//! never more than 64 KiB of it, which is the limit that rustls has.

use super::{TlsInfo, linger::Linger, session::Session};
use crate::{
    streams::{ExtraInfo, wire::Wire},
    task::poll_budget,
};
use aioli_primitives::sync::Mutex;
use std::{
    fmt, io,
    net::Shutdown,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// The least size of a buffer that encrypted bytes are read into.
const READ_SIZE: usize = 4096;

/// TLS over another wire. [`connect`](Self::connect) and [`accept`](Self::accept) make one, with the handshake.
pub(crate) struct TlsWire {
    pub(super) below: Arc<dyn Wire>,
    pub(super) session: Mutex<Session>,
    pub(super) linger: Mutex<Linger>,
    /// After the handshake.
    pub(super) info: Option<TlsInfo>,
}

impl TlsWire {
    /// Sends all that is encrypted, and waits for that.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.lock().has_unsent()? {
            let Some(mut unsent) = self.session.lock().lend() else {
                // Somebody else is at it, at this very moment.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            let result = self.below.poll_write(cx, unsent.rest());
            if let Poll::Ready(Ok(count)) = result {
                unsent.advance(count);
            }
            let mut session = self.session.lock();
            session.take_back(unsent);
            match ready!(result) {
                Ok(1..) => {}
                Ok(0) => return Poll::Ready(Err(session.fail_to_write(io::ErrorKind::WriteZero.into()))),
                Err(error) => return Poll::Ready(Err(session.fail_to_write(error))),
            }
        }
        if self.below.needs_flush() {
            return self.below.poll_flush(cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for something to arrive, and keeps it for decryption; gives how many bytes there are, 0 at the end.
    pub(super) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ_SIZE];
        let result = ready!(self.below.poll_read(cx, &mut bytes));
        let mut session = self.session.lock();
        Poll::Ready(match result {
            Ok(0) => session.nothing_more(None),
            Ok(count) => {
                session.keep(&bytes[..count]);
                Ok(count)
            }
            Err(error) => session.nothing_more(Some(error)),
        })
    }

    /// Gives what has arrived and can be read.
    fn read_arrived(&self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        let mut session = self.session.lock();
        let result = session.read(buf).transpose();
        if let Some(Err(_)) = result {
            // The peer is told why.
            let _ = session.send(&*self.below);
        }
        result
    }

    fn poll_more(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(result) = self.read_arrived(buf) {
                return Poll::Ready(result);
            }
            if buf.len() < READ_SIZE {
                if ready!(self.poll_arrival(cx))? == 0 {
                    return Poll::Ready(Ok(0));
                }
                continue;
            }
            let result = ready!(self.below.poll_read(cx, buf));
            let mut session = self.session.lock();
            match result {
                Ok(0) => return Poll::Ready(session.nothing_more(None)),
                Err(error) => return Poll::Ready(session.nothing_more(Some(error))),
                Ok(count) => match session.decrypt_in_place(buf, count) {
                    // Not a whole record, or one that is none of the reader's business, or the last one.
                    0 => {}
                    count => return Poll::Ready(Ok(count)),
                },
            }
        }
    }

    /// Who has read nothing so far waits, unless the end has come.
    fn poll_end_of_reading(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let waits = |session: &Session| {
            let waiting = session.waiting.as_ref();
            waiting.is_some_and(|waiting| waiting.will_wake(cx.waker())) && !session.is_closed()
        };
        if waits(&self.session.lock()) {
            return Poll::Pending;
        }
        // A waker's clone and drop may be anybody's code, so they are not called with the lock.
        let waker = cx.waker().clone();
        let mut session = self.session.lock();
        if session.is_closed() {
            drop(session);
            return Poll::Ready(Ok(0));
        }
        let before = session.waiting.replace(waker);
        drop(session);
        drop(before);
        Poll::Pending
    }

    /// Has who lingers look again: whoever reads may have been at the wire below after it.
    fn wake_lingerer(&self) {
        let mut session = self.session.lock();
        let lingerer = if session.is_closed() {
            session.waiting.take()
        } else {
            None
        };
        drop(session);
        if let Some(waker) = lingerer {
            waker.wake();
        }
    }
}

impl Wire for TlsWire {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut result = self.poll_more(cx, buf);
        if result.is_pending() {
            result = self.poll_end_of_reading(cx);
        }
        if result.is_ready() {
            self.wake_lingerer();
        }
        result
    }

    /// Takes bytes once everything that was taken before is sent.
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        ready!(self.poll_send(cx))?;
        Poll::Ready(self.try_write(buf))
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut session = self.session.lock();
        session.send(&*self.below)?;
        let count = session.encrypt(buf)?;
        match session.send(&*self.below) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    fn needs_flush(&self) -> bool {
        self.session.lock().has_unsent().unwrap_or(false) || self.below.needs_flush()
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(poll_budget(cx));
        self.poll_send(cx)
    }

    /// Says that this is the end, which is how the peer knows that nobody has cut the stream off.
    fn poll_end(&self, cx: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>> {
        ready!(poll_budget(cx));
        let reader = self.session.lock().end(how);
        if let Some(waker) = reader {
            waker.wake();
        }
        let sent = ready!(self.poll_send(cx));
        if how == Shutdown::Both {
            ready!(self.poll_linger(cx));
        }
        let ended = ready!(self.below.poll_end(cx, how));
        Poll::Ready(sent.and(ended))
    }

    fn close(&self) {
        self.session.lock().close();
        self.below.close();
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo {
            tls: self.info.clone(),
            ..self.below.extra_info()
        }
    }
}

impl fmt::Debug for TlsWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsWire")
            .field("below", &self.below)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
