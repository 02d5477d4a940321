//! What the two directions of a TLS connection share: the state of rustls, and the bytes between it and the wire below.
//!
//! It never waits, and calls no waker, though it keeps one: all that it asks of the wire below is [`Wire::try_write`]. So it can be used
//! behind a lock.

use super::{
    TlsInfo,
    error::{TlsError, repeat},
};
use crate::streams::wire::Wire;
use rustls::{Connection, ContentType, ProtocolVersion};
use std::{
    io::{self, Read, Write},
    mem,
    net::Shutdown,
    task::Waker,
};

pub(super) struct Session {
    tls: Connection,
    /// Has arrived, and is for rustls.
    arrived: Vec<u8>,
    /// Comes before what rustls has to send. `None`: somebody has it in hand, to send it with the lock released.
    unsent: Option<Unsent>,
    /// The writing direction is at its end.
    ended: bool,
    /// Both directions are.
    closed: bool,
    /// Something has arrived since the handshake, or is not waited for any longer.
    heard: bool,
    /// Who waits for something to arrive: the last to read, or who lingers, once both directions are at their end.
    pub(super) waiting: Option<Waker>,
    /// What every later read fails with, and every later write.
    failed_to_read: Option<io::Error>,
    failed_to_write: Option<io::Error>,
}

/// Bytes from rustls that the wire below would not take at once.
#[derive(Default)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    /// How many of them are sent already.
    sent: usize,
}

impl Session {
    /// What is agreed on.
    pub(super) fn info(&self, asked: Option<String>) -> Option<TlsInfo> {
        TlsInfo::of(&self.tls, asked)
    }

    pub(super) fn new(tls: Connection, arrived: Vec<u8>) -> Self {
        Self {
            tls,
            arrived,
            unsent: Some(Unsent::default()),
            ended: false,
            closed: false,
            heard: false,
            waiting: None,
            failed_to_read: None,
            failed_to_write: None,
        }
    }

    /// Goes on with the handshake, after all there was to send has been `sent`, or not yet, or sending has failed. `false`: something
    /// has to arrive first.
    pub(super) fn shake_hands(&mut self, sent: io::Result<bool>) -> io::Result<bool> {
        // Before what sending failed with: a fault of TLS explains more, and if there is one, the peer has been told now.
        self.look_for_failure()?;
        let waits_to_send = !sent?;
        if !self.tls.is_handshaking() {
            return Ok(true);
        }
        if self.arrived.is_empty() {
            return Ok(waits_to_send);
        }
        self.decrypt_arrived();
        Ok(true)
    }

