//! A promise's done callbacks, and whose turn it is to call them.
//!
//! # Protocol
//!
//! Callbacks are called one at a time and in the order in which they were added, with the lock released, also when
//! threads add some while another thread is calling. For that there is one *caller*: while the promise is pending, it
//! is whoever will complete it. The caller takes one callback after another, each under the lock; when it finds none,
//! it steps down in the same critical section, so that nothing can have been added unseen. Whoever adds one when
//! there is no caller becomes the caller; with a caller there, adding is enough.

use super::{Exception, Promise};
use std::collections::VecDeque;

pub(super) type Callback<T> = Box<dyn FnOnce(&Promise<T>) + Send>;

/// Calls what it is given, once, in some surroundings.
type Within = Box<dyn FnOnce(&mut dyn FnMut()) + Send>;

/// What a promise asks of the loop that runs its callbacks.
pub trait PromiseLoop: Send + Sync {
    /// Calls `callback` soon: not before this returns, each one after those that were handed over before it. As
    /// `loop.call_soon()` in asyncio, from any thread.
    ///
    /// If the callback panics, the panic is the loop's to report.
    fn call_soon(&self, callback: Box<dyn FnOnce() + Send>);

    /// Where a callback is added: what it gives calls the callback, when its turn has come, as it would have been called here, with
    /// the context variables of the one who adds it, say. The default just calls.
    fn capture(&self) -> Within {
        Box::new(|call| call())
    }

    /// A promise is gone that had an exception which nobody has read; asyncio logs "Future exception was never
    /// retrieved". The default does nothing. A destructor calls this, so it must not panic.
    fn exception_never_retrieved(&self, _exception: Exception) {}
}

/// Names a done callback of one promise, to [remove](Promise::remove_done_callback) it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(u64);

/// A part of what the promise's lock guards.
pub(super) struct Callbacks<T> {
    /// In the order of their numbers.
    queue: VecDeque<(CallbackId, Callback<T>)>,
    next_id: u64,
    has_caller: bool,
}

impl<T> Callbacks<T> {
    /// None yet, of a promise that is pending.
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            next_id: 0,
            has_caller: true,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds one. If a callback comes back, whoever added is the caller, and this is what it has to call first.
    pub(super) fn add(&mut self, callback: Callback<T>) -> (CallbackId, Option<Callback<T>>) {
        let id = CallbackId(self.next_id);
        self.next_id += 1;
        self.queue.push_back((id, callback));
        let first = if self.has_caller { None } else { self.next() };
        (id, first)
    }

    /// For the caller: the next to call; with none, it is the caller no more.
    pub(super) fn next(&mut self) -> Option<Callback<T>> {
        let next = self.queue.pop_front();
        self.has_caller = next.is_some();
        next.map(|(_, callback)| callback)
    }

    /// Takes one out that nobody has begun to call.
    pub(super) fn remove(&mut self, id: CallbackId) -> Option<Callback<T>> {
        let at = self.queue.binary_search_by_key(&id.0, |(it, _)| it.0).ok()?;
        self.queue.remove(at).map(|(_, callback)| callback)
    }
}
