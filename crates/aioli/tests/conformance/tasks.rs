//! Tasks and cancellation.

use crate::harness::{ValueError, conforms, say, secs};
use aioli::{JoinError, ReturnWhen, Task, catch_cancelled, create_task, current_task, finally, sleep, wait};

/// If the awaited task swallows the cancel and returns, the outer await returns too: outer is not cancelled.
#[test]
fn awaited_swallows_cancel() {
    async fn inner() -> Option<&'static str> {
        match catch_cancelled(sleep(secs(1.0))).await {
            Ok(()) => None,
            Err(cancelled) => {
                say!("inner: swallows");
                sleep(secs(0.01)).await;
                cancelled.swallow();
                Some("inner value")
            }
        }
    }

    async fn outer(task: Task<Option<&'static str>>) -> &'static str {
        let value = task.await.unwrap();
        say!("outer: got {}", value.unwrap());
        sleep(secs(0.01)).await;
        say!("outer: later awaits work");
        "outer value"
    }

    async fn main() {
        let task = create_task(inner());
        let a = task.task_ref();
        let b = create_task(outer(task));
        sleep(secs(0.02)).await;
        b.cancel();
        say!("main: got {}", (&b).await.unwrap());
        say!("cancelled {} {}", a.is_cancelled(), b.is_cancelled());
        say!("requests {} {}", a.cancelling(), b.cancelling());
    }

    conforms("awaited_swallows_cancel", main);
}

/// A task cancelled before its first step never runs its body; cancel() on a done task returns False.
#[test]
fn cancel_before_start() {
    async fn body() {
        let attempt = async { say!("body: never printed") };
        let cleanup = async { say!("body: never printed either") };
        finally(attempt, cleanup).await;
    }

    async fn main() {
        let task = create_task(body());
        say!("cancel {}", task.cancel());
        say!(
            "requests {} done {} cancelled {}",
            task.cancelling(),
            task.is_finished(),
            task.is_cancelled()
        );
        if let Err(JoinError::Cancelled) = (&task).await {
            say!("await raised CancelledError");
        }
        say!("done {} cancelled {}", task.is_finished(), task.is_cancelled());
        say!("cancel again {} requests {}", task.cancel(), task.cancelling());
    }

    conforms("cancel_before_start", main);
}

/// Cancel is one-shot: cleanup may await in peace, but a second cancel() interrupts that cleanup.
#[test]
fn cancel_during_cleanup() {
    async fn worker(name: &'static str) {
        let cleanup = async move {
            say!("{name} cleanup starts");
            let slow = async {
                sleep(secs(0.04)).await;
                say!("{name} cleanup finished");
            };
            if let Err(cancelled) = catch_cancelled(slow).await {
                say!("{name} cleanup interrupted");
                cancelled.resume().await;
            }
        };
        finally(sleep(secs(1.0)), cleanup).await;
    }

    async fn main() {
        let once = create_task(worker("once:"));
        let twice = create_task(worker("twice:"));
        sleep(secs(0.01)).await;
        once.cancel();
        twice.cancel();
        sleep(secs(0.01)).await;
        say!("still cleaning up {} {}", once.is_finished(), twice.is_finished());
        twice.cancel();
        wait([&once, &twice], ReturnWhen::AllCompleted).await;
        say!("once: cancelled {} requests {}", once.is_cancelled(), once.cancelling());
        say!(
            "twice: cancelled {} requests {}",
            twice.is_cancelled(),
            twice.cancelling()
        );
    }

    conforms("cancel_during_cleanup", main);
}

/// Cancelling a task that awaits a task cancels the innermost one first; the error travels outwards.
#[test]
fn cancel_propagates() {
    async fn inner() {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("inner: cancelled, cleaning up");
            sleep(secs(0.02)).await;
            say!("inner: clean");
            cancelled.resume().await;
        }
    }

    async fn wrap(name: &'static str, task: Task<()>) {
        let awaited = task.task_ref();
        if let Err(cancelled) = catch_cancelled(task).await {
            say!("{name}: sees the cancel, awaited task done {}", awaited.is_finished());
            cancelled.resume().await;
        }
    }

    async fn main() {
        let task = create_task(inner());
        let a = task.task_ref();
        let task = create_task(wrap("middle", task));
        let b = task.task_ref();
        let c = create_task(wrap("outer", task));
        sleep(secs(0.02)).await;
        c.cancel();
        if let Err(JoinError::Cancelled) = (&c).await {
            say!("main: outer is cancelled");
        }
        say!(
            "cancelled {} {} {}",
            a.is_cancelled(),
            b.is_cancelled(),
            c.is_cancelled()
        );
        say!("requests {} {} {}", a.cancelling(), b.cancelling(), c.cancelling());
    }

    conforms("cancel_propagates", main);
}

