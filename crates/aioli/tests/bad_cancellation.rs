//! Cancellation that makes no sense, and cleanup that misbehaves: each has a defined outcome.

mod common;

use aioli::{
    Builder, EventLoop, JoinError, Runner, UnhandledKind, catch_cancelled, closing, create_local_task, create_task,
    current_task, defer, finally, sleep, timeout, yield_now,
};
use common::until;
use std::{
    future::{Future, pending},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

fn runner(workers: usize) -> Runner {
    Builder::new().workers(workers).virtual_time(true).build().unwrap()
}

fn on_workers(test: impl AsyncFn()) {
    for workers in [1, 2, 4] {
        runner(workers).run(test());
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What the exception handler of the current loop is told from now on.
fn told() -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = told.clone();
    EventLoop::current().set_exception_handler(move |error| list.lock().unwrap().push(error.message().to_owned()));
    told
}

#[test]
fn a_finished_task_cannot_be_cancelled_and_keeps_its_value() {
    on_workers(async || {
        let task = create_task(async { 7 });
        task.finished().await;
        assert!(!task.cancel() && !task.cancel_with("too late"));
        assert_eq!(task.cancelling(), 0);
        assert!(!task.is_cancelled());
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn a_detached_task_is_cancelled_by_its_name() {
    on_workers(async || {
        let task = create_task(pending::<()>());
        let name = task.task_ref();
        task.detach();
        assert!(name.cancel());
        name.finished().await;
        assert!(name.is_cancelled());
    });
}

#[test]
fn a_task_that_awaits_itself_panics_with_advice() {
    on_workers(async || {
        let slot = Arc::new(Mutex::new(None));
        let task = create_task({
            let slot = slot.clone();
            async move {
                while slot.lock().unwrap().is_none() {
                    yield_now().await;
                }
                let itself: aioli::Task<()> = slot.lock().unwrap().take().unwrap();
                let _ = itself.await;
            }
        });
        let name = task.task_ref();
        let told = told();
        *slot.lock().unwrap() = Some(task);
        name.finished().await;
        assert!(name.has_failed());
        while told.lock().unwrap().is_empty() {
            yield_now().await;
        }
        assert!(told.lock().unwrap()[0].contains("a task cannot await itself"));
    });
}

#[test]
fn a_cleanup_that_panics_is_the_tasks_outcome_or_is_reported() {
    on_workers(async || {
        // Written after a catcher, it is the task's own code.
        let task = create_task(async {
            if catch_cancelled(pending::<()>()).await.is_err() {
                panic!("in the handler");
            }
        });
        sleep(ms(1)).await;
        task.cancel();
        let Err(JoinError::Panicked(panic)) = task.await else {
            panic!("it panicked")
        };
        assert_eq!(panic.message(), "in the handler");
        // Deferred work is nobody's outcome.
        let told = told();
        let task = create_task(async {
            let _work = defer(async { panic!("in deferred work") });
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert_eq!(*told.lock().unwrap(), ["in deferred work"]);
    });
}

#[test]
fn a_cleanup_that_cancels_its_own_task_interrupts_itself() {
    on_workers(async || {
        let task = create_task(finally(pending::<()>(), async {
            current_task().unwrap().cancel();
            sleep(ms(10)).await;
            panic!("the second request ends it before");
        }));
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
fn deferred_work_that_cancels_its_own_task_is_finished_all_the_same() {
    on_workers(async || {
        let done = Arc::new(Mutex::new(false));
        let task = create_task({
            let done = done.clone();
            async move {
                let _work = defer(async move {
                    assert!(!current_task().unwrap().cancel());
                    sleep(ms(10)).await;
                    assert!(!current_task().unwrap().cancel());
                    *done.lock().unwrap() = true;
                });
                pending::<()>().await;
            }
        });
        sleep(ms(1)).await;
        task.cancel();
        task.finished().await;
        assert!(*done.lock().unwrap());
    });
}

#[test]
fn a_cleanup_that_spawns_has_its_task_run_and_waited_for_at_the_end() {
    for workers in [1, 2, 4] {
        let done = Arc::new(Mutex::new(0));
        runner(workers).run(async {
            let done = done.clone();
            create_task(async move {
                let _work = defer(async move {
                    create_task(async move {
                        let _count = defer(async move {
                            sleep(ms(5)).await;
                            *done.lock().unwrap() += 1;
                        });
                        pending::<()>().await;
                    })
                    .detach();
                    // It is to begin before the end of the loop cancels it.
                    sleep(ms(1)).await;
                });
                pending::<()>().await;
            })
            .detach();
            sleep(ms(1)).await;
        });
        assert_eq!(*done.lock().unwrap(), 1, "with {workers} workers");
    }
}

#[test]
fn a_cleanup_that_leaves_busy_tasks_does_not_keep_the_runtime_from_its_end() {
    for workers in [1, 4] {
        let ended = Arc::new(Mutex::new(0));
        let mut runner = runner(workers);
        runner.run(async {
            let ended = ended.clone();
            create_task(async move {
                let _work = defer(async move {
                    for _ in 0..8 {
                        let ended = ended.clone();
                        create_task(async move {
                            // Never at rest, and for much longer than the end takes.
                            for _ in 0..10_000_000 {
                                yield_now().await;
                            }
                            *ended.lock().unwrap() += 1;
                        })
                        .detach();
                    }
                });
                pending::<()>().await;
            })
            .detach();
            sleep(ms(1)).await;
        });
        drop(runner);
        assert_eq!(*ended.lock().unwrap(), 0, "with {workers} workers");
    }
}

#[test]
fn work_that_a_callback_outside_any_task_defers_is_done_at_the_end() {
    for workers in [1, 2, 4] {
        let (begun, done) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
        let mut runner = runner(workers);
        runner.run(async {
            let (begins, ends) = (begun.clone(), done.clone());
            let guard = defer(async move {
                *begins.lock().unwrap() = true;
                sleep(ms(20)).await;
                *ends.lock().unwrap() = true;
            });
            EventLoop::current().call_soon(move || drop(guard));
            until(|| *begun.lock().unwrap()).await;
        });
        drop(runner);
        assert!(*done.lock().unwrap(), "with {workers} workers");
    }
}

#[test]
fn a_closing_in_place_is_not_cancelled_inside() {
    on_workers(async || {
        let flushed = Arc::new(Mutex::new(None));
        let task = create_task({
            let flushed = flushed.clone();
            async move {
                let close = |()| async move {
                    let flush = create_task(sleep(ms(10))).await;
                    *flushed.lock().unwrap() = Some(flush.is_ok());
                };
                closing((), close).close().await;
                sleep(ms(60_000)).await;
            }
        });
        sleep(ms(5)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert_eq!(*flushed.lock().unwrap(), Some(true));
    });
}

#[test]
fn a_task_that_is_awaited_after_its_outcome_was_taken_panics_with_advice() {
    on_workers(async || {
        let mut task = create_task(async { 42 });
        assert_eq!((&mut task).await.unwrap(), 42);
        assert!(!task.is_cancelled());
        let Err(JoinError::Panicked(panic)) = create_task(task.into_future()).await else {
            panic!("it panicked")
        };
        assert!(panic.message().contains("taken"), "{}", panic.message());
    });
}

#[test]
fn what_cleans_up_for_ever_is_cut_off_at_the_end_and_reported() {
    for workers in [1, 2, 4] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut runner = Builder::new().workers(workers).cleanup_timeout(ms(30)).build().unwrap();
        runner.run(async {
            let list = told.clone();
            EventLoop::current().set_exception_handler(move |error| {
                assert!(matches!(error.kind(), UnhandledKind::CutOff));
                list.lock().unwrap().push(error.task_name().unwrap().to_owned());
            });
            let swallows = create_task(async {
                loop {
                    if let Err(cancelled) = catch_cancelled(sleep(ms(1))).await {
                        cancelled.swallow();
                    }
                }
            });
            swallows.set_name("swallows for ever");
            let hangs = create_task(async {
                let _work = defer(pending());
                pending::<()>().await;
            });
            hangs.set_name("hangs in deferred work");
            let shielded = create_local_task(aioli::uncancellable(pending::<()>()));
            shielded.set_name("uncancellable for ever");
            // All have begun.
            sleep(ms(5)).await;
            swallows.detach();
            hangs.detach();
            shielded.detach();
        });
        drop(runner);
        told.lock().unwrap().sort();
        assert_eq!(
            *told.lock().unwrap(),
            ["hangs in deferred work", "swallows for ever", "uncancellable for ever"]
        );
    }
}

#[test]
fn two_tasks_that_await_each_other_are_cut_off() {
    let mut runner = Builder::new().workers(1).cleanup_timeout(ms(20)).build().unwrap();
    runner.run(async {
        EventLoop::current().set_exception_handler(|_| {});
        let slot = Arc::new(Mutex::new(None::<aioli::Task<()>>));
        let other = slot.clone();
        let first = create_task(async move {
            let second = loop {
                let second = other.lock().unwrap().take();
                match second {
                    Some(second) => break second,
                    None => yield_now().await,
                }
            };
            let _ = second.await;
        });
        let first_name = first.task_ref();
        let second = create_task(async move {
            let _ = first.await;
        });
        let (name, other) = (second.task_ref(), first_name);
        *slot.lock().unwrap() = Some(second);
        sleep(ms(5)).await;
        // The request comes round, and is known there.
        name.cancel();
        until(|| name.cancelling() == 2).await;
        for _ in 0..1000 {
            yield_now().await;
        }
        assert_eq!((name.cancelling(), other.cancelling()), (2, 1));
        assert!(!name.is_finished());
    });
}

#[test]
fn a_cleanup_in_time_is_not_cut_off() {
    let done = Arc::new(Mutex::new(false));
    let mut runner = Builder::new()
        .workers(2)
        .cleanup_timeout(Duration::from_secs(600))
        .build()
        .unwrap();
    runner.run(async {
        let done = done.clone();
        create_task(async move {
            let _work = defer(async move {
                sleep(ms(5)).await;
                *done.lock().unwrap() = true;
            });
            pending::<()>().await;
        })
        .detach();
        sleep(ms(1)).await;
    });
    drop(runner);
    assert!(*done.lock().unwrap());
}

#[test]
fn a_thread_with_no_loop_cancels_a_task() {
    on_workers(async || {
        let task = create_task(async {
            catch_cancelled(pending::<()>())
                .await
                .map_err(|cancelled| cancelled.swallow())
        });
        sleep(ms(1)).await;
        let name = task.task_ref();
        thread::spawn(move || assert!(name.cancel())).join().unwrap();
        assert_eq!(task.await.unwrap(), Err(()));
    });
}

#[test]
fn catchers_outside_any_task_only_wait() {
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(matches!(
        pin!(catch_cancelled(async { 3 })).poll(cx),
        Poll::Ready(Ok(3))
    ));
    assert!(pin!(catch_cancelled(pending::<()>())).poll(cx).is_pending());
    assert!(matches!(pin!(finally(async { 4 }, async {})).poll(cx), Poll::Ready(4)));
    assert!(matches!(
        pin!(aioli::uncancellable(async { 5 })).poll(cx),
        Poll::Ready(5)
    ));
}

#[test]
fn a_token_that_has_left_its_scope_cancels_the_task_that_resumes_it() {
    on_workers(async || {
        let (send, receive) = std::sync::mpsc::channel();
        let caught = timeout(ms(5), async { catch_cancelled(pending::<()>()).await.unwrap_err() }).await;
        // The timeout has ended with the token as its value.
        send.send(caught.unwrap()).unwrap();
        let task = create_task(async move {
            let token = receive.recv().unwrap();
            token.resume().await;
        });
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
fn a_token_that_is_resumed_in_deferred_work_panics_with_advice() {
    on_workers(async || {
        let told = told();
        let task = create_task(async {
            let token = catch_cancelled(pending::<()>()).await.unwrap_err();
            drop(defer(async move {
                token.resume().await;
            }));
            sleep(ms(1)).await;
        });
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert!(told.lock().unwrap()[0].contains("cannot go on inside deferred work"));
    });
}

#[test]
fn a_join_that_moves_to_another_task_is_awaited_there() {
    on_workers(async || {
        let child = create_task(async {
            sleep(ms(50)).await;
            9
        });
        let mut join = Box::pin(child.join());
        // Polled here first, and so a frame of this task.
        assert!(futures_lite::future::poll_once(&mut join).await.is_none());
        let elsewhere = create_task(join);
        assert_eq!(elsewhere.await.unwrap().unwrap(), 9);
    });
}

#[test]
fn a_task_whose_frame_has_gone_elsewhere_is_cancelled_without_it() {
    on_workers(async || {
        let (send, receive) = std::sync::mpsc::channel();
        let child = create_task(pending::<()>());
        let name = child.task_ref();
        let task = create_task(async move {
            let mut join = Box::pin(child.join());
            assert!(futures_lite::future::poll_once(&mut join).await.is_none());
            send.send(join).unwrap();
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        let join = receive.recv().unwrap();
        let elsewhere = create_task(async move {
            let mut join = join;
            assert!(futures_lite::future::poll_once(&mut join).await.is_none());
            let ended = timeout(ms(100), &mut join).await;
            (ended, join)
        });
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert!(!name.is_finished());
        let (ended, join) = elsewhere.await.unwrap();
        // The timeout was passed on to the child, which ended as cancelled.
        assert!(ended.is_err() && name.is_cancelled());
        drop(join);
    });
}
