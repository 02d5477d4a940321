//! The store of a `LifoQueue`: a stack behind a lock.

use super::Store;
use crate::queue::word::MOST;
use aioli_primitives::{hint::spin_until, sync::Mutex};
use std::mem;

pub struct Stack<T>(Mutex<Vec<T>>);

// SAFETY: it is a lock around items.
unsafe impl<T> Store<T> for Stack<T> {
    fn new(_most: u32) -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn room(&self) -> u32 {
        MOST
    }

    unsafe fn grow(&self, _head: u32) {}

    unsafe fn put(&self, _position: u32, item: T) {
        self.0.lock().push(item);
    }

    unsafe fn take(&self, _position: u32) -> T {
        spin_until(|| self.0.lock().pop())
    }

    unsafe fn take_all(&self, _head: u32, count: u32) -> Vec<T> {
        // More or fewer there are only while others are about to take theirs, or to put.
        spin_until(|| {
            let mut items = self.0.lock();
            (items.len() == count as usize).then(|| mem::take(&mut *items))
        })
    }
}
