//! `gather`, `wait`, `as_completed`.

use crate::harness::{ValueError, conforms, say, secs};
use aioli::{
    EventLoop, JoinError, ReturnWhen, Task, TaskError, TaskRef, TimeoutError, as_completed, catch_cancelled,
    create_fallible_task, create_task, current_task, gather, gather_settled, sleep, try_gather, wait,
};
use std::{panic::catch_unwind, sync::Arc};

/// `await task`, of one that others hold, too: a cancellation is passed on to it. For combinators, which take their items.
async fn shared<T: Clone + Send + Sync>(task: Arc<Task<T>>) -> T {
    match catch_cancelled(&*task).await {
        Ok(outcome) => outcome.unwrap(),
        Err(cancelled) => {
            task.cancel();
            match cancelled.resume().await {}
        }
    }
}

/// as_completed: yields in finishing order; an error comes out at its own turn; a timeout keeps the rest alive.
#[test]
fn as_completed_order() {
    async fn work(name: &'static str, seconds: f64, fail: bool) -> Result<&'static str, ValueError> {
        sleep(secs(seconds)).await;
        if fail {
            return Err(ValueError(name));
        }
        Ok(name)
    }

    async fn main() {
        let jobs = [work("c", 0.06, false), work("a", 0.02, false), work("b", 0.04, true)];
        let mut completed = as_completed(jobs);
        while let Some(next_one) = completed.next().await {
            match next_one.unwrap() {
                Ok(name) => say!("got {name}"),
                Err(error) => say!("error {error}"),
            }
        }

        // What comes out are outcomes, not tasks: which task it was, it says itself.
        let tasks = [("y", 0.04), ("x", 0.02)].map(|(name, seconds)| {
            let itself = async move { (current_task().unwrap(), work(name, seconds, false).await.unwrap()) };
            Task::builder().name(name).spawn(itself)
        });
        let refs = tasks.each_ref().map(Task::task_ref);
        let mut completed = as_completed(tasks);
        while let Some(next_one) = completed.next().await {
            let (task, value) = next_one.unwrap();
            say!("same task object {} {} {value}", refs.contains(&task), task.name());
        }

        let slow = Arc::new(create_task(work("slow", 0.2, false)));
        let jobs = [
            create_task(shared(slow.clone())),
            create_task(work("quick", 0.01, false)),
        ];
        let mut completed = as_completed(jobs).timeout(secs(0.1));
        while let Some(next_one) = completed.next().await {
            match next_one {
                Ok(outcome) => say!("got {}", outcome.unwrap().unwrap()),
                Err(TimeoutError) => say!(
                    "TimeoutError, slow done {} requests {}",
                    slow.is_finished(),
                    slow.cancelling()
                ),
            }
        }
        say!("later {}", (&*slow).await.unwrap().unwrap());
    }

    conforms("as_completed_order", main);
}

/// Cancelling the task that awaits gather cancels every unfinished child, even with return_exceptions=True.
#[test]
fn gather_cancel() {
    async fn child((name, seconds, cleanup): (&'static str, f64, f64)) -> &'static str {
        match catch_cancelled(sleep(secs(seconds))).await {
            Ok(()) => {
                say!("{name} finished");
                name
            }
            Err(cancelled) => {
                sleep(secs(cleanup)).await;
                say!("{name} cancelled and cleaned up");
                match cancelled.resume().await {}
            }
        }
    }

    async fn caller(children: [Task<&'static str>; 3], as_results: bool) {
        let refs = children.each_ref().map(Task::task_ref);
        let outcome = match as_results {
            false => catch_cancelled(async { drop(gather(children).await) }).await,
            true => catch_cancelled(async { drop(gather_settled(children).await) }).await,
        };
        if let Err(cancelled) = outcome {
            if as_results {
                let done = refs.iter().filter(|child| child.is_finished()).count();
                say!("caller: CancelledError, children done {done}");
            }
            cancelled.resume().await;
        }
    }

    async fn main() {
        for as_results in [false, true] {
            say!("return_exceptions {as_results}");
            let specs = [
                ("quick", 0.01, 0.0),
                ("fast cleanup", 1.0, 0.02),
                ("slow cleanup", 1.0, 0.04),
            ];
            let children = specs.map(|spec| create_task(child(spec)));
            let [quick, fast, slow] = children.each_ref().map(Task::task_ref);
            let task = create_task(caller(children, as_results));
            sleep(secs(0.03)).await;
            task.cancel();
            let task = task.task_ref();
            wait(
                [&task, &quick, &fast, &slow].map(Clone::clone),
                ReturnWhen::AllCompleted,
            )
            .await;
            say!("caller cancelled {}", task.is_cancelled());
            say!(
                "children cancelled {} {} {}",
                quick.is_cancelled(),
                fast.is_cancelled(),
                slow.is_cancelled()
            );
        }
    }

    conforms("gather_cancel", main);
}

/// gather: by default the first error is raised at once and the others run on; else errors are results.
#[test]
fn gather_exception() {
    async fn good(name: &'static str, seconds: f64) -> Result<&'static str, ValueError> {
        sleep(secs(seconds)).await;
        say!("{name} finished");
        Ok(name)
    }

    async fn bad(name: &'static str, seconds: f64) -> Result<&'static str, ValueError> {
        sleep(secs(seconds)).await;
        say!("{name} raises");
        Err(ValueError(name))
    }

    async fn main() {
        let g1 = Arc::new(create_task(good("g1", 0.06)));
        let b2 = Arc::new(create_task(bad("b2", 0.04)));
        if let Err(TaskError::Failed(error)) =
            try_gather((bad("b1", 0.02), shared(g1.clone()), shared(b2.clone()))).await
        {
            say!("raised {error} others done {} {}", g1.is_finished(), b2.is_finished());
        }
        wait([&*g1, &*b2], ReturnWhen::AllCompleted).await;
        say!(
            "g1 ended with {} b2 ended with {}",
            g1.result().unwrap().unwrap().unwrap(),
            b2.result().unwrap().unwrap().unwrap_err()
        );

        let victim = create_task(good("victim", 1.0));
        let to_cancel = victim.task_ref();
        EventLoop::current().call_later(secs(0.02), move || assert!(to_cancel.cancel()));
        let (g3, b3, victim) = gather_settled((good("g3", 0.04), bad("b3", 0.01), victim)).await;
        for result in [g3, b3, victim] {
            match result {
                Ok(Ok(value)) => say!("result {value}"),
                Ok(Err(ValueError(_))) => say!("result ValueError"),
                Err(JoinError::Cancelled) => say!("result CancelledError"),
                Err(JoinError::Panicked(panic)) => panic.resume(),
            }
        }
    }

    conforms("gather_exception", main);
}

/// gather: results in argument order whatever the finishing order; starts all at once; empty; repeated task.
#[test]
fn gather_results() {
    async fn work(name: &'static str, seconds: f64) -> &'static str {
        sleep(secs(seconds)).await;
        say!("finished {name}");
        name
    }

    async fn main() {
        let values = gather([work("a", 0.06), work("b", 0.02), work("c", 0.04)])
            .await
            .unwrap();
        say!("{}", values.join(" "));
        say!("empty gives {:?}", gather(Vec::<Task<&str>>::new()).await.unwrap());

        let task = Arc::new(create_task(work("shared", 0.01)));
        let values = gather((shared(task.clone()), work("other", 0.03), shared(task.clone())))
            .await
            .unwrap();
        say!("{}", <[_; 3]>::from(values).join(" "));

        let nested = gather((gather((work("d", 0.02), work("e", 0.04))), work("f", 0.06)));
        let (inner, f) = nested.await.unwrap();
        let (d, e) = inner.unwrap();
        say!("{d} {e} {f}");
    }

    conforms("gather_results", main);
}

/// wait: ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION; errors are not raised; nothing is cancelled.
#[test]
fn wait_modes() {
    type Work = Task<Result<&'static str, ValueError>>;

    async fn work(name: &'static str, seconds: f64, fail: bool) -> Result<&'static str, ValueError> {
        sleep(secs(seconds)).await;
        if fail {
            return Err(ValueError(name));
        }
        Ok(name)
    }

    fn named(name: &'static str, seconds: f64, fail: bool) -> Work {
        let task = create_fallible_task(work(name, seconds, fail));
        task.set_name(name);
        task
    }

    fn names<'a>(tasks: impl IntoIterator<Item = &'a Work>) -> String {
        let mut names: Vec<_> = tasks.into_iter().map(|task| task.name().to_string()).collect();
        names.sort();
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(" ")
        }
    }

    async fn main() {
        let modes = [
            ("FIRST_COMPLETED", ReturnWhen::FirstCompleted),
            ("FIRST_EXCEPTION", ReturnWhen::FirstException),
            ("ALL_COMPLETED", ReturnWhen::AllCompleted),
        ];
        for (mode, return_when) in modes {
            let tasks = [named("a", 0.02, false), named("b", 0.05, true), named("c", 0.08, false)];
            let (done, pending) = wait(&tasks, return_when).await;
            say!("{mode} done {} pending {}", names(done), names(pending));
            let (done, pending) = wait(&tasks, ReturnWhen::AllCompleted).await;
            say!("then done {} pending {}", names(done.iter().copied()), names(pending));
            let failed = |task: &&Work| task.result().unwrap().unwrap().is_err();
            say!("errors {}", names(done.into_iter().filter(failed)));
        }
        if catch_unwind(|| wait(Vec::<TaskRef>::new(), ReturnWhen::AllCompleted)).is_err() {
            say!("empty: ValueError");
        }
    }

    conforms("wait_modes", main);
}

/// wait: running into its timeout, or being cancelled itself, neither raises TimeoutError nor cancels the tasks.
#[test]
fn wait_timeout() {
    async fn work(name: &'static str, seconds: f64) {
        match catch_cancelled(sleep(secs(seconds))).await {
            Ok(()) => say!("{name} finished"),
            Err(cancelled) => {
                say!("{name} not printed");
                cancelled.resume().await;
            }
        }
    }

    async fn watcher(tasks: [TaskRef; 1]) {
        if let Err(cancelled) = catch_cancelled(wait(tasks, ReturnWhen::AllCompleted)).await {
            say!("watcher: cancelled");
            cancelled.resume().await;
        }
    }

    async fn main() {
        let quick = create_task(work("quick", 0.02));
        let slow = create_task(work("slow", 0.12));
        let both = [&quick, &slow];
        let (done, pending) = wait(both, ReturnWhen::AllCompleted).timeout(secs(0.05)).await;
        say!(
            "done {} pending {} slow cancelled {}",
            done.len(),
            pending.len(),
            slow.is_cancelled()
        );

        let w = create_task(watcher([slow.task_ref()]));
        sleep(secs(0.02)).await;
        w.cancel();
        wait([&w], ReturnWhen::AllCompleted).await;
        say!(
            "watcher cancelled {} slow requests {}",
            w.is_cancelled(),
            slow.cancelling()
        );

        let (done, pending) = wait(both, ReturnWhen::AllCompleted).timeout(secs(0.0)).await;
        say!("timeout 0: done {} pending {}", done.len(), pending.len());
        (&slow).await.unwrap();
        let (done, pending) = wait(both, ReturnWhen::AllCompleted).timeout(secs(1.0)).await;
        say!("done {} pending {}", done.len(), pending.len());
    }

    conforms("wait_timeout", main);
}
