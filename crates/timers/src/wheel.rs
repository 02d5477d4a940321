//! The hierarchical timing wheel: time as a number with 64 slots for each of its digits.
//!
//! After Varghese and Lauck, *Hashed and Hierarchical Timing Wheels* (SOSP 1987). Nanoseconds are counted in *ticks* of
//! 2^16; a tick number is eight digits in base 64. Level `l` of the wheel is a row of 64 slots, one for each value of
//! digit `l`, and each slot is a list of timers.
//!
//! **Where a timer is** depends on nothing but its tick and on `elapsed`, the tick that time has reached: on the level
//! of the highest digit in which the two differ, in the slot of the tick's value of that digit. Hence:
//!
//! * All timers on a level share all higher digits with `elapsed`, and have a greater digit on their own. So every
//!   occupied slot lies ahead, slots of one level are in order of time, and what is on a lower level comes first: the
//!   next expiry is the lowest bit of the first level that is not empty.
//! * When time moves on to `now`, with level `top` the highest digit that changes, everything on the levels below `top`
//!   is due, and so are the slots of `top` before `now`'s. `now`'s own slot is *entered*: its timers are due or find a
//!   new place on a lower level. The levels above do not change. The work is in the occupied slots, however far time
//!   jumped.
//! * Timers with equal deadlines are always in the same list, and in order of insertion, since lists are only appended
//!   to and a slot that is entered is emptied from its front.
//!
//! **Two lists apart**: a timer whose tick has been reached when it is inserted waits on the list `DUE` for the next
//! advance. A deadline in the last 2^16 - 1 nanoseconds of the range rounds up to tick 2^48, which the present, rounded
//! down, never reaches; by the rule above it differs from `elapsed` in a ninth digit, of which it has the value 1. That
//! is the list `NEVER`. These two begin a ninth row, and its occupancy is kept like that of the others.
//!
//! Nobody but [`Wheel`] touches any of this, and a wheel belongs to whoever holds it; see [`Timers`](crate::Timers) for
//! one that is shared.

use crate::slab::{Key, List, Slab};
use std::fmt;

/// A tick is 2^16 ns, 65.536 us.
const TICK_BITS: u32 = 16;
/// Six bits for each digit of a tick number.
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 8;
const _: () = assert!(
    TICK_BITS + DIGIT_BITS * LEVELS as u32 == u64::BITS,
    "the levels cover all of time"
);

/// What is due already.
const DUE: usize = LEVELS * SLOTS;
/// What the end of time comes before.
const NEVER: usize = DUE + 1;
const LISTS: usize = NEVER + 1;

/// The tick of a deadline: the first that begins at or after it.
#[inline]
fn tick_at_or_after(deadline_ns: u64) -> u64 {
    deadline_ns.div_ceil(1 << TICK_BITS)
}

/// The level of the highest digit that is not 0.
#[inline]
fn level_of(difference: u64) -> usize {
    (difference.ilog2() / DIGIT_BITS) as usize
}

/// How far to the right the digit of a level is to be shifted.
#[inline]
fn shift(level: usize) -> u32 {
    level as u32 * DIGIT_BITS
}

/// The digit of a tick on a level: which slot it belongs to there.
#[inline]
fn digit(tick: u64, level: usize) -> usize {
    (tick >> shift(level)) as usize % SLOTS
}

/// A hierarchical timing wheel: values that wait for a deadline.
///
/// Deadlines and the present are nanoseconds since an origin that the caller chooses, and a new wheel believes it is 0.
/// A timer fires at the first [`advance`](Self::advance) whose present, rounded down to ticks of 2^16 ns (65.536 us),
/// has reached its deadline, rounded up to ticks: never early, and at most a tick late. Inserting and removing take
/// constant time, about ten nanoseconds for both together.
///
/// A deadline in the last 65,535 nanoseconds of the range, `u64::MAX` among them, means never.
///
/// # Memory
///
/// An empty wheel is small and has allocated nothing; the first insert allocates the slots (4 KiB). A timer takes its
/// value and 24 bytes. Memory is reused but not given back before the wheel is dropped: after a burst of a million
/// timers the wheel keeps room for a million, and 16 bytes for each of the most that ever fired at once.
///
/// ```
/// use aioli_timers::Wheel;
///
/// const MILLISECOND: u64 = 1_000_000;
/// let mut wheel = Wheel::new();
/// let tea = wheel.insert(300 * MILLISECOND, "tea");
/// wheel.insert(200 * MILLISECOND, "eggs");
/// wheel.insert(100 * MILLISECOND, "toast");
///
/// assert_eq!(wheel.remove(tea), Some("tea"));
/// assert_eq!(wheel.remove(tea), None);
///
/// let mut due = Vec::new();
/// wheel.advance(99 * MILLISECOND, &mut due);
/// assert!(due.is_empty());
/// wheel.advance(1_000 * MILLISECOND, &mut due);
/// assert_eq!(due, ["toast", "eggs"]);
/// ```
pub struct Wheel<T> {
    /// The tick that time has reached.
    elapsed: u64,
    /// A bit for each list that has a timer: the levels' slots, then `DUE` and `NEVER`.
    occupied: [u64; LEVELS + 1],
    /// All the lists, in the order of the bits. Allocated by the first insert.
    lists: Vec<List>,
    slab: Slab<T>,
    /// What an advance found due: deadline, place among equals, node. Empty in between, and kept for its memory.
    found: Vec<(u64, u32, u32)>,
}

