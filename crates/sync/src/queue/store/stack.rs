//! The store of a `LifoQueue`: a stack behind a lock.

use super::Store;
use crate::queue::word::MOST;
use aioli_primitives::{hint::spin_until, sync::Mutex};

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
}
