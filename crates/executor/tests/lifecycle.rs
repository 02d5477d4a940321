//! Joining, detaching and dropping handles, in all orders.

mod common;

use aioli_executor::{Join, JoinError, JoinRef, Task, TaskRef, current_task, defer, spawn};
use aioli_primitives::sync::Mutex;
use common::*;
use std::{
    future::{Future, IntoFuture, pending, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    thread,
};

#[test]
fn a_join_that_waits_gets_the_value() {
    for workers in WORKERS {
        let value = run(workers, async {
            let go = Signal::new();
            let theirs = go.clone();
            let mut join = spawn(async move {
                theirs.wait().await;
                7
            })
            .join();
            assert!(poll_once(&mut join).await.is_pending());
            assert!(!join.is_finished());
            go.set();
            join.await.unwrap()
        });
        assert_eq!(value, 7);
    }
}

#[test]
fn a_join_after_the_end_gets_the_value() {
    for workers in WORKERS {
        let value = run(workers, async {
            let task = spawn(async { String::from("kept") });
            until(|| task.is_finished()).await;
            task.await.unwrap()
        });
        assert_eq!(value, "kept");
    }
}

#[test]
fn a_detached_task_runs_to_its_end() {
    for workers in WORKERS {
        run(workers, async {
            let done = Signal::new();
            let theirs = done.clone();
            spawn(async move {
                yield_now().await;
                theirs.set();
            })
            .detach();
            done.wait().await;
        });
    }
}

#[test]
fn the_value_of_a_task_without_a_handle_is_dropped_once() {
    for workers in WORKERS {
        for dropped in ["before the start", "while it waits", "after the end"] {
            let census = Census::default();
            run(workers, async {
                let (waiting, go) = (Signal::new(), Signal::new());
                let task = spawn({
                    let (census, waiting, go) = (census.clone(), waiting.clone(), go.clone());
                    async move {
                        waiting.set();
                        go.wait().await;
                        census.guard()
                    }
                });
                let name = task.task_ref();
                match dropped {
                    "before the start" => {
                        drop(task);
                        go.set();
                        until(|| name.is_finished()).await;
                    }
                    "while it waits" => {
                        waiting.wait().await;
                        drop(task);
                        assert_eq!(census.made(), 0);
                        go.set();
                        until(|| name.is_finished()).await;
                    }
                    _ => {
                        go.set();
                        until(|| name.is_finished()).await;
                        assert_eq!((census.made(), census.gone()), (1, 0), "the handle keeps the value");
                        drop(task);
                    }
                }
            });
            assert_eq!((census.made(), census.gone()), (1, 1), "{workers} workers, {dropped}");
        }
    }
}

#[test]
fn a_borrowing_join_dropped_midway_leaves_the_task_alone() {
    for workers in WORKERS {
        run(workers, async {
            let go = Signal::new();
            let theirs = go.clone();
            let mut task = spawn(async move {
                theirs.wait().await;
                7
            });
            let mut join = (&mut task).into_future();
            assert!(poll_once(&mut join).await.is_pending());
            drop(join);
            assert_eq!(task.cancelling(), 0);
            go.set();
            assert_eq!((&mut task).await.unwrap(), 7);
            assert!(task.is_finished());
        });
    }
}

#[test]
fn an_owning_join_dropped_midway_cancels_the_child_and_the_parent_ends_after_it() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let parent = spawn(async move {
                let log = theirs.clone();
                let started = Signal::new();
                let mut child = spawn({
                    let started = started.clone();
                    async move {
                        let _cleanup = defer(async move {
                            yield_now().await;
                            theirs.add("the child has cleaned up");
                        });
                        started.set();
                        pending::<()>().await;
                    }
                })
                .join();
                assert!(poll_once(&mut child).await.is_pending());
                started.wait().await;
                drop(child);
                log.add("the parent returns");
            });
            parent.await.unwrap();
            log.add("the parent is over");
        });
        let lines = log.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[2], "the parent is over", "{workers} workers");
    }
}

#[test]
fn a_parent_cancelled_while_it_awaits_ends_after_its_child() {
    for workers in WORKERS {
        let child_cleaned = Signal::new();
        run(workers, async {
            let started = Signal::new();
            let parent = spawn({
                let (started, child_cleaned) = (started.clone(), child_cleaned.clone());
                async move {
                    let child = spawn(async move {
                        let _cleanup = defer(async move {
                            for _ in 0..3 {
                                yield_now().await;
                            }
                            child_cleaned.set();
                        });
                        started.set();
                        pending::<()>().await;
                    });
                    child.await
                }
            });
            started.wait().await;
            assert!(parent.cancel());
            assert!(parent.await.unwrap_err().is_cancelled());
            assert!(child_cleaned.is_set());
        });
    }
}

#[test]
fn a_join_dropped_after_the_end_drops_the_value() {
    for workers in WORKERS {
        let census = Census::default();
        run(workers, async {
            let theirs = census.clone();
            let join = spawn(async move { theirs.guard() }).join();
            until(|| join.is_finished()).await;
            assert_eq!(census.gone(), 0);
            drop(join);
            assert_eq!((census.made(), census.gone()), (1, 1));
        });
    }
}

#[test]
fn another_waker_takes_the_place_of_the_first() {
    for workers in WORKERS {
        run(workers, async {
            let go = Signal::new();
            let theirs = go.clone();
            let join = Arc::new(Mutex::new(spawn(async move { theirs.wait().await }).join()));
            // Two tasks poll the join, one after the other; the end must wake the second.
            let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut *join.lock()).poll(cx))).await;
            assert!(first.is_pending());
            let polled = Signal::new();
            let second = spawn({
                let polled = polled.clone();
                async move {
                    poll_fn(move |cx| {
                        let mut join = join.lock();
                        let poll = Pin::new(&mut *join).poll(cx);
                        polled.set();
                        poll
                    })
                    .await
                }
            });
            polled.wait().await;
            go.set();
            second.await.unwrap().unwrap();
        });
    }
}

