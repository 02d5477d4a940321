//! Corners of cancellation: wakers that misbehave, cleanup with limits of its own, futures that nobody polls, and runs that
//! are stopped too often.

use aioli::{
    Builder, CancelledError, EventLoop, JoinError, Runner, TimeoutError, catch_cancelled, closing, create_task,
    current_task, defer, finally, sleep, timeout, uncancellable, yield_now,
};
use futures_lite::future::zip;
use std::{
    cell::RefCell,
    future::{Future, pending, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

fn on_workers(test: impl AsyncFn()) {
    for workers in [1, 2, 4] {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(test());
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A frame that is open once it is polled.
fn frame() -> Boxed {
    Box::pin(async { drop(catch_cancelled(pending::<()>()).await) })
}

async fn poll_once(future: &mut Boxed) {
    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
}

/// What the exception handler of the current loop is told from now on.
fn told() -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = told.clone();
    EventLoop::current().set_exception_handler(move |error| list.lock().unwrap().push(error.message().to_owned()));
    told
}

/// A waker of somebody else's combinator.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker");
    }
}

#[test]
fn a_waker_that_panics_when_a_request_comes_is_reported_and_the_worker_goes_on() {
    on_workers(async || {
        let told = told();
        let task = create_task(async {
            let mut frame = frame();
            let waker = Waker::from(Arc::new(Panics));
            assert!(frame.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            sleep(ms(10)).await;
            // What came to it and was not taken goes on.
            drop(frame);
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        task.cancel();
        while told.lock().unwrap().is_empty() {
            yield_now().await;
        }
        assert_eq!(create_task(async { 1 }).await.unwrap(), 1);
        assert_eq!(*told.lock().unwrap(), ["a foreign waker"]);
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

/// A token that a timeout waits for, and that timeout, which is polled with a waker that panics.
async fn token_with_a_waker_that_panics() -> (CancelledError, Boxed) {
    let place = Arc::new(Mutex::new(None));
    let token = place.clone();
    let mut limited: Boxed = Box::pin(async move {
        let body = async {
            *place.lock().unwrap() = catch_cancelled(pending::<()>()).await.err();
            pending::<()>().await;
        };
        assert_eq!(timeout(ms(1), body).await, Err(TimeoutError));
    });
    let waker = Waker::from(Arc::new(Panics));
    loop {
        assert!(limited.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if let Some(token) = token.lock().unwrap().take() {
            return (token, limited);
        }
        sleep(ms(1)).await;
    }
}

#[test]
fn a_waker_that_panics_when_a_token_is_dropped_is_reported_and_the_drop_returns() {
    on_workers(async || {
        let told = told();
        let list = told.clone();
        let task = create_task(async move {
            let (token, limited) = token_with_a_waker_that_panics().await;
            list.lock().unwrap().clear();
            drop(token);
            assert_eq!(*list.lock().unwrap(), ["a foreign waker"]);
            // It goes on.
            limited.await;
        });
        task.await.unwrap();
    });
}

#[test]
fn a_waker_that_panics_when_a_token_is_dropped_by_a_panic_is_reported_beside_it() {
    on_workers(async || {
        let told = told();
        let list = told.clone();
        let task = create_task(async move {
            let (_token, _limited) = token_with_a_waker_that_panics().await;
            list.lock().unwrap().clear();
            panic!("an ordinary panic");
        });
        let Err(JoinError::Panicked(panic)) = task.await else {
            panic!("it panicked")
        };
        assert_eq!(panic.message(), "an ordinary panic");
        assert_eq!(*told.lock().unwrap(), ["a foreign waker"]);
    });
}

#[test]
fn a_waker_whose_destructor_drops_another_frame_leaves_the_tree_whole() {
    struct Holder(Mutex<Vec<Boxed>>);
    impl Wake for Holder {
        fn wake(self: Arc<Self>) {}
    }
    on_workers(async || {
        let task = create_task(async {
            let mut many: Vec<Boxed> = (0..300).map(|_| frame()).collect();
            for frame in &mut many {
                poll_once(frame).await;
            }
            let mut first = frame();
            let holder = Arc::new(Holder(Mutex::default()));
            let waker = Waker::from(holder.clone());
            assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let mut second = frame();
            poll_once(&mut second).await;
            drop(many);
            holder.0.lock().unwrap().push(second);
            // From here on only the node of `first` keeps them.
            drop((holder, waker));
            thread::spawn(move || drop(first)).join().unwrap();
            yield_now().await;
            yield_now().await;
        });
        task.await.unwrap();
    });
}

#[test]
fn a_waker_that_polls_a_frame_while_a_task_ends_adds_nothing_to_its_tree() {
    struct Inline(Mutex<Option<Boxed>>);
    impl Wake for Inline {
        fn wake(self: Arc<Self>) {
            if let Some(future) = &mut *self.0.lock().unwrap() {
                let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
        }
    }
    let inline = Arc::new(Inline(Mutex::default()));
    let slot: Arc<Mutex<Option<Boxed>>> = Arc::default();
    let mut runner = Builder::new().workers(1).build().unwrap();
    runner.run(async {
        let (slot, inline) = (slot.clone(), inline.clone());
        let task = create_task(async move {
            let waker = Waker::from(inline.clone());
            let mut outer: Boxed = Box::pin(async { drop(catch_cancelled(frame()).await) });
            assert!(outer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            *slot.lock().unwrap() = Some(outer);
            current_task().unwrap().cancel();
            yield_now().await;
            *inline.0.lock().unwrap() = Some(frame());
        });
        let _ = task.await;
    });
    drop(runner);
    // All tasks are freed.
    drop(inline.0.lock().unwrap().take());
    drop(slot.lock().unwrap().take());
}

#[test]
fn a_timeout_inside_what_cannot_be_cancelled_answers() {
    on_workers(async || {
        let ended = Arc::new(AtomicBool::new(false));
        let task = create_task({
            let ended = ended.clone();
            async move {
                let inside = async {
                    sleep(ms(20)).await;
                    timeout(ms(20), pending::<()>()).await
                };
                assert_eq!(uncancellable(inside).await, Err(TimeoutError));
                ended.store(true, SeqCst);
                yield_now().await;
            }
        });
        sleep(ms(5)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert!(ended.load(SeqCst));
    });
}

#[test]
fn a_timeout_inside_deferred_work_answers() {
    on_workers(async || {
        let ended = Arc::new(AtomicBool::new(false));
        let task = create_task({
            let ended = ended.clone();
            async move {
                let _work = defer(async move {
                    assert_eq!(timeout(ms(20), pending::<()>()).await, Err(TimeoutError));
                    ended.store(true, SeqCst);
                });
                let _ = create_task(pending::<()>()).await;
            }
        });
        sleep(ms(5)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert!(ended.load(SeqCst));
    });
}

#[test]
fn a_timeout_in_a_cleanup_answers_although_another_cleanup_is_done() {
    on_workers(async || {
        let task = create_task(async {
            let slow = finally(pending::<()>(), async {
                assert_eq!(timeout(ms(20), pending::<()>()).await, Err(TimeoutError));
            });
            futures_lite::future::zip(slow, finally(pending::<()>(), async {})).await;
        });
        sleep(ms(5)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
fn resuming_inside_what_cannot_be_cancelled_panics_with_advice() {
    on_workers(async || {
        let task = create_task(async {
            if let Err(cancelled) = catch_cancelled(pending::<()>()).await {
                uncancellable(async move {
                    yield_now().await;
                    cancelled.resume().await;
                })
                .await;
            }
        });
        sleep(ms(5)).await;
        task.cancel();
        let Err(JoinError::Panicked(panic)) = task.await else {
            panic!("it ends")
        };
        assert!(panic.message().contains("cannot go on inside `uncancellable`"));
    });
}

#[test]
fn a_token_that_is_dropped_on_another_thread_goes_home() {
    on_workers(async || {
        let result = timeout(ms(20), async {
            let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
            thread::spawn(move || drop(cancelled)).join().unwrap();
            sleep(ms(2000)).await;
        });
        assert_eq!(result.await, Err(TimeoutError));
    });
}

#[test]
fn a_join_that_nobody_polls_does_not_keep_the_request() {
    on_workers(async || {
        let result = timeout(ms(20), async {
            let child = create_task(sleep(ms(60_000)));
            let mut join = Box::pin(child.join());
            let polled = poll_fn(|cx| Poll::Ready(join.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            sleep(ms(3000)).await;
        });
        assert_eq!(result.await, Err(TimeoutError));
    });
}

#[test]
fn a_stop_that_comes_late_does_not_end_the_next_run() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    let first = runner.try_run(async {
        EventLoop::current().stop();
        1
    });
    assert_eq!(first.unwrap(), 1);
    let second = runner.try_run(async {
        sleep(ms(5)).await;
        2
    });
    assert_eq!(second.unwrap(), 2);
}

#[test]
fn a_second_stop_does_not_interrupt_the_cleanup() {
    let done = AtomicBool::new(false);
    let mut runner = Builder::new().workers(1).virtual_time(true).build().unwrap();
    let ended = runner.try_run(async {
        create_task(async {
            for _ in 0..2 {
                sleep(ms(5)).await;
                EventLoop::current().stop();
            }
        })
        .detach();
        let cleanup = async {
            sleep(ms(50)).await;
            done.store(true, SeqCst);
        };
        finally(pending::<()>(), cleanup).await
    });
    assert!(matches!(ended, Err(JoinError::Cancelled)));
    assert!(done.load(SeqCst));
}

#[test]
fn a_runner_may_end_with_its_thread() {
    thread_local! {
        static RUNNER: RefCell<Option<Runner>> = const { RefCell::new(None) };
    }
    let ends = thread::spawn(|| {
        RUNNER.with(|place| {
            let mut runner = Builder::new().workers(1).build().unwrap();
            runner.run(async {
                let task = create_task(pending::<()>());
                yield_now().await;
                task.cancel();
                assert!(task.await.is_err());
                // One is left, which is cancelled when the thread's values go.
                create_task(pending::<()>()).detach();
                yield_now().await;
            });
            place.replace(Some(runner));
        });
    });
    ends.join().unwrap();
}

#[test]
fn a_closing_in_place_may_cancel_what_is_in_it() {
    on_workers(async || {
        let task = create_task(async {
            let closes = async {
                let limited = timeout(ms(5), finally(pending::<()>(), async {})).await;
                assert!(limited.is_err());
            };
            closing((), |()| closes).close().await;
        });
        task.await.unwrap();
    });
}

#[test]
fn a_closing_in_place_that_panics_is_over() {
    on_workers(async || {
        let polls = Arc::new(Mutex::new(0));
        let theirs = polls.clone();
        let task = create_task(async move {
            let panics = poll_fn(move |_| -> Poll<()> {
                *theirs.lock().unwrap() += 1;
                panic!("while closing")
            });
            closing((), |()| panics).close().await;
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(*polls.lock().unwrap(), 1);
    });
}

#[test]
fn a_request_that_was_passed_on_goes_home_from_where_its_scope_is_not() {
    on_workers(async || {
        let inner = create_task(async {
            let token = catch_cancelled(pending::<()>()).await.unwrap_err();
            sleep(ms(30)).await;
            token.resume().await;
        });
        let place = Arc::new(Mutex::new(Some(inner.join())));
        let task = create_task(async move {
            let limited = timeout(
                ms(10),
                poll_fn(|cx| {
                    if let Some(join) = place.lock().unwrap().as_mut() {
                        assert!(Pin::new(join).poll(cx).is_pending());
                    }
                    Poll::<()>::Pending
                }),
            );
            let takes_over = async {
                sleep(ms(20)).await;
                let join = place.lock().unwrap().take().unwrap();
                join.await.unwrap_err()
            };
            let (limited, error) = zip(limited, takes_over).await;
            assert!(limited.is_err() && error.is_cancelled());
        });
        task.await.unwrap();
    });
}
