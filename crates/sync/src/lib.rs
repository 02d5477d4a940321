//! Synchronization for async tasks, with asyncio's names and semantics, on any executor.
//!
//! Nothing here knows what runs the tasks: waiting is done with wakers and with nothing else. (Under aioli's own executor
//! each operation counts in the budget of the poll, so that a task whose locks are always free still gives way.)
//!
//! * **Fair**: who waits is served first come, first served, and who comes later is not faster. There is no barging: what somebody waits
//!   for is handed over to the first in line.
//! * **Cancel-safe**: a future that is dropped while it waits leaves no trace, and what was handed to it goes to the next in line. So
//!   a future that waits must be polled or dropped: one that is kept and not polled keeps what it is handed.
//! * **Not poisoned**: when who holds a lock panics, the lock is free, and the value as it was left.
//! * **Checked**: built with `--cfg loom`, all of it runs on [loom](https://docs.rs/loom)'s types, and so may what you build on it.
//!
//! ```
//! use aioli_sync::Event;
//! use futures_lite::future;
//!
//! let ready = Event::new();
//! future::block_on(future::zip(ready.wait(), async { ready.set() }));
//! assert!(ready.is_set());
//! ```

mod barrier;
mod batches;
mod block_on;
mod condition;
mod const_fn;
mod event;
mod invalid_state;
mod lock;
mod once_cell;
mod panics;
mod permits;
mod promise;
mod queue;
mod rw_lock;
mod semaphore;
mod wait_list;

pub use barrier::{Barrier, BrokenBarrierError};
pub use condition::Condition;
pub use event::{Event, EventWait};
pub use invalid_state::InvalidStateError;
pub use lock::{Lock, LockGuard, OwnedLockGuard};
pub use once_cell::OnceCell;
pub use promise::{CallbackId, Exception, Promise, PromiseError, PromiseFinished, PromiseLoop, PromiseWait};
pub use queue::{
    Fifo, GetNowaitError, Lifo, LifoQueue, Order, Priority, PriorityQueue, PutNowaitError, Queue, QueueShutDown,
    QueueStream,
};
pub use rw_lock::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{BoundedSemaphore, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
