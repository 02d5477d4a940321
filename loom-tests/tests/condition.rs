//! `aioli_sync::Condition`.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::{Condition, Lock};
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::thread;
use std::{future::Future, sync::Arc};

/// A flag, and whether it may have changed.
#[derive(Clone)]
struct Flag {
    lock: Arc<Lock<bool>>,
    changed: Arc<Condition>,
}

impl Flag {
    fn new() -> Self {
        Self {
            lock: Arc::new(Lock::new(false)),
            changed: Arc::new(Condition::new()),
        }
    }

    fn raise(&self) {
        *block_on(self.lock.lock()) = true;
    }

    /// Waits until the flag is raised.
    async fn raised(self) {
        let guard = self.lock.lock().await;
        let guard = self.changed.wait_for(guard, |is_raised| *is_raised).await;
        assert!(*guard);
    }

    /// Waits until it is notified.
    async fn change(self) {
        let guard = self.lock.lock().await;
        drop(self.changed.wait(guard).await);
    }

    fn wait_for_it(&self) -> thread::JoinHandle<()> {
        let flag = self.clone();
        thread::spawn(move || block_on(flag.raised()))
    }

    /// A waiter that is in line, and woken by nobody.
    fn in_line(&self) -> std::pin::Pin<Box<impl Future<Output = ()> + use<>>> {
        let mut waiting = Box::pin(self.clone().change());
        assert!(poll_once(waiting.as_mut()).is_none());
        waiting
    }

    fn assert_nobody_waits(&self) {
        assert!(!self.lock.is_locked());
        assert_eq!(format!("{:?}", self.changed), "Condition { waiters: 0 }");
    }
}

/// One looks and waits while another makes the change, and notifies with the lock released.
///
/// Fails when the waiter releases the lock before it is in line.
#[test]
fn notify_x_wait() {
    loom::model(|| {
        let flag = Flag::new();
        let waiter = flag.wait_for_it();
        flag.raise();
        flag.changed.notify(1);
        waiter.join().unwrap();
        flag.assert_nobody_waits();
    });
}

/// Two wait while a third makes the change, and notifies all.
///
/// Fails when the waiters release the lock before they are in line, and when only one is served.
#[test]
fn notify_all_x_wait_x_wait() {
    model_with(3, || {
        let flag = Flag::new();
        let waiters = [(), ()].map(|()| flag.wait_for_it());
        flag.raise();
        flag.changed.notify_all();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        flag.assert_nobody_waits();
    });
}

/// The first in line gives up while one is notified: the notification reaches the other, which waits or is about to.
///
/// Fails when a waiter that was notified and is dropped keeps the notification, and when the other releases the lock before it is
/// in line.
#[test]
fn notify_x_wait_x_cancel() {
    model_with(3, || {
        let flag = Flag::new();
        let first = flag.in_line();
        let second = flag.wait_for_it();
        let notifier = {
            let flag = flag.clone();
            thread::spawn(move || {
                flag.raise();
                flag.changed.notify(1);
            })
        };
        drop(first);
        second.join().unwrap();
        notifier.join().unwrap();
        flag.assert_nobody_waits();
    });
}

/// One that was notified, and waits for the lock, gives up while the lock is released: the other has the notification then, and
/// the lock.
///
/// Fails when a waiter that is dropped on its way to the lock keeps the notification.
#[test]
fn cancel_before_the_lock_x_release_x_wait() {
    model_with(3, || {
        let flag = Flag::new();
        let (mut first, second) = (flag.in_line(), flag.in_line());
        let held = flag.lock.clone().try_lock_owned().unwrap();
        flag.changed.notify(1);
        assert!(poll_once(first.as_mut()).is_none());
        let second = thread::spawn(move || block_on(second));
        let holder = thread::spawn(move || drop(held));
        drop(first);
        second.join().unwrap();
        holder.join().unwrap();
        flag.assert_nobody_waits();
    });
}
