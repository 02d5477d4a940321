//! Synchronization for async tasks, with asyncio's names and semantics, on any executor.
//!
//! Nothing here knows what runs the tasks: waiting is done with wakers and with nothing else.
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
    Fifo, GetNowaitError, Lifo, LifoQueue, Order, Priority, PriorityQueue, PutNowaitError, Queue, QueueShutDown, QueueStream,
};
pub use rw_lock::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{BoundedSemaphore, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
