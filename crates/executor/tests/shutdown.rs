//! The end: everything that is left is cancelled, cleans up, and is gone when the executor is.

mod common;

use aioli_executor::{Config, Driver, Executor, Handle, JoinError, defer, spawn, spawn_local};
use aioli_primitives::sync::Mutex;
use common::*;
use std::{
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

#[test]
fn leftovers_are_cancelled_and_nothing_of_them_stays() {
    for workers in WORKERS {
        let census = Census::default();
        run(workers, async {
            for _ in 0..50 {
                let guard = census.guard();
                spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
                .detach();
                let guard = census.guard();
                spawn_local(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
                .detach();
            }
            yield_now().await;
        });
        assert_eq!((census.made(), census.gone()), (100, 100));
    }
}

#[test]
fn a_handle_to_a_leftover_says_that_it_was_cancelled() {
    for workers in WORKERS {
        let task = run(workers, async { spawn(pending::<()>()) });
        assert!(task.is_finished());
        assert!(matches!(block_on(task.join()), Err(JoinError::Cancelled)));
    }
}

#[test]
fn leftovers_clean_up_with_awaits() {
    for workers in WORKERS {
        let cleaned = Arc::new(AtomicUsize::new(0));
        run(workers, async {
            let started = Arc::new(AtomicUsize::new(0));
            for _ in 0..20 {
                let (started, cleaned) = (started.clone(), cleaned.clone());
                spawn(async move {
                    let _cleanup = defer(async move {
                        for _ in 0..5 {
                            yield_now().await;
                        }
                        cleaned.fetch_add(1, SeqCst);
                    });
                    started.fetch_add(1, SeqCst);
                    pending::<()>().await;
                })
                .detach();
            }
            until(|| started.load(SeqCst) == 20).await;
        });
        assert_eq!(cleaned.load(SeqCst), 20);
    }
}

#[test]
fn tasks_that_cleanup_creates_are_gone_too() {
    for workers in WORKERS {
        let census = Census::default();
        run(workers, async {
            let started = Signal::new();
            let (theirs, guards) = (started.clone(), census.clone());
            spawn(async move {
                let _cleanup = defer(async move {
                    let (inner, guard) = (guards.clone(), guards.guard());
                    spawn(async move {
                        let _guard = guard;
                        let _cleanup = defer(async move {
                            let guard = inner.guard();
                            spawn(async move {
                                let _guard = guard;
                                pending::<()>().await;
                            })
                            .detach();
                        });
                        pending::<()>().await;
                    })
                    .detach();
                    yield_now().await;
                });
                theirs.set();
                pending::<()>().await;
            })
            .detach();
            started.wait().await;
        });
        assert!(census.made() >= 1);
        assert_eq!(census.made(), census.gone());
    }
}

/// A task whose cleanup spawns the next, so many times.
fn chain(links: usize, census: Census) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let _guard = census.guard();
        if links > 0 {
            // Awaiting it passes the cancellation on, and the deferred wait keeps this task until then.
            let _ = spawn(chain(links - 1, census.clone())).await;
        }
        pending::<()>().await;
    })
}

#[test]
fn chains_of_tasks_that_end_while_the_executor_does_are_all_accounted_for() {
    for workers in WORKERS {
        for _ in 0..50 {
            let census = Census::default();
            run(workers, async {
                for _ in 0..4 {
                    spawn(chain(8, census.clone())).detach();
                }
                yield_now().await;
            });
            assert_eq!(census.made(), census.gone());
        }
    }
}

#[test]
fn a_task_from_outside_that_never_ran_is_cancelled_at_the_end() {
    for workers in WORKERS {
        let census = Census::default();
        let executor = executor(workers);
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let guard = census.guard();
                executor.handle().spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
            })
            .collect();
        drop(executor);
        assert_eq!(census.gone(), 5);
        for task in tasks {
            assert!(matches!(block_on(task.join()), Err(JoinError::Cancelled)));
        }
    }
}

#[test]
fn tasks_from_outside_during_the_end_are_over_as_cancelled() {
    for workers in WORKERS {
        for _ in 0..20 {
            let census = Census::default();
            let mut executor = executor(workers);
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, census) = (executor.handle().clone(), census.clone());
                    thread::spawn(move || {
                        // Some before, some during, some after.
                        while !handle.is_closed() {
                            let guard = census.guard();
                            handle
                                .spawn(async move {
                                    let _guard = guard;
                                    yield_now().await;
                                    pending::<()>().await;
                                })
                                .detach();
                            thread::yield_now();
                        }
                        let guard = census.guard();
                        let late = handle.spawn(async move { drop(guard) });
                        assert!(late.is_finished());
                        assert!(matches!(block_on(late.join()), Err(JoinError::Cancelled)));
                    })
                })
                .collect();
            executor.run(until(|| census.made() > 10)).unwrap();
            drop(executor);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(census.made(), census.gone());
        }
    }
}

