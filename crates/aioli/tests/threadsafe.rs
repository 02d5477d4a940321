//! `run_coroutine_threadsafe`: a thread outside the loop submits work and blocks for the outcome.

mod common;

use aioli::{
    Builder, Event, EventLoop, JoinError, TimeoutError, catch_cancelled, run_coroutine_threadsafe, sleep, to_thread,
    yield_now,
};
use common::{LONG, WORKERS, message, ms, run};
use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// Calls `outside` on another thread while the loop runs.
fn outside<T: Send + 'static>(workers: usize, outside: impl FnOnce(EventLoop) -> T + Send + 'static) -> T {
    run(workers, async {
        let event_loop = EventLoop::current();
        to_thread(move || outside(event_loop)).await.unwrap()
    })
}

#[test]
fn the_value_comes_to_the_thread_that_waits() {
    for workers in WORKERS {
        let value = outside(workers, |event_loop| {
            let work = async {
                sleep(ms(1)).await;
                "value"
            };
            run_coroutine_threadsafe(work, &event_loop).result(None)
        });
        assert!(matches!(value, Ok(Ok("value"))));
    }
}

#[test]
fn an_error_is_a_value_like_any_other() {
    let outcome = outside(1, |event_loop| {
        run_coroutine_threadsafe(async { Err::<(), _>("boom") }, &event_loop).result(None)
    });
    assert!(matches!(outcome, Ok(Ok(Err("boom")))));
}

#[test]
fn a_panic_comes_to_the_thread_that_waits_as_an_error() {
    let outcome = outside(1, |event_loop| {
        run_coroutine_threadsafe(async { panic!("boom") }, &event_loop).result(None)
    });
    match outcome {
        Ok(Err(JoinError::Panicked(panic))) => assert_eq!(panic.message(), "boom"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_timeout_leaves_the_task_alone_and_it_can_be_asked_again() {
    for workers in WORKERS {
        outside(workers, |event_loop| {
            let event = Arc::new(Event::new());
            let waiting = event.clone();
            let mut future = run_coroutine_threadsafe(
                async move {
                    waiting.wait().await;
                    7
                },
                &event_loop,
            );
            assert!(matches!(future.result(Some(ms(0))), Err(TimeoutError)));
            assert!(matches!(future.result(Some(ms(2))), Err(TimeoutError)));
            assert!(!future.is_finished());
            assert_eq!(future.cancelling(), 0);
            event.set();
            assert!(matches!(future.result(Some(LONG)), Ok(Ok(7))));
            assert!(future.is_finished());
        });
    }
}

#[test]
fn cancelling_cancels_the_task_and_its_cleanup_is_waited_for() {
    for workers in WORKERS {
        outside(workers, |event_loop| {
            let (started, cleaned_up) = (Arc::new(Event::new()), Arc::new(AtomicBool::new(false)));
            let (start, clean_up) = (started.clone(), cleaned_up.clone());
            let work = async move {
                start.set();
                if let Err(cancelled) = catch_cancelled(pending::<()>()).await {
                    sleep(ms(1)).await;
                    clean_up.store(true, SeqCst);
                    cancelled.resume().await;
                }
            };
            let mut future = run_coroutine_threadsafe(work, &event_loop);
            let mut start = run_coroutine_threadsafe(async move { started.wait().await }, &event_loop);
            start.result(None).unwrap().unwrap();
            assert!(future.cancel());
            assert!(matches!(future.result(None), Ok(Err(JoinError::Cancelled))));
            assert!(cleaned_up.load(SeqCst));
            assert!(future.is_cancelled());
            assert!(!future.cancel());
        });
    }
}

#[test]
fn dropping_it_lets_the_task_run_on() {
    outside(1, |event_loop| {
        let event = Arc::new(Event::new());
        let theirs = event.clone();
        drop(run_coroutine_threadsafe(async move { theirs.set() }, &event_loop));
        let mut seen = run_coroutine_threadsafe(async move { event.wait().await }, &event_loop);
        assert!(seen.result(None).unwrap().is_ok());
    });
}

#[test]
fn on_a_worker_of_the_same_loop_it_panics_and_says_what_to_do() {
    for workers in WORKERS {
        run(workers, async {
            let mut future = run_coroutine_threadsafe(pending::<()>(), &EventLoop::current());
            let blocked = catch_unwind(AssertUnwindSafe(|| future.result(Some(ms(1)))));
            assert!(message(blocked.unwrap_err()).contains("would block the loop"));
            // It is as good as before.
            assert!(future.cancel());
            assert!(future.into_task().await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn on_a_worker_of_the_same_loop_it_gives_what_is_there() {
    for workers in WORKERS {
        run(workers, async {
            let mut future = run_coroutine_threadsafe(async { 7 }, &EventLoop::current());
            future.finished().await;
            assert!(matches!(future.result(None), Ok(Ok(7))));
            let future = run_coroutine_threadsafe(async { 8 }, &EventLoop::current());
            assert_eq!(future.into_task().await.unwrap(), 8);
        });
    }
}

#[test]
fn a_worker_of_another_loop_may_wait() {
    let (send, receive) = std::sync::mpsc::channel();
    let stop = Arc::new(Event::new());
    let stopping = stop.clone();
    let other = thread::spawn(move || {
        run(1, async {
            send.send(EventLoop::current()).unwrap();
            stopping.wait().await;
        });
    });
    let theirs = receive.recv().unwrap();
    run(1, async {
        let mut there = run_coroutine_threadsafe(async { EventLoop::current() }, &theirs);
        assert!(there.result(None).unwrap().unwrap() == theirs);
    });
    stop.set();
    other.join().unwrap();
}

#[test]
fn on_a_closed_loop_it_is_cancelled() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    runner.run(async {});
    let event_loop = runner.event_loop();
    runner.close();
    let mut future = run_coroutine_threadsafe(async { 7 }, &event_loop);
    assert!(matches!(future.result(None), Ok(Err(JoinError::Cancelled))));
}

#[test]
fn the_end_of_the_loop_cancels_what_a_thread_waits_for() {
    let (send, receive) = std::sync::mpsc::channel();
    let waiting = thread::spawn(move || {
        let event_loop: EventLoop = receive.recv().unwrap();
        let mut future = run_coroutine_threadsafe(pending::<()>(), &event_loop);
        drop(receive);
        future.result(None)
    });
    run(2, async {
        send.send(EventLoop::current()).unwrap();
        // Until the task was submitted, and the thread waits or is about to.
        while send.send(EventLoop::current()).is_ok() {
            yield_now().await;
        }
    });
    assert!(matches!(waiting.join().unwrap(), Ok(Err(JoinError::Cancelled))));
}

#[test]
#[should_panic(expected = "the outcome of this task was taken before")]
fn the_outcome_is_given_once() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    runner.run(async {});
    let event_loop = runner.event_loop();
    runner.close();
    let mut future = run_coroutine_threadsafe(async { 7 }, &event_loop);
    let _ = future.result(None);
    let _ = future.result(None);
}
