//! Tasks: creating them, waiting for several, giving way, and calling functions that block.

mod create;
mod gather;
mod to_thread;
mod yield_now;

pub use aioli_executor::{
    Defer, Join, JoinError, JoinRef, Panic, Task, TaskRef, UnhandledPanic, current_task, defer, poll_budget,
};
pub use create::{create_local_task, create_task};
pub use gather::{Gather, IntoTask, gather};
pub use to_thread::{ToThread, to_thread};
pub use yield_now::{YieldNow, yield_now};
