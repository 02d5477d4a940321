//! Calling what a program has written: it may panic, and that is for the exception handler.

use crate::runtime::EventLoop;
use aioli_executor::UnhandledError;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Calls `callback`. If it panics, the exception handler is told, and what is left is an error for
/// `connection_lost`.
pub(super) fn call<T>(event_loop: &EventLoop, name: &str, callback: impl FnOnce() -> T) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(callback)).map_err(|payload| {
        let report = UnhandledError::of_nobody(payload);
        let error = io::Error::other(format!("the protocol's `{name}` panicked: {}", report.message()));
        event_loop.call_exception_handler(report);
        error
    })
}
