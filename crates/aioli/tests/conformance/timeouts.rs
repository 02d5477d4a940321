//! `wait_for` and `Timeout`.

use crate::harness::{ValueError, conforms, say, secs};
use aioli::{
    EventLoop, ReturnWhen, Task, Timeout, TimeoutError, catch_cancelled, create_task, current_task, shield, sleep,
    wait, wait_for,
};
use std::time::Duration;

/// Nested timeout() blocks: only the block whose deadline passed turns the cancel into TimeoutError.
#[test]
fn timeout_nested() {
    fn timeout(limit: Option<f64>) -> Timeout {
        limit.map_or_else(Timeout::never, |limit| Timeout::after(secs(limit)))
    }

    async fn case(name: &'static str, outer_limit: Option<f64>, inner_limit: Option<f64>) {
        let outer = timeout(outer_limit);
        let inner = timeout(inner_limit);
        let outer_block = outer.run(async {
            let inner_block = inner.run(async {
                sleep(secs(0.1)).await;
                say!("{name} slept to the end");
            });
            match catch_cancelled(inner_block).await {
                Ok(Ok(())) => {}
                Ok(Err(TimeoutError)) => say!("{name} inner TimeoutError"),
                Err(cancelled) => {
                    say!("{name} inner sees CancelledError");
                    cancelled.resume().await;
                }
            }
            sleep(secs(0.01)).await;
            say!("{name} outer block goes on");
        });
        if let Err(TimeoutError) = outer_block.await {
            say!("{name} outer TimeoutError");
        }
        say!("{name} expired inner {} outer {}", inner.expired(), outer.expired());
        say!("{name} requests {}", current_task().unwrap().cancelling());
    }

    async fn main() {
        case("inner first:", Some(0.2), Some(0.02)).await;
        case("outer first:", Some(0.02), Some(0.2)).await;
        case("neither:", None, Some(0.3)).await;
    }

    conforms("timeout_nested", main);
}

/// timeout(): reschedule later, to never, to the past; when(), expired(); misuse outside the block.
#[test]
fn timeout_reschedule() {
    async fn main() {
        let event_loop = EventLoop::current();

        let later = Timeout::after(secs(0.02));
        let block = later.run(async {
            later.reschedule(Some(event_loop.time() + secs(0.2))).unwrap();
            sleep(secs(0.04)).await;
            say!("later: survived the first deadline");
        });
        block.await.unwrap();
        say!("later: expired {}", later.expired());

        let never = Timeout::after(secs(0.02));
        let block = never.run(async {
            never.reschedule(None).unwrap();
            sleep(secs(0.04)).await;
            say!("never: when {:?}", never.when());
        });
        block.await.unwrap();

        let past = Timeout::never();
        if past.reschedule(Some(event_loop.time())).is_err() {
            say!("past: not entered yet, RuntimeError");
        }
        let block = past.run(async {
            past.reschedule(Some(event_loop.time() - secs(1.0))).unwrap();
            say!("past: the block runs on to its next await");
            sleep(secs(0.02)).await;
            say!("past: not printed");
        });
        if let Err(TimeoutError) = block.await {
            say!("past: TimeoutError, expired {}", past.expired());
        }
        if past.reschedule(None).is_err() {
            say!("past: already finished, RuntimeError");
        }
    }

    conforms("timeout_reschedule", main);
}

/// Cancelling the caller of wait_for cancels the awaited work and gives CancelledError, never TimeoutError.
#[test]
fn wait_for_outer_cancelled() {
    async fn work() {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("work: cancelled");
            sleep(secs(0.02)).await;
            say!("work: cleaned up");
            cancelled.resume().await;
        }
    }

    async fn caller(task: Task<()>) {
        let awaited = task.task_ref();
        match catch_cancelled(wait_for(task, secs(0.2))).await {
            Ok(Ok(outcome)) => outcome.unwrap(),
            Ok(Err(TimeoutError)) => say!("caller: TimeoutError"),
            Err(cancelled) => {
                say!("caller: CancelledError, work done {}", awaited.is_finished());
                cancelled.resume().await;
            }
        }
    }

    async fn main() {
        let task = create_task(work());
        let w = task.task_ref();
        let c = create_task(caller(task));
        sleep(secs(0.02)).await;
        c.cancel();
        wait([&c], ReturnWhen::AllCompleted).await;
        say!(
            "work cancelled {} caller cancelled {}",
            w.is_cancelled(),
            c.is_cancelled()
        );
        say!("requests {} {}", w.cancelling(), c.cancelling());
    }

    conforms("wait_for_outer_cancelled", main);
}