    /// Gives what is decrypted: 0 is the end of the stream; `None`, if more has to arrive first.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.tls.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.map(Some),
            }
            self.look_for_failure()?;
            if self.closed {
                return Ok(Some(0));
            }
            if self.arrived.is_empty() {
                // It gives back the memory that a long record took.
                let _ = self.tls.read_tls(&mut NothingYet);
                return Ok(None);
            }
            self.decrypt_arrived();
        }
    }

    /// `buf[..count]` has arrived. It is decrypted, and `buf` has the result in its place, as far as it fits: that many bytes.
    ///
    /// What does not fit is less than one record, since a record is longer than what is in it; only the first may have begun in
    /// an earlier call.
    pub(super) fn decrypt_in_place(&mut self, buf: &mut [u8], count: usize) -> usize {
        self.heard = true;
        let (mut taken, mut decrypted) = (0, 0);
        while taken < count {
            match self.decrypt(&buf[taken..count]) {
                0 => break,
                more => taken += more,
            }
            decrypted += self.decrypted(&mut buf[decrypted..taken]);
        }
        decrypted + self.decrypted(&mut buf[decrypted..])
    }

    /// Keeps what has arrived for decryption.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.heard |= !self.tls.is_handshaking();
        self.arrived.extend_from_slice(bytes);
    }

    /// Decrypts some of what has arrived. With nothing left to be read, or during the handshake.
    pub(super) fn decrypt_arrived(&mut self) {
        let mut arrived = mem::take(&mut self.arrived);
        let taken = self.decrypt(&arrived);
        if taken > 0 && taken < arrived.len() {
            arrived.drain(..taken);
            self.arrived = arrived;
        }
    }

    /// Has rustls take some of `bytes`, and tells how many that was: none, if the rest is of no use to anybody.
    fn decrypt(&mut self, mut bytes: &[u8]) -> usize {
        if self.failed_to_read.is_some() {
            return 0;
        }
        let taken = self.tls.read_tls(&mut bytes);
        let processed = self.tls.process_new_packets();
        if let Err(error) = &taken {
            self.failed_to_read = Some(repeat(error));
        }
        if let Err(error) = processed {
            self.failed_to_read = Some(TlsError::Protocol(error).into());
        }
        taken.unwrap_or(0)
    }

    /// Moves what is decrypted to `buf`.
    fn decrypted(&mut self, buf: &mut [u8]) -> usize {
        // An error only says that there is nothing, for now or for ever; `read` looks into that.
        self.tls.reader().read(buf).unwrap_or(0)
    }

    /// Nothing more will arrive: the wire below is at its end, or has failed.
    pub(super) fn nothing_more(&mut self, error: Option<io::Error>) -> io::Result<usize> {
        if self.closed && error.is_none() {
            return Ok(0);
        }
        let error = error.unwrap_or_else(|| match self.tls.is_handshaking() {
            true => TlsError::HandshakeEof.into(),
            false => TlsError::Truncated.into(),
        });
        Err(repeat(self.failed_to_read.insert(error)))
    }

    /// Fails if reading has failed for good.
    pub(super) fn look_for_failure(&self) -> io::Result<()> {
        self.failed_to_read.as_ref().map_or(Ok(()), |error| Err(repeat(error)))
    }

    /// Encrypts at least one byte of `buf`, and tells how many it was. For one who has seen that [`send`](Self::send) has sent all.
    pub(super) fn encrypt(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.ended {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "written to after the end"));
        }
        let count = match self.tls.writer().write(buf) {
            Ok(count) => count,
            // A fault of TLS, which reading has come upon.
            Err(error) => return Err(self.failed_to_read.as_ref().map_or(error, repeat)),
        };
        if count == 0 || self.is_used_up() {
            return Err(self.fail_to_write(TlsError::KeysExhausted.into()));
        }
        Ok(count)
    }

    /// With TLS 1.2, rustls sends the end of the stream, once, instead of what it was given, when the keys must not be used any longer.
    fn is_used_up(&mut self) -> bool {
        if self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            return false;
        }
        let mut kind = FirstByte(None);
        // It takes nothing.
        let _ = self.tls.write_tls(&mut kind);
        kind.0 != Some(ContentType::ApplicationData.into())
    }

    /// Whether the handshake is over for this end, and the other end waits for nothing of it either. What a server of TLS 1.3 may have
    /// left are tickets for the next connection.
    pub(super) fn is_open(&self) -> bool {
        let only_tickets = !self.is_client() && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        !self.tls.is_handshaking() && (only_tickets || matches!(self.has_unsent(), Ok(false)))
    }

    /// Sends what there is to send, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, if some is left; then it is for the task that writes to wait. What sending has failed with, now or before.
    pub(super) fn send(&mut self, below: &dyn Wire) -> io::Result<()> {
        while self.has_unsent()? {
            let Some(unsent) = &mut self.unsent else {
                // Whoever has it comes back for what has been added.
                return Err(io::ErrorKind::WouldBlock.into());
            };
            let sent = match unsent.rest() {
                [] => self.tls.write_tls(&mut AtOnce(below)),
                rest => below.try_write(rest).inspect(|count| unsent.advance(*count)),
            };
            match sent {
                Ok(1..) => {}
                Ok(0) => return Err(self.fail_to_write(io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) => return Err(self.fail_to_write(error)),
            }
        }
        Ok(())
    }

    /// Whether there is something to send. Fails if sending has failed.
    pub(super) fn has_unsent(&self) -> io::Result<bool> {
        if let Some(error) = &self.failed_to_write {
            return Err(repeat(error));
        }
        let all_is_sent = self.unsent.as_ref().is_some_and(|unsent| unsent.rest().is_empty());
        Ok(!all_is_sent || self.tls.wants_write())
    }

    /// Lends all that is unsent to somebody who sends it with the lock released. `None`: somebody else has it.
    pub(super) fn lend(&mut self) -> Option<Unsent> {
        let mut unsent = self.unsent.take()?;
        while self.tls.wants_write() {
            // A vector takes everything.
            let _ = self.tls.write_tls(&mut unsent.bytes);
        }
        Some(unsent)
    }

    /// Takes back what was lent.
    pub(super) fn take_back(&mut self, unsent: Unsent) {
        self.unsent = Some(unsent);
    }

    /// The first failure counts. What is unsent will never be sent.
    pub(super) fn fail_to_write(&mut self, error: io::Error) -> io::Error {
        self.unsent = Some(Unsent::default());
        repeat(self.failed_to_write.get_or_insert(error))
    }

    /// Ends the writing direction, or both: the mark of the end is the last to be sent. Gives who reads and is to be woken, since there is
    /// nothing more to wait for.
    pub(super) fn end(&mut self, how: Shutdown) -> Option<Waker> {
        if !mem::replace(&mut self.ended, true) {
            self.tls.send_close_notify();
        }
        if how != Shutdown::Both || mem::replace(&mut self.closed, true) {
            return None;
        }
        self.waiting.take()
    }

    /// Whether both directions are at their end, so that nobody waits any longer but who lingers.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether somebody who ends both directions has to wait for something to arrive.
    pub(super) fn lingers(&self) -> bool {
        let has_failed = self.failed_to_read.is_some() || self.failed_to_write.is_some();
        let gets_tickets = self.is_client() && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        gets_tickets && !self.heard && !has_failed
    }

    pub(super) fn has_lingered(&mut self) -> Option<Waker> {
        self.heard = true;
        self.waiting.take()
    }

    pub(super) fn is_client(&self) -> bool {
        matches!(self.tls, Connection::Client(_))
    }

    /// Ends both directions. There is no mark of the end, but for one that is sent already: what is unsent is lost.
    pub(super) fn close(&mut self) {
        self.ended = true;
        self.closed = true;
    }
}

impl Unsent {
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// So many more are sent. With the last one, the memory goes.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.bytes.len() {
            *self = Self::default();
        }
    }
}

/// A wire as rustls wants it: takes what can be sent at once.
struct AtOnce<'a>(&'a dyn Wire);

impl Write for AtOnce<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    /// Several records go together; a copy costs less than a system call.
    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let [first, more @ ..] = bufs else { return Ok(0) };
        if more.is_empty() {
            return self.0.try_write(first);
        }
        let mut together = Vec::with_capacity(bufs.iter().map(|buf| buf.len()).sum());
        bufs.iter().for_each(|buf| together.extend_from_slice(buf));
        self.0.try_write(&together)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing has arrived so far.
struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Looks at what rustls has to send, and takes nothing of it.
struct FirstByte(Option<u8>);

impl Write for FirstByte {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 = buf.first().copied();
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
