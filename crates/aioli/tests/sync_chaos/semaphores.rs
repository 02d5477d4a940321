//! `Semaphore` and `BoundedSemaphore`: never more inside than there are permits, and all of them back in the end.

use crate::stage::{Stage, stay};
use aioli::{
    sync::{BoundedSemaphore, Semaphore},
    timeout, yield_now,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

/// How many permits are held, as those count who hold them.
struct Inside {
    held: AtomicUsize,
    permits: usize,
    /// How many may be held at a time.
    most: usize,
}

impl Inside {
    fn new(permits: usize, most: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Self { held, permits, most })
    }

    /// Holds a permit for so many.
    fn hold<P>(self: &Arc<Self>, count: usize, permit: P) -> Held<P> {
        let before = self.held.fetch_add(count, SeqCst);
        assert!(
            before + count <= self.most,
            "{before} were held, and {count} were to be had"
        );
        let inside = self.clone();
        Held {
            inside,
            count,
            _permit: permit,
        }
    }
}

/// Counts itself off before its permit goes.
struct Held<P> {
    inside: Arc<Inside>,
    count: usize,
    _permit: P,
}

impl<P> Drop for Held<P> {
    fn drop(&mut self) {
        self.inside.held.fetch_sub(self.count, SeqCst);
    }
}

/// Does something when it is dropped.
struct AtEnd<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Actors and a thread for a semaphore of this type. `$release` gives so many permits back by hand.
macro_rules! play {
    ($stage:ident, $shared:ident, $inside:ident, $release:expr) => {{
        for _ in 0..1 + $stage.some() {
            let (shared, inside) = ($shared.clone(), $inside.clone());
            $stage.actor(6, move |mut dice| {
                let (semaphore, inside) = (shared.clone(), inside.clone());
                async move {
                    let count = 1 + dice.below(inside.permits as u64) as usize;
                    match dice.below(7) {
                        0 => {
                            let _held = inside.hold(1, semaphore.acquire().await);
                            stay(&mut dice).await;
                        }
                        1 => {
                            let _held = inside.hold(1, semaphore.acquire_owned().await);
                            stay(&mut dice).await;
                        }
                        2 => {
                            let _held = inside.hold(count, semaphore.acquire_many_owned(count).await);
                            stay(&mut dice).await;
                        }
                        3 => {
                            let Some(permit) = semaphore.try_acquire_many(count) else {
                                return;
                            };
                            let _held = inside.hold(count, permit);
                            stay(&mut dice).await;
                        }
                        4 => {
                            semaphore.acquire_many(count).await.forget();
                            let _held = inside.hold(count, AtEnd(|| $release(&*semaphore, count)));
                            stay(&mut dice).await;
                        }
                        _ => {
                            let _held = inside.hold(count, semaphore.acquire_many(count).await);
                            stay(&mut dice).await;
                        }
                    }
                }
            });
        }
        if $stage.dice.below(3) == 0 {
            let (semaphore, inside) = ($shared.clone(), $inside.clone());
            $stage.thread(move || (0..6).for_each(|_| drop(inside.hold(1, semaphore.blocking_acquire()))));
        }
    }};
}

pub async fn semaphore(mut stage: Stage) {
    let permits = 1 + stage.dice.below(4) as usize;
    let (shared, inside) = (Arc::new(Semaphore::new(permits)), Inside::new(permits, permits));
    play!(stage, shared, inside, |semaphore: &Semaphore, count| semaphore
        .release_many(count));
    stage.end().await;
    behind_the_greedy(&mut stage, &shared, permits).await;
    assert_eq!(shared.available_permits(), permits);
    assert!(!shared.is_locked(), "{shared:?}");
    assert!(Arc::into_inner(shared).is_some(), "an owned permit is left");
}

/// One permit is kept. Some want all, and leave without; who wants one, and was held up by them, gets it.
async fn behind_the_greedy(stage: &mut Stage, semaphore: &Arc<Semaphore>, permits: usize) {
    let _kept = semaphore.acquire().await;
    for _ in 0..stage.some() {
        let semaphore = semaphore.clone();
        stage.actor(4, move |mut dice| {
            let semaphore = semaphore.clone();
            async move {
                assert!(
                    timeout(dice.micros(100), semaphore.acquire_many(permits))
                        .await
                        .is_err()
                )
            }
        });
    }
    for _ in 1..permits {
        let semaphore = semaphore.clone();
        stage.steady(async move {
            for _ in 0..4 {
                drop(semaphore.acquire().await);
                yield_now().await;
            }
        });
    }
    stage.end().await;
}

pub async fn bounded(mut stage: Stage) {
    let permits = 1 + stage.dice.below(4) as usize;
    let shared = Arc::new(BoundedSemaphore::new(permits));
    // Somebody may release what nobody took: more are let in at a time then, but in the end there are as many as there were.
    let abused = stage.dice.below(3) == 0;
    if abused {
        let shared = shared.clone();
        stage.actor(6, move |mut dice| {
            let semaphore = shared.clone();
            async move {
                let _ = semaphore.release_many(dice.below(3) as usize);
                stay(&mut dice).await;
            }
        });
    }
    let inside = Inside::new(permits, if abused { usize::MAX } else { permits });
    play!(stage, shared, inside, |semaphore: &BoundedSemaphore, count| {
        if abused {
            // One by one: several at a time are not added at all if there is no room for one of them.
            (0..count).for_each(|_| _ = semaphore.release());
        } else {
            semaphore.release_many(count).expect("those were forgotten");
        }
    });
    stage.end().await;
    assert_eq!(shared.available_permits(), permits);
    assert!(!shared.is_locked(), "{shared:?}");
    assert!(shared.release().is_err(), "all are back");
    assert!(Arc::into_inner(shared).is_some(), "an owned permit is left");
}
