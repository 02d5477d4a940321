//! What is written to a connection and not sent yet: the state, and what is to be done next. Knows no socket.
//!
//! # Who sends
//!
//! The order of the bytes is kept by one rule: while there is a *flusher*, it alone sends. Without a flusher everything is sent
//! and flushed and every end that was asked for has come, and the next write may go to the wire itself, as far as the wire takes
//! it without waiting. The flusher asks what is [next](Outbox::next_job) until that is nothing; in that same step, under the lock, it
//! retires. So nobody but the flusher ever waits for a wire to take something, and it is the one that the wire wakes.
//!
//! # The end
//!
//! What was asked for (the end of writing, or of the connection) is carried out when everything is sent. After a failure nothing
//! more is sent, what was buffered is gone, and everybody who waits is told the same error. An abort is no failure: what was
//! buffered is gone, too, but that is what was asked for.

use super::errors::repeat;
use std::{io, mem, task::Waker};

/// With more bytes than this unsent, `drain` begins to wait.
const HIGH_WATER: usize = 64 * 1024;

/// How many times the low mark goes into the high one.
const RATIO: usize = 4;

/// How much of a connection has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    #[default]
    Nothing,
    Writing,
    Everything,
}

/// Bytes on their way out.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Written, and nobody sends it yet.
    buffer: Vec<u8>,
    /// How much of what the flusher has taken it has not sent.
    in_flight: usize,
    /// There is a flusher.
    flushing: bool,
    low: usize,
    high: usize,
    /// Above the high mark, and not at the low one since.
    paused: bool,
    asked: Ending,
    carried_out: Ending,
    aborted: bool,
    failure: Option<io::Error>,
    /// Something was written after the end, and lost.
    written_late: bool,
    /// The last to call one of the `poll_` functions in vain.
    pub(super) poller: Option<Waker>,
}

/// What a transport tells its protocol of.
pub(crate) struct Standing {
    /// Too much is unsent.
    pub(crate) paused: bool,
    /// The end of everything was asked for.
    pub(crate) closing: bool,
    /// It has come, or writing has failed.
    pub(crate) over: Option<io::Result<()>>,
}

/// What a flusher does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    Send(Vec<u8>),
    Flush,
    /// Carries out that end, which is not nothing.
    End(Ending),
    /// There is no flusher any more.
    Retire,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            in_flight: 0,
            flushing: false,
            low: HIGH_WATER / RATIO,
            high: HIGH_WATER,
            paused: false,
            asked: Ending::Nothing,
            carried_out: Ending::Nothing,
            aborted: false,
            failure: None,
            written_late: false,
            poller: None,
        }
    }
}

impl Outbox {
    /// Whether bytes are taken at all. Those that come after the end are noted.
    pub(super) fn takes_more(&mut self) -> bool {
        let ended = self.asked > Ending::Nothing;
        self.written_late |= ended;
        !ended && self.failure.is_none()
    }

    /// Whether the caller may send to the wire itself.
    pub(super) fn is_idle(&self) -> bool {
        !self.flushing
    }

