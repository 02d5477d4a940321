//! The word of a queue: where its items begin and end, and which calls have to take the lock.

/// `put` has to take the lock.
pub(super) const SLOW_PUT: u64 = 1;
/// `get` has to take the lock.
pub(super) const SLOW_GET: u64 = 2;
/// Both have to: what [`Shared`](super::shared::Shared) calls closed.
pub(super) const SLOW: u64 = SLOW_PUT | SLOW_GET;

/// Positions count the items that were put, modulo this plus one.
pub(super) const POSITIONS: u32 = u32::MAX >> 1;
/// The most items there may be at a time: far enough from the number of positions that none can be mistaken for another.
pub(super) const MOST: u32 = 1 << 30;

const HEAD: u32 = 2;
const TAIL: u32 = 33;

/// Two positions and two flags: `tail:31 head:31 SLOW_GET SLOW_PUT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// Both positions at the beginning, no flag.
    pub(super) const START: Self = Self(0);

    /// The position of the next item to be got.
    #[inline]
    pub(super) fn head(self) -> u32 {
        (self.0 >> HEAD) as u32 & POSITIONS
    }

    /// The position of the next item to be put.
    #[inline]
    pub(super) fn tail(self) -> u32 {
        (self.0 >> TAIL) as u32
    }

    /// How many positions lie between.
    #[inline]
    pub(super) fn len(self) -> u32 {
        self.tail().wrapping_sub(self.head()) & POSITIONS
    }

    /// Whether any of these flags is set.
    #[inline]
    pub(super) fn has(self, flags: u64) -> bool {
        self.0 & flags != 0
    }

    /// With exactly these flags.
    pub(super) fn with_flags(self, flags: u64) -> Self {
        Self(self.0 & !SLOW | flags)
    }

    /// With one position more at the tail, the highest bits, which wrap by themselves.
    #[inline]
    pub(super) fn tail_taken(self) -> Self {
        Self(self.0.wrapping_add(1 << TAIL))
    }

    /// With one position less at the head.
    #[inline]
    pub(super) fn head_taken(self) -> Self {
        self.with_head(self.head() + 1)
    }

    /// With the head at the tail: all are taken.
    pub(super) fn all_taken(self) -> Self {
        self.with_head(self.tail())
    }

    #[inline]
    fn with_head(self, head: u32) -> Self {
        let field = u64::from(POSITIONS) << HEAD;
        Self(self.0 & !field | u64::from(head & POSITIONS) << HEAD)
    }
}

/// The position that many after this one.
#[inline]
pub(super) fn position_after(position: u32, count: u32) -> u32 {
    position.wrapping_add(count) & POSITIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_wrap_without_touching_each_other_or_the_flags() {
        let mut word = Word::START.with_flags(SLOW_GET);
        for field in [HEAD, TAIL] {
            word.0 |= u64::from(POSITIONS) << field;
        }
        assert_eq!((word.head(), word.tail(), word.len()), (POSITIONS, POSITIONS, 0));
        let put = word.tail_taken();
        assert_eq!((put.head(), put.tail(), put.len()), (POSITIONS, 0, 1));
        let got = put.head_taken();
        assert_eq!((got.head(), got.tail(), got.len()), (0, 0, 0));
        assert!(got.has(SLOW_GET) && !got.has(SLOW_PUT));
        assert_eq!(put.tail_taken().all_taken().head(), 1);
    }
}
