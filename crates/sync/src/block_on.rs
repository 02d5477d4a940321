//! Waiting for a future by stopping the thread: what the `blocking_` forms do.

use aioli_primitives::{
    budget,
    sync::{Condvar, Mutex},
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// Polls `future` on this thread until it is ready; the thread sleeps in between.
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
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        alarm.sleep();
    }
}

/// Wakes the thread. (Parking it would take a wake-up that somebody else has for it.)
#[derive(Default)]
struct Alarm {
    rings: Mutex<bool>,
    rung: Condvar,
}

impl Alarm {
    fn sleep(&self) {
        let mut rings = self.rings.lock();
        while !*rings {
            self.rung.wait(&mut rings);
        }
        *rings = false;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rings.lock() = true;
        self.rung.notify_one();
    }
}
