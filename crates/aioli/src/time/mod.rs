//! Waiting for time: [`sleep`], [`sleep_until`], [`interval`], and [`timeout`] and [`wait_for`], which wait no longer than
//! that for something else.

mod interval;
mod sleep;
mod timeout;

pub use interval::{Interval, MissedTicks, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Timeout, TimeoutError, WaitFor, timeout, timeout_at, wait_for};
