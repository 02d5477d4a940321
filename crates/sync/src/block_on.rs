//! Waiting for a future by stopping the thread: what the `blocking_` forms do.

use aioli_primitives::{
    budget,
    thread::{self, Thread},
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Polls `future` on this thread until it is ready; the thread is parked in between.
///
/// The budget of a poll that this may be called from is set aside meanwhile: there is nobody to give way to while the
/// thread is stopped.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let _budget = Budget(budget::replace(budget::UNLIMITED));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        // It may return for no reason, or because of somebody else's wake-up: the loop looks again.
        thread::park();
    }
}

/// Wakes the thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Puts the budget back, also when the future panics.
struct Budget(u32);

impl Drop for Budget {
    fn drop(&mut self) {
        budget::replace(self.0);
    }
}
