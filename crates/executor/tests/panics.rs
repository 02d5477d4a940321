//! Panics end their task alone, and none goes unnoticed, or is noticed twice.

mod common;

use aioli_executor::{Config, Driver, Executor, JoinError, Scoped, Unhandled, UnhandledKind, defer, spawn};
use aioli_primitives::sync::Mutex;
use common::*;
use std::{
    any::Any,
    future::{Future, pending},
    io,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

#[test]
fn a_panic_on_the_first_poll_is_the_outcome() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        executor
            .run(async {
                let error = spawn(async { panic!("on the first poll") }).await.unwrap_err();
                assert!(error.is_panic() && !error.is_cancelled());
                assert_eq!(error.to_string(), "the task panicked: on the first poll");
                // The others go on.
                assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
            })
            .unwrap();
        drop(executor);
        assert!(reports.all().is_empty(), "somebody looked at it");
    }
}

#[test]
fn a_panic_of_main_is_the_outcome_of_run() {
    for workers in WORKERS {
        let mut executor = executor(workers);
        let error = executor
            .run(async {
                yield_now().await;
                panic!("main");
            })
            .unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: main");
        assert_eq!(executor.run(async { 1 }).unwrap(), 1);
    }
}

#[test]
fn payloads_of_any_type_come_through() {
    fn payload<T: 'static>(error: JoinError) -> T {
        match error {
            JoinError::Panicked(panic) => *panic.into_payload().downcast().unwrap(),
            JoinError::Cancelled => unreachable!("nobody cancelled it"),
        }
    }
    run(1, async {
        let number = spawn(async { panic_any(42_u64) }).await.unwrap_err();
        assert_eq!(number.to_string(), "the task panicked: a panic without a message");
        assert_eq!(payload::<u64>(number), 42);

        let numbers = [1, 2];
        let text = spawn(async move { panic!("{numbers:?}") }).await.unwrap_err();
        assert_eq!(payload::<String>(text), "[1, 2]");
    });
}

#[test]
fn a_panic_that_nobody_looks_at_is_reported_once_with_name_and_place() {
    for workers in WORKERS {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut config = Config::new(workers);
        config.unhandled = Unhandled::new({
            let told = told.clone();
            move |panic| {
                assert_eq!(panic.task_location().unwrap().file(), file!());
                assert!(matches!(panic.kind(), UnhandledKind::Panic(_)));
                let line = panic.task_location().unwrap().line();
                told.lock()
                    .push((panic.task_name().unwrap().to_owned(), line, panic.message().to_owned()));
                assert!(panic.to_string().contains(panic.task_name().unwrap()));
            }
        });
        let mut executor = build(config);
        let line = executor
            .run(async {
                let task = spawn(async { panic!("unseen") });
                task.set_name("doomed");
                let (line, name) = (task.location().line(), task.task_ref());
                task.detach();
                until(|| name.is_finished()).await;
                line
            })
            .unwrap();
        drop(executor);
        assert_eq!(*told.lock(), [("doomed".to_owned(), line, "unseen".to_owned())]);
    }
}

#[test]
fn a_panic_is_reported_whenever_its_handle_goes() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        executor
            .run(async {
                // After the end, by the handle.
                let task = spawn(async { panic!("the handle") });
                until(|| task.is_finished()).await;
                assert!(reports.all().is_empty());
                drop(task);
                assert_eq!(reports.messages(), ["the handle"]);

                // After the end, by a join.
                let join = spawn(async { panic!("the join") }).join();
                until(|| join.is_finished()).await;
                drop(join);
                assert_eq!(reports.messages(), ["the handle", "the join"]);
            })
            .unwrap();
        drop(executor);
        assert_eq!(reports.all().len(), 2);
    }
}

