//! `aioli_sync::Semaphore`, and with it the permits and the waiter list that are under the locks as well.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::Semaphore;
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{cell::UnsafeCell, sync::Arc, thread};

/// What only who has the permits for it may touch: loom finds two who do so at a time, or one after the other with nothing
/// that orders them.
struct Cell(UnsafeCell<usize>);

// SAFETY: it is touched only by who has acquired the permits for it; that it is so is what the models check.
unsafe impl Sync for Cell {}

impl Cell {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn add_one(&self) {
        // SAFETY: see `Sync`.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    fn value(&self) -> usize {
        // SAFETY: see `Sync`.
        self.0.with(|value| unsafe { *value })
    }
}

/// A semaphore, and what its one permit stands for.
struct Guarded {
    semaphore: Semaphore,
    cell: Cell,
}

impl Guarded {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            semaphore: Semaphore::new(permits),
            cell: Cell::new(),
        })
    }

    fn acquire_and_add_one(&self) {
        let _permit = block_on(self.semaphore.acquire());
        self.cell.add_one();
    }

    /// How often one was added, when all is over.
    fn count(&self) -> usize {
        let _permit = self
            .semaphore
            .try_acquire()
            .expect("all have released, and nobody waits");
        assert_eq!(self.semaphore.available_permits(), 0);
        self.cell.value()
    }
}

/// Two want the one permit, and each waits for the other if need be.
///
/// Fails when the release of a permit is Relaxed, or the taking of it without the lock, or with it; when who has to wait does
/// not set the flag, or sets it without looking at the permits in the same step; and when the flag is never cleared.
#[test]
fn acquire_x_acquire() {
    loom::model(|| {
        let guarded = Guarded::new(1);
        let user = {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.acquire_and_add_one())
        };
        guarded.acquire_and_add_one();
        user.join().unwrap();
        assert_eq!(guarded.count(), 2);
    });
}

/// As above with three, so that one may be served while another enters the line or has not yet left it.
///
/// Fails as above; when a permit is taken without the lock whatever the flag says; and when a hand-over clears the flag though
/// some are left in the line.
#[test]
fn acquire_x_acquire_x_acquire() {
    model_with(3, || {
        let guarded = Guarded::new(1);
        let users = [(), ()].map(|()| {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.acquire_and_add_one())
        });
        guarded.acquire_and_add_one();
        for user in users {
            user.join().unwrap();
        }
        assert_eq!(guarded.count(), 3);
    });
}

/// The first in line gives up while the permit is handed over; the one behind it gets it, whichever comes first.
///
/// Fails when what was given to a waiter that goes is not given back, or is added by a load and a store, or is not handed on;
/// when a waiter that goes looks without the lock whether it was served, or stays in the list; and when the look at the
/// permits that are handed over is Relaxed.
#[test]
fn release_x_drop_of_the_first_x_acquire() {
    model_with(3, || {
        let guarded = Guarded::new(0);
        let mut first = Box::pin(guarded.semaphore.acquire());
        assert!(poll_once(first.as_mut()).is_none());
        let second = {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.acquire_and_add_one())
        };
        let releaser = {
            let guarded = guarded.clone();
            thread::spawn(move || {
                guarded.cell.add_one();
                guarded.semaphore.release();
            })
        };
        drop(first);
        releaser.join().unwrap();
        second.join().unwrap();
        assert_eq!(guarded.count(), 2);
    });
}

/// One who waits for two permits holds up one who wants one, and gives up while a permit is released.
///
/// Fails when a waiter that goes does not have those behind it served, or stays in the list; and when a hand-over clears the
/// flag though some are left in the line.
#[test]
fn drop_of_the_many_x_release_x_acquire() {
    model_with(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut many = Box::pin(semaphore.acquire_many(2));
        assert!(poll_once(many.as_mut()).is_none());
        let one = {
            let semaphore = semaphore.clone();
            thread::spawn(move || block_on(semaphore.acquire()).forget())
        };
        let releaser = {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.release())
        };
        drop(many);
        releaser.join().unwrap();
        one.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
        assert!(semaphore.try_acquire().is_none());
        semaphore.release();
        assert!(semaphore.try_acquire().is_some(), "nobody is left in the line");
    });
}

/// Two release one permit each for one who wants both, and sees what either did before.
///
/// Fails when a release by hand is Relaxed, when the look at the permits that are handed over is, and when the step that takes
/// permits with the lock is.
#[test]
fn release_x_release_x_acquire_many() {
    model_with(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let [first, second] = [(), ()].map(|()| Arc::new(Cell::new()));
        let releasers = [first.clone(), second.clone()].map(|cell| {
            let semaphore = semaphore.clone();
            thread::spawn(move || {
                cell.add_one();
                semaphore.release();
            })
        });
        block_on(semaphore.acquire_many(2)).forget();
        assert_eq!((first.value(), second.value()), (1, 1));
        for releaser in releasers {
            releaser.join().unwrap();
        }
        assert_eq!(semaphore.available_permits(), 0);
    });
}

/// A waiter gets another waker while it is served. Whichever comes first, it is woken, or finds that it was served and sees
/// what was done before.
///
/// Fails when the store that serves a waiter is Relaxed, or the look at it; when that store comes before the waker was taken out,
/// or before the waiter was unlinked; when a waiter does not look again with the lock before it renews its waker; and when it
/// keeps the old one.
#[test]
fn release_x_new_waker() {
    loom::model(|| {
        let guarded = Guarded::new(0);
        let mut waiting = Box::pin(guarded.semaphore.acquire());
        assert!(poll_once(waiting.as_mut()).is_none());
        let releaser = {
            let guarded = guarded.clone();
            thread::spawn(move || {
                guarded.cell.add_one();
                guarded.semaphore.release();
            })
        };
        let permit = block_on(waiting);
        assert_eq!(guarded.cell.value(), 1);
        drop(permit);
        releaser.join().unwrap();
        assert_eq!(guarded.count(), 1);
    });
}

/// A permit is released while another is handed over: both count.
///
/// Fails when a hand-over takes permits by a load and a store.
#[test]
fn release_x_release_x_wait() {
    model_with(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut waiting = Box::pin(semaphore.acquire());
        assert!(poll_once(waiting.as_mut()).is_none());
        let releasers = [(), ()].map(|()| {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.release())
        });
        block_on(waiting).forget();
        for releaser in releasers {
            releaser.join().unwrap();
        }
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_some(), "nobody is left in the line");
    });
}

/// A newcomer does not pass one who waits, while that one is served.
///
/// Fails when permits are taken with the lock although somebody waits.
#[test]
fn release_x_newcomer() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut first = Box::pin(semaphore.acquire());
        assert!(poll_once(first.as_mut()).is_none());
        let releaser = {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.release())
        };
        assert!(poll_once(Box::pin(semaphore.acquire()).as_mut()).is_none());
        releaser.join().unwrap();
        poll_once(first.as_mut()).expect("it was served").forget();
        assert_eq!(semaphore.available_permits(), 0);
    });
}
