//! aioli's executor: tasks that clean up when they are cancelled, run by workers that steal from one another.
//!
//! This crate is the mechanism; programs use the `aioli` crate, which adds a driver (descriptors and timers), streams and
//! asyncio's names. What an idle worker sleeps on is a [`Driver`], given from outside; everything else is here:
//!
//! | | |
//! |---|---|
//! | [`task`] | the task cell, its state word, its handles |
//! | `scope` | what a cancellation stops, what can take it, and what a dropped future leaves to be done: [`Scoped`], [`catch_cancelled`], [`defer`] |
//! | `queue`, `worker`, `shared`, `home`, `here` | where tasks wait, who runs them, and how they get there |
//! | `idle`, `parker`, `watch` | falling asleep and being woken, without a wake-up lost, and watching those who work |
//! | `blocking`, `thread_pool` | the pool for calls that block, and pools of one's own: [`ThreadPool`] |
//! | [`Executor`] | the whole: start, run, end |
//!
//! ```
//! use aioli_executor::{Config, Driver, Executor, spawn};
//! use std::{io, sync::{Arc, Condvar, Mutex}, time::Duration};
//!
//! /// A driver without any events: it sleeps until it is woken.
//! #[derive(Default)]
//! struct Bed(Mutex<bool>, Condvar);
//!
//! impl Driver for Bed {
//!     fn park(&self, limit: Option<Duration>) -> io::Result<()> {
//!         let limit = limit.unwrap_or(Duration::MAX);
//!         let (mut woken, _) = self.1.wait_timeout_while(self.0.lock().unwrap(), limit, |woken| !*woken).unwrap();
//!         *woken = false;
//!         Ok(())
//!     }
//!     fn poll(&self) -> io::Result<()> { Ok(()) }
//!     fn unpark(&self) {
//!         *self.0.lock().unwrap() = true;
//!         self.1.notify_one();
//!     }
//!     fn sleep_limit(&self, _: usize) -> Option<Duration> { None }
//!     fn fire_timers(&self) {}
//!     fn as_any(&self) -> &dyn std::any::Any { self }
//! }
//!
//! let mut executor = Executor::new(Config::new(2), Arc::new(Bed::default())).unwrap();
//! let sum = executor.run(async {
//!     let halves = [spawn(async { (1..=50).sum::<u32>() }), spawn(async { (51..=100).sum::<u32>() })];
//!     let mut sum = 0;
//!     for half in halves {
//!         sum += half.await.unwrap();
//!     }
//!     sum
//! });
//! assert_eq!(sum.unwrap(), 5050);
//! ```

pub mod task;

mod blocking;
mod builder;
mod context;
mod current;
mod driver;
mod executor;
mod here;
mod home;
#[doc(hidden)]
pub mod idle;
mod into_task;
mod live;
mod never;
#[doc(hidden)]
pub mod parker;
mod queue;
#[doc(hidden)]
pub mod roster;
mod scope;
mod shared;
mod thread_pool;
#[doc(hidden)]
pub mod watch;
mod worker;

pub use aioli_primitives::budget::poll as poll_budget;
pub use blocking::{ThreadConfig, ThreadHook};
pub use builder::{TaskBuilder, spawn_fallible};
pub use context::{Context, ContextToken, ContextVar};
pub use driver::Driver;
pub use executor::{Config, Executor, Handle, MAX_WORKERS};
pub use here::{no_loop, spawn, spawn_local, with_driver, worker_index};
pub use into_task::{Awaitable, IntoTask};
pub use never::Never;
pub use scope::{
    CancelCause, CancelledError, CatchCancelled, Closing, Defer, Finally, Resume, Scoped, Uncancellable,
    catch_cancelled, closing, defer, finally, uncancellable, unwinds_around,
};
pub use task::{
    CallbackId, Finished, Join, JoinError, JoinRef, JoinShared, Panic, Task, TaskId, TaskRef, Unhandled,
    UnhandledError, UnhandledKind, current_task, mark_failed,
};
pub use thread_pool::{QueuedCall, ThreadPool};
