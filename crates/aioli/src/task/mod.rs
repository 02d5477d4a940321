//! Tasks: creating them, waiting for several, giving way, and calling functions that block.

mod create;
mod gather;
mod to_thread;
mod yield_now;

pub use aioli_executor::{
    Awaitable, CallbackId, CancelledError, CatchCancelled, Closing, Defer, Finally, Finished, Join, JoinError, JoinRef,
    JoinShared, Panic, Resume, Task, TaskId, TaskRef, Uncancellable, UnhandledError, UnhandledKind, catch_cancelled,
    closing, current_task, defer, finally, poll_budget, uncancellable,
};
pub use create::{create_local_task, create_task};
pub use gather::{Gather, IntoTask, gather};
pub use to_thread::{ToThread, to_thread};
pub use yield_now::{YieldNow, yield_now};
