//! Where the items of a queue are, and which of them comes next.
//!
//! The [queue](super::shared) counts positions: it gives a distinct one to each that puts, and a distinct one to each that
//! gets, never more of these than of those. A store keeps the items that belong to them. Who has a position puts or takes
//! without the queue's lock, and so may be overtaken: who comes to take what is still on its way waits for it, which is
//! as long as the other thread needs for a few instructions, or until it is scheduled again.

mod heap;
mod ring;
mod stack;

use heap::Heap;
use ring::Ring;
use stack::Stack;

/// Keeps the items of a queue.
///
/// # Safety
///
/// It may be sent to other threads and shared with them where the items may be sent.
pub unsafe trait Store<T> {
    /// An empty one, for a queue that never holds more than this many.
    fn new(most: u32) -> Self;

    /// How many it has room for. More than the queue may hold, if it does not matter.
    fn room(&self) -> u32;

    /// Makes more room, where there is none left.
    ///
    /// # Safety
    ///
    /// As many positions as there is room for, from `head` on, have been given to who puts, and none of them to who gets; and no
    /// position is given until this returns.
    unsafe fn grow(&self, head: u32);

    /// Puts an item.
    ///
    /// # Safety
    ///
    /// The position has been given to the caller for this, and there is room for all up to it.
    unsafe fn put(&self, position: u32, item: T);

    /// Takes an item.
    ///
    /// # Safety
    ///
    /// The position has been given to the caller for this, and to somebody who puts.
    unsafe fn take(&self, position: u32) -> T;

    /// Takes the items of so many positions, in any order.
    ///
    /// # Safety
    ///
    /// The positions from `head` on have been given to the caller for this, and to those who put.
    unsafe fn take_all(&self, head: u32, count: u32) -> Vec<T>;
}

/// The order in which a queue gives its items: [`Fifo`], [`Lifo`] or [`Priority`].
pub trait Order<T>: sealed::Sealed {
    #[doc(hidden)]
    type Store: Store<T>;
}

/// First in, first out.
#[derive(Debug)]
pub enum Fifo {}

/// Last in, first out.
#[derive(Debug)]
pub enum Lifo {}

/// The smallest first; of equal ones, the one that was put first.
#[derive(Debug)]
pub enum Priority {}

impl<T> Order<T> for Fifo {
    type Store = Ring<T>;
}

impl<T> Order<T> for Lifo {
    type Store = Stack<T>;
}

impl<T: Ord> Order<T> for Priority {
    type Store = Heap<T>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Fifo {}
    impl Sealed for super::Lifo {}
    impl Sealed for super::Priority {}
}
