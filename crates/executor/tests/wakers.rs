//! Wakers: at any time, from any thread, and long after.

// To be woken by value, too, is what is tested.
#![allow(clippy::waker_clone_wake)]

mod common;

use aioli_executor::spawn;
use aioli_primitives::sync::Mutex;
use common::*;
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Poll, Waker},
    thread,
};

#[test]
fn a_wake_during_the_poll_brings_another_poll() {
    for workers in WORKERS {
        let polls = Arc::new(AtomicUsize::new(0));
        run(workers, async {
            let polls = polls.clone();
            let task = spawn(poll_fn(move |cx| {
                // However often it is woken in one poll, and in whatever way.
                cx.waker().wake_by_ref();
                cx.waker().clone().wake();
                match polls.fetch_add(1, SeqCst) {
                    4 => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }));
            task.await.unwrap();
        });
        assert_eq!(polls.load(SeqCst), 5);
    }
}

#[test]
fn wakes_of_a_queued_task_bring_one_poll() {
    let polls = Arc::new(AtomicUsize::new(0));
    run(1, async {
        let waker = Arc::new(Mutex::new(None::<Waker>));
        let task = spawn({
            let (polls, waker) = (polls.clone(), waker.clone());
            poll_fn(move |cx| {
                *waker.lock() = Some(cx.waker().clone());
                match polls.fetch_add(1, SeqCst) {
                    0 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
        });
        until(|| waker.lock().is_some()).await;
        let waker = waker.lock().clone().unwrap();
        for _ in 0..100 {
            waker.wake_by_ref();
            waker.clone().wake();
        }
        task.await.unwrap();
    });
    assert_eq!(polls.load(SeqCst), 2);
}

/// A task that is over, and its waker.
async fn spent_waker() -> Waker {
    let slot = Arc::new(Mutex::new(None));
    let theirs = slot.clone();
    let task = spawn(poll_fn(move |cx| {
        *theirs.lock() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    task.await.unwrap();
    slot.lock().take().unwrap()
}

#[test]
fn a_wake_after_the_end_does_nothing() {
    for workers in WORKERS {
        run(workers, async {
            let waker = spent_waker().await;
            waker.wake_by_ref();
            waker.clone().wake();
            yield_now().await;
            drop(waker);
        });
    }
}

#[test]
fn a_waker_may_outlive_the_executor() {
    for workers in WORKERS {
        let waker = run(workers, spent_waker());
        waker.wake_by_ref();
        let clone = waker.clone();
        thread::spawn(move || clone.wake()).join().unwrap();
        assert!(waker.will_wake(&waker.clone()));
    }
}

#[test]
fn a_task_has_the_same_waker_in_each_poll() {
    for workers in WORKERS {
        run(workers, async {
            let task = spawn(async {
                let waker = || poll_fn(|cx| Poll::Ready(cx.waker().clone()));
                let first = waker().await;
                for _ in 0..10 {
                    yield_now().await;
                    assert!(first.will_wake(&waker().await));
                }
                first
            });
            let theirs = task.await.unwrap();
            let mine = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            assert!(!theirs.will_wake(&mine));
        });
    }
}

#[test]
fn foreign_threads_wake_while_the_executor_shuts_down() {
    for workers in WORKERS {
        for _ in 0..20 {
            let (wakers, stop) = (Arc::new(Mutex::new(Vec::<Waker>::new())), Signal::new());
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (wakers, stop) = (wakers.clone(), stop.clone());
                    thread::spawn(move || {
                        while !stop.is_set() {
                            let wakers = wakers.lock().clone();
                            wakers.into_iter().for_each(Waker::wake);
                        }
                    })
                })
                .collect();
            let census = Census::default();
            let mut executor = executor(workers);
            executor
                .run(async {
                    for _ in 0..20 {
                        let (wakers, guard) = (wakers.clone(), census.guard());
                        let mut first = true;
                        spawn(poll_fn(move |cx| {
                            let _ = &guard;
                            if std::mem::take(&mut first) {
                                wakers.lock().push(cx.waker().clone());
                            }
                            Poll::<()>::Pending
                        }))
                        .detach();
                    }
                    until(|| wakers.lock().len() == 20).await;
                })
                .unwrap();
            drop(executor);
            assert_eq!((census.made(), census.gone()), (20, 20));
            stop.set();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }
}

#[test]
fn no_wake_from_a_foreign_thread_is_lost() {
    for workers in WORKERS {
        run(workers, async {
            let ask = Mailbox::<Signal>::new();
            let answer = ask.clone();
            let thread = thread::spawn(move || answer.serve(|signal| signal.set()));
            for _ in 0..500 {
                let signal = Signal::new();
                ask.send(signal.clone());
                signal.wait().await;
            }
            ask.close();
            thread.join().unwrap();
        });
    }
}

#[test]
fn a_waker_dropped_last_frees_the_task_and_nothing_twice() {
    // What the task captured and gave is gone long before its memory.
    let census = Census::default();
    let waker = run(2, async {
        let slot = Arc::new(Mutex::new(None));
        let (theirs, guard) = (slot.clone(), census.guard());
        let task = spawn(async move {
            let guard = guard;
            poll_fn(|cx| {
                *theirs.lock() = Some(cx.waker().clone());
                Poll::Ready(())
            })
            .await;
            guard
        });
        drop(task.await.unwrap());
        let waker = slot.lock().take();
        waker.unwrap()
    });
    assert_eq!(census.gone(), 1);
    thread::spawn(move || drop(waker)).join().unwrap();
    assert_eq!(census.gone(), 1);
}

#[test]
fn a_task_woken_by_a_foreign_thread_runs_on_a_worker() {
    for workers in WORKERS {
        run(workers, async {
            let signal = Signal::new();
            let theirs = signal.clone();
            let task = spawn(async move {
                theirs.wait().await;
                assert!(aioli_executor::worker_index().is_some());
                thread::current().id()
            });
            let foreign = thread::spawn(move || {
                signal.set();
                thread::current().id()
            });
            assert_ne!(task.await.unwrap(), foreign.join().unwrap());
        });
    }
}

#[test]
fn a_future_of_another_executor_can_be_awaited() {
    // Two loops, each on a thread of its own; one awaits what the other runs.
    let (mut ours, go) = (executor(2), Signal::new());
    let handle = ours.handle().clone();
    let asks = {
        let go = go.clone();
        thread::spawn(move || {
            let mut theirs = executor(2);
            let value = theirs.run(async move { handle.spawn(async { 42 }).await.unwrap() });
            go.set();
            value.unwrap()
        })
    };
    ours.run(go.wait()).unwrap();
    assert_eq!(asks.join().unwrap(), 42);
}