#[test]
fn a_panic_in_the_destructor_of_a_cancelled_future_is_the_outcome() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        executor
            .run(async {
                let started = Signal::new();
                let theirs = started.clone();
                let task = spawn(async move {
                    let _guard = OnDrop(|| panic!("in the destructor"));
                    theirs.set();
                    pending::<()>().await;
                });
                started.wait().await;
                task.cancel();
                assert_eq!(
                    task.await.unwrap_err().to_string(),
                    "the task panicked: in the destructor"
                );
            })
            .unwrap();
        drop(executor);
        assert!(reports.all().is_empty());
    }
}

/// A future that is ready at once, and panics when it is dropped.
struct ReadyThenPanic<F: FnMut()>(#[allow(dead_code)] OnDrop<F>);

impl<F: FnMut() + Unpin> Future for ReadyThenPanic<F> {
    type Output = u8;

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<u8> {
        std::task::Poll::Ready(7)
    }
}

#[test]
fn a_panic_in_the_destructor_of_a_completed_future_is_reported_and_the_value_delivered() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        let value = executor.run(async {
            spawn(ReadyThenPanic(OnDrop(|| panic!("after the value"))))
                .await
                .unwrap()
        });
        assert_eq!(value.unwrap(), 7);
        drop(executor);
        assert_eq!(reports.messages(), ["after the value"]);
    }
}

#[test]
fn a_panic_in_the_destructor_of_a_dropped_value_is_reported_and_the_worker_goes_on() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        executor
            .run(async {
                let go = Signal::new();
                let theirs = go.clone();
                let task = spawn(async move {
                    theirs.wait().await;
                    OnDrop(|| panic!("in the value"))
                });
                let name = task.task_ref();
                task.detach();
                go.set();
                until(|| name.is_finished()).await;
                assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
            })
            .unwrap();
        drop(executor);
        assert_eq!(reports.messages(), ["in the value"]);
    }
}

#[test]
fn a_panic_in_the_destructor_of_a_value_whose_handle_is_dropped_is_the_droppers() {
    run(1, async {
        let task = spawn(async { OnDrop(|| panic!("in the value")) });
        until(|| task.is_finished()).await;
        let payload = catch_unwind(AssertUnwindSafe(|| drop(task))).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "in the value");
    });
}

#[test]
fn deferred_work_that_panics_is_reported_and_the_rest_is_done() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        let done = Signal::new();
        executor
            .run(async {
                let theirs = done.clone();
                let task = spawn(async move {
                    let _second = defer(async move { theirs.set() });
                    let _first = defer(async {
                        yield_now().await;
                        panic!("in the deferred work");
                    });
                    7
                });
                assert_eq!(task.await.unwrap(), 7);
            })
            .unwrap();
        drop(executor);
        assert!(done.is_set());
        assert_eq!(reports.messages(), ["in the deferred work"]);
    }
}

#[test]
fn a_panic_in_a_scope_goes_to_the_one_who_polls_it() {
    for workers in WORKERS {
        let done = Signal::new();
        let outcome = executor(workers).run(async {
            Scoped::new(async {
                let theirs = done.clone();
                let _work = defer(async move {
                    yield_now().await;
                    theirs.set();
                });
                panic!("in the scope");
            })
            .await
        });
        assert_eq!(outcome.unwrap_err().to_string(), "the task panicked: in the scope");
        assert!(done.is_set(), "what it deferred was done by the task");
    }
}

#[test]
fn a_handler_that_panics_harms_nobody() {
    for workers in WORKERS {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut config = Config::new(workers);
        config.unhandled = Unhandled::new({
            let calls = calls.clone();
            move |_| {
                calls.fetch_add(1, SeqCst);
                panic!("in the handler");
            }
        });
        let mut executor = build(config);
        executor
            .run(async {
                for _ in 0..3 {
                    let task = spawn(async { panic!("unseen") });
                    let name = task.task_ref();
                    drop(task);
                    until(|| name.is_finished()).await;
                }
                assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
            })
            .unwrap();
        drop(executor);
        assert_eq!(calls.load(SeqCst), 3);
    }
}

