//! `OnceCell` and `Promise`: one value, made or given once, and the same for all.

use crate::stage::{Stage, stay};
use aioli::sync::{OnceCell, Promise, PromiseError};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};

#[derive(Default)]
struct Making {
    cell: OnceCell<u64>,
    /// How many initialisers run.
    running: AtomicUsize,
    /// How many have made a value, or were allowed to set one.
    made: AtomicUsize,
}

/// An initialiser that runs.
struct Running<'a>(&'a Making);

impl<'a> Running<'a> {
    fn begin(making: &'a Making) -> Self {
        assert_eq!(making.running.fetch_add(1, SeqCst), 0, "one at a time");
        assert_eq!(making.made.load(SeqCst), 0, "there is a value");
        Self(making)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

pub async fn once_cell(mut stage: Stage) {
    let shared = Arc::new(Making::default());
    for _ in 0..1 + stage.some() {
        let shared = shared.clone();
        stage.actor(3, move |mut dice| {
            let making = shared.clone();
            async move {
                let (way, value) = (dice.below(16), dice.next());
                let make = async {
                    let _running = Running::begin(&making);
                    stay(&mut dice).await;
                    if way < 12 {
                        return Err("it fails");
                    }
                    making.made.fetch_add(1, SeqCst);
                    Ok(value)
                };
                match way {
                    0 => {
                        if making.cell.set(value).is_ok() {
                            making.made.fetch_add(1, SeqCst);
                        }
                    }
                    15 => {
                        let init = async || make.await.unwrap();
                        assert_eq!(Some(making.cell.get_or_init(init).await), making.cell.get());
                    }
                    _ => match making.cell.get_or_try_init(async || make.await).await {
                        Ok(value) => assert_eq!(Some(value), making.cell.get()),
                        Err(_) => assert!(way < 12),
                    },
                }
            }
        });
    }
    stage.end().await;
    let cell = &shared.cell;
    assert_eq!(usize::from(cell.get().is_some()), shared.made.load(SeqCst));
    assert_eq!(
        cell.set(0).is_err(),
        shared.made.load(SeqCst) == 1,
        "nobody makes it any more"
    );
}

/// How many have called, and are to be called.
#[derive(Default)]
struct Calls {
    added: AtomicU64,
    removed: AtomicU64,
    called: AtomicU64,
}

/// What a waiter has to tell of the outcome.
fn outcome<T>(ended: Result<T, PromiseError>) -> u64 {
    match ended {
        Ok(_) => 0,
        Err(PromiseError::Exception(_)) => 1,
        Err(PromiseError::Cancelled) => 2,
        Err(PromiseError::InvalidState(error)) => panic!("{error}"),
    }
}

pub async fn promise(mut stage: Stage) {
    let promise = Promise::new();
    let calls = Arc::new(Calls::default());
    let value = Arc::new(());
    // Who completed it, with the outcome.
    let winners = Arc::new(AtomicU64::new(0));
    let seen: Arc<[AtomicU64; 3]> = Arc::default();
    for _ in 0..stage.some() {
        let (promise, calls, seen) = (promise.clone(), calls.clone(), seen.clone());
        stage.actor(3, move |mut dice| {
            let (promise, calls, seen) = (promise.clone(), calls.clone(), seen.clone());
            async move {
                match dice.below(3) {
                    0 => {
                        seen[outcome((&promise).await) as usize].fetch_add(1, SeqCst);
                    }
                    1 => promise.finished().await,
                    _ => {
                        let counts = calls.clone();
                        calls.added.fetch_add(1, SeqCst);
                        let id = promise.add_done_callback(move |promise| {
                            assert!(promise.is_done());
                            counts.called.fetch_add(1, SeqCst);
                        });
                        stay(&mut dice).await;
                        if promise.remove_done_callback(id) {
                            calls.removed.fetch_add(1, SeqCst);
                        }
                    }
                }
            }
        });
    }
    for _ in 0..stage.dice.below(4) {
        let (promise, seen) = (promise.clone(), seen.clone());
        stage.steady(async move {
            seen[outcome(promise.await) as usize].fetch_add(1, SeqCst);
        });
    }
    for completer in 0..1 + stage.dice.below(3) {
        let (promise, winners, value, mut dice) = (promise.clone(), winners.clone(), value.clone(), stage.dice.child());
        let way = dice.below(3);
        let complete = move || {
            let completed = match way {
                0 => promise.set_result(value).is_ok(),
                1 => promise.set_exception(io::Error::other("it fails")).is_ok(),
                _ => promise.cancel(),
            };
            if completed {
                winners.fetch_add(1 + (way << 8), SeqCst);
            }
        };
        match completer {
            2 => stage.thread(complete),
            _ => stage.steady(async move {
                stay(&mut dice).await;
                complete();
            }),
        }
    }
    stage.end().await;
    let (winners, won) = (winners.load(SeqCst) & 0xff, winners.load(SeqCst) >> 8);
    assert_eq!(winners, 1, "one has completed it");
    let others = (0..3).filter(|other| *other != won);
    assert_eq!(
        others.map(|other| seen[other as usize].load(SeqCst)).sum::<u64>(),
        0,
        "all have seen the same"
    );
    let [added, removed, called] = [&calls.added, &calls.removed, &calls.called].map(|count| count.load(SeqCst));
    assert_eq!(added, removed + called, "each callback was removed or called once");
    // Of those who take the value, one gets it.
    let taken = [promise.take().await.is_ok(), promise.take().await.is_ok()];
    assert_eq!(taken, [won == 0, false]);
    drop(promise);
    assert_eq!(Arc::strong_count(&value), 1, "the value is gone");
}
