//! Calls that block: on threads of their own, cancelled while they wait for one, and never cut short.

mod common;

use aioli::{Builder, EventLoop, create_task, current_task, task::poll_budget, to_thread, yield_now};
use common::*;
use futures_lite::future::block_on;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

#[test]
fn a_call_gives_its_value_from_another_thread() {
    for workers in WORKERS {
        run(workers, async {
            let here = thread::current().id();
            let there = to_thread(move || {
                assert!(EventLoop::try_current().is_none(), "functions that block are no tasks");
                thread::current().id()
            });
            assert_ne!(there.await.unwrap(), here);
        });
    }
}

#[test]
fn a_call_is_made_without_being_awaited() {
    for workers in WORKERS {
        run(workers, async {
            let called = Arc::new(AtomicBool::new(false));
            let theirs = called.clone();
            let call = to_thread(move || theirs.store(true, SeqCst));
            until(|| called.load(SeqCst)).await;
            call.await.unwrap();
        });
    }
}

#[test]
fn the_loop_goes_on_while_calls_block() {
    for workers in WORKERS {
        run(workers, async {
            let (go, gone) = mpsc::channel::<()>();
            let call = to_thread(move || gone.recv().unwrap());
            for _ in 0..10 {
                create_task(yield_now()).await.unwrap();
            }
            go.send(()).unwrap();
            call.await.unwrap();
        });
    }
}

#[test]
fn calls_that_wait_for_one_another_all_get_a_thread() {
    run(2, async {
        let meeting = Arc::new(Barrier::new(10));
        let calls = aioli::gather((0..10).map(|_| {
            let meeting = meeting.clone();
            async move { to_thread(move || meeting.wait().is_leader()).await.unwrap() }
        }));
        let leaders = calls.await.unwrap().into_iter().filter(|&leader| leader).count();
        assert_eq!(leaders, 1);
    });
}

#[test]
fn a_panic_is_an_error() {
    for workers in WORKERS {
        run(workers, async {
            let error = to_thread(|| panic!("in the call")).await.unwrap_err();
            assert_eq!(error.to_string(), "the task panicked: in the call");
        });
    }
}

#[test]
fn a_call_that_is_dropped_while_it_waits_for_a_thread_is_never_made() {
    for workers in WORKERS {
        let called = Arc::new(AtomicBool::new(false));
        let mut runner = Builder::new().workers(workers).max_blocking_threads(1).build().unwrap();
        runner.run(async {
            let (begin, begun) = mpsc::channel();
            let (go, gone) = mpsc::channel::<()>();
            let first = to_thread(move || {
                begin.send(()).unwrap();
                gone.recv().unwrap();
            });
            until(|| begun.try_recv().is_ok()).await;
            let theirs = called.clone();
            drop(to_thread(move || theirs.store(true, SeqCst)));
            go.send(()).unwrap();
            first.await.unwrap();
            to_thread(|| ()).await.unwrap();
        });
        assert!(!called.load(SeqCst));
    }
}

#[test]
fn run_waits_for_a_call_whose_value_nobody_wants() {
    for workers in WORKERS {
        let returned = Arc::new(AtomicBool::new(false));
        run(workers, async {
            let (begin, begun) = mpsc::channel();
            let theirs = returned.clone();
            let event_loop = EventLoop::current();
            let call = to_thread(move || {
                begin.send(()).unwrap();
                while !event_loop.is_closed() {
                    thread::yield_now();
                }
                theirs.store(true, SeqCst);
            });
            until(|| begun.try_recv().is_ok()).await;
            drop(call);
        });
        assert!(returned.load(SeqCst));
    }
}

#[test]
fn the_exception_handler_is_told_of_a_panic_in_a_call_that_was_dropped() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            EventLoop::current().set_exception_handler(move |panic| theirs.add(panic.message()));
            let (begin, begun) = mpsc::channel();
            let (go, gone) = mpsc::channel::<()>();
            let call = to_thread(move || {
                begin.send(()).unwrap();
                gone.recv().unwrap();
                panic!("unseen");
            });
            until(|| begun.try_recv().is_ok()).await;
            drop(call);
            go.send(()).unwrap();
        });
        assert_eq!(log.lines(), ["unseen"]);
    }
}

/// Fails where `future` is polled as often as only one that gets nowhere is.
async fn not_polled_for_ever<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        assert!(polls < 100_000, "it is polled and polled, and gets nowhere");
        future.as_mut().poll(cx)
    })
    .await
}

#[test]
fn a_call_may_block_on_any_number_of_operations_that_are_ready() {
    for workers in WORKERS {
        run(workers, async {
            let tasks: Vec<_> = (0..1000).map(|number| create_task(async move { number })).collect();
            until(|| tasks.iter().all(|task| task.is_finished())).await;
            let sum = to_thread(|| {
                block_on(not_polled_for_ever(async {
                    let mut sum = 0;
                    for task in tasks {
                        sum += task.await.unwrap();
                    }
                    // And again, in a task's poll that nobody gave a budget.
                    for _ in 0..1000 {
                        poll_fn(poll_budget).await;
                    }
                    sum
                }))
            });
            assert_eq!(sum.await.unwrap(), 499_500);
        });
    }
}

#[test]
fn a_call_is_made_in_no_task() {
    for workers in WORKERS {
        run(workers, async {
            assert!(current_task().is_some());
            assert!(to_thread(|| current_task().is_none()).await.unwrap());
            // Nor on the thread that has made one before, nor in what is polled there.
            assert!(
                to_thread(|| block_on(async { current_task().is_none() }))
                    .await
                    .unwrap()
            );
            assert!(current_task().is_some());
        });
    }
}