/// wait_for(shield(task)): the timeout is raised at once and the task goes on to its result.
#[test]
fn wait_for_shield() {
    async fn job() -> u32 {
        match catch_cancelled(sleep(secs(0.06))).await {
            Ok(()) => {
                say!("job: finished");
                42
            }
            Err(cancelled) => {
                say!("job: not printed");
                match cancelled.resume().await {}
            }
        }
    }

    async fn main() {
        let task = create_task(job());
        for limit in [0.02, 0.02] {
            if let Err(TimeoutError) = wait_for(shield(&task), secs(limit)).await {
                say!(
                    "TimeoutError, job done {} requests {}",
                    task.is_finished(),
                    task.cancelling()
                );
            }
        }
        let result = wait_for(shield(&task), secs(0.2)).await;
        say!("result {}", result.unwrap().unwrap());
    }

    conforms("wait_for_shield", main);
}

/// wait_for on code that resists its timeout: a value returned wins, an error raised wins over TimeoutError.
#[test]
fn wait_for_swallow() {
    async fn swallows() -> &'static str {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("swallows: caught");
            cancelled.swallow();
        }
        "late value"
    }

    async fn replaces() -> Result<(), ValueError> {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("replaces: caught");
            cancelled.swallow();
            return Err(ValueError("cleanup failed"));
        }
        Ok(())
    }

    async fn main() {
        say!("coroutine: {}", wait_for(swallows(), secs(0.02)).await.unwrap());
        let task = create_task(swallows());
        say!("task: {}", wait_for(task, secs(0.02)).await.unwrap().unwrap());
        if let Ok(Err(error)) = wait_for(replaces(), secs(0.02)).await {
            say!("error: {error}");
        }
        say!("caller requests {}", current_task().unwrap().cancelling());
    }

    conforms("wait_for_swallow", main);
}

/// wait_for: result in time, error in time, no limit, and a timeout that cancels then waits for cleanup.
#[test]
fn wait_for_timeout() {
    async fn work(seconds: f64) -> &'static str {
        match catch_cancelled(sleep(secs(seconds))).await {
            Ok(()) => "result",
            Err(cancelled) => {
                say!("work: cancelled");
                sleep(secs(0.03)).await;
                say!("work: cleaned up");
                match cancelled.resume().await {}
            }
        }
    }

    async fn fails() -> Result<(), ValueError> {
        sleep(secs(0.01)).await;
        Err(ValueError("boom"))
    }

    async fn main() {
        say!("in time: {}", wait_for(work(0.01), secs(0.1)).await.unwrap());
        say!("no limit: {}", wait_for(work(0.01), None).await.unwrap());
        if let Ok(Err(error)) = wait_for(fails(), secs(0.1)).await {
            say!("error: {error}");
        }
        let task = create_task(work(1.0));
        let late = task.task_ref();
        if let Err(TimeoutError) = wait_for(task, secs(0.02)).await {
            say!(
                "late: TimeoutError, task done {} cancelled {}",
                late.is_finished(),
                late.is_cancelled()
            );
        }
        say!("caller requests {}", current_task().unwrap().cancelling());
    }

    conforms("wait_for_timeout", main);
}

/// wait_for with a timeout <= 0: a finished task still gives its result, a new coroutine never starts.
#[test]
fn wait_for_zero() {
    async fn body(name: &'static str) -> &'static str {
        say!("{name} body ran");
        name
    }

    async fn main() {
        let finished = create_task(body("finished"));
        (&finished).await.unwrap();
        let value = wait_for(&finished, secs(0.0)).await;
        say!("finished task: {}", value.unwrap().unwrap());

        for limit in [0, -1] {
            // A `Duration` cannot be negative: what is over already has zero left.
            let left = Duration::from_secs(limit.try_into().unwrap_or(0));
            if let Err(TimeoutError) = wait_for(body("never"), left).await {
                say!("limit {limit} TimeoutError, body did not run");
            }
        }

        let running = create_task(sleep(secs(0.05)));
        let task = running.task_ref();
        sleep(secs(0.01)).await;
        if let Err(TimeoutError) = wait_for(running, secs(0.0)).await {
            say!("running task: TimeoutError, cancelled {}", task.is_cancelled());
        }
    }

    conforms("wait_for_zero", main);
}