/// cancel() is only a request: the error is raised at the task's await, later, and finally runs.
#[test]
fn cancel_while_sleeping() {
    async fn sleeper() {
        let attempt = async {
            say!("sleeper: sleeping");
            sleep(secs(1.0)).await;
            say!("sleeper: not reached");
        };
        let caught = async {
            if let Err(cancelled) = catch_cancelled(attempt).await {
                say!("sleeper: CancelledError");
                cancelled.resume().await;
            }
        };
        finally(caught, async { say!("sleeper: finally") }).await;
    }

    async fn main() {
        let task = create_task(sleeper());
        sleep(secs(0.01)).await;
        say!("main: cancel {}", task.cancel());
        say!(
            "main: right after, done {} requests {}",
            task.is_finished(),
            task.cancelling()
        );
        if let Err(JoinError::Cancelled) = (&task).await {
            say!("main: CancelledError");
        }
        say!("main: cancelled {}", task.is_cancelled());
        // There is no `exception()`: value and error are read with the same `result()`.
        for name in ["result", "exception"] {
            if let Some(Err(JoinError::Cancelled)) = task.result() {
                say!("main: {name} raises CancelledError");
            }
        }
    }

    conforms("cancel_while_sleeping", main);
}

/// A task may catch its cancel, uncancel() and go on; without uncancel() the request count stays up.
#[test]
fn suppress_uncancel() {
    async fn stubborn(name: &'static str, give_back: bool) -> &'static str {
        let me = current_task().unwrap();
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("{name} caught, requests {}", me.cancelling());
            if give_back {
                say!("{name} uncancel leaves {}", me.uncancel());
            }
            cancelled.swallow();
        }
        sleep(secs(0.01)).await;
        say!("{name} still running, requests {}", me.cancelling());
        "survived"
    }

    async fn main() {
        for (name, give_back) in [("polite:", true), ("sloppy:", false)] {
            let task = create_task(stubborn(name, give_back));
            sleep(secs(0.01)).await;
            task.cancel();
            say!("{name} {}", (&task).await.unwrap());
            say!(
                "{name} cancelled {} requests {}",
                task.is_cancelled(),
                task.cancelling()
            );
        }
        say!("uncancel at zero stays {}", current_task().unwrap().uncancel());
    }

    conforms("suppress_uncancel", main);
}

/// A task's exception is stored, re-raised by every await, and readable with exception().
#[test]
fn task_exception() {
    async fn fails() -> Result<(), ValueError> {
        sleep(secs(0.01)).await;
        Err(ValueError("boom"))
    }

    async fn main() {
        let task = create_task(fails());
        // There is no `exception()`: value and error are read with the same `result()`. `None` is its `InvalidStateError`.
        for read in ["exception()", "result()"] {
            if task.result().is_none() {
                say!("pending: {read} is InvalidStateError");
            }
        }
        for attempt in [1, 2] {
            if let Err(error) = (&task).await.unwrap() {
                say!("await {attempt} raised {error}");
            }
        }
        say!("done {} cancelled {}", task.is_finished(), task.is_cancelled());
        say!("exception {}", task.result().unwrap().unwrap().unwrap_err());

        let fine = create_task(async {
            sleep(secs(0.01)).await;
            Ok::<_, ValueError>("fine")
        });
        say!("other task {}", (&fine).await.unwrap().unwrap());
        say!("other exception {:?}", fine.result().unwrap().unwrap().err());
    }

    conforms("task_exception", main);
}

/// create_task only schedules: the body first runs when its creator yields; the result stays readable.
#[test]
fn task_lifecycle() {
    async fn worker(n: u32) -> u32 {
        say!("worker: start");
        sleep(secs(0.01)).await;
        say!("worker: end");
        n * 2
    }

    async fn main() {
        let task = create_task(worker(21));
        say!("main: created, done {}", task.is_finished());
        sleep(secs(0.0)).await;
        say!("main: after one yield, done {}", task.is_finished());
        say!("main: result {}", (&task).await.unwrap());
        say!("main: done {} cancelled {}", task.is_finished(), task.is_cancelled());
        say!(
            "main: again {} {}",
            (&task).await.unwrap(),
            task.result().unwrap().unwrap()
        );
    }

    conforms("task_lifecycle", main);
}
