//! `aioli_sync::OnceCell`.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::OnceCell;
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use std::future::pending;

/// Three want the value: one of them makes it, and all see it.
///
/// Fails when the flag is stored or read with Relaxed, or stored before the value is written, or after the permits are released;
/// when not all who wait get a permit then; and when who has a permit does not look at the flag again.
#[test]
fn get_or_init_x_get_or_init_x_get_or_init() {
    model_with(3, || {
        let cell = Arc::new((OnceCell::new(), AtomicUsize::new(0)));
        let init = |(cell, made): &(OnceCell<Box<usize>>, AtomicUsize)| {
            let value = block_on(cell.get_or_init(async || Box::new(made.fetch_add(1, Relaxed) + 7)));
            assert_eq!(**value, 7);
        };
        let others = [(), ()].map(|()| {
            let cell = cell.clone();
            thread::spawn(move || init(&cell))
        });
        init(&cell);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(cell.1.load(Relaxed), 1);
    });
}

/// Who makes the value gives up; of those who wait, one makes it. A third looks without waiting.
///
/// Fails when who has the turn does not pass it on when it is dropped; when the flag is stored or read with Relaxed, and when it
/// is stored before the value is written.
#[test]
fn drop_of_the_first_x_get_or_init_x_get() {
    model_with(3, || {
        let cell = Arc::new(OnceCell::new());
        let mut first = Box::pin(cell.get_or_init(pending));
        assert!(poll_once(first.as_mut()).is_none());
        let second = {
            let cell = cell.clone();
            thread::spawn(move || assert_eq!(**block_on(cell.get_or_init(async || Box::new(2))), 2))
        };
        let third = {
            let cell = cell.clone();
            thread::spawn(move || assert!(cell.get().is_none_or(|value| **value == 2)))
        };
        drop(first);
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(cell.get().map(|value| **value), Some(2));
    });
}

/// One sets the value, another makes one if there is none, and a third sets one, too: one of them wins, and all see that.
///
/// Fails when `set` does not look at the flag again when it has a permit; and as the first one.
#[test]
fn set_x_set_x_get_or_init() {
    model_with(3, || {
        let cell = Arc::new(OnceCell::new());
        let setters = [1, 2].map(|number| {
            let cell = cell.clone();
            thread::spawn(move || cell.set(number).is_ok())
        });
        let seen = *block_on(cell.get_or_init(async || 3));
        let won = setters.map(|setter| setter.join().unwrap());
        assert_eq!(cell.get(), Some(&seen));
        assert_eq!(won, [seen == 1, seen == 2]);
    });
}
