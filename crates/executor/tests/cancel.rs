//! Cancelling: what a request does, when it comes too late, and on which thread the future goes.

mod common;

use aioli_executor::{JoinError, current_task, defer, spawn, spawn_local};
use aioli_primitives::sync::Mutex;
use common::*;
use std::{
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Poll,
    thread,
};

#[test]
fn a_task_cancelled_before_its_first_poll_never_runs() {
    for workers in WORKERS {
        let (place, ran) = (Place::default(), Arc::new(AtomicBool::new(false)));
        // From outside the loop: worker 0 does not run yet, and the others are kept busy.
        let mut executor = executor(workers);
        let blockers: Vec<_> = (1..workers).map(|_| (Signal::new(), Signal::new())).collect();
        for (busy, go) in blockers.clone() {
            let blocker = executor.handle().spawn(async move {
                busy.set();
                go.block();
            });
            blocker.detach();
        }
        blockers.iter().for_each(|(busy, _)| busy.block());
        let task = executor.handle().spawn({
            let (guard, ran) = (place.guard(), ran.clone());
            async move {
                let _guard = guard;
                ran.store(true, SeqCst);
            }
        });
        assert!(task.cancel());
        assert!(!task.is_finished(), "not by the one who cancels");
        blockers.iter().for_each(|(_, go)| go.set());
        let outcome = executor.run(task.join()).unwrap();
        assert!(matches!(outcome, Err(JoinError::Cancelled)));
        assert!(!ran.load(SeqCst));
        place.worker();
    }
}

#[test]
fn a_waiting_task_is_dropped_where_it_stands() {
    for workers in WORKERS {
        run(workers, async {
            let (place, started) = (Place::default(), Signal::new());
            let task = spawn({
                let (guard, started) = (place.guard(), started.clone());
                async move {
                    let _guard = guard;
                    started.set();
                    pending::<()>().await;
                }
            });
            started.wait().await;
            assert!(task.cancel());
            assert!(task.await.unwrap_err().is_cancelled());
            place.worker();
        });
    }
}

#[test]
fn a_foreign_thread_cancels_and_a_worker_drops() {
    for workers in WORKERS {
        run(workers, async {
            let (place, started) = (Place::default(), Signal::new());
            let task = spawn({
                let (guard, started) = (place.guard(), started.clone());
                async move {
                    let _guard = guard;
                    started.set();
                    pending::<()>().await;
                }
            });
            let name = task.task_ref();
            let canceller = thread::spawn(move || {
                started.block();
                assert!(name.cancel());
                thread::current().id()
            });
            assert!(task.await.unwrap_err().is_cancelled());
            assert_ne!(place.worker(), canceller.join().unwrap());
        });
    }
}

#[test]
fn a_request_during_a_poll_takes_effect_when_it_returns() {
    for workers in WORKERS {
        run(workers, async {
            let (running, cancelled, went_on) = (Signal::new(), Signal::new(), Arc::new(AtomicBool::new(false)));
            let (place, resumed) = (Place::default(), Arc::new(AtomicBool::new(false)));
            let task = spawn({
                let (running, cancelled, went_on) = (running.clone(), cancelled.clone(), went_on.clone());
                let (guard, resumed) = (place.guard(), resumed.clone());
                async move {
                    let _guard = guard;
                    running.set();
                    cancelled.block();
                    went_on.store(true, SeqCst);
                    yield_now().await;
                    resumed.store(true, SeqCst);
                }
            });
            let name = task.task_ref();
            let canceller = thread::spawn(move || {
                running.block();
                let answer = name.cancel();
                cancelled.set();
                answer
            });
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(canceller.join().unwrap(), "there was something to cancel");
            assert!(went_on.load(SeqCst));
            assert!(!resumed.load(SeqCst));
            place.worker();
        });
    }
}

#[test]
fn completion_wins_over_a_request_during_the_last_poll() {
    for workers in WORKERS {
        run(workers, async {
            let task = spawn(async {
                assert!(current_task().unwrap().cancel());
                7
            });
            assert_eq!(task.await.unwrap(), 7);
        });
    }
}

#[test]
fn a_finished_task_cannot_be_cancelled() {
    for workers in WORKERS {
        run(workers, async {
            let task = spawn(async { 7 });
            until(|| task.is_finished()).await;
            assert!(!task.cancel());
            assert!(!task.task_ref().cancel());
            assert_eq!(task.cancelling(), 0);
            assert_eq!(task.await.unwrap(), 7);
        });
    }
}

#[test]
fn a_task_that_cleans_up_cannot_be_cancelled_again() {
    for workers in WORKERS {
        run(workers, async {
            let (started, closing, go) = (Signal::new(), Signal::new(), Signal::new());
            let task = spawn({
                let (started, closing, go) = (started.clone(), closing.clone(), go.clone());
                async move {
                    let _cleanup = defer(async move {
                        // In the second turn of the cleanup everybody can see that it is one.
                        yield_now().await;
                        closing.set();
                        go.wait().await;
                    });
                    started.set();
                    pending::<()>().await;
                }
            });
            started.wait().await;
            assert!(task.cancel());
            closing.wait().await;
            assert!(!task.cancel());
            assert!(!task.is_finished());
            go.set();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn requests_are_counted_up_to_127() {
    run(1, async {
        let task = spawn(pending::<()>());
        for count in 1..=127 {
            assert!(task.cancel());
            assert_eq!(task.cancelling(), count);
        }
        assert!(task.cancel());
        assert_eq!(task.cancelling(), 127);
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn main_itself_can_be_cancelled() {
    for workers in WORKERS {
        let mut executor = executor(workers);
        let outcome = executor.run(async {
            current_task().unwrap().cancel();
            pending::<()>().await;
        });
        assert!(matches!(outcome, Err(JoinError::Cancelled)));
        // And the executor is as good as before.
        assert_eq!(executor.run(async { 1 }).unwrap(), 1);
    }
}

#[test]
fn a_local_task_is_dropped_on_its_own_thread() {
    for workers in WORKERS {
        run(workers, async {
            let here = thread::current().id();
            let (place, started) = (Place::default(), Signal::new());
            let task = spawn_local({
                let (guard, started) = (place.guard(), started.clone());
                async move {
                    let _guard = guard;
                    started.set();
                    pending::<()>().await;
                }
            });
            let name = task.task_ref();
            thread::spawn(move || {
                started.block();
                name.cancel();
            });
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(place.worker(), here);
        });
    }
}

#[test]
fn a_cancelled_task_whose_waker_is_used_later_stays_over() {
    for workers in WORKERS {
        run(workers, async {
            let (waker, stored) = (Arc::new(Mutex::new(None)), Signal::new());
            let task = spawn({
                let (waker, stored) = (waker.clone(), stored.clone());
                poll_fn(move |cx| {
                    *waker.lock() = Some(cx.waker().clone());
                    stored.set();
                    Poll::<()>::Pending
                })
            });
            stored.wait().await;
            let name = task.task_ref();
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            waker.lock().take().unwrap().wake();
            yield_now().await;
            assert!(name.is_finished());
        });
    }
}
