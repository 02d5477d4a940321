//! Callbacks: functions that a loop calls in their turn, and the handles that take them back.
//!
//! The executor keeps the queue, makes one call at a time and gives each its turn among the tasks that are ready. What it is given here
//! is a reference to a [`Callback`], which the handle refers to, too; whoever is first, the turn or the handle, decides what becomes
//! of the function.

use super::event_loop::EventLoop;
use aioli_executor::Context;
use aioli_primitives::sync::Mutex;
use std::{fmt, sync::Arc};

/// Something to be called once, unless it is cancelled before.
pub(super) trait Callback: Send + Sync {
    /// Calls it, if it was neither called nor cancelled.
    fn call(&self);

    /// Drops it, if it was not called.
    fn cancel(&self);

    fn is_cancelled(&self) -> bool;
}

/// A function, and what has become of it.
struct Slot<F>(Mutex<Fate<F>>);

enum Fate<F> {
    Waiting(F),
    Called,
    Cancelled,
}

impl<F> Slot<F> {
    /// Takes the function out, if it is there. It is neither called nor dropped under the lock.
    fn take(&self, fate: Fate<F>) -> Option<F> {
        let mut slot = self.0.lock();
        match &*slot {
            Fate::Waiting(_) => match std::mem::replace(&mut *slot, fate) {
                Fate::Waiting(function) => Some(function),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<F: FnOnce() + Send> Callback for Slot<F> {
    fn call(&self) {
        if let Some(function) = self.take(Fate::Called) {
            function();
        }
    }

    fn cancel(&self) {
        drop(self.take(Fate::Cancelled));
    }

    fn is_cancelled(&self) -> bool {
        matches!(*self.0.lock(), Fate::Cancelled)
    }
}

/// A callback of what is to be called in a copy of the current context.
pub(super) fn callback(function: impl FnOnce() + Send + 'static) -> Arc<dyn Callback> {
    let mut context = Context::copy();
    Arc::new(Slot(Mutex::new(Fate::Waiting(move || context.run(function)))))
}

/// A callback that waits for its turn. If that never comes, because the loop has ended, it is cancelled.
struct Queued(Option<Arc<dyn Callback>>);

impl Queued {
    fn call(mut self) {
        if let Some(callback) = self.0.take() {
            callback.call();
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback.cancel();
        }
    }
}

impl EventLoop {
    /// Calls `function` soon: in its turn, behind the tasks and callbacks that are ready now. From any thread.
    ///
    /// As `loop.call_soon()`, and as `loop.call_soon_threadsafe()`, for which there is no need of a second name. Callbacks are called
    /// one at a time, in the order in which they were handed over, on whatever worker, and outside any task: there is no
    /// [`current_task`](crate::current_task), and [`all_tasks`](Self::all_tasks) lists nothing for them. With one worker, tasks and
    /// callbacks share one queue, first in first out. A callback has a copy of the [context](crate::Context) in which it was handed
    /// over. It must not block, and has no way to wait: it can create a task.
    ///
    /// A panic in `function` goes to the [exception handler](Self::set_exception_handler). As long as a loop that ends still
    /// waits for tasks it calls callbacks, too; those that are left then are dropped, and so is one that is handed over
    /// later, and their handles say that they are cancelled.
    ///
    /// ```
    /// use aioli::EventLoop;
    /// use std::sync::mpsc::channel;
    ///
    /// let (sender, receiver) = channel();
    /// aioli::run(async move {
    ///     let event_loop = EventLoop::current();
    ///     let second = sender.clone();
    ///     event_loop.call_soon(move || sender.send("first").unwrap());
    ///     event_loop.call_soon(|| unreachable!()).cancel();
    ///     event_loop.call_soon(move || second.send("second").unwrap());
    ///     aioli::to_thread(move || assert_eq!(receiver.iter().collect::<Vec<_>>(), ["first", "second"])).await.unwrap();
    /// });
    /// ```
    pub fn call_soon(&self, function: impl FnOnce() + Send + 'static) -> Handle {
        let callback = callback(function);
        self.post(callback.clone());
        Handle(callback)
    }

    /// Puts a callback into the queue.
    pub(super) fn post(&self, callback: Arc<dyn Callback>) {
        let queued = Queued(Some(callback));
        self.0.post(move || queued.call());
    }
}

/// Takes back what [`EventLoop::call_soon`] is to call. Dropping it takes nothing back.
///
/// As asyncio's `Handle`.
#[derive(Clone)]
pub struct Handle(Arc<dyn Callback>);

impl Handle {
    /// Takes the function back and drops it, if it was not called before. From any thread.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was taken back, or dropped by a loop that had ended, and so was never called. (asyncio says so of one that was called
    /// before it was cancelled, too.)
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
