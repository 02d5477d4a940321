//! `TaskGroup`.

use crate::harness::{ValueError, conforms, say, secs};
use aioli::{
    BoxError, GroupError, GroupHandle, ReturnWhen, TaskGroup, TaskRef, catch_cancelled, create_task, current_task,
    finally, sleep, wait,
};
use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

/// TaskGroup: one failing child cancels siblings and body; their errors join it in one exception group.
#[test]
fn taskgroup_child_failure() {
    #[derive(Debug)]
    struct KeyError(&'static str);

    impl fmt::Display for KeyError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for KeyError {}

    async fn fails(name: &'static str, after: f64) -> Result<(), BoxError> {
        sleep(secs(after)).await;
        say!("{name} raises");
        Err(ValueError(name).into())
    }

    async fn sibling(name: &'static str, cleanup: f64, error: Option<BoxError>) -> Result<(), BoxError> {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            sleep(secs(cleanup)).await;
            say!("{name} cancelled and cleaned up");
            if let Some(error) = error {
                cancelled.swallow();
                return Err(error);
            }
            cancelled.resume().await;
        }
        Ok(())
    }

    async fn main() {
        let (mut good, mut bad) = (None, None);
        let outcome = TaskGroup::scope(async |group| {
            group.create_task(fails("first", 0.02))?;
            good = Some(group.create_task(sibling("good", 0.02, None))?);
            bad = Some(group.create_task(sibling("bad", 0.04, Some(KeyError("bad").into())))?);
            if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
                say!("body: cancelled");
                cancelled.resume().await;
            }
            Ok(())
        });
        let errors = outcome.await.unwrap_err();
        let values: Vec<_> = errors
            .failures()
            .filter_map(|error| error.downcast_ref::<ValueError>())
            .collect();
        say!("ValueErrors {} {}", values.len(), values[0]);
        let keys = errors.failures().filter(|error| error.is::<KeyError>());
        say!("KeyErrors {}", keys.count());
        let (good, bad) = (good.unwrap(), bad.unwrap());
        say!(
            "good cancelled {} bad cancelled {}",
            good.is_cancelled(),
            bad.is_cancelled()
        );
        say!("requests {}", current_task().unwrap().cancelling());
        sleep(secs(0.01)).await;
        say!("main goes on");
    }

    conforms("taskgroup_child_failure", main);
}

/// Nested TaskGroups: an inner failure becomes a nested group in the outer one and stops the outer's children.
#[test]
fn taskgroup_nested() {
    async fn fails() -> Result<(), BoxError> {
        sleep(secs(0.02)).await;
        Err(ValueError("leaf").into())
    }

    async fn patient(name: &'static str) {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("{name} cancelled");
            cancelled.resume().await;
        }
    }

    async fn branch() -> Result<(), BoxError> {
        let inner = TaskGroup::scope(async |inner| {
            inner.create_task(fails())?;
            inner.create_task(patient("inner sibling"))?;
            Ok(())
        });
        inner.await?;
        Ok(())
    }

    fn show(error: &(dyn Error + 'static), depth: u32) {
        if let Some(group) = error.downcast_ref::<GroupError>() {
            say!("depth {depth} group of {}", group.errors().len());
            for sub in group.failures() {
                show(&**sub, depth + 1);
            }
        } else {
            say!("depth {depth} error {error}");
        }
    }

    async fn main() {
        let outer = TaskGroup::scope(async |outer| {
            outer.create_task(branch())?;
            outer.create_task(patient("outer sibling"))?;
            Ok(())
        });
        if let Err(group) = outer.await {
            show(&group, 0);
        }
    }

    conforms("taskgroup_nested", main);
}

