//! Callbacks that are called again and again, until they are taken away.

use aioli_executor::Context;
use aioli_primitives::sync::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

type Function = Box<dyn FnMut() + Send>;

/// A function, and whether it is still wanted. It is neither called nor dropped under the lock, so it may take itself away.
pub(super) struct Repeated(Mutex<State>);

enum State {
    Waiting(Function),
    /// Somebody calls it. The loop's callbacks come one at a time, so nobody else wants to.
    Called,
    Removed,
}

impl Repeated {
    /// What is to be called in a copy of the current context, the same one each time.
    pub(super) fn new(mut function: impl FnMut() + Send + 'static) -> Self {
        let mut context = Context::copy();
        Self(Mutex::new(State::Waiting(Box::new(move || context.run(&mut function)))))
    }

    /// Calls it, if it was not taken away. A panic of its own goes on here, and it can be called again.
    pub(super) fn call(&self) {
        let State::Waiting(mut function) = self.replace_if_wanted(State::Called) else {
            return;
        };
        let outcome = catch_unwind(AssertUnwindSafe(&mut function));
        // Gives it back to be dropped here, if it was taken away meanwhile.
        drop(self.replace_if_wanted(State::Waiting(function)));
        if let Err(payload) = outcome {
            resume_unwind(payload);
        }
    }

    /// Takes it away, and drops it; if it is being called at the time, the one who calls it will.
    pub(super) fn remove(&self) {
        drop(self.replace_if_wanted(State::Removed));
    }

    pub(super) fn is_removed(&self) -> bool {
        matches!(*self.0.lock(), State::Removed)
    }

    /// The state that there was before or, if the function was taken away, the one that there is not to be.
    fn replace_if_wanted(&self, state: State) -> State {
        let mut current = self.0.lock();
        match *current {
            State::Removed => state,
            _ => std::mem::replace(&mut *current, state),
        }
    }
}
