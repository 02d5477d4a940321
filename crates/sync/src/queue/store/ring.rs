//! The store of a `Queue`: a ring of slots, each of which says whose turn it is.
//!
//! # Protocol
//!
//! The item of a position is in the slot `position % slots`; the number of slots is a power of two, so that this holds when
//! positions wrap. A slot's stamp is
//!
//! * `p`: it is empty, and waits for the item of position `p`. Who has been given `p` to put writes the item, and sets the stamp to
//! * `p | FULL`: it holds that item. Who has been given `p` to take moves it out, and sets the stamp to `p + slots`.
//!
//! Whoever comes to a slot whose stamp is not yet theirs waits: the one whose turn it is has its position already. A stamp is
//! stored with Release, as the last access to the slot, and read with Acquire before the first: so slots are handed on, and with an
//! item whatever its putter did before.
//!
//! # Growing
//!
//! A ring grows when it is full, and while no positions are given. Those that were given come to an end: each slot becomes full.
//! Then nobody has anything to do with the slots any more, and the items can move to a longer ring. Who is given a position
//! later has it from a word that was written after that.

use super::Store;
use crate::queue::word::{POSITIONS, position_after};
use aioli_primitives::{
    cell::UnsafeCell,
    hint::spin_until,
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};
use std::mem::MaybeUninit;

/// The stamp of a slot that holds an item has this bit, which is none of a position's.
const FULL: u32 = POSITIONS + 1;

/// A queue with a bound up to this allocates its slots when it is made, and never again.
const AT_ONCE: u32 = 1024;

/// How many slots others begin with.
const FIRST: u32 = if cfg!(loom) { 2 } else { 32 };

pub struct Ring<T>(UnsafeCell<Box<[Slot<T>]>>);

struct Slot<T> {
    stamp: AtomicU32,
    item: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Ring<T> {
    /// The slots.
    ///
    /// # Safety
    ///
    /// The caller has a position and has not set the stamp yet, or nobody is given any.
    #[inline]
    unsafe fn slots(&self) -> &[Slot<T>] {
        // SAFETY: while somebody has a position, the slots are not replaced.
        self.0.with(|slots| unsafe { &**slots })
    }
}

#[inline]
fn slot_of<T>(slots: &[Slot<T>], position: u32) -> &Slot<T> {
    &slots[position as usize & (slots.len() - 1)]
}

/// Empty slots, for the positions from `first` on.
fn empty<T>(count: u32, first: u32) -> Box<[Slot<T>]> {
    let slots = (0..count).map(|index| {
        let offset = index.wrapping_sub(first) & (count - 1);
        Slot {
            stamp: AtomicU32::new(position_after(first, offset)),
            item: UnsafeCell::new(MaybeUninit::uninit()),
        }
    });
    slots.collect()
}

// SAFETY: its slots are `Send` where items are, and it is `Sync` by what is said there.
unsafe impl<T> Store<T> for Ring<T> {
    fn new(most: u32) -> Self {
        let slots = if most <= AT_ONCE {
            most.next_power_of_two()
        } else {
            FIRST
        };
        Self(UnsafeCell::new(empty(slots, 0)))
    }

    fn room(&self) -> u32 {
        // SAFETY: the queue asks when it is made, and after it has grown, when nobody is given any position.
        unsafe { self.slots() }.len() as u32
    }

    unsafe fn grow(&self, head: u32) {
        // SAFETY: nobody is given any position.
        let old = unsafe { self.slots() };
        let count = old.len() as u32;
        let new = empty(count * 2, head);
        for position in (0..count).map(|offset| position_after(head, offset)) {
            let (from, to) = (slot_of(old, position), slot_of(&new, position));
            // Also whoever took the item before this one is done then.
            spin_until(|| (from.stamp.load(Acquire) == position | FULL).then_some(()));
            // SAFETY: the slot is full, and its item is nobody's to take yet.
            let item = from.item.with_mut(|place| unsafe { (*place).assume_init_read() });
            // SAFETY: the new slots are nobody else's yet.
            to.item.with_mut(|place| unsafe { (*place).write(item) });
            // Relaxed: who finds the new slots has them from a word that is written later.
            to.stamp.store(position | FULL, Relaxed);
        }
        // SAFETY: nobody has a position to put, each slot being full, nor one to take; and no position is given. So nobody
        // looks at the old slots any more; and they hold nothing.
        self.0.with_mut(|slots| unsafe { *slots = new });
    }

    #[inline]
    unsafe fn put(&self, position: u32, item: T) {
        // SAFETY: the caller has a position.
        let slot = slot_of(unsafe { self.slots() }, position);
        spin_until(|| (slot.stamp.load(Acquire) == position).then_some(()));
        // SAFETY: the slot is empty, and waits for who has this position.
        slot.item.with_mut(|place| unsafe { (*place).write(item) });
        slot.stamp.store(position | FULL, Release);
    }

    #[inline]
    unsafe fn take(&self, position: u32) -> T {
        // SAFETY: the caller has a position.
        let slots = unsafe { self.slots() };
        let slot = slot_of(slots, position);
        spin_until(|| (slot.stamp.load(Acquire) == position | FULL).then_some(()));
        // SAFETY: the slot holds the item of this position, which is the caller's to take.
        let item = slot.item.with_mut(|place| unsafe { (*place).assume_init_read() });
        slot.stamp.store(position_after(position, slots.len() as u32), Release);
        item
    }

    unsafe fn take_all(&self, head: u32, count: u32) -> Vec<T> {
        let positions = (0..count).map(|offset| position_after(head, offset));
        // SAFETY: the caller's.
        positions.map(|position| unsafe { self.take(position) }).collect()
    }
}

// SAFETY: an item is written by one thread and moved out by one, and the slot's stamp orders the two.
unsafe impl<T: Send> Sync for Ring<T> {}
