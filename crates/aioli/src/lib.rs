//! being written
pub mod net;
/// futures-io traits and what goes with them, from `futures-lite`.
pub mod io {
    pub use futures_lite::io::*;
}
pub mod task;
pub mod time;

mod runtime;

pub use runtime::{BuildError, Builder, EventLoop, Runner, run};
pub use task::{
    Defer, Gather, IntoTask, Join, JoinError, JoinRef, Task, TaskRef, ToThread, UnhandledPanic, YieldNow,
    create_local_task, create_task, current_task, defer, gather, to_thread, yield_now,
};
pub use time::{
    Interval, MissedTicks, Sleep, TimeoutError, WaitFor, interval, interval_at, sleep, sleep_until, wait_for,
};