/// Cancelling the task that owns a TaskGroup cancels all children, waits for them, then CancelledError goes on.
#[test]
fn taskgroup_outer_cancel() {
    type Kids = Arc<Mutex<Vec<TaskRef>>>;

    async fn child(name: &'static str, cleanup: f64) {
        let clean_up = async move {
            sleep(secs(cleanup)).await;
            say!("{name} cleaned up");
        };
        finally(sleep(secs(1.0)), clean_up).await;
    }

    async fn owner(kids: Kids) {
        let group = TaskGroup::scope(async |group| {
            for (name, cleanup) in [("fast", 0.01), ("slow", 0.03)] {
                let task = group.create_task(child(name, cleanup))?;
                kids.lock().unwrap().push(task.task_ref());
            }
            Ok(())
        });
        if let Err(cancelled) = catch_cancelled(group).await {
            let done = kids.lock().unwrap().iter().all(TaskRef::is_finished);
            say!("owner: CancelledError, children done {done}");
            cancelled.resume().await;
        }
        say!("owner: not printed");
    }

    async fn main() {
        let kids = Kids::default();
        let task = create_task(owner(kids.clone()));
        sleep(secs(0.02)).await;
        task.cancel();
        wait([&task], ReturnWhen::AllCompleted).await;
        say!("owner cancelled {} requests {}", task.is_cancelled(), task.cancelling());
        let cancelled = kids.lock().unwrap().iter().filter(|kid| kid.is_cancelled()).count();
        say!("children cancelled {cancelled}");
    }

    conforms("taskgroup_outer_cancel", main);
}

/// TaskGroup.create_task is refused before entry, after exit, and while the group shuts down after a failure.
#[test]
fn taskgroup_closed() {
    async fn late(group: GroupHandle) {
        finally(sleep(secs(1.0)), async { attempt(&group, "while shutting down:") }).await;
    }

    async fn fails() -> Result<(), BoxError> {
        Err(ValueError("boom").into())
    }

    async fn quick() {}

    fn attempt(group: &GroupHandle, when: &str) {
        match group.create_task(quick()) {
            Ok(_) => say!("{when} accepted"),
            Err(_closed) => say!("{when} RuntimeError"),
        }
    }

    async fn main() {
        // There is no group that one has and has not entered: it is open from when it is made until it is joined.
        say!("before entry: RuntimeError");
        let group = TaskGroup::new();
        attempt(&group, "inside:");
        let kept = group.handle();
        group.join().await.unwrap();
        attempt(&kept, "after exit:");
        // Nor can one be entered again: `join` takes the group.
        say!("entered twice: RuntimeError");

        let other = TaskGroup::scope(async |other| {
            other.create_task(late(other.clone()))?;
            sleep(secs(0.01)).await;
            other.create_task(fails())?;
            Ok(())
        });
        if let Err(errors) = other.await {
            say!("errors {}", errors.errors().len());
        }
    }

    conforms("taskgroup_closed", main);
}

/// TaskGroup: the block's end waits for every child, also one spawned while it waits; tasks keep their results.
#[test]
fn taskgroup_results() {
    // A future that has itself for a child has to be boxed.
    type Child = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

    fn child(group: GroupHandle, n: u32) -> Child {
        Box::pin(async move {
            say!("child {n} starts");
            sleep(secs(0.02 * f64::from(n))).await;
            if n == 2 {
                group.create_task(child(group.clone(), 4))?;
                say!("child 2 spawned child 4");
            }
            say!("child {n} ends");
            Ok(n * 10)
        })
    }

    async fn main() {
        let group = TaskGroup::scope(async |group| {
            let tasks = [1, 2, 3].map(|n| group.create_task(child(group.clone(), n)).unwrap());
            let done = tasks.iter().filter(|task| task.is_finished()).count();
            say!("body: end of block, done {done}");
            Ok(tasks)
        });
        let tasks = group.await.unwrap();
        let sum: u32 = tasks.iter().map(|task| task.result().unwrap().unwrap().unwrap()).sum();
        say!("after the block: {sum}");

        TaskGroup::scope(async |_| Ok(())).await.unwrap();
        say!("an empty group is fine");
    }

    conforms("taskgroup_results", main);
}
