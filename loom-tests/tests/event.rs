//! `aioli_sync::Event`.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::Event;
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

/// Nobody waits, and the event knows.
fn assert_nobody_waits(event: &Event) {
    assert!(format!("{event:?}").contains("waiters: 0"));
}

/// One sets the event while another waits for it, and sees what was done before.
///
/// Fails when `set` is not a Release; when a look at the word that fails to set `WAITED` is not an Acquire; when `set` goes by
/// `WAITED` as it was before its step; and when whoever wants to wait sets that flag without seeing in the same step that the
/// event is not set (both: it sleeps for ever).
#[test]
fn set_x_wait() {
    loom::model(|| {
        let shared = Arc::new((Event::new(), UnsafeCell::new(0)));
        let setter = {
            let shared = shared.clone();
            thread::spawn(move || {
                // SAFETY: nobody reads before the event is set.
                shared.1.with_mut(|value| unsafe { *value = 7 });
                shared.0.set();
            })
        };
        block_on(shared.0.wait());
        // SAFETY: nobody writes after the event is set; that this comes after it is what the model checks.
        assert_eq!(shared.1.with(|value| unsafe { *value }), 7);
        setter.join().unwrap();
        assert_nobody_waits(&shared.0);
    });
}

/// One that is in the list is polled, with another waker, while the event is set and cleared.
///
/// Fails on changes of the list: when the new waker is not kept, when a waiter is marked as served before its waker is taken
/// out or not with a Release, and when one that leaves is not unlinked.
#[test]
fn set_x_clear_x_poll() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let mut waiting = Box::pin(event.wait());
        assert!(poll_once(waiting.as_mut()).is_none());
        let setter = {
            let event = event.clone();
            thread::spawn(move || {
                event.set();
                event.clear();
            })
        };
        block_on(waiting);
        setter.join().unwrap();
        assert_nobody_waits(&event);
    });
}

/// A task waits while another sets the event, clears it at once, and sets it again; and a third gives up waiting.
///
/// Fails when `WAITED` is cleared by one who leaves others behind, or after the lock was released; and when one that was served
/// leaves the list once more (the other is lost with it).
#[test]
fn set_x_clear_x_wait_x_drop() {
    model_with(3, || {
        let event = Arc::new(Event::new());
        let mut waiting = Box::pin(event.wait());
        assert!(poll_once(waiting.as_mut()).is_none());
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
        assert_nobody_waits(&event);
    });
}

/// The one that waits leaves, and finds the list empty, while another comes and the event is set.
///
/// Fails when `WAITED` is cleared whether the list is empty or not, and when it is cleared after the lock was released (the
/// other sleeps for ever).
#[test]
fn the_last_leaves_x_wait_x_set() {
    model_with(3, || {
        let event = Arc::new(Event::new());
        let mut waiting = Box::pin(event.wait());
        assert!(poll_once(waiting.as_mut()).is_none());
        let waiter = {
            let event = event.clone();
            thread::spawn(move || block_on(event.wait()))
        };
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        drop(waiting);
        waiter.join().unwrap();
        setter.join().unwrap();
        assert_nobody_waits(&event);
    });
}

/// Two announce a change each, and one waits until it has seen both.
///
/// Fails when `pulse` is not a Release, or goes by `WAITED` as it was before its step; when `wait` does not read the generation
/// with Acquire; when a waiter looks at the flag and not at the generation; and when `WAITED` is cleared after the lock was
/// released by whoever served all.
#[test]
fn pulse_x_pulse_x_wait() {
    model_with(3, || {
        let event = Arc::new(Event::new());
        let changes = [(), ()].map(|()| Arc::new(AtomicBool::new(false)));
        let announcers = changes.clone().map(|change| {
            let event = event.clone();
            thread::spawn(move || {
                change.store(true, Relaxed);
                event.pulse();
            })
        });
        loop {
            let change = event.wait();
            if changes.iter().all(|change| change.load(Relaxed)) {
                break;
            }
            block_on(change);
        }
        for announcer in announcers {
            announcer.join().unwrap();
        }
        assert_nobody_waits(&event);
    });
}

/// An event that is set is cleared by one who looks and waits then, while another announces a change by setting it.
///
/// Fails when `set` does nothing to an event that it sees set, when `clear` is not an Acquire, and when any one of the looks at
/// the word while waiting is not.
#[test]
fn set_again_x_clear_and_wait() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        event.set();
        let change = Arc::new(AtomicBool::new(false));
        let setter = {
            let (event, change) = (event.clone(), change.clone());
            thread::spawn(move || {
                change.store(true, Relaxed);
                event.set();
            })
        };
        event.clear();
        if !change.load(Relaxed) {
            block_on(event.wait());
            assert!(change.load(Relaxed));
        }
        setter.join().unwrap();
    });
}

/// One who sees that the event is clear sees what was done before it was cleared.
///
/// Fails when `clear` does not release.
#[test]
fn clear_x_is_set() {
    loom::model(|| {
        let shared = Arc::new((Event::new(), UnsafeCell::new(0)));
        shared.0.set();
        let looker = {
            let shared = shared.clone();
            thread::spawn(move || {
                if !shared.0.is_set() {
                    // SAFETY: the event is clear.
                    assert_eq!(shared.1.with(|value| unsafe { *value }), 1);
                }
            })
        };
        // SAFETY: the other thread looks only when the event is clear.
        shared.1.with_mut(|value| unsafe { *value = 1 });
        shared.0.clear();
        looker.join().unwrap();
    });
}
