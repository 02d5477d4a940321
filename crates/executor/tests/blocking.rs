//! The pool for calls that block: it grows, makes no call that was cancelled, and ends when its calls have.

mod common;

use aioli_executor::{Config, Handle, JoinError, ThreadConfig, current_task, spawn, worker_index};
use common::*;
use std::{
    collections::HashSet,
    future::{Future, IntoFuture, poll_fn},
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Poll, ready},
    thread,
    time::Duration,
};

fn loop_handle() -> Handle {
    Handle::current().unwrap()
}

fn with_threads(workers: usize, threads: usize) -> Config {
    let mut config = Config::new(workers);
    config.max_blocking_threads = threads;
    config
}

#[test]
fn a_call_runs_on_a_thread_that_is_no_worker_and_gives_its_value() {
    for workers in WORKERS {
        run(workers, async {
            let call = loop_handle().spawn_blocking(|| (thread::current().id(), worker_index()));
            let (thread, worker) = call.await.unwrap();
            assert_ne!(thread, thread::current().id());
            assert_eq!(worker, None);
        });
    }
}

#[test]
fn calls_that_wait_for_one_another_all_get_a_thread() {
    for workers in WORKERS {
        run(workers, async {
            let meeting = Arc::new(Barrier::new(20));
            let calls: Vec<_> = (0..20)
                .map(|_| {
                    let meeting = meeting.clone();
                    loop_handle().spawn_blocking(move || meeting.wait().is_leader())
                })
                .collect();
            for call in calls {
                call.await.unwrap();
            }
        });
    }
}

#[test]
fn with_one_thread_calls_are_made_one_after_the_other_and_in_order() {
    for workers in WORKERS {
        let log = Log::default();
        let threads = build(with_threads(workers, 1)).run(async {
            let calls: Vec<_> = (0..50)
                .map(|number| {
                    let log = log.clone();
                    loop_handle().spawn_blocking(move || {
                        log.add(format!("{number} begins"));
                        thread::yield_now();
                        log.add(format!("{number} ends"));
                        thread::current().id()
                    })
                })
                .collect();
            let mut threads = HashSet::new();
            for call in calls {
                threads.insert(call.await.unwrap());
            }
            threads
        });
        assert_eq!(threads.unwrap().len(), 1);
        let expected = (0..50).flat_map(|number| [format!("{number} begins"), format!("{number} ends")]);
        assert!(log.lines().into_iter().eq(expected));
    }
}

#[test]
fn no_more_calls_run_at_a_time_than_there_may_be_threads() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    build(with_threads(2, 3))
        .run(async {
            let calls: Vec<_> = (0..100)
                .map(|_| {
                    let (running, most) = (running.clone(), most.clone());
                    loop_handle().spawn_blocking(move || {
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, SeqCst);
                    })
                })
                .collect();
            for call in calls {
                call.await.unwrap();
            }
        })
        .unwrap();
    assert!((1..=3).contains(&most.load(SeqCst)));
}

#[test]
fn a_thread_that_has_made_its_call_makes_others() {
    run(1, async {
        let mut threads = HashSet::new();
        for _ in 0..300 {
            threads.insert(loop_handle().spawn_blocking(|| thread::current().id()).await.unwrap());
        }
        // A thread may not be back from the last call when the next one comes; but not each time.
        assert!(threads.len() < 300);
    });
}

#[test]
fn a_thread_without_work_leaves_after_a_while() {
    let stopped = Signal::new();
    let mut config = Config::new(1);
    config.blocking_keep_alive = Duration::from_millis(1);
    let theirs = stopped.clone();
    config.blocking_threads = ThreadConfig {
        name: "pool".to_owned(),
        on_start: None,
        on_stop: Some(Arc::new(move || theirs.set())),
    };
    build(config)
        .run(async {
            loop_handle().spawn_blocking(|| ()).await.unwrap();
            stopped.wait().await;
            // And another one comes when it is needed.
            let name = loop_handle().spawn_blocking(|| thread::current().name().map(str::to_owned));
            assert_eq!(name.await.unwrap().as_deref(), Some("pool"));
        })
        .unwrap();
}

