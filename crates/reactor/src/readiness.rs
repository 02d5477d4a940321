//! The readiness word: what is believed about one source, in one atomic. Only
//! [`Registration`](crate::registration::Registration) touches it.
//!
//! # The word
//!
//! Six flags ([`Ready`]) and above them a **tick**.
//!
//! * `READABLE`, `WRITABLE` are *beliefs*. They start set, so that a first operation tries its system call at once, and
//!   a wrong belief costs one call that answers `WouldBlock`. An event sets them; an operation that found the kernel
//!   empty (or full) clears its own.
//! * `READ_CLOSED`, `WRITE_CLOSED`, `ERROR`, `PRIORITY` are a *snapshot*: each event replaces all four by what it
//!   showed. They never make an operation ready; they only say whether a short count may be trusted (below).
//! * The tick counts the events. A count wraps after 2^26 events on 32-bit machines, 2^58 on others; to be fooled, an
//!   operation would have to sleep through exactly that many between its first step and its third.
//!
//! # Who moves it
//!
//! * An **event** ([`Readiness::event`]) sets its beliefs, replaces the snapshot and advances the tick, in one step.
//! * An **operation** loads the word ([`Readiness::seen`]), makes its system call, and if that would block takes its
//!   belief back ([`Readiness::clear`]), in one step that fails if the tick is no longer the one it loaded.
//!
//! # Why no edge is lost
//!
//! The kernel reports an edge once. Let it belong to data that arrived at `a`, be dispatched at `d > a`, and let an
//! operation load the word at `l`, call the kernel at `c > l` and clear at `x > c`.
//!
//! * `c > a`: the call saw the data. It did not block, so there is no clear.
//! * `c < a`, `x < d`: the belief is cleared, and the event sets it again.
//! * `c < a`, `d < x`: then `l < c < a < d < x`: the tick moved between load and clear, the clear fails, and the
//!   operation tries again. This is the case that the tick is there for.
//!
//! All steps are read-modify-writes of one word, so `d` and `x` have an order. `seen` acquires what `event` released:
//! an operation that loads a tick makes its call after what that tick's event reported. (The kernel orders its own side
//! at least as strictly; acquire and release say it without relying on that.) How waiters are told is the other half
//! of the argument, in [`registration`](crate::registration).
//!
//! # When a short count means drained
//!
//! A read that gives fewer bytes than asked for found the stream empty, so the next one would only say `WouldBlock`:
//! the belief can be taken back without asking. That is true only if nothing but bytes was to come. When the stream has
//! ended (`READ_CLOSED`), failed (`ERROR`) or holds an urgent mark (`PRIORITY`, where a read stops), the read was short
//! because of *that*, there may be no further event, and a reader who waits for one never learns of the end. So a
//! short count is believed only against a word whose snapshot is clean. The snapshot cannot be outdated without harm
//! being undone: it shows the kernel's state at the moment the event was collected, and whatever changed later brings a
//! later event, which either moved the tick (the clear fails) or is still to come (it sets the belief again). Before the
//! first event nothing was collected, so everything is still to come: the initial word counts as clean.

use aioli_primitives::sync::atomic::{AtomicUsize, Ordering};
use std::ops::BitOr;

/// One of the two ways in which an operation can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Receiving: reads, accepts.
    Read,
    /// Sending: writes, and a connection being established.
    Write,
}

impl Direction {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Read, Self::Write];

    /// The flag that lets operations of this direction try.
    fn belief(self) -> Ready {
        match self {
            Self::Read => Ready::READABLE,
            Self::Write => Ready::WRITABLE,
        }
    }

    /// The flags that leave a short count without meaning.
    fn doubts(self) -> Ready {
        match self {
            Self::Read => Ready::READ_CLOSED | Ready::ERROR | Ready::PRIORITY,
            Self::Write => Ready::WRITE_CLOSED | Ready::ERROR,
        }
    }
}

/// A set of readiness flags, as an event reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready(usize);

impl Ready {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// A read will not block.
    pub const READABLE: Self = Self(1 << 0);
    /// A write will not block.
    pub const WRITABLE: Self = Self(1 << 1);
    /// The stream may have ended behind the bytes that can still be read.
    pub const READ_CLOSED: Self = Self(1 << 2);
    /// Nothing that is written will arrive.
    pub const WRITE_CLOSED: Self = Self(1 << 3);
    /// An error waits to be collected.
    pub const ERROR: Self = Self(1 << 4);
    /// Urgent data is among the bytes.
    pub const PRIORITY: Self = Self(1 << 5);

    /// Both beliefs.
    pub const BOTH: Self = Self(Self::READABLE.0 | Self::WRITABLE.0);

    /// Whether operations of this direction may try.
    pub fn allows(self, direction: Direction) -> bool {
        self.intersects(direction.belief())
    }

    /// `self` if `condition` holds, else nothing.
    pub(crate) fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

const TICK: usize = 1 << 6;
const FLAGS: usize = TICK - 1;

/// The word as somebody loaded it.
#[derive(Clone, Copy, Debug)]
pub struct Seen(usize);

impl Seen {
    /// The flags.
    pub fn ready(self) -> Ready {
        Ready(self.0 & FLAGS)
    }

    /// Whether a short count, got after loading this, shows that the direction is drained.
    pub fn trusts_short_counts(self, direction: Direction) -> bool {
        !self.ready().intersects(direction.doubts())
    }

    fn same_tick(self, word: usize) -> bool {
        (self.0 ^ word) & !FLAGS == 0
    }
}

/// The word. The module's page has its protocol.
#[derive(Debug)]
pub struct Readiness(AtomicUsize);

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Believed ready both ways, before any event.
    pub fn new() -> Self {
        Self(AtomicUsize::new(Ready::BOTH.0))
    }

    /// What is believed now.
    pub fn seen(&self) -> Seen {
        Seen(self.0.load(Ordering::Acquire))
    }

    /// An event that showed `ready`.
    pub fn event(&self, ready: Ready) {
        self.update(|word| Some((word & !FLAGS).wrapping_add(TICK) | (word & Ready::BOTH.0) | ready.0));
    }

    /// The kernel had nothing for `direction` after `seen` was loaded: takes the belief back, unless an event came
    /// in between. Gives whether the belief is gone.
    pub fn clear(&self, direction: Direction, seen: Seen) -> bool {
        self.update(|word| seen.same_tick(word).then_some(word & !direction.belief().0))
    }

    /// Believes in `direction` without an event, so that the next operation asks the kernel.
    pub fn believe(&self, direction: Direction) {
        self.update(|word| Some(word | direction.belief().0));
    }

    fn update(&self, step: impl FnMut(usize) -> Option<usize>) -> bool {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, step).is_ok()
    }
}
