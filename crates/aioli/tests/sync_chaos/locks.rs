//! `Lock` and `RwLock`: never two inside that must not be, and free in the end.

use crate::stage::{Stage, stay};
use aioli::sync::{Lock, RwLock};
use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

/// What a lock protects: plain numbers, which come out wrong if two change them at once.
#[derive(Default, Debug)]
struct Plain {
    entered: u64,
    left: u64,
}

/// One who is inside, alone, and goes out whenever this is dropped.
struct Inside<G: DerefMut<Target = Plain>>(G);

impl<G: DerefMut<Target = Plain>> Inside<G> {
    fn enter(mut guard: G, entries: &AtomicU64) -> Self {
        check(&guard);
        guard.entered += 1;
        entries.fetch_add(1, SeqCst);
        Self(guard)
    }
}

impl<G: DerefMut<Target = Plain>> Drop for Inside<G> {
    fn drop(&mut self) {
        self.0.left += 1;
    }
}

fn check(plain: &Plain) {
    assert_eq!(plain.entered, plain.left, "somebody else is inside");
}

fn account(plain: &Plain, entries: &AtomicU64) {
    check(plain);
    assert_eq!(plain.entered, entries.load(SeqCst), "as many as were let in");
}

pub async fn lock(mut stage: Stage) {
    let shared = Arc::new(Lock::new(Plain::default()));
    let entries = Arc::new(AtomicU64::new(0));
    for _ in 0..1 + stage.some() {
        let (shared, entries) = (shared.clone(), entries.clone());
        stage.actor(6, move |mut dice| {
            let (lock, entries) = (shared.clone(), entries.clone());
            async move {
                match dice.below(4) {
                    0 => {
                        let _inside = Inside::enter(lock.lock_owned().await, &entries);
                        stay(&mut dice).await;
                    }
                    1 => {
                        let Some(guard) = lock.try_lock() else { return };
                        let _inside = Inside::enter(guard, &entries);
                        stay(&mut dice).await;
                    }
                    _ => {
                        let _inside = Inside::enter(lock.lock().await, &entries);
                        stay(&mut dice).await;
                    }
                }
            }
        });
    }
    if stage.dice.below(3) == 0 {
        let (lock, entries) = (shared.clone(), entries.clone());
        stage.thread(move || (0..6).for_each(|_| drop(Inside::enter(lock.blocking_lock(), &entries))));
    }
    stage.end().await;
    assert!(!shared.is_locked(), "{shared:?}");
    account(&shared.try_lock().unwrap(), &entries);
    assert!(Arc::into_inner(shared).is_some(), "an owned guard is left");
}

/// Reads for a while.
async fn read(guard: impl Deref<Target = Plain>, mut dice: crate::Dice) {
    check(&guard);
    let before = guard.entered;
    stay(&mut dice).await;
    check(&guard);
    assert_eq!(before, guard.entered, "somebody has written while this one read");
}

pub async fn rw_lock(mut stage: Stage) {
    let shared = Arc::new(RwLock::new(Plain::default()));
    let entries = Arc::new(AtomicU64::new(0));
    for _ in 0..1 + stage.some() {
        let (shared, entries) = (shared.clone(), entries.clone());
        stage.actor(6, move |mut dice| {
            let (lock, entries) = (shared.clone(), entries.clone());
            async move {
                match dice.below(8) {
                    0 | 1 => read(lock.read().await, dice).await,
                    2 => read(lock.read_owned().await, dice).await,
                    3 => {
                        let Some(guard) = lock.try_read() else { return };
                        read(guard, dice).await;
                    }
                    4 => {
                        let mut guard = lock.write().await;
                        drop(Inside::enter(&mut *guard, &entries));
                        read(guard.downgrade(), dice).await;
                    }
                    5 => {
                        let mut guard = lock.write_owned().await;
                        drop(Inside::enter(&mut *guard, &entries));
                        read(guard.downgrade(), dice).await;
                    }
                    6 => {
                        let Some(guard) = lock.try_write() else { return };
                        let _inside = Inside::enter(guard, &entries);
                        stay(&mut dice).await;
                    }
                    _ => {
                        let _inside = Inside::enter(lock.write().await, &entries);
                        stay(&mut dice).await;
                    }
                }
            }
        });
    }
    if stage.dice.below(3) == 0 {
        let (lock, entries) = (shared.clone(), entries.clone());
        stage.thread(move || {
            for _ in 0..6 {
                check(&lock.blocking_read());
                drop(Inside::enter(lock.blocking_write(), &entries));
            }
        });
    }
    stage.end().await;
    account(&shared.try_write().expect("it is free"), &entries);
    assert!(Arc::into_inner(shared).is_some(), "an owned guard is left");
}