#[test]
fn a_queued_call_that_is_cancelled_is_never_made() {
    for workers in WORKERS {
        let called = Arc::new(AtomicBool::new(false));
        let census = Census::default();
        build(with_threads(workers, 1))
            .run(async {
                let (busy, go) = (Signal::new(), Signal::new());
                let first = loop_handle().spawn_blocking({
                    let (busy, go) = (busy.clone(), go.clone());
                    move || {
                        busy.set();
                        go.block();
                    }
                });
                busy.wait().await;
                let (called, guard) = (called.clone(), census.guard());
                let second = loop_handle().spawn_blocking(move || {
                    let _guard = guard;
                    called.store(true, SeqCst);
                });
                assert!(second.cancel());
                go.set();
                assert!(second.await.unwrap_err().is_cancelled());
                first.await.unwrap();
            })
            .unwrap();
        assert!(!called.load(SeqCst));
        assert_eq!(census.gone(), 1);
    }
}

#[test]
fn a_call_that_is_being_made_goes_on_when_it_is_cancelled() {
    run(2, async {
        let (busy, go) = (Signal::new(), Signal::new());
        let call = loop_handle().spawn_blocking({
            let (busy, go) = (busy.clone(), go.clone());
            move || {
                busy.set();
                go.block();
                7
            }
        });
        busy.wait().await;
        assert!(call.cancel());
        go.set();
        assert_eq!(call.await.unwrap(), 7, "completion wins");
    });
}

#[test]
fn a_call_that_panics_is_an_outcome_and_its_thread_makes_the_next() {
    build(with_threads(1, 1))
        .run(async {
            let error = loop_handle()
                .spawn_blocking(|| panic!("in the call"))
                .await
                .unwrap_err();
            assert_eq!(error.to_string(), "the task panicked: in the call");
            assert_eq!(loop_handle().spawn_blocking(|| 7).await.unwrap(), 7);
        })
        .unwrap();
}

#[test]
fn a_panic_of_a_call_that_nobody_awaits_is_reported() {
    let (mut executor, reports) = reporting(2);
    executor
        .run(async {
            let call = loop_handle().spawn_blocking(|| panic!("unseen"));
            let name = call.task_ref();
            call.detach();
            until(|| name.is_finished()).await;
        })
        .unwrap();
    drop(executor);
    assert_eq!(reports.messages(), ["unseen"]);
}

#[test]
fn a_panic_of_a_call_goes_to_the_handler_that_was_set_last() {
    let (mut executor, first) = reporting(1);
    let second = Reports::default();
    executor.handle().set_unhandled(second.handler());
    executor
        .run(async {
            loop_handle().spawn_blocking(|| panic!("unseen")).detach();
        })
        .unwrap();
    drop(executor);
    assert_eq!((first.all().len(), second.all().len()), (0, 1));
}

#[test]
fn the_end_waits_for_calls_that_are_being_made() {
    for workers in WORKERS {
        let returned = Arc::new(AtomicBool::new(false));
        let (busy, go) = (Signal::new(), Signal::new());
        let mut executor = executor(workers);
        executor
            .run(async {
                let (busy, go, returned) = (busy.clone(), go.clone(), returned.clone());
                let call = loop_handle().spawn_blocking({
                    let busy = busy.clone();
                    move || {
                        busy.set();
                        go.block();
                        returned.store(true, SeqCst);
                    }
                });
                call.detach();
                busy.wait().await;
            })
            .unwrap();
        let handle = executor.handle().clone();
        let releaser = thread::spawn(move || {
            while !handle.is_closed() {
                thread::yield_now();
            }
            go.set();
        });
        executor.close();
        assert!(returned.load(SeqCst));
        releaser.join().unwrap();
    }
}

#[test]
fn calls_queued_at_the_end_are_made_by_the_threads_that_are_there() {
    let started = Arc::new(AtomicUsize::new(0));
    let mut config = with_threads(1, 1);
    let theirs = started.clone();
    config.blocking_threads.on_start = Some(Arc::new(move || {
        theirs.fetch_add(1, SeqCst);
    }));
    let mut executor = build(config);
    let handle = executor.handle().clone();
    let made = Arc::new(AtomicUsize::new(0));
    let (busy, go) = (Signal::new(), Signal::new());
    {
        let (busy, go) = (busy.clone(), go.clone());
        handle
            .spawn_blocking(move || {
                busy.set();
                go.block();
            })
            .detach();
    }
    busy.block();
    for _ in 0..10 {
        let made = made.clone();
        // Slow enough for another thread to come, if there were one.
        let call = handle.spawn_blocking(move || {
            thread::sleep(Duration::from_millis(2));
            made.fetch_add(1, SeqCst);
        });
        call.detach();
    }
    let releaser = thread::spawn(move || {
        // The pool is stopping when it refuses a call.
        while !handle.spawn_blocking(|| ()).is_finished() {
            thread::yield_now();
        }
        go.set();
    });
    executor.close();
    assert_eq!(made.load(SeqCst), 10);
    assert_eq!(started.load(SeqCst), 1, "one thread at most");
    releaser.join().unwrap();
}

