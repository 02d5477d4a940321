//! Code of others that is called where it may do harm: what an error says of itself, by a destructor; the clone of a waker, by whoever
//! keeps one.

mod common;

use aioli::{
    BoxError, EventLoop, GroupHandle, ReturnWhen, Task, TaskGroup, UnhandledKind, as_completed, create_fallible_task,
    create_task, race, wait,
};
use common::{run, until};
use std::{
    error::Error,
    fmt,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, mpsc::channel},
    task::{Context, RawWaker, RawWakerVTable, Waker},
    thread,
    time::Duration,
};

/// Cannot say what is wrong.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl Error for Speechless {}

/// Keeps what the exception handler is told.
fn reports() -> Arc<Mutex<Vec<String>>> {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let theirs = reports.clone();
    EventLoop::current().set_exception_handler(move |error| {
        assert!(matches!(error.kind(), UnhandledKind::Error(_)));
        theirs.lock().unwrap().push(error.message().to_owned());
    });
    reports
}

const SPEECHLESS: &str = "an error whose `Display` panicked: no words";

#[test]
fn an_exception_that_cannot_be_displayed_is_dropped_by_a_thread_that_unwinds() {
    run(1, async {
        let reports = reports();
        let promise = EventLoop::current().create_promise::<()>();
        promise.set_exception(Speechless).unwrap();
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _dropped_by_the_panic = promise;
            panic!("something else");
        }));
        assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"something else"));
        assert_eq!(*reports.lock().unwrap(), [SPEECHLESS]);
    });
}

#[test]
fn an_error_that_cannot_be_displayed_is_a_tasks_value_all_the_same() {
    run(1, async {
        let reports = reports();
        let task = create_fallible_task(async { Err::<(), _>(Speechless) });
        assert!(matches!(task.await, Ok(Err(Speechless))));
        assert_eq!(*reports.lock().unwrap(), [""; 0]);
        create_fallible_task(async { Err::<(), _>(Speechless) }).detach();
        until(|| !reports.lock().unwrap().is_empty()).await;
        assert_eq!(*reports.lock().unwrap(), [SPEECHLESS]);
    });
}

/// A waker whose clone calls a function.
struct Meddler(Box<dyn Fn() + Send + Sync>);

impl Meddler {
    /// Never freed: a waker may go anywhere.
    fn waker(meddle: impl Fn() + Send + Sync + 'static) -> Waker {
        let meddler: &'static Meddler = Box::leak(Box::new(Meddler(Box::new(meddle))));
        // SAFETY: the pointer is to a `Meddler` for ever, which is `Sync`; the functions of the table want nothing else.
        unsafe { Waker::new(std::ptr::from_ref(meddler).cast(), &TABLE) }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: `Meddler::waker` gave it.
        (unsafe { &*data.cast::<Meddler>() }.0)();
        RawWaker::new(data, &TABLE)
    },
    |_| {},
    |_| {},
    |_| {},
);

/// Polls with a waker whose clone meddles with what is polled, on a thread of its own: a lock that is taken twice is waited for for
/// ever.
fn polled_with_meddling(future: impl Future + Send + 'static, meddle: impl Fn() + Send + Sync + 'static) {
    let (sender, receiver) = channel();
    let (called, calls) = channel();
    let waker = Meddler::waker(move || {
        meddle();
        called.send(()).unwrap();
    });
    thread::spawn(move || {
        let mut future = pin!(future);
        let _ = future.as_mut().poll(&mut Context::from_waker(&waker));
        let _ = future.as_mut().poll(&mut Context::from_waker(&waker));
        sender.send(()).unwrap();
    });
    if receiver.recv_timeout(Duration::from_secs(60)).is_err() {
        // Not a panic: the loop could not end.
        eprintln!("a waker is cloned under a lock");
        std::process::abort();
    }
    assert!(calls.try_recv().is_ok());
}

fn children(group: &GroupHandle, count: usize) {
    for _ in 0..count {
        drop(group.create_task(async { pending::<Result<(), BoxError>>().await }));
    }
}

#[test]
fn a_wakers_clone_uses_the_group_that_is_joined() {
    run(2, async {
        let group = TaskGroup::new();
        children(&group, 2);
        let handle = group.handle();
        polled_with_meddling(group.join(), move || handle.cancel());
    });
}

#[test]
fn a_wakers_clone_ends_the_group_whose_body_runs() {
    run(2, async {
        let (sender, receiver) = channel();
        let scope = TaskGroup::scope(|group| {
            children(&group, 2);
            sender.send(group).unwrap();
            pending::<Result<(), BoxError>>()
        });
        let handle = receiver.recv().unwrap();
        polled_with_meddling(scope, move || handle.cancel());
    });
}

#[test]
fn a_wakers_clone_wakes_what_is_waited_for() {
    run(2, async {
        let tasks = || -> Vec<Task<()>> { (0..3).map(|_| create_task(pending())).collect() };
        let cancel = |tasks: &[Task<()>]| {
            let names: Vec<_> = tasks.iter().map(|task| task.task_ref()).collect();
            // The waker is cloned again when one may be over.
            move || {
                for name in &names {
                    let _accepted = name.cancel();
                }
            }
        };
        let waited = tasks();
        let meddle = cancel(&waited);
        polled_with_meddling(wait(waited, ReturnWhen::AllCompleted), meddle);

        let mut completed = as_completed(tasks());
        polled_with_meddling(async move { completed.next().await }, || ());

        // The branch's waker leaves its number where the race's is kept.
        let branch: Arc<Mutex<Option<Waker>>> = Arc::default();
        let theirs = branch.clone();
        let raced = std::future::poll_fn(move |cx: &mut Context<'_>| {
            *theirs.lock().unwrap() = Some(cx.waker().clone());
            std::task::Poll::<()>::Pending
        });
        polled_with_meddling(race([raced]), move || {
            branch.lock().unwrap().iter().for_each(Waker::wake_by_ref)
        });
    });
}