#[test]
fn a_task_that_is_refused_while_the_executor_ends_does_not_hold_it_up() {
    for workers in WORKERS {
        let bed = Arc::new(Bed::default());
        let mut executor = Executor::new(Config::new(workers), bed.clone()).unwrap();
        let handle = executor.handle().clone();
        let (cleaning, go, closed) = (Signal::new(), Signal::new(), Signal::new());
        executor
            .run(async {
                let started = Signal::new();
                let (theirs, cleaning, go) = (started.clone(), cleaning.clone(), go.clone());
                spawn(async move {
                    let _cleanup = defer(async move {
                        cleaning.set();
                        go.wait().await;
                    });
                    theirs.set();
                    pending::<()>().await;
                })
                .detach();
                started.wait().await;
            })
            .unwrap();
        let refused = thread::spawn({
            let closed = closed.clone();
            move || {
                cleaning.block();
                let slow = OnDrop(move || {
                    // The last task ends while this one is on its way out, and the executor goes to sleep or is closed.
                    let before = bed.parks();
                    go.set();
                    while bed.parks() == before && !closed.is_set() {
                        thread::yield_now();
                    }
                });
                let task = handle.spawn(async move { drop(slow) });
                assert!(task.is_finished());
            }
        });
        executor.close();
        closed.set();
        refused.join().unwrap();
    }
}

#[test]
fn closing_twice_is_closing_once_and_a_closed_executor_says_so() {
    for workers in WORKERS {
        let mut executor = executor(workers);
        assert!(!executor.handle().is_closed());
        executor.close();
        executor.close();
        assert!(executor.handle().is_closed());
        assert!(executor.handle().live_tasks().is_empty());
    }
}

#[test]
fn an_executor_that_never_ran_ends() {
    for workers in WORKERS {
        for _ in 0..20 {
            drop(executor(workers));
        }
    }
}

#[test]
fn tasks_that_are_left_go_on_in_the_next_run() {
    for workers in WORKERS {
        let mut executor = executor(workers);
        let (go, log) = (Signal::new(), Log::default());
        let task = {
            let (go, log) = (go.clone(), log.clone());
            executor.run(async {
                spawn(async move {
                    go.wait().await;
                    log.add("went on");
                })
            })
        };
        go.set();
        executor.run(task.unwrap().join()).unwrap().unwrap();
        assert_eq!(log.lines(), ["went on"]);
    }
}

#[test]
fn a_nested_run_panics_and_says_what_to_do() {
    for workers in WORKERS {
        run(workers, async {
            let mut inner = executor(workers);
            let payload = catch_unwind(AssertUnwindSafe(|| inner.run(async {}))).unwrap_err();
            let message = payload.downcast::<String>().map(|text| *text);
            let message = message.unwrap_or_else(|other| (*other.downcast::<&str>().unwrap()).to_owned());
            assert!(
                message.contains("an event loop runs on this thread already"),
                "{message}"
            );
            assert!(message.contains(".await"), "{message}");
        });
    }
}

#[test]
#[should_panic(expected = "no event loop runs on this thread")]
fn spawning_without_a_loop_panics_and_says_what_to_do() {
    spawn(async {}).detach();
}

#[test]
#[should_panic(expected = "at least one worker")]
fn no_workers_are_refused() {
    drop(Executor::new(Config::new(0), Arc::new(Bed::default())));
}

#[test]
#[should_panic(expected = "at least one thread")]
fn no_blocking_threads_are_refused() {
    let mut config = Config::new(1);
    config.max_blocking_threads = 0;
    build(config);
}

#[test]
fn hooks_are_called_by_each_thread_first_and_last() {
    let (started, stopped) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let mut config = Config::new(4);
    let (first, last) = (started.clone(), stopped.clone());
    config.worker_threads.on_start = Some(Arc::new(move || first.lock().push(thread::current().id())));
    config.worker_threads.on_stop = Some(Arc::new(move || last.lock().push(thread::current().id())));
    drop(build(config));
    let sorted = |ids: &Mutex<Vec<thread::ThreadId>>| {
        let mut ids: Vec<_> = ids.lock().iter().map(|id| format!("{id:?}")).collect();
        ids.sort();
        ids
    };
    assert_eq!(sorted(&started).len(), 3, "not by the thread that runs main");
    assert_eq!(sorted(&started), sorted(&stopped));
}

#[test]
fn live_tasks_are_listed_oldest_first() {
    let handle_of = |executor: &Executor| executor.handle().clone();
    let mut executor = executor(1);
    let handle = handle_of(&executor);
    executor
        .run(async {
            let tasks = [spawn(pending::<()>()), spawn(pending::<()>())];
            let live = Handle::current().unwrap().live_tasks();
            assert!(
                live[1..] == [tasks[0].task_ref(), tasks[1].task_ref()],
                "main is the first"
            );
            for task in tasks {
                task.cancel();
                let _ = task.await;
            }
        })
        .unwrap();
    assert!(handle.live_tasks().is_empty());
    assert!(handle.is_same(&handle_of(&executor)));
    assert!(format!("{handle:?}").contains("workers"));
    let _: &dyn Driver = &Bed::default();
}

#[test]
fn two_executors_run_side_by_side() {
    let threads: Vec<_> = (0..3)
        .map(|number| thread::spawn(move || run(2, async move { spawn(async move { number }).await.unwrap() })))
        .collect();
    let numbers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2]);
}
