//! loom's stand-ins, with the interface of the real types.

/// Reference counting, locks and atomics.
pub mod sync {
    pub use loom::sync::Arc;
    pub use std::sync::Weak;
    use std::{
        ops::{Deref, DerefMut},
        time::Duration,
    };

    /// Atomic types and fences.
    pub mod atomic {
        pub use loom::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }

    /// loom's mutex with parking_lot's interface: no poisoning.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A mutex around `value`.
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Takes the lock, waiting for it if need be.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap()))
        }

        /// Takes the lock if it is free.
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }

        /// The value; owning the mutex is proof that nobody holds it.
        pub fn into_inner(self) -> T {
            self.0.into_inner().unwrap()
        }
    }

    /// Holds a [`Mutex`] until it is dropped. Empty only while a [`Condvar`] waits with it.
    #[derive(Debug)]
    pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().unwrap()
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().unwrap()
        }
    }

    /// loom's condition variable with parking_lot's interface.
    #[derive(Debug, Default)]
    pub struct Condvar(loom::sync::Condvar);

    /// Whether a timed wait ran out of time. Modelled time stands still, so it never does.
    #[derive(Clone, Copy, Debug)]
    pub struct WaitTimeoutResult;

    impl WaitTimeoutResult {
        /// Whether the wait ran out of time.
        pub fn timed_out(&self) -> bool {
            false
        }
    }

    impl Condvar {
        /// A condition variable that nobody waits for.
        pub fn new() -> Self {
            Self::default()
        }

        /// Releases the lock, waits for a notification and takes the lock again.
        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            guard.0 = Some(self.0.wait(guard.0.take().unwrap()).unwrap());
        }

        /// As [`wait`](Self::wait): under loom no time passes.
        pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _timeout: Duration) -> WaitTimeoutResult {
            self.wait(guard);
            WaitTimeoutResult
        }

        /// Wakes one waiter. The answer of the real one, whether there was a waiter, is not modelled.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes all waiters.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

/// Cells whose accesses loom checks.
pub mod cell {
    pub use loom::cell::UnsafeCell;
}

/// Threads.
pub mod thread {
    pub use loom::thread::{Builder, JoinHandle, Thread, current, park, spawn, yield_now};
}

/// Hints for busy waiting.
pub mod hint {
    pub use loom::hint::spin_loop;

    /// Waits for what another thread is in the middle of, and gives what was found then.
    ///
    /// Two threads that wait for a third could do so for any number of rounds, and each would be one more program to execute. So who has
    /// looked in vain a few times ends the search: this execution is finished, and those that begin as it did are not tried.
    /// What never comes is an error of the program: the other threads have had their turns.
    pub fn spin_until<T>(mut found: impl FnMut() -> Option<T>) -> T {
        const ROUNDS: usize = 3;
        const FOR_EVER: usize = 1000;
        for round in 1..=FOR_EVER {
            if let Some(found) = found() {
                return found;
            }
            if round == ROUNDS {
                loom::skip_branch();
            }
            loom::thread::yield_now();
        }
        panic!("this would be waited for for ever");
    }
}

/// Work-stealing queues: lists behind a lock.
pub mod deque {
    use super::sync::{Arc, Mutex};
    use std::collections::VecDeque;

    /// What came of trying to steal.
    #[derive(Debug)]
    pub enum Steal<T> {
        /// There was nothing.
        Empty,
        /// A task.
        Success(T),
        /// Somebody interfered; the modelled queues never say so.
        Retry,
    }

    impl<T> Steal<T> {
        /// The task, if there was one.
        pub fn success(self) -> Option<T> {
            match self {
                Steal::Success(task) => Some(task),
                _ => None,
            }
        }
    }

    type List<T> = Arc<Mutex<VecDeque<T>>>;

    fn pop<T>(list: &List<T>) -> Steal<T> {
        list.lock().pop_front().map_or(Steal::Empty, Steal::Success)
    }

    /// Moves about half of `from` into `into`, and gives the first of it.
    fn steal_half<T>(from: &Mutex<VecDeque<T>>, into: &Worker<T>) -> Steal<T> {
        let mut batch: VecDeque<T> = {
            let mut from = from.lock();
            let half = from.len().div_ceil(2);
            from.drain(..half).collect()
        };
        let first = batch.pop_front();
        into.0.lock().append(&mut batch);
        first.map_or(Steal::Empty, Steal::Success)
    }

    /// The owner's end of a queue.
    #[derive(Debug)]
    pub struct Worker<T>(List<T>);

    impl<T> Worker<T> {
        /// A queue whose owner takes the oldest task first.
        pub fn new_fifo() -> Self {
            Self(Arc::new(Mutex::new(VecDeque::new())))
        }

        /// A thief's end of this queue.
        pub fn stealer(&self) -> Stealer<T> {
            Stealer(self.0.clone())
        }

        /// Adds a task at the back.
        pub fn push(&self, task: T) {
            self.0.lock().push_back(task);
        }

        /// Takes the oldest task.
        pub fn pop(&self) -> Option<T> {
            pop(&self.0).success()
        }

        /// Whether there is no task.
        pub fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }

        /// How many tasks there are.
        pub fn len(&self) -> usize {
            self.0.lock().len()
        }
    }

    /// A thief's end of a queue.
    #[derive(Debug)]
    pub struct Stealer<T>(List<T>);

    impl<T> Clone for Stealer<T> {
        fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    impl<T> Stealer<T> {
        /// Moves about half of the tasks to `into`, and gives the oldest of them.
        pub fn steal_batch_and_pop(&self, into: &Worker<T>) -> Steal<T> {
            steal_half(&self.0, into)
        }

        /// Whether there is no task.
        pub fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }

        /// How many tasks there are.
        pub fn len(&self) -> usize {
            self.0.lock().len()
        }
    }

    /// The queue that any thread may add to.
    #[derive(Debug)]
    pub struct Injector<T>(Mutex<VecDeque<T>>);

    impl<T> Default for Injector<T> {
        fn default() -> Self {
            Self::new()
        }
    }

    impl<T> Injector<T> {
        /// An empty queue.
        pub fn new() -> Self {
            Self(Mutex::new(VecDeque::new()))
        }

        /// Adds a task at the back.
        pub fn push(&self, task: T) {
            self.0.lock().push_back(task);
        }

        /// Takes the oldest task.
        pub fn steal(&self) -> Steal<T> {
            self.0.lock().pop_front().map_or(Steal::Empty, Steal::Success)
        }

        /// Moves a batch of tasks to `into`, and gives the oldest of them.
        pub fn steal_batch_and_pop(&self, into: &Worker<T>) -> Steal<T> {
            steal_half(&self.0, into)
        }

        /// Whether there is no task.
        pub fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }
    }
}
