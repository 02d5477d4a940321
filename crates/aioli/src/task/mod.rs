//! Tasks: creating them, waiting for several, giving way, and calling functions that block.

mod combinators;
mod create;
mod group;
mod threadsafe;
mod to_thread;
mod yield_now;

#[doc(inline)]
pub use aioli_executor::{
    Awaitable, CallbackId, CancelCause, CancelledError, CatchCancelled, Closing, Defer, Finally, Finished, IntoTask,
    Join, JoinError, JoinRef, JoinShared, Panic, Resume, Task, TaskBuilder, TaskId, TaskRef, ThreadPool, Uncancellable,
    UnhandledError, UnhandledKind, catch_cancelled, closing, current_task, defer, finally, poll_budget, uncancellable,
};
pub use combinators::{
    AsCompleted, AsCompletedWithin, AsTaskRef, FirstError, FirstFailure, Gather, GatherItems, Race, RaceItems,
    ReturnWhen, Rule, Settle, Shield, Shieldable, TaskError, Wait, as_completed, gather, gather_settled, race, shield,
    try_gather, wait,
};
pub use create::{all_tasks, create_fallible_task, create_local_task, create_task};
pub use group::{
    BodyOutput, BoxError, ChildFailed, ChildOutput, GroupClosed, GroupError, GroupHandle, GroupScope, GroupTask,
    TaskGroup,
};
pub use threadsafe::{ThreadsafeFuture, run_coroutine_threadsafe};
pub use to_thread::{ToThread, to_thread};
pub use yield_now::{YieldNow, yield_now};