#[test]
fn another_handler_takes_over() {
    let (mut executor, before) = reporting(1);
    let after = Reports::default();
    executor
        .run(async {
            let panic = |text: &'static str| async move {
                let task = spawn(async move { panic!("{text}") });
                until(|| task.is_finished()).await;
            };
            panic("before").await;
            aioli_executor::Handle::current()
                .unwrap()
                .set_unhandled(after.handler());
            panic("after").await;
        })
        .unwrap();
    assert_eq!(
        (before.messages(), after.messages()),
        (vec!["before".to_owned()], vec!["after".to_owned()])
    );
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the payload exploded");
        }
    }
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_takes_no_worker_with_it() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        executor
            .run(async {
                let task = spawn(async { panic_any(Bomb) });
                let name = task.task_ref();
                drop(task);
                until(|| name.is_finished()).await;
                assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
            })
            .unwrap();
        drop(executor);
        assert_eq!(reports.messages()[0], "a panic without a message");
    }
}

#[test]
fn deferred_work_with_such_a_payload_takes_no_worker_with_it_either() {
    for workers in WORKERS {
        let (mut executor, reports) = reporting(workers);
        executor
            .run(async {
                let task = spawn(async {
                    let _guard = defer(async { panic_any(Bomb) });
                    3
                });
                assert_eq!(task.await.unwrap(), 3);
                assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
            })
            .unwrap();
        drop(executor);
        assert_eq!(reports.messages(), ["a panic without a message"]);
    }
}

/// A driver that calls a waker which panics: once as it looks in, at events or at timers, and once as it waits.
#[derive(Default)]
struct Mined {
    bed: Bed,
    looked_in: AtomicBool,
    waited: AtomicBool,
}

impl Mined {
    fn look_in(&self) {
        assert!(self.looked_in.swap(true, SeqCst), "a waker, while the driver looks in");
    }
}

impl Driver for Mined {
    fn park(&self, limit: Option<Duration>) -> io::Result<()> {
        assert!(self.waited.swap(true, SeqCst), "a waker, while the driver waits");
        self.bed.park(limit)
    }

    fn poll(&self) -> io::Result<()> {
        self.look_in();
        self.bed.poll()
    }

    fn unpark(&self) {
        self.bed.unpark();
    }

    fn sleep_limit(&self, worker: usize) -> Option<Duration> {
        self.bed.sleep_limit(worker)
    }

    fn fire_timers(&self) {
        self.look_in();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_waker_that_panics_in_the_driver_is_reported_and_the_loop_goes_on() {
    for workers in WORKERS {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (looked_in, waited) = (Signal::new(), Signal::new());
        let mut config = Config::new(workers);
        config.unhandled = Unhandled::new({
            let (told, looked_in, waited) = (told.clone(), looked_in.clone(), waited.clone());
            move |panic| {
                assert!(panic.task_name().is_none() && panic.task_location().is_none());
                assert_eq!(
                    panic.to_string(),
                    format!("a callback or waker panicked: {}", panic.message())
                );
                told.lock().push(panic.message().to_owned());
                match panic.message() {
                    "a waker, while the driver waits" => waited.set(),
                    _ => looked_in.set(),
                }
            }
        });
        let mut executor = Executor::new(config, Arc::new(Mined::default())).unwrap();
        executor
            .run(async {
                // All fall asleep; whoever waits in the driver is hit, and wakes this task.
                waited.wait().await;
                // One task is always there, and looks in: at events too, unless somebody else waits for those.
                until(|| looked_in.is_set()).await;
                assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
                let sleeper = Signal::new();
                let theirs = sleeper.clone();
                std::thread::spawn(move || theirs.set());
                sleeper.wait().await;
            })
            .unwrap();
        executor.close();
        let mut told = told.lock().clone();
        told.sort();
        assert_eq!(
            told,
            ["a waker, while the driver looks in", "a waker, while the driver waits"]
        );
    }
}
