//! Calling other people's code one after another, so that one that panics does not take the others' turns with it.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

/// Keeps the first panic until everything has been called. Of the others nothing is left but what the panic hook made
/// of them.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// Calls `f`, and keeps its panic.
    pub(crate) fn catch(&mut self, f: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            match self.0 {
                None => self.0 = Some(payload),
                Some(_) => forget(payload),
            }
        }
    }

    /// Goes on with the first panic, if there was one; but not while another unwinds, because two would end the process.
    pub(crate) fn resume(self) {
        match self.0 {
            Some(payload) if !thread::panicking() => resume_unwind(payload),
            _ => self.swallow(),
        }
    }

    /// Goes on as if there had been none.
    pub(crate) fn swallow(self) {
        if let Some(payload) = self.0 {
            forget(payload);
        }
    }
}

/// Calls `f`, and swallows its panic: for destructors of what is no longer needed.
pub(crate) fn swallow(f: impl FnOnce()) {
    let mut panics = FirstPanic::default();
    panics.catch(f);
    panics.swallow();
}

/// Drops the payload of a panic, whose destructor may panic, with a payload of the same kind.
fn forget(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}
