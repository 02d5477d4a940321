//! Context variables, `run`, looking in.

use crate::harness::{Setting, ValueError, conforms, program_conforms, say, secs};
use aioli::{
    Context, ContextVar, EventLoop, Task, TaskRef, all_tasks, catch_cancelled, create_task, current_task, gather, sleep,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

/// Context variables: a task copies the context when created; changes do not leak between tasks or to callbacks.
#[test]
fn contextvars_copy() {
    static VAR: ContextVar<&str> = ContextVar::new(|| "default");

    async fn child(name: &'static str) {
        say!("{name} starts with {}", VAR.get());
        VAR.set(name);
        sleep(secs(0.01)).await;
        say!("{name} ends with {}", VAR.get());
    }

    async fn inline() {
        VAR.set("set by inline");
    }

    async fn main() {
        let event_loop = EventLoop::current();
        say!("main starts with {}", VAR.get());
        VAR.set("one");
        let first = create_task(child("first"));
        VAR.set("two");
        let second = create_task(child("second"));
        first.await.unwrap();
        second.await.unwrap();
        say!("main still has {}", VAR.get());

        inline().await;
        say!("a plain await shares the context: {}", VAR.get());

        event_loop.call_soon(|| say!("callback sees {}", VAR.get()));
        VAR.set("three");
        sleep(secs(0.01)).await;

        let token = VAR.set("four");
        say!("set {}", VAR.get());
        VAR.reset(token);
        say!("reset {}", VAR.get());

        // A task's context is its own: it begins with a copy of the one given, and is given back by the task itself.
        let custom = async {
            child("custom").await;
            Context::copy()
        };
        let task = Context::default().run(|| create_task(custom));
        let mut custom = task.await.unwrap();
        say!(
            "custom context keeps {} main has {}",
            custom.run(|| VAR.get()),
            VAR.get()
        );
    }

    conforms("contextvars_copy", main);
}

/// current_task, all_tasks and names: who runs, who is alive, default names are distinct, names can change.
#[test]
fn names_and_current() {
    type Expected = Arc<Mutex<Vec<TaskRef>>>;

    fn alive() -> String {
        let mut names: Vec<_> = all_tasks().iter().map(|task| task.name().to_string()).collect();
        names.sort();
        names.join(" ")
    }

    async fn child(expected: Expected) {
        let me = current_task().unwrap();
        let same = expected.lock().unwrap()[0] == me;
        say!("child is {} same object {same}", me.name());
        sleep(secs(0.02)).await;
        me.set_name("renamed");
        sleep(secs(0.02)).await;
    }

    async fn main() {
        current_task().unwrap().set_name("main");
        let expected = Expected::default();
        let kid = {
            // With several workers, the child may look at once.
            let mut list = expected.lock().unwrap();
            let kid = Task::builder().name("kid").spawn(child(expected.clone()));
            list.push(kid.task_ref());
            kid
        };
        say!("alive: {}", alive());
        sleep(secs(0.01)).await;
        say!("current is {}", current_task().unwrap().name());
        sleep(secs(0.02)).await;
        say!("alive: {}", alive());
        kid.await.unwrap();
        let kid = expected.lock().unwrap()[0].clone();
        say!("alive: {} - finished one is named {}", alive(), kid.name());

        let a = create_task(sleep(secs(0.0)));
        let b = create_task(sleep(secs(0.0)));
        say!("default names differ {}", a.name() != b.name());
        let event_loop = EventLoop::current();
        event_loop.call_soon(|| say!("in a callback the current task is {:?}", current_task()));
        gather([a, b]).await.unwrap();
        sleep(secs(0.01)).await;
    }

    conforms("names_and_current", main);
}

/// run(): returns main's value, then cancels and waits for leftover tasks; errors pass; nesting is refused.
#[test]
fn run_leftovers() {
    type Tasks = Mutex<Vec<TaskRef>>;

    async fn background(name: &'static str, cleanup: f64) {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("{name} cancelled");
            sleep(secs(cleanup)).await;
            say!("{name} cleaned up");
            cancelled.resume().await;
        }
    }

    async fn main(tasks: &Tasks, fail: bool) -> Result<&'static str, ValueError> {
        let task = create_task(background("leftover", 0.02));
        tasks.lock().unwrap().push(task.task_ref());
        sleep(secs(0.01)).await;
        if fail {
            return Err(ValueError("main failed"));
        }
        Ok("value")
    }

    async fn nested(setting: &Setting, tasks: &Tasks) {
        let future = main(tasks, false);
        if catch_unwind(AssertUnwindSafe(|| setting.run(future))).is_err() {
            say!("run inside a running loop: RuntimeError");
        }
    }

    fn program(setting: &Setting) {
        let tasks = Tasks::default();
        say!("returned {}", setting.run(main(&tasks, false)).unwrap());
        if let Err(error) = setting.run(main(&tasks, true)) {
            say!("raised {error}");
        }
        let cancelled: Vec<_> = tasks.lock().unwrap().iter().map(TaskRef::is_cancelled).collect();
        say!("leftovers cancelled {} {}", cancelled[0], cancelled[1]);
        setting.run(nested(setting, &tasks));
        if EventLoop::try_current().is_none() {
            say!("no running loop outside: RuntimeError");
        }

        let mut runner = setting.runner();
        for name in ["first", "second"] {
            let value = runner.run(async {
                sleep(secs(0.01)).await;
                name
            });
            say!("runner {value}");
        }
    }

    program_conforms("run_leftovers", program);
}
