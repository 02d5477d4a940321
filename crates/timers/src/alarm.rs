//! Until when one sleeper sleeps who is to wake for the timers of several.
//!
//! # The problem
//!
//! Several workers have each their own timers; one of them sleeps where it can be woken in time for all, and the others
//! elsewhere, without a clock. One that goes to sleep must know that the sleeper will wake for its timers too, or wake it to look
//! again. Both look at what the other writes, so neither must miss the other.
//!
//! # The protocol
//!
//! * **The sleeper** publishes the next expiry of all timers; `fence(SeqCst)`; looks at the timers once more; and sleeps until the
//!   earlier of the two. Awake, it publishes that nobody sleeps.
//! * **The others** file a timer; `fence(SeqCst)`; and read what is published. If the sleeper sleeps until their timer or less,
//!   they are covered. If it sleeps longer, they wake it.
//!
//! The two fences are ordered. If the sleeper's comes first, the other reads what it published, or something later. If the
//! other's comes first, the sleeper's second look sees the timer. In between, timers that the sleeper saw at first may go
//! away: it must not sleep longer than it has published for that, because somebody may rely on it.

use aioli_primitives::sync::atomic::{AtomicU64, Ordering::*, fence};

/// Nobody sleeps. No timer expires then: origins lie a little in the past.
const AWAKE: u64 = 0;

/// Says until when a sleeper sleeps, in nanoseconds since the owner's origin.
///
/// ```
/// use aioli_timers::Alarm;
///
/// let alarm = Alarm::new();
/// assert!(alarm.covers(10).is_none(), "nobody sleeps");
/// let set = alarm.set(|| Some(20));
/// assert_eq!(set.expiry(), Some(20));
/// assert_eq!(alarm.covers(20), Some(true));
/// assert_eq!(alarm.covers(10), Some(false), "it has to be woken");
/// drop(set);
/// assert!(alarm.covers(20).is_none());
/// ```
#[derive(Debug)]
pub struct Alarm {
    until: AtomicU64,
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// Nobody sleeps.
    pub fn new() -> Self {
        Self {
            until: AtomicU64::new(AWAKE),
        }
    }

    /// The sleeper's part: it is about to sleep until the expiry that the answer gives, or longer only by what it is woken for.
    /// `next` looks at all timers. For one sleeper at a time.
    pub fn set(&self, next: impl Fn() -> Option<u64>) -> Set<'_> {
        let published = next().unwrap_or(u64::MAX);
        // Relaxed, here and below: the fences order it against the timers.
        self.until.store(published.max(AWAKE + 1), Relaxed);
        fence(SeqCst);
        let until = published.min(next().unwrap_or(u64::MAX));
        Set { alarm: self, until }
    }

    /// The others' part, after a timer that expires at `next` was filed, and before sleeping: whether the sleeper wakes in time for
    /// it (otherwise it has to be woken); `None`: nobody sleeps.
    pub fn covers(&self, next: u64) -> Option<bool> {
        fence(SeqCst);
        match self.until.load(Relaxed) {
            AWAKE => None,
            until => Some(until <= next),
        }
    }
}

/// A sleeper sleeps until this is dropped.
#[derive(Debug)]
pub struct Set<'a> {
    alarm: &'a Alarm,
    until: u64,
}

impl Set<'_> {
    /// When the sleeper has to wake; `None`: for no timer.
    pub fn expiry(&self) -> Option<u64> {
        (self.until != u64::MAX).then_some(self.until)
    }
}

impl Drop for Set<'_> {
    fn drop(&mut self) {
        self.alarm.until.store(AWAKE, Relaxed);
    }
}
