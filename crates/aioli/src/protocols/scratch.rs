//! The buffer that bytes are read into before a protocol sees them. Each thread has one, so that a connection which waits holds
//! none.

use std::{
    cell::Cell,
    mem,
    ops::{Deref, DerefMut},
};

/// How much is read at a time.
pub(super) const SIZE: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// A buffer that is the holder's alone: taken from the thread, or made if it is lent already, and put back when this is dropped.
pub(super) struct Scratch(Box<[u8]>);

impl Scratch {
    pub(super) fn take() -> Self {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        Self(spare.unwrap_or_else(|| vec![0; SIZE].into()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = mem::take(&mut self.0);
        // A thread that is ending has no place for it any more.
        let _ = SPARE.try_with(|spare| spare.set(Some(buffer)));
    }
}

impl Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_buffer_is_used_again_and_those_that_are_lent_are_different() {
        let first = Scratch::take().as_ptr();
        let outer = Scratch::take();
        assert_eq!(outer.as_ptr(), first);
        let inner = Scratch::take();
        assert_ne!(inner.as_ptr(), first);
        assert_eq!(inner.len(), SIZE);
    }
}