impl<T> Wheel<T> {
    /// An empty wheel, at time 0. Allocates nothing.
    pub const fn new() -> Self {
        Self {
            elapsed: 0,
            occupied: [0; LEVELS + 1],
            lists: Vec::new(),
            slab: Slab::new(),
            found: Vec::new(),
        }
    }

    /// How many timers wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no timer waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Has `value` wait until `deadline_ns`. If that has passed already, the next [`advance`](Self::advance) gives it,
    /// whether or not time has moved on by then.
    ///
    /// # Panics
    ///
    /// If the wheel holds 2^32 - 1 timers.
    #[inline]
    pub fn insert(&mut self, deadline_ns: u64, value: T) -> Key {
        if self.lists.is_empty() {
            self.allocate_lists();
        }
        let key = self.slab.occupy(deadline_ns, value);
        self.link(key.index(), tick_at_or_after(deadline_ns));
        key
    }

    /// Takes a timer out before it fires: its value, or `None` if it fired or was removed already.
    #[inline]
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let (deadline_ns, _) = self.slab.get(key)?;
        let place = self.place_of(tick_at_or_after(deadline_ns));
        let list = &mut self.lists[place];
        self.slab.unlink(list, key.index());
        if list.is_empty() {
            self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        }
        Some(self.slab.vacate(key.index()))
    }

    /// The value of a timer that neither fired nor was removed.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slab.get_mut(key)
    }

    /// Whether the timer neither fired nor was removed.
    #[inline]
    pub fn contains(&self, key: Key) -> bool {
        self.slab.get(key).is_some()
    }

    /// When [`advance`](Self::advance) next has something to do, in nanoseconds: to fire a timer, or to sort a slot's
    /// timers into finer ones. Never later than the next timer fires, and exactly then if it has its slot to itself.
    /// `Some(0)` if a timer is due already; `None` if none will ever fire.
    #[inline]
    pub fn next_expiry(&self) -> Option<u64> {
        if self.is_occupied(DUE) {
            return Some(0);
        }
        let level = self.occupied[..LEVELS].iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let begin = match self.lists[level * SLOTS + slot].only() {
            // On level 0 all timers of a slot have the tick at which it begins.
            Some(node) if level > 0 => tick_at_or_after(self.slab.deadline(node)),
            _ => (self.elapsed >> shift(level + 1) << shift(level + 1)) | ((slot as u64) << shift(level)),
        };
        Some(begin << TICK_BITS)
    }

    /// Moves time on to `now_ns` and appends the values of all timers that are due to `due`: in order of deadline,
    /// equal deadlines in order of insertion.
    ///
    /// Time may jump by any amount: the work is in proportion to the timers that are due, or sorted into finer slots,
    /// and not to the time that passed. Time never goes back: with an earlier `now_ns` than before it stands still.
    pub fn advance(&mut self, now_ns: u64, due: &mut Vec<T>) {
        let before = self.elapsed;
        self.elapsed = before.max(now_ns >> TICK_BITS);
        if self.is_occupied(DUE) {
            self.occupied[LEVELS] &= !(1 << (DUE % SLOTS));
            self.empty(DUE);
        }
        if self.elapsed != before {
            let top = level_of(self.elapsed ^ before);
            // Lower levels first: what leaves a slot of `top` for them is not to be met again.
            for level in 0..top {
                self.empty_slots(level, u64::MAX);
            }
            self.empty_slots(top, u64::MAX >> (SLOTS - 1 - digit(self.elapsed, top)));
        }

        self.found.sort_unstable();
        due.extend(self.found.drain(..).map(|(_, _, node)| self.slab.vacate(node)));
    }

    #[cold]
    fn allocate_lists(&mut self) {
        self.lists = vec![List::EMPTY; LISTS];
    }

    #[inline]
    fn is_occupied(&self, place: usize) -> bool {
        self.occupied[place / SLOTS] & (1 << (place % SLOTS)) != 0
    }

    /// The list on which a timer with this tick is at present.
    #[inline]
    fn place_of(&self, tick: u64) -> usize {
        if tick <= self.elapsed {
            return DUE;
        }
        let level = level_of(tick ^ self.elapsed);
        level * SLOTS + digit(tick, level)
    }

    /// Appends a node to its list.
    #[inline]
    fn link(&mut self, node: u32, tick: u64) {
        let place = self.place_of(tick);
        self.slab.push_back(&mut self.lists[place], node);
        self.occupied[place / SLOTS] |= 1 << (place % SLOTS);
    }

    /// Empties those of `slots` on a level that are occupied.
    #[inline]
    fn empty_slots(&mut self, level: usize, slots: u64) {
        let mut occupied = self.occupied[level] & slots;
        self.occupied[level] &= !slots;
        while occupied != 0 {
            self.empty(level * SLOTS + occupied.trailing_zeros() as usize);
            occupied &= occupied - 1;
        }
    }

    /// Empties a list: what is due is found, the rest gets a new place.
    fn empty(&mut self, place: usize) {
        let list = std::mem::replace(&mut self.lists[place], List::EMPTY);
        let mut next = list.first();
        while let Some(node) = next {
            next = self.slab.next(node);
            let deadline = self.slab.deadline(node);
            let tick = tick_at_or_after(deadline);
            if tick <= self.elapsed {
                self.found.push((deadline, self.found.len() as u32, node));
            } else {
                self.link(node, tick);
            }
        }
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Wheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("len", &self.len())
            .field("next_expiry", &self.next_expiry())
            .finish_non_exhaustive()
    }
}
