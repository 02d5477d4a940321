//! Waiting for time: [`sleep`], [`sleep_until`], [`interval`], and [`wait_for`], which waits no longer than that for
//! something else.

mod interval;
mod sleep;
mod wait_for;

pub use interval::{Interval, MissedTicks, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use wait_for::{TimeoutError, WaitFor, wait_for};