#[test]
fn the_end_waits_for_threads_that_are_leaving() {
    let (leaving, left) = (Signal::new(), Arc::new(AtomicBool::new(false)));
    let closed = Signal::new();
    let mut config = Config::new(1);
    config.blocking_keep_alive = Duration::from_millis(1);
    config.blocking_threads.on_stop = Some({
        let (leaving, left, closed) = (leaving.clone(), left.clone(), closed.clone());
        Arc::new(move || {
            leaving.set();
            closed.block();
            thread::sleep(Duration::from_millis(20));
            left.store(true, SeqCst);
        })
    });
    let mut executor = build(config);
    executor
        .run(async {
            loop_handle().spawn_blocking(|| ()).await.unwrap();
            leaving.wait().await;
        })
        .unwrap();
    closed.set();
    executor.close();
    assert!(left.load(SeqCst), "a thread was still there after the end");
}

#[test]
fn after_the_end_no_call_is_made() {
    let mut executor = executor(2);
    let handle = executor.handle().clone();
    executor.run(async {}).unwrap();
    executor.close();
    let call = handle.spawn_blocking(|| unreachable!("the pool is closed"));
    assert!(call.is_finished());
    assert!(matches!(block_on(call.join()), Err(JoinError::Cancelled)));
}

#[test]
fn calls_come_from_calls_and_from_foreign_threads() {
    for workers in WORKERS {
        run(workers, async {
            let handle = loop_handle();
            let inner = handle.clone();
            let outer = handle.spawn_blocking(move || block_on(inner.spawn_blocking(|| 7).join()).unwrap());
            assert_eq!(outer.await.unwrap(), 7);

            let foreign = thread::spawn(move || block_on(handle.spawn_blocking(|| 8).join()).unwrap());
            let mut waits = loop_handle().spawn_blocking(move || foreign.join().unwrap());
            assert_eq!((&mut waits).into_future().await.unwrap(), 8);
        });
    }
}

#[test]
fn a_call_may_block_on_any_number_of_operations_that_are_ready() {
    for workers in WORKERS {
        run(workers, async {
            let tasks: Vec<_> = (0..1000).map(|number| spawn(async move { number })).collect();
            until(|| tasks.iter().all(|task| task.is_finished())).await;
            let call = loop_handle().spawn_blocking(|| {
                assert!(current_task().is_none());
                let mut joins = tasks.into_iter().map(IntoFuture::into_future);
                let mut join = joins.next();
                let mut polls = 0;
                block_on(poll_fn(|cx| {
                    polls += 1;
                    assert!(polls < 100_000, "it is polled and polled, and gets nowhere");
                    while let Some(next) = &mut join {
                        ready!(Pin::new(next).poll(cx)).unwrap();
                        join = joins.next();
                    }
                    Poll::Ready(())
                }));
                polls
            });
            assert_eq!(
                call.await.unwrap(),
                1,
                "all was ready, and there was nobody to give way to"
            );
        });
    }
}

#[test]
fn threads_whose_hooks_panic_make_calls_and_run_tasks() {
    for workers in WORKERS {
        let mut config = with_threads(workers, 2);
        config.blocking_keep_alive = Duration::from_millis(1);
        for threads in [&mut config.worker_threads, &mut config.blocking_threads] {
            threads.on_start = Some(Arc::new(|| panic!("in the hook of a thread that starts")));
            threads.on_stop = Some(Arc::new(|| panic!("in the hook of a thread that stops")));
        }
        let mut executor = build(config);
        executor
            .run(async {
                for _ in 0..3 {
                    let meeting = Arc::new(Barrier::new(2));
                    let calls = [meeting.clone(), meeting].map(|meeting| {
                        loop_handle().spawn_blocking(move || {
                            meeting.wait();
                        })
                    });
                    for call in calls {
                        call.await.unwrap();
                    }
                    assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
                }
            })
            .unwrap();
        executor.close();
    }
}
