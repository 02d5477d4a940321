//! `aioli_sync::Lock`. What it shares with `Semaphore`, on which core it stands, is in the models of that.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::Lock;
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{sync::Arc, thread};
use std::sync::Arc as StdArc;

/// Two add to the value, waiting as tasks; loom sees each access to it.
///
/// Fails when a release is Relaxed or hands nothing over, when what takes the permit without the lock is Relaxed, and when there
/// are two permits.
#[test]
fn lock_x_lock() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(0));
        let other = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        *block_on(lock.lock()) += 1;
        other.join().unwrap();
        assert_eq!(*lock.try_lock().expect("nobody holds it"), 2);
    });
}

/// One tries, one waits as a thread, and one as a task for an owned guard.
///
/// Fails as above.
#[test]
fn try_lock_x_blocking_lock_x_lock_owned() {
    model_with(3, || {
        let lock = StdArc::new(Lock::new(0));
        let blocking = {
            let lock = lock.clone();
            thread::spawn(move || *lock.blocking_lock() += 1)
        };
        let owned = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.lock_owned()) += 1)
        };
        let mut added = 2;
        if let Some(mut guard) = lock.try_lock() {
            *guard += 1;
            added += 1;
        }
        blocking.join().unwrap();
        owned.join().unwrap();
        assert_eq!(*lock.try_lock().expect("nobody holds it"), added);
    });
}

/// The first in line gives up while the lock is handed over, and the second gets it.
///
/// Fails as above, and when what was given to a waiter that goes is not given back.
#[test]
fn unlock_x_drop_of_the_first_x_second() {
    model_with(3, || {
        let lock = StdArc::new(Lock::new(0));
        let mut guard = lock.clone().try_lock_owned().unwrap();
        let first_lock = lock.clone();
        let mut first = Box::pin(first_lock.lock());
        assert!(poll_once(first.as_mut()).is_none());
        let second = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.lock()) += 1)
        };
        let holder = thread::spawn(move || {
            *guard += 1;
            drop(guard);
        });
        drop(first);
        second.join().unwrap();
        holder.join().unwrap();
        assert_eq!(*lock.try_lock().expect("nobody holds it"), 2);
    });
}
