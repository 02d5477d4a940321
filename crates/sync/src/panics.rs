//! Calling other people's code one after another, so that one that panics does not take the others' turns with it.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// Keeps the first panic until everything has been called. Of the others nothing is left but what the panic hook made
/// of them.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// Calls `f`, and keeps its panic.
    pub(crate) fn catch(&mut self, f: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            if self.0.is_none() {
                self.0 = Some(payload);
            } else if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                // A payload whose destructor panics; the payload of that one may be of the same kind.
                mem::forget(another);
            }
        }
    }

    /// Goes on with the first panic, if there was one.
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            resume_unwind(payload);
        }
    }
}
