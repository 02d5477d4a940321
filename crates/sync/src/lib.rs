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

mod event;
mod invalid_state;
mod panics;
mod promise;
mod waiters;

pub use event::{Event, EventWait};
pub use invalid_state::InvalidStateError;
pub use promise::{CallbackId, Exception, Promise, PromiseError, PromiseFinished, PromiseLoop, PromiseWait};
