//! The store of a `PriorityQueue`: a binary heap behind a lock.

use super::Store;
use crate::queue::word::MOST;
use aioli_primitives::{hint::spin_until, sync::Mutex};
use std::{cmp::Ordering, collections::BinaryHeap, mem};

pub struct Heap<T>(Mutex<State<T>>);

struct State<T> {
    heap: BinaryHeap<Entry<T>>,
    /// The number of the next item: among equals, the lower one comes first.
    next: u64,
}

struct Entry<T> {
    item: T,
    number: u64,
}

// SAFETY: it is a lock around items.
unsafe impl<T: Ord> Store<T> for Heap<T> {
    fn new(_most: u32) -> Self {
        Self(Mutex::new(State {
            heap: BinaryHeap::new(),
            next: 0,
        }))
    }

    fn room(&self) -> u32 {
        MOST
    }

    unsafe fn grow(&self, _head: u32) {}

    unsafe fn put(&self, _position: u32, item: T) {
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.heap.push(Entry { item, number });
    }

    unsafe fn take(&self, _position: u32) -> T {
        spin_until(|| self.0.lock().heap.pop()).item
    }

    unsafe fn take_all(&self, _head: u32, count: u32) -> Vec<T> {
        // More or fewer there are only while others are about to take theirs, or to put. No item is compared.
        let entries = spin_until(|| {
            let mut state = self.0.lock();
            (state.heap.len() == count as usize).then(|| mem::take(&mut state.heap))
        });
        entries.into_iter().map(|entry| entry.item).collect()
    }
}

/// The greatest of a `BinaryHeap` comes first: it is the one that a queue is to give first.
impl<T: Ord> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_item = other.item.cmp(&self.item);
        by_item.then_with(|| other.number.cmp(&self.number))
    }
}

impl<T: Ord> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for Entry<T> {}
