//! With one worker the order is first in, first out, as in asyncio; and no task keeps the others out for ever.

mod common;

use aioli_executor::{poll_budget, spawn, spawn_local};
use common::*;
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

#[test]
fn one_worker_runs_tasks_in_the_order_of_their_creation() {
    let log = Log::default();
    run(1, async {
        let tasks: Vec<_> = (0..300)
            .map(|number| {
                let log = log.clone();
                match number % 3 {
                    0 => spawn_local(async move { log.add(number.to_string()) }),
                    _ => spawn(async move { log.add(number.to_string()) }),
                }
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert!(log.lines().into_iter().eq((0..300).map(|number| number.to_string())));
}

#[test]
fn one_worker_runs_tasks_in_the_order_in_which_they_were_woken() {
    let log = Log::default();
    run(1, async {
        let signals: Vec<_> = (0..5).map(|_| Signal::new()).collect();
        let tasks: Vec<_> = (0..5)
            .map(|number| {
                let (log, signal) = (log.clone(), signals[number].clone());
                spawn(async move {
                    signal.wait().await;
                    log.add(number.to_string());
                })
            })
            .collect();
        yield_now().await;
        for number in [3, 0, 4, 1, 2] {
            signals[number].set();
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(log.lines(), ["3", "0", "4", "1", "2"]);
}

#[test]
fn one_worker_lets_tasks_that_yield_take_turns() {
    let log = Log::default();
    run(1, async {
        let tasks = ["a", "b", "c"].map(|name| {
            let log = log.clone();
            spawn(async move {
                for _ in 0..3 {
                    log.add(name);
                    yield_now().await;
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(log.lines().concat(), "abcabcabc");
}

#[test]
fn one_worker_queues_a_new_task_behind_the_ready_ones() {
    let log = Log::default();
    run(1, async {
        let (mine, theirs) = (log.clone(), log.clone());
        let first = spawn(async move {
            let log = mine.clone();
            mine.add("first");
            let child = spawn(async move { log.add("child") });
            child.await.unwrap();
            mine.add("first again");
        });
        let second = spawn(async move {
            theirs.add("second");
            yield_now().await;
            theirs.add("second again");
        });
        first.await.unwrap();
        second.await.unwrap();
    });
    assert_eq!(log.lines(), ["first", "second", "child", "second again", "first again"]);
}

#[test]
fn one_worker_runs_tasks_from_outside_in_order() {
    let log = Log::default();
    let mut executor = executor(1);
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let log = log.clone();
            executor.handle().spawn(async move { log.add(number.to_string()) })
        })
        .collect();
    executor
        .run(async {
            for task in tasks {
                task.await.unwrap();
            }
        })
        .unwrap();
    assert!(log.lines().into_iter().eq((0..200).map(|number| number.to_string())));
}

#[test]
fn a_task_whose_operations_are_always_ready_lets_others_run() {
    for workers in WORKERS {
        run(workers, async {
            // On one thread, whatever the number of workers.
            let stop = Arc::new(AtomicBool::new(false));
            let theirs = stop.clone();
            let busy = spawn_local(async move {
                while !theirs.load(SeqCst) {
                    poll_fn(poll_budget).await;
                }
            });
            let other = spawn_local(async move { stop.store(true, SeqCst) });
            busy.await.unwrap();
            other.await.unwrap();
        });
    }
}

#[test]
fn joining_takes_from_the_budget() {
    run(1, async {
        let tasks: Vec<_> = (0..1000).map(|_| spawn(async {})).collect();
        while !tasks.iter().all(|task| task.is_finished()) {
            yield_now().await;
        }
        let went_by = Arc::new(AtomicBool::new(false));
        let theirs = went_by.clone();
        let other = spawn(async move { theirs.store(true, SeqCst) });
        for task in tasks {
            task.await.unwrap();
        }
        assert!(went_by.load(SeqCst), "a thousand joins in one poll");
        other.await.unwrap();
    });
}

#[test]
fn each_poll_has_a_budget_of_its_own() {
    run(1, async {
        let spend = || {
            poll_fn(|cx| {
                let mut spent = 0;
                while poll_budget(cx).is_ready() {
                    spent += 1;
                }
                Poll::Ready(spent)
            })
        };
        let first: u32 = spend().await;
        assert!((1..=1000).contains(&first));
        assert_eq!(spend().await, 0);
        yield_now().await;
        assert_eq!(spend().await, first);
    });
}

#[test]
fn a_main_that_spends_its_budget_still_gives_its_value() {
    for workers in WORKERS {
        let value = run(
            workers,
            poll_fn(|cx| {
                while poll_budget(cx).is_ready() {}
                Poll::Ready(7)
            }),
        );
        assert_eq!(value, 7);
    }
}

#[test]
fn outside_any_task_there_is_no_budget() {
    run(
        1,
        poll_fn(|cx| {
            while poll_budget(cx).is_ready() {}
            Poll::Ready(())
        }),
    );
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        assert!(poll_budget(cx).is_ready());
    }
}

#[test]
fn two_tasks_that_wake_each_other_do_not_keep_out_a_third() {
    for workers in WORKERS {
        run(workers, async {
            let stop = Arc::new(AtomicBool::new(false));
            let pair = [stop.clone(), stop.clone()].map(|stop| {
                spawn(async move {
                    while !stop.load(SeqCst) {
                        // A chain of tasks, each woken by the one before it, and so in the slot.
                        spawn(async {}).await.unwrap();
                    }
                })
            });
            let third = spawn_local(async move { stop.store(true, SeqCst) });
            third.await.unwrap();
            for task in pair {
                task.await.unwrap();
            }
        });
    }
}
