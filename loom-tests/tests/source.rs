//! A source's readiness: events, operations that find nothing, waiters, and owners who leave.
//!
//! The kernel is a flag that says "there is data" and a thread that sets it and then passes the event on, as the reactor
//! does. A wake-up that is lost leaves the reader waiting for ever, which loom reports as a deadlock.

#![cfg(loom)]

use aioli_primitives::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};
use aioli_reactor::{Direction, readiness::Ready, registration::Registration, registry::Registry};
use loom::{sync::Notify, thread};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// A thread that sleeps until it is woken.
struct Sleeper(Notify);

impl Sleeper {
    fn new() -> (Arc<Self>, Waker) {
        let sleeper = Arc::new(Self(Notify::new()));
        (sleeper.clone(), Waker::from(sleeper))
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

/// The data that a socket holds.
struct Kernel(AtomicBool);

impl Kernel {
    /// A swap, because loom does not order a plain store among the swaps of other threads.
    fn arrive(&self) {
        self.0.swap(true, Ordering::AcqRel);
    }

    /// Takes the data; false is "would block".
    fn read(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

fn pass_on(registration: &Registration, ready: Ready) {
    let mut wakers = Vec::new();
    registration.event(ready, &mut wakers);
    wakers.into_iter().for_each(Waker::wake);
}

/// Reads as `Source::poll_io` does, sleeping whenever it is pending.
fn read(registration: &Registration, kernel: &Kernel) {
    let (sleeper, waker) = Sleeper::new();
    let mut cx = Context::from_waker(&waker);
    loop {
        match registration.poll_ready(&mut cx, Direction::Read) {
            Poll::Ready(_) if kernel.read() => return,
            Poll::Ready(seen) => {
                registration.clear(Direction::Read, seen);
            }
            Poll::Pending => sleeper.0.wait(),
        }
    }
}

/// Seen to fail (deadlock) with each of these: `Readiness::clear` without its look at the tick; `Registration::poll_with`
/// without its second look under the lock; `Registration::event` collecting the wakers before it sets the word.
#[test]
fn event_x_clear_x_register_waker() {
    loom::model(|| {
        let source = loom::sync::Arc::new((Registration::new(), Kernel(AtomicBool::new(false))));
        let reactor = thread::spawn({
            let source = source.clone();
            move || {
                source.1.arrive();
                pass_on(&source.0, Ready::READABLE);
            }
        });
        read(&source.0, &source.1);
        reactor.join().unwrap();
    });
}

/// As above, with an event of the other direction in between, which moves the same tick.
///
/// Seen to fail with each of the mutations above.
#[test]
fn event_x_clear_with_another_directions_events() {
    loom::model(|| {
        let source = loom::sync::Arc::new((Registration::new(), Kernel(AtomicBool::new(false))));
        let reactor = thread::spawn({
            let source = source.clone();
            move || {
                pass_on(&source.0, Ready::WRITABLE);
                source.1.arrive();
                pass_on(&source.0, Ready::READABLE);
            }
        });
        read(&source.0, &source.1);
        reactor.join().unwrap();
    });
}

/// A source leaves, and another takes its place, while its last event is under way: the newcomer hears nothing of it,
/// and whoever waited for the old one is let go.
///
/// Seen to fail with `Registry::get` that does not compare the whole key.
#[test]
fn event_x_drop() {
    loom::model(|| {
        let registry = loom::sync::Arc::new(Mutex::new(Registry::new()));
        let old = loom::sync::Arc::new(Registration::new());
        let key = registry.lock().insert(0, old.clone()).unwrap();
        let (sleeper, waker) = Sleeper::new();
        let mut cx = Context::from_waker(&waker);
        wait(&old, &mut cx);

        let reactor = thread::spawn({
            let registry = registry.clone();
            move || {
                let mut wakers = Vec::new();
                registry.lock().event(key, Ready::READABLE, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        let removed = registry.lock().remove(key);
        drop((old, removed));
        let new = loom::sync::Arc::new(Registration::new());
        let new_key = registry.lock().insert(0, new.clone()).unwrap();
        assert_ne!(new_key, key);
        wait(&new, &mut cx);

        reactor.join().unwrap();
        assert!(new.poll_ready(&mut cx, Direction::Read).is_pending());
        drop((new, registry.lock().remove(new_key), waker));
        assert_eq!(Arc::strong_count(&sleeper), 1);
    });
}

/// Takes back the belief that a new registration starts with, and leaves the waker.
fn wait(registration: &Registration, cx: &mut Context<'_>) {
    let Poll::Ready(seen) = registration.poll_ready(cx, Direction::Read) else {
        panic!("believed ready at first")
    };
    assert!(registration.clear(Direction::Read, seen));
    assert!(registration.poll_ready(cx, Direction::Read).is_pending());
}

/// Of two waiters one leaves while the event is under way: the other is woken all the same.
///
/// Seen to fail (deadlock) with `Registration::event` that wakes only the first in the queue.
#[test]
fn event_x_drop_of_a_waiter() {
    loom::model(|| {
        let registration = loom::sync::Arc::new(Registration::new());
        let (_, nobody) = Sleeper::new();
        wait(&registration, &mut Context::from_waker(&nobody));

        let reactor = thread::spawn({
            let registration = registration.clone();
            move || pass_on(&registration, Ready::READABLE)
        });
        let mut leaves = Some(registration.ready(Direction::Read));
        let _ = Pin::new(leaves.as_mut().unwrap()).poll(&mut Context::from_waker(&nobody));
        let (sleeper, waker) = Sleeper::new();
        let mut stays = registration.ready(Direction::Read);
        while Pin::new(&mut stays).poll(&mut Context::from_waker(&waker)).is_pending() {
            // Leaves only after both have queued.
            leaves = None;
            sleeper.0.wait();
        }
        drop(leaves);
        reactor.join().unwrap();
    });
}
