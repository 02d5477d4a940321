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
/// # Panics
///
/// In a task of aioli's executor, with the advice to await `instead`: whoever the task waits for may wait for its worker.
#[track_caller]
pub(crate) fn block_on<F: Future>(instead: &str, future: F) -> F::Output {
    assert!(
        !budget::is_limited(),
        "a task must not block its worker: await `{instead}` here, or call the blocking form in `to_thread`"
    );
    let mut future = pin!(future);
    // Mostly there is nothing to wait for, and no need of a waker.
    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return value;
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
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
