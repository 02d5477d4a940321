//! asyncio's API and semantics, on a multi-threaded, work-stealing runtime.
//!
//! aioli is programmed as Python's asyncio is: [`run`] a main future, [`create_task`]s, [`gather`] their values, put a limit
//! on anything with [`wait_for`], read lines from [`streams`]. What makes it different from other runtimes for Rust is what happens
//! when something is cancelled: a cancelled task finishes what it [`defer`]red, awaits and all, before it is over; awaiting
//! a task passes cancellation on; and nothing outlives [`run`].
//!
//! ```
//! use aioli::{create_task, defer, gather, sleep, wait_for};
//! use std::time::Duration;
//!
//! aioli::run(async {
//!     // Tasks run at the same time, on all cores.
//!     let squares = gather((1..=3).map(|n| async move { n * n })).await.unwrap();
//!     assert_eq!(squares, [1, 4, 9]);
//!
//!     // A task that is cancelled finishes what it deferred before it is over.
//!     let worker = create_task(async {
//!         let _goodbye = defer(async {
//!             sleep(Duration::from_millis(1)).await;
//!             println!("said goodbye");
//!         });
//!         sleep(Duration::from_secs(3600)).await;
//!     });
//!     // The time is up: the task is cancelled, waited for, and only then comes the error.
//!     assert!(wait_for(worker, Duration::from_millis(5)).await.is_err());
//! });
//! ```
//!
//! # Where things are
//!
//! | | |
//! |---|---|
//! | run a program | [`run`], [`main`](macro@main), [`test`](macro@test), [`Builder`], [`Runner`], [`EventLoop`] |
//! | tasks | [`create_task`], [`create_local_task`], [`create_fallible_task`], [`Task`], [`TaskRef`], [`current_task`], [`all_tasks`], [`yield_now`] |
//! | several tasks | [`gather`], [`try_gather`], [`gather_settled`], [`wait`], [`as_completed`], [`race`], [`TaskGroup`] |
//! | cancellation | [`catch_cancelled`], [`finally`], [`defer`], [`closing`], [`uncancellable`], [`shield`] |
//! | time | [`sleep`], [`sleep_until`], [`interval`], [`timeout`], [`wait_for`], [`Timeout`] |
//! | the loop | [`EventLoop::call_soon`], [`EventLoop::call_later`], [`Handle`], [`ContextVar`], [`Builder::virtual_time`] |
//! | network | [`open_connection`], [`start_server`]; the sockets below them are in [`net`], and what can be done with readers and writers in [`io`] |
//! | callbacks | [`create_connection`], [`create_server`], [`create_datagram_endpoint`], [`Protocol`], [`Transport`]; all of it is in [`protocols`] |
//! | foreign descriptors | [`EventLoop::add_reader`], [`EventLoop::add_writer`] |
//! | standard input and output | [`stdio`] |
//! | signals | [`signal`](mod@signal), [`EventLoop::add_signal_handler`] |
//! | threads | [`to_thread`], [`ThreadPool`], [`EventLoop::run_in_executor`], [`run_coroutine_threadsafe`] |
//! | processes | [`create_subprocess_exec`], [`create_subprocess_shell`]; all of it is in [`process`], and pipes are in [`pipe`] |
//! | synchronization | [`Lock`], [`RwLock`], [`Semaphore`], [`Event`], [`Condition`], [`Barrier`], [`Queue`], [`Promise`]; all of it is in [`sync`](mod@sync) |
//!
//! # Workers
//!
//! Tasks run on as many workers as the program asks for ([`Builder::workers`], `#[aioli::main(workers = 4)]`), or
//! `AIOLI_WORKERS` in the environment says, or the machine has cores. The thread that calls [`run`] is one of them. With one
//! worker there is one thread, and tasks run in asyncio's order: first in, first out.
//!
//! Free functions act on the loop of the worker that they are called on, and panic, saying so, where they need one and there is none.
//! Other threads hold an [`EventLoop`].
//!
//! # Giving way
//!
//! Tasks are not preempted. One that computes for long calls [`yield_now`] now and then, or computes in [`to_thread`]. A task whose
//! sockets, timers and joins are always ready gives way by itself after 128 of them.

pub mod net;
pub mod pipe;
pub mod process;
pub mod protocols;
pub mod signal;
pub mod stdio;
pub mod streams;
pub mod task;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;

mod configured;
mod runtime;

/// The `futures-io` traits and what goes with them: `read_exact`, `write_all`, `copy`, `split` and so on, from `futures-lite`.
pub mod io {
    pub use futures_lite::io::*;
}

/// What yields one item after the other: the trait `Stream`, which readers, signals and others here are, and `StreamExt` with `next` and all
/// else that can be done with them, from `futures-lite`.
pub mod stream {
    pub use futures_lite::stream::*;
}

/// What tasks share and wait for: locks, semaphores, events, barriers, queues, and values that are given by hand.
#[doc(inline)]
pub use aioli_sync as sync;

#[doc(inline)]
pub use aioli_executor::{Context, ContextToken, ContextVar};
#[doc(inline)]
pub use aioli_macros::{main, test};
#[doc(inline)]
pub use aioli_sync::{
    Barrier, BoundedSemaphore, BrokenBarrierError, Condition, Event, Exception, InvalidStateError, LifoQueue, Lock,
    OnceCell, PriorityQueue, Promise, PromiseError, PromiseLoop, Queue, QueueShutDown, RwLock, Semaphore,
};
#[doc(inline)]
pub use process::{create_subprocess_exec, create_subprocess_shell};
#[doc(inline)]
pub use protocols::{
    BufferedProtocol, DatagramProtocol, DatagramTransport, Protocol, Transport, connect_read_pipe, connect_write_pipe,
    create_connection, create_datagram_endpoint, create_server, create_server_on, create_unix_connection,
    create_unix_server,
};
#[doc(inline)]
pub use runtime::{BuildError, Builder, EventLoop, ExceptionHandler, Handle, Runner, TimerHandle, run};
#[doc(inline)]
pub use streams::{
    IncompleteReadError, LimitOverrunError, ReadError, Server, StreamReader, StreamWriter, open_connection,
    open_unix_connection, start_server, start_server_on, start_unix_server,
};
#[doc(inline)]
pub use task::{
    AsCompleted, AsCompletedWithin, BoxError, CancelCause, CancelledError, ChildFailed, Defer, Gather, GroupClosed,
    GroupError, GroupHandle, GroupTask, IntoTask, Join, JoinError, JoinRef, JoinShared, Panic, Race, ReturnWhen,
    Shield, Task, TaskBuilder, TaskError, TaskGroup, TaskId, TaskRef, ThreadPool, ThreadsafeFuture, ToThread,
    UnhandledError, UnhandledKind, Wait, YieldNow, all_tasks, as_completed, catch_cancelled, closing,
    create_fallible_task, create_local_task, create_task, current_task, defer, finally, gather, gather_settled, race,
    run_coroutine_threadsafe, shield, to_thread, try_gather, uncancellable, wait, yield_now,
};
#[doc(inline)]
pub use time::{
    Interval, MissedTicks, Sleep, Timeout, TimeoutError, WaitFor, interval, interval_at, sleep, sleep_until, timeout,
    timeout_at, wait_for,
};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/cancellation.md")]
struct CancellationChapter;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/synchronization.md")]
struct SynchronizationChapter;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/network.md")]
struct NetworkChapter;
