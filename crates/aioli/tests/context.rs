//! Context variables follow the flow of the program.

use aioli::{Builder, Context, ContextVar, EventLoop, create_task, defer, sleep, to_thread, yield_now};
use std::{sync::mpsc::channel, time::Duration};

static USER: ContextVar<Option<&'static str>> = ContextVar::new(|| None);

fn on_workers(test: impl AsyncFn()) {
    for workers in [1, 2, 4] {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(test());
    }
}

#[test]
fn a_task_begins_with_a_copy_and_keeps_its_changes_to_itself() {
    on_workers(async || {
        let _token = USER.set(Some("parent"));
        let child = create_task(async {
            let before = USER.get();
            let _token = USER.set(Some("child"));
            // Across awaits, and whatever the worker.
            sleep(Duration::from_millis(1)).await;
            yield_now().await;
            (before, USER.get(), create_task(async { USER.get() }).await.unwrap())
        });
        let _token = USER.set(Some("changed later"));
        assert_eq!(child.await.unwrap(), (Some("parent"), Some("child"), Some("child")));
        assert_eq!(USER.get(), Some("changed later"));
    });
}

#[test]
fn reset_gives_back_what_there_was() {
    on_workers(async || {
        assert_eq!(USER.get(), None);
        let outer = USER.set(Some("a"));
        let inner = USER.set(Some("b"));
        USER.reset(inner);
        assert_eq!(USER.get(), Some("a"));
        USER.reset(outer);
        assert_eq!(USER.get(), None);
    });
}

#[test]
fn main_begins_with_the_threads_context_and_does_not_change_it() {
    let _token = USER.set(Some("thread"));
    on_workers(async || {
        assert_eq!(USER.get(), Some("thread"));
        let _token = USER.set(Some("main"));
    });
    assert_eq!(USER.get(), Some("thread"));
}

#[test]
fn a_copy_that_is_run_keeps_its_own_changes() {
    on_workers(async || {
        let _token = USER.set(Some("task"));
        let mut copy = Context::copy();
        let child = copy.run(|| {
            assert_eq!(USER.get(), Some("task"));
            let _token = USER.set(Some("copy"));
            create_task(async { USER.get() })
        });
        assert_eq!(USER.get(), Some("task"));
        assert_eq!(copy.run(|| USER.get()), Some("copy"));
        assert_eq!(child.await.unwrap(), Some("copy"));
    });
}

#[test]
fn a_call_on_another_thread_carries_a_copy() {
    on_workers(async || {
        let _token = USER.set(Some("task"));
        let seen = to_thread(|| {
            let seen = USER.get();
            let _token = USER.set(Some("thread"));
            seen
        });
        assert_eq!(seen.await.unwrap(), Some("task"));
        assert_eq!(USER.get(), Some("task"));
    });
}

#[test]
fn done_callbacks_carry_a_copy_from_where_they_were_added() {
    on_workers(async || {
        let (sender, seen) = channel();
        let promise = EventLoop::current().create_promise();
        let token = USER.set(Some("adder"));
        let (of_promise, of_task) = (sender.clone(), sender.clone());
        promise.add_done_callback(move |_| of_promise.send(("promise", USER.get())).unwrap());
        let task = create_task(async { USER.set(Some("task")) });
        task.add_done_callback(move |_| of_task.send(("task", USER.get())).unwrap());
        let _later = USER.set(Some("later"));
        task.await.unwrap();
        promise.set_result(()).unwrap();
        drop(sender);
        let mut seen = to_thread(move || seen.iter().collect::<Vec<_>>()).await.unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [("promise", Some("adder")), ("task", Some("adder"))]);
        USER.reset(token);
    });
}

#[test]
fn deferred_work_carries_a_copy_from_where_it_was_deferred() {
    on_workers(async || {
        let (sender, seen) = channel();
        create_task(async move {
            let token = USER.set(Some("request"));
            drop(defer(async move {
                sleep(Duration::from_millis(1)).await;
                sender.send(USER.get()).unwrap();
                // Its own, as a task's would be.
                let _token = USER.set(Some("work"));
            }));
            USER.reset(token);
            sleep(Duration::from_millis(2)).await;
            assert_eq!(USER.get(), None);
        })
        .await
        .unwrap();
        assert_eq!(seen.recv(), Ok(Some("request")));
    });
}
