//! Which ends of a task are failures: those that `has_failed` and `FIRST_EXCEPTION` see, and of which the exception handler is told if
//! nobody else looks.

mod common;

use aioli::{
    Builder, EventLoop, ReturnWhen, Task, TaskGroup, TaskRef, create_fallible_task, create_task, sleep, to_thread, wait,
};
use common::{LONG, WORKERS, ms, until};
use std::{
    future::{Future, pending},
    io,
    sync::{Arc, Mutex},
};

/// Runs a program on each number of workers, with a clock that stands still while anything is left to do.
fn check<F: Future<Output = ()>>(program: impl Fn() -> F) {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program());
    }
}

async fn parsed(text: &str) -> Result<u32, std::num::ParseIntError> {
    sleep(ms(10)).await;
    text.parse()
}

/// Waits for the first failure among some tasks, the last of which goes on for long; gives how many were over then.
async fn first_exception(tasks: &[TaskRef]) -> usize {
    let long = create_task(sleep(LONG));
    let all = tasks.iter().cloned().chain([long.task_ref()]);
    let (done, _) = wait(all, ReturnWhen::FirstException).timeout(LONG / 2).await;
    long.cancel();
    done.len()
}

/// Whether the wait for the first failure ends when `task` does.
async fn is_seen<T>(task: &Task<T>) -> bool {
    let start = EventLoop::current().time();
    let done = first_exception(&[task.task_ref()]).await;
    assert!(task.is_finished() && done == 1);
    EventLoop::current().time() - start < LONG / 2
}

#[test]
fn an_err_of_a_fallible_task_is_one() {
    check(|| async {
        let task = create_fallible_task(parsed("two"));
        assert!(is_seen(&task).await);
        assert!(task.has_failed() && !task.is_cancelled());
        // Also when it is over before anybody waits.
        assert!(is_seen(&task).await);
        assert!(task.await.unwrap().is_err());
        let task = create_fallible_task(parsed("2"));
        assert!(!is_seen(&task).await);
        assert_eq!((task.has_failed(), task.await.unwrap()), (false, Ok(2)));
    });
}

#[test]
fn an_err_of_a_child_of_a_group_is_one() {
    check(|| async {
        let group = TaskGroup::<std::num::ParseIntError>::default();
        let failing = group.create_task(parsed("two")).unwrap().task_ref();
        let start = EventLoop::current().time();
        assert_eq!(first_exception(std::slice::from_ref(&failing)).await, 1);
        assert!(failing.has_failed() && EventLoop::current().time() - start < LONG / 2);
        assert!(group.join().await.is_err());
    });
}

#[test]
fn an_err_of_a_fallible_task_from_the_builder_is_one() {
    check(|| async {
        let task = Task::builder().name("parser").spawn_fallible(parsed("two"));
        assert!(is_seen(&task).await);
        assert_eq!((&*task.name(), task.await.unwrap().is_err()), ("parser", true));
        let eager = Task::builder()
            .eager(true)
            .spawn_fallible(async { Err::<(), _>("at once") });
        assert!(eager.has_failed());
        assert_eq!(eager.await.unwrap(), Err("at once"));
    });
}

#[test]
fn an_err_of_any_other_task_is_none() {
    check(|| async {
        let task = create_task(parsed("two"));
        assert!(!is_seen(&task).await);
        assert_eq!((task.has_failed(), task.await.unwrap().is_err()), (false, true));
    });
}

#[test]
fn a_panic_is_one_and_a_cancellation_is_none() {
    check(|| async {
        let task = create_task(async { panic!("on purpose") });
        assert!(is_seen::<()>(&task).await && task.has_failed());
        assert!(task.await.unwrap_err().is_panic());
        let task = create_fallible_task(pending::<Result<(), String>>());
        task.cancel();
        assert!(!is_seen(&task).await && !task.has_failed());
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn the_first_of_several_ends_the_wait() {
    check(|| async {
        let tasks = ["1", "two", "3"].map(|text| create_fallible_task(parsed(text)));
        let later = create_fallible_task(async {
            sleep(ms(20)).await;
            Err::<(), _>("later")
        });
        let names: Vec<_> = tasks
            .iter()
            .map(|task| task.task_ref())
            .chain([later.task_ref()])
            .collect();
        assert!((1..4).contains(&first_exception(&names).await));
        assert!(tasks[1].is_finished() && !later.is_finished());
        for task in tasks {
            task.await.unwrap().ok();
        }
        assert_eq!(later.await.unwrap(), Err("later"));
    });
}

#[test]
fn the_handler_is_told_of_one_that_nobody_looks_at_with_its_name() {
    check(|| async {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let theirs = told.clone();
        EventLoop::current().set_exception_handler(move |error| {
            let line = format!("{}: {}", error.task_name().unwrap(), error.message());
            theirs.lock().unwrap().push(line);
        });
        Task::builder()
            .name("loner")
            .spawn_fallible(async { Err::<(), _>("no luck") })
            .detach();
        until(|| !told.lock().unwrap().is_empty()).await;
        assert_eq!(*told.lock().unwrap(), ["loner: no luck"]);
    });
}

#[test]
fn a_promises_exception_that_nobody_looked_at_is_reported_as_that() {
    check(|| async {
        let event_loop = EventLoop::current();
        let told = Arc::new(Mutex::new(Vec::new()));
        let theirs = told.clone();
        event_loop.set_exception_handler(move |error| theirs.lock().unwrap().push(error.message().to_owned()));
        let [unread, read] = [(); 2].map(|()| event_loop.create_promise::<()>());
        for promise in [&unread, &read] {
            promise.set_exception("no luck").unwrap();
        }
        assert!(read.await.is_err());
        drop(unread);
        let message = "a promise's exception was never looked at: no luck";
        assert_eq!(*told.lock().unwrap(), [message]);
    });
}

#[test]
fn the_end_of_a_task_without_a_value_is_an_io_error_where_that_is_wanted() {
    async fn read(answer: io::Result<u32>) -> io::Result<u32> {
        to_thread(|| answer).await?
    }
    async fn panicking() -> io::Result<()> {
        create_task(async { panic!("on purpose") }).await?
    }
    check(|| async {
        assert_eq!(read(Ok(1)).await.unwrap(), 1);
        let missing = read(Err(io::ErrorKind::NotFound.into())).await;
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        let error = panicking().await.unwrap_err();
        assert!(
            error
                .get_ref()
                .unwrap()
                .downcast_ref::<aioli::JoinError>()
                .unwrap()
                .is_panic()
        );
    });
}
