//! Threads, atomics, locks, cells and work-stealing queues, either real or modelled.
//!
//! Every other crate of aioli takes its concurrency from here and from nowhere else. Built normally, the names below
//! are those of the standard library, parking_lot and crossbeam-deque, at no cost. Built with `--cfg loom`, they are
//! [loom](https://docs.rs/loom)'s, and a program run under `loom::model` is executed once for every interleaving its
//! threads could take. parking_lot and crossbeam-deque know no loom: there a lock is loom's, and a queue is a list
//! behind loom's lock, which has the same meaning and fewer interleavings.
//!
//! ```
//! use aioli_primitives::sync::{Arc, Mutex};
//! use aioli_primitives::sync::atomic::{AtomicUsize, Ordering};
//!
//! let hits = Arc::new((Mutex::new(0), AtomicUsize::new(0)));
//! *hits.0.lock() += 1;
//! hits.1.fetch_add(1, Ordering::Relaxed);
//! assert_eq!(*hits.0.lock(), hits.1.load(Ordering::Relaxed));
//! ```
//!
//! Two rules keep code true under both: a cell's contents are reached through [`cell::UnsafeCell::with`] and
//! [`with_mut`](cell::UnsafeCell::with_mut), so that loom sees each access; and a protocol that needs a total order
//! writes it as `fence(SeqCst)`, the only sequentially consistent operation that loom models faithfully.

pub mod budget;

#[cfg(loom)]
mod modelled;
#[cfg(not(loom))]
mod real;

#[cfg(loom)]
pub use modelled::{cell, deque, hint, sync, thread};
#[cfg(not(loom))]
pub use real::{cell, deque, hint, sync, thread};

pub use crossbeam_utils::CachePadded;

#[doc(hidden)]
pub mod __private {
    #[cfg(loom)]
    pub use loom::thread_local;
    #[cfg(not(loom))]
    pub use std::thread_local;
}

/// `std::thread_local!` with a `const` initialiser; under loom, one value for each modelled thread.
#[cfg(not(loom))]
#[macro_export]
macro_rules! thread_local {
    ($(#[$attr:meta])* $vis:vis static $name:ident: $ty:ty = $init:expr $(;)?) => {
        $crate::__private::thread_local! { $(#[$attr])* $vis static $name: $ty = const { $init } }
    };
}

/// `std::thread_local!` with a `const` initialiser; under loom, one value for each modelled thread.
#[cfg(loom)]
#[macro_export]
macro_rules! thread_local {
    ($(#[$attr:meta])* $vis:vis static $name:ident: $ty:ty = $init:expr $(;)?) => {
        $crate::__private::thread_local! { $(#[$attr])* $vis static $name: $ty = $init }
    };
}
