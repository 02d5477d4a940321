//! The real thing: re-exports of the standard library, parking_lot and crossbeam-deque.

/// Reference counting, locks and atomics.
pub mod sync {
    pub use parking_lot::{Condvar, Mutex, MutexGuard};
    pub use std::sync::{Arc, Weak};

    /// Atomic types and fences.
    pub mod atomic {
        pub use std::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }
}

/// Cells whose accesses loom can check.
pub mod cell {
    /// `std::cell::UnsafeCell` with loom's interface: every access names whether it reads or writes.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        #[inline(always)]
        pub const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Takes the value out; owning the cell is proof that nobody else looks at it.
        #[inline(always)]
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// Lends a pointer for reading. Dereferencing it is sound while nobody writes.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Lends a pointer for writing. Dereferencing it is sound while nobody else reads or writes.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// Threads.
pub mod thread {
    pub use std::thread::{Builder, JoinHandle, Thread, current, park, spawn, yield_now};
}

/// Hints for busy waiting.
pub mod hint {
    pub use std::hint::spin_loop;

    /// Waits for what another thread is in the middle of, and gives what was found then.
    ///
    /// Only for what takes that thread a few instructions: if it is taken off its processor, this one yields its own.
    #[inline]
    pub fn spin_until<T>(mut found: impl FnMut() -> Option<T>) -> T {
        const SPINS: usize = 32;
        for _ in 0..SPINS {
            if let Some(found) = found() {
                return found;
            }
            spin_loop();
        }
        loop {
            std::thread::yield_now();
            if let Some(found) = found() {
                return found;
            }
        }
    }
}

/// Work-stealing queues.
pub mod deque {
    pub use crossbeam_deque::{Injector, Steal, Stealer, Worker};
}
