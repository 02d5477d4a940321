//! `aioli_sync::Event`.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

use aioli_sync::Event;
use loom::{sync::Arc, thread};
use std::{
    future::Future,
    pin::pin,
    sync::Arc as StdArc,
    task::{Context, Poll, Wake, Waker},
};

/// Wakes a thread of the model.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: StdArc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(StdArc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

/// A task waits while another sets the event and clears it at once, and a third gives up waiting.
///
/// Fails when a waiter looks at the flag and not at the generation (its entry is gone), and when a waiter that is dropped
/// removes what stands at its old place (another's entry).
#[test]
fn set_x_clear_x_wait_x_drop() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let mut waiting = Box::pin(event.wait());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let setter = {
            let event = event.clone();
            thread::spawn(move || {
                event.set();
                event.clear();
                event.set();
            })
        };
        let waiter = {
            let event = event.clone();
            thread::spawn(move || block_on(event.wait()))
        };
        drop(waiting);
        setter.join().unwrap();
        waiter.join().unwrap();
    });
}