#[test]
fn a_thread_without_a_loop_can_join() {
    for workers in WORKERS {
        let mut executor = executor(workers);
        let handle = executor.handle().clone();
        let main_may_end = Signal::new();
        let thread = thread::spawn({
            let main_may_end = main_may_end.clone();
            move || {
                let value = block_on(handle.spawn(async { 6 * 7 }).join());
                main_may_end.set();
                value
            }
        });
        executor.run(main_may_end.wait()).unwrap();
        assert_eq!(thread.join().unwrap().unwrap(), 42);
    }
}

#[test]
fn a_task_that_awaits_itself_is_told_so() {
    for workers in WORKERS {
        let error = run(workers, async {
            let slot = Arc::new(Mutex::new(None::<Task<()>>));
            let theirs = slot.clone();
            let filled = Signal::new();
            let task = spawn({
                let filled = filled.clone();
                async move {
                    filled.wait().await;
                    let myself = theirs.lock().take().unwrap();
                    let _ = myself.await;
                }
            });
            let name = task.task_ref();
            let (reported, errors) = (Signal::new(), Arc::new(Mutex::new(String::new())));
            aioli_executor::Handle::current()
                .unwrap()
                .set_unhandled(aioli_executor::Unhandled::new({
                    let (reported, errors) = (reported.clone(), errors.clone());
                    move |panic| {
                        *errors.lock() = panic.message().to_owned();
                        reported.set();
                    }
                }));
            *slot.lock() = Some(task);
            filled.set();
            reported.wait().await;
            until(|| name.is_finished()).await;
            errors.lock().clone()
        });
        assert!(error.contains("cannot await itself"), "{error}");
    }
}

#[test]
fn a_task_that_is_awaited_twice_is_told_so() {
    let mut executor = executor(1);
    let outcome = executor.run(async {
        let mut task = spawn(async {});
        (&mut task).await.unwrap();
        (&mut task).await.unwrap();
    });
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("a task is awaited once"), "{error}");
}

#[test]
fn a_task_is_not_finished_while_its_deferred_work_is_not() {
    for workers in WORKERS {
        run(workers, async {
            let (deferred, go) = (Signal::new(), Signal::new());
            let mut task = spawn({
                let (deferred, go) = (deferred.clone(), go.clone());
                async move {
                    drop(defer(async move {
                        deferred.set();
                        go.wait().await;
                    }));
                    7
                }
            });
            deferred.wait().await;
            assert!(!task.is_finished());
            assert!(poll_once(&mut (&mut task).into_future()).await.is_pending());
            go.set();
            assert_eq!(task.await.unwrap(), 7);
        });
    }
}

#[test]
fn futures_and_values_of_all_sizes_and_alignments_keep_theirs() {
    #[repr(align(128))]
    #[derive(Clone, Copy)]
    struct Aligned([u8; 128]);

    for workers in WORKERS {
        run(workers, async {
            let aligned = Aligned([3; 128]);
            let back = spawn(async move {
                assert_eq!(&raw const aligned as usize % 128, 0);
                yield_now().await;
                aligned
            });
            let back = back.await.unwrap();
            assert!(back.0.iter().all(|&byte| byte == 3));

            let large = spawn(async {
                let buffer = [7_u8; 20_000];
                yield_now().await;
                buffer
            });
            assert!(large.await.unwrap().iter().all(|&byte| byte == 7));

            spawn(std::future::ready(())).await.unwrap();
        });
    }
}

#[test]
fn tasks_have_names_and_birthplaces() {
    run(1, async {
        let (first, second) = (spawn(async {}), spawn(async { current_task().unwrap().name() }));
        assert_ne!(first.name(), second.name());
        assert!(first.name().starts_with("Task-"));
        assert_eq!(first.name(), first.task_ref().name());
        assert_eq!(first.location().file(), file!());
        assert_ne!(first.location().line(), 0);
        second.set_name("fetcher");
        assert_eq!(&*second.await.unwrap(), "fetcher");
        assert!(format!("{first:?}").contains("lifecycle.rs"));
    });
}

#[test]
fn outside_any_task_there_is_no_current_one() {
    assert!(current_task().is_none());
    run(1, async {
        let me = current_task().unwrap();
        assert!(!me.is_finished());
        assert!(Some(me) == current_task());
    });
    assert!(current_task().is_none());
}

#[test]
fn handles_go_to_other_threads_where_values_may() {
    fn send_and_sync<T: Send + Sync>() {}
    fn send<T: Send>() {}
    send_and_sync::<Task<u8>>();
    send_and_sync::<TaskRef>();
    send::<Join<u8>>();
    send::<JoinRef<'static, u8>>();
    send::<JoinError>();
}

#[test]
fn main_borrows_from_the_stack() {
    for workers in WORKERS {
        let words = [String::from("a"), String::from("b")];
        let mut seen = Vec::new();
        run(workers, async {
            for word in &words {
                yield_now().await;
                seen.push(word.as_str());
            }
        });
        assert_eq!(seen, ["a", "b"]);
    }
}

#[test]
fn a_join_polled_after_it_gave_the_value_is_told_so() {
    let outcome = executor(1).run(async {
        let mut join = spawn(async {}).join();
        while poll_once(&mut join).await.is_pending() {
            yield_now().await;
        }
        let _: Poll<_> = poll_once(&mut join).await;
    });
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("polled after"), "{error}");
}
