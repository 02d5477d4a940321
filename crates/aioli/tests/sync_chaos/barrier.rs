//! `Barrier`: rounds with distinct indexes, whoever leaves and comes in their place; aborted, reset, and used again.

use crate::stage::{Stage, stay, until};
use aioli::{
    sync::{Barrier, BrokenBarrierError},
    timeout,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

pub async fn barrier(mut stage: Stage) {
    let parties = stage.some() as usize;
    let barrier = Arc::new(Barrier::new(parties));
    many_rounds(&mut stage, &barrier).await;
    assert!(barrier.is_broken() && barrier.n_waiting() == 0, "{barrier:?}");
    assert_eq!(barrier.wait().await, Err(BrokenBarrierError));
    barrier.reset();
    one_round(&mut stage, &barrier).await;
    assert!(!barrier.is_broken() && barrier.n_waiting() == 0, "{barrier:?}");
}

/// As many as there are parties go round and round, and others come and go among them, until it is broken for good.
async fn many_rounds(stage: &mut Stage, barrier: &Arc<Barrier>) {
    let indexes: Arc<Vec<_>> = Arc::new((0..barrier.parties()).map(|_| AtomicU64::new(0)).collect());
    let over = Arc::new(AtomicBool::new(false));
    let arrive = {
        let (barrier, indexes) = (barrier.clone(), indexes.clone());
        move || {
            let (barrier, indexes) = (barrier.clone(), indexes.clone());
            async move {
                if let Ok(index) = barrier.wait().await {
                    indexes[index].fetch_add(1, SeqCst);
                }
            }
        }
    };
    for _ in 0..barrier.parties() {
        let (arrive, over, mut dice) = (arrive.clone(), over.clone(), stage.dice.child());
        stage.steady(async move {
            while !over.load(SeqCst) {
                arrive().await;
                stay(&mut dice).await;
            }
        });
    }
    for _ in 0..stage.dice.below(5) {
        let arrive = arrive.clone();
        stage.actor(6, move |_| arrive());
    }
    let mut dice = stage.dice.child();
    while !stage.is_quiet() {
        if dice.below(4) == 0 {
            barrier.reset();
        }
        let rounds = indexes[0].load(SeqCst);
        until(|| stage.is_quiet() || indexes[0].load(SeqCst) != rounds).await;
    }
    over.store(true, SeqCst);
    barrier.abort();
    stage.end().await;
    let indexes: Vec<_> = indexes.iter().map(|count| count.load(SeqCst)).collect();
    // Each round gives the last index, to who does not wait for it; and the others once, but to those who had left.
    let rounds = indexes[barrier.parties() - 1];
    assert!(indexes.iter().all(|count| *count <= rounds), "{indexes:?}");
}

/// Some wait, and others come and go, but never so many that they are all; then come those who are missing.
async fn one_round(stage: &mut Stage, barrier: &Arc<Barrier>) {
    let parties = barrier.parties();
    let steady = stage.dice.below(parties as u64) as usize;
    let indexes = Arc::new(Mutex::new(Vec::new()));
    let arrive = || {
        let (barrier, indexes) = (barrier.clone(), indexes.clone());
        async move {
            let index = barrier.wait().await.unwrap();
            indexes.lock().unwrap().push(index);
        }
    };
    for _ in 0..steady {
        stage.steady(arrive());
    }
    for _ in steady + 1..parties {
        let barrier = barrier.clone();
        stage.actor(4, move |mut dice| {
            let barrier = barrier.clone();
            async move { assert!(timeout(dice.micros(100), barrier.wait()).await.is_err()) }
        });
    }
    until(|| stage.is_quiet() && barrier.n_waiting() == steady).await;
    for _ in steady..parties {
        stage.steady(arrive());
    }
    stage.end().await;
    let mut indexes = std::mem::take(&mut *indexes.lock().unwrap());
    indexes.sort();
    assert!(indexes.into_iter().eq(0..parties), "distinct, from 0 to {parties}");
}