    /// Keeps bytes for the flusher. Gives whether there is to be a new one, and that is the caller.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> bool {
        self.buffer.extend_from_slice(bytes);
        self.paused |= self.unsent() > self.high;
        !mem::replace(&mut self.flushing, true)
    }

    /// Asks for an end, once everything is sent. Gives whether there is to be a new flusher, and that is the caller.
    pub(super) fn ask(&mut self, ending: Ending) -> bool {
        self.asked = self.asked.max(ending);
        self.asked > self.carried_out && !mem::replace(&mut self.flushing, true)
    }

    /// What the flusher does next; `unflushed`: the wire has something left. Retired is who gets nothing to do.
    pub(super) fn next_job(&mut self, unflushed: bool) -> Job {
        self.in_flight = 0;
        self.resume();
        if !self.buffer.is_empty() {
            self.in_flight = self.buffer.len();
            return Job::Send(mem::take(&mut self.buffer));
        }
        if unflushed && self.failure.is_none() && !self.aborted {
            return Job::Flush;
        }
        if self.asked > self.carried_out {
            return Job::End(self.asked);
        }
        self.flushing = false;
        Job::Retire
    }

    /// The flusher has sent some more of what it took. Gives whether those who wait to write are to be told.
    pub(super) fn sent(&mut self, left: usize) -> bool {
        // What was to be forgotten is, though the wire was still taking some of it.
        self.in_flight = if self.aborted || self.failure.is_some() {
            0
        } else {
            left
        };
        self.resume()
    }

    fn resume(&mut self) -> bool {
        let resumed = self.paused && self.unsent() <= self.low;
        self.paused &= !resumed;
        resumed
    }

    /// There is no flusher any more, and it has not retired: somebody has ended it, and what it had is lost. Ends can be asked for all the
    /// same.
    pub(super) fn flusher_has_gone(&mut self, error: io::Error) {
        self.flushing = false;
        self.fail(error);
    }

    /// An end has come.
    pub(super) fn has_ended(&mut self, ending: Ending) {
        self.carried_out = self.carried_out.max(ending);
    }

    /// The first failure counts.
    pub(super) fn fail(&mut self, error: io::Error) {
        if !self.aborted {
            self.failure.get_or_insert(error);
        }
        self.forget();
    }

    /// Everything has ended, and what was not sent is lost.
    pub(super) fn abort(&mut self) {
        self.aborted = true;
        self.asked = Ending::Everything;
        self.carried_out = Ending::Everything;
        self.forget();
    }

    fn forget(&mut self) {
        self.buffer = Vec::new();
        self.in_flight = 0;
        self.paused = false;
    }

    pub(super) fn unsent(&self) -> usize {
        self.buffer.len() + self.in_flight
    }

    pub(super) fn asked(&self) -> Ending {
        self.asked
    }

    pub(super) fn carried_out(&self) -> Ending {
        self.carried_out
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Why it makes no sense to write more, when nothing has failed.
    pub(super) fn refusal(&self) -> Option<io::Error> {
        let aborted = || io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was aborted");
        self.lateness().or_else(|| self.aborted.then(aborted))
    }

    /// Says that something was written too late.
    pub(super) fn lateness(&self) -> Option<io::Error> {
        let late = || io::Error::new(io::ErrorKind::BrokenPipe, "written to after the end");
        self.written_late.then(late)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            paused: self.paused,
            closing: self.asked == Ending::Everything,
            over: self.look(|outbox| outbox.carried_out == Ending::Everything),
        }
    }

    /// The low and the high mark.
    pub(super) fn limits(&self) -> (usize, usize) {
        (self.low, self.high)
    }

    /// Sets the marks, each from the other if it is not given. Gives whether those who wait to write are to be told.
    #[track_caller]
    pub(super) fn set_limits(&mut self, low: Option<usize>, high: Option<usize>) -> bool {
        let high = high.unwrap_or_else(|| low.map_or(HIGH_WATER, |low| low.saturating_mul(RATIO)));
        let low = low.unwrap_or(high / RATIO);
        assert!(
            low <= high,
            "the low mark, {low}, is above the high mark, {high}: writing would never be resumed"
        );
        (self.low, self.high) = (low, high);
        self.paused |= self.unsent() > high;
        self.resume()
    }

    /// What those who wait for this are told; `None`: to wait on.
    pub(super) fn look(&self, ready: impl FnOnce(&Self) -> bool) -> Option<io::Result<()>> {
        match &self.failure {
            Some(error) => Some(Err(repeat(error))),
            None => ready(self).then_some(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flusher_sends_flushes_ends_and_retires() {
        let mut outbox = Outbox::default();
        assert!(outbox.keep(b"one"), "the first needs a flusher");
        assert!(!outbox.keep(b"two"), "there is one");
        assert!(!outbox.ask(Ending::Writing));
        assert_eq!(outbox.next_job(true), Job::Send(b"onetwo".to_vec()));
        assert_eq!(outbox.unsent(), 6);
        assert_eq!(outbox.next_job(true), Job::Flush);
        assert_eq!(outbox.next_job(false), Job::End(Ending::Writing));
        outbox.has_ended(Ending::Writing);
        assert_eq!(outbox.next_job(false), Job::Retire);
        assert!(outbox.is_idle());
        assert!(!outbox.ask(Ending::Writing), "that has been");
        assert!(outbox.ask(Ending::Everything));
    }

    #[test]
    fn writing_is_paused_above_the_high_mark_and_resumed_at_the_low_one() {
        let mut outbox = Outbox::default();
        outbox.set_limits(None, Some(40));
        assert_eq!(outbox.limits(), (10, 40));
        outbox.keep(&[0; 40]);
        assert!(!outbox.is_paused());
        outbox.keep(&[0]);
        assert!(outbox.is_paused());
        outbox.next_job(false);
        assert!(!outbox.sent(11));
        assert!(outbox.is_paused());
        assert!(outbox.sent(10));
        assert!(!outbox.is_paused());
        outbox.set_limits(Some(3), None);
        assert_eq!(outbox.limits(), (3, 12));
        outbox.set_limits(None, None);
        assert_eq!(outbox.limits(), (HIGH_WATER / 4, HIGH_WATER));
    }

    #[test]
    fn an_abort_is_no_failure() {
        let mut outbox = Outbox::default();
        outbox.keep(b"lost");
        outbox.abort();
        outbox.fail(io::ErrorKind::BrokenPipe.into());
        assert_eq!(outbox.unsent(), 0);
        let ended = outbox.look(|outbox| outbox.carried_out() == Ending::Everything);
        assert!(matches!(ended, Some(Ok(()))));
        assert_eq!(outbox.next_job(true), Job::Retire);
    }
}
