//! What makes no sense, what misbehaves, and what becomes of it.

use crate::stage::{HOUR, Stage, ms, say};
use aioli::Promise;
use aioli::{Builder, Task, TaskGroup, catch_cancelled, create_task, current_task, defer, finally, sleep, to_thread};
use std::{
    future::pending,
    sync::{Arc, Mutex},
};

pub fn cancelling_what_is_not_there(stage: Stage) {
    stage.open(
        "Cancelling who is finished, detached, or oneself",
        "Three tasks, and three requests.",
    );
    stage.play(async {
        let finished = create_task(async { 42 });
        finished.finished().await;
        say(format!("main: cancels a finished task: {}", finished.cancel()));
        say(format!("main: which keeps its value: {:?}", finished.await));

        let task = create_task(sleep(HOUR));
        let name = task.task_ref();
        task.detach();
        say(format!("main: cancels a detached task, by name: {}", name.cancel()));
        name.finished().await;

        let itself = create_task(async {
            current_task().unwrap().cancel();
            say("itself: has cancelled itself, and goes on to its next await");
            sleep(HOUR).await;
            say("itself: is never here");
        });
        say(format!("main: got {:?}", itself.await));
    });
    stage.close("cancel() tells whether it could still do something, and is never an error.");
}

pub fn awaiting_oneself(stage: Stage) {
    stage.open("Awaiting oneself", "A task is handed its own handle, and awaits it.");
    stage.play(async {
        let slot = Arc::new(Mutex::new(None::<Task<()>>));
        let task = Task::builder().name("narcissus").spawn({
            let slot = slot.clone();
            async move {
                sleep(ms(10)).await;
                let myself = slot.lock().unwrap().take().unwrap();
                let _ = myself.await;
            }
        });
        *slot.lock().unwrap() = Some(task);
        sleep(ms(20)).await;
        say("main: goes on");
    });
    stage.close("It would wait for ever, so it panics, and says what to do instead.");
}

pub fn cleanup_that_panics(stage: Stage) {
    stage.open(
        "Cleanup that panics",
        "Once in a handler, which is the task's own code, and once in deferred work.",
    );
    stage.play(async {
        let handler = create_task(async {
            if catch_cancelled(sleep(HOUR)).await.is_err() {
                panic!("in the handler");
            }
        });
        let deferred = Task::builder().name("worker").spawn(async {
            let _work = defer(async { panic!("in deferred work") });
            sleep(HOUR).await;
        });
        sleep(ms(10)).await;
        handler.cancel();
        say(format!("main: the first gave {:?}", handler.await));
        sleep(ms(10)).await;
        deferred.cancel();
        say(format!("main: the second gave {:?}", deferred.await));
    });
    stage.close(
        "A handler's panic is the task's outcome. Deferred work has none; its panic goes to the exception handler.",
    );
}

pub fn cleanup_that_cancels_and_spawns(stage: Stage) {
    stage.open(
        "Cleanup that cancels again, and spawns",
        "Deferred work cancels its own task and creates another one; then main returns.",
    );
    stage.play(async {
        let worker = create_task(async {
            let _work = defer(async {
                sleep(ms(10)).await;
                say(format!(
                    "worker: cancels itself again: {}",
                    current_task().unwrap().cancel()
                ));
                create_task(finally(sleep(HOUR), async { say("late task: cleaned up") })).detach();
                sleep(ms(10)).await;
                say("worker: deferred work is done");
            });
            sleep(HOUR).await;
        });
        sleep(ms(10)).await;
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
        sleep(ms(10)).await;
        say("main: returns");
    });
    stage.close(
        "Deferred work cannot be cancelled, not by itself either. A task that cleanup creates is a task as any.",
    );
}

pub fn cleanup_that_hangs(stage: Stage) {
    stage.open(
        "Cleanup that hangs",
        "A task defers work that never ends, and main returns. The loop waits no longer than 50 ms of real time.",
    );
    stage.play_on(Builder::new().cleanup_timeout(ms(50)), async {
        let program = async {
            let _work = defer(pending());
            sleep(HOUR).await;
        };
        Task::builder().name("hanger").spawn(program).detach();
        sleep(ms(10)).await;
        say("main: returns");
    });
    say("run: returns");
    stage.close("By default run waits for ever, as asyncio does. Builder::cleanup_timeout cuts off, and reports whom.");
}

pub fn swallowing_for_ever(stage: Stage) {
    stage.open(
        "Swallowing for ever",
        "A task swallows every request: three from main, and that of the end. Again the loop has 50 ms.",
    );
    stage.play_on(Builder::new().cleanup_timeout(ms(50)), async {
        let program = async {
            loop {
                if let Err(cancelled) = catch_cancelled(pending::<()>()).await {
                    say("stubborn: no");
                    cancelled.swallow();
                }
            }
        };
        let stubborn = Task::builder().name("stubborn").spawn(program);
        for _ in 0..3 {
            sleep(ms(10)).await;
            stubborn.cancel();
        }
        sleep(ms(10)).await;
        say(format!("main: asked {} times, and returns", stubborn.cancelling()));
    });
    say("run: returns");
    stage.close("Whoever waits for it waits for ever, as in asyncio. Only cleanup_timeout, at the end, has force.");
}

pub fn everything_fails_at_once(stage: Stage) {
    stage.open(
        "Everything fails",
        "The body of a group fails while one child fails in its cleanup and another one panics in its own.",
    );
    stage.play(async {
        let result = TaskGroup::scope(async |group| {
            group.create_task(async {
                match catch_cancelled(sleep(HOUR)).await {
                    Ok(()) => Ok(()),
                    Err(cancelled) => {
                        sleep(ms(10)).await;
                        cancelled.swallow();
                        Err("the child cannot clean up".into())
                    }
                }
            })?;
            group.create_task(finally(sleep(HOUR), async {
                sleep(ms(20)).await;
                panic!("what a mess");
            }))?;
            sleep(ms(10)).await;
            say("body: fails");
            Err::<(), _>("the body has had enough".into())
        });
        let error = result.await.unwrap_err();
        say(format!("main: {} errors:", error.errors().len()));
        error.errors().iter().for_each(|error| say(format!("      {error}")));
    });
    stage.close("All errors come together, in the order in which they happened. None is lost.");
}

pub fn a_thread_without_a_loop(stage: Stage) {
    stage.open(
        "From another thread",
        "A thread that knows nothing of any loop cancels a task.",
    );
    stage.play(async {
        let worker = create_task(async {
            if let Err(cancelled) = catch_cancelled(sleep(HOUR)).await {
                say(format!("worker: told that {:?}", cancelled.reason().unwrap()));
                cancelled.resume().await;
            }
        });
        sleep(ms(10)).await;
        let name = worker.task_ref();
        let thread = to_thread(move || {
            say("thread: cancels the worker");
            name.cancel_with("a thread says so")
        });
        let accepted = thread.await.unwrap();
        worker.finished().await;
        say(format!(
            "main: accepted: {accepted}, cancelled: {}",
            worker.is_cancelled()
        ));
    });
    stage.close(
        "cancel() never blocks and may be called anywhere. The future is dropped by a worker, not by the caller.",
    );
}

pub fn a_promise_kept_twice(stage: Stage) {
    stage.open(
        "A promise, kept twice",
        "Somebody who waits for a promise is cancelled. Then the promise is kept, and kept again.",
    );
    stage.play(async {
        let promise = Promise::new();
        let waiter = create_task({
            let promise = promise.clone();
            async move { promise.await.map_err(|error| error.to_string()) }
        });
        sleep(ms(10)).await;
        waiter.cancel();
        say(format!("main: the waiter gave {:?}", waiter.await));
        say(format!("main: the promise was cancelled: {}", promise.is_cancelled()));
        say(format!("main: kept once: {:?}", promise.set_result(1)));
        let again = promise.set_result(2);
        say(format!("main: kept twice: {}", again.unwrap_err()));
        say(format!("main: and it is still {:?}", promise.await.unwrap()));
    });
    stage.close(
        "A waiter that goes leaves the promise alone. The first one to keep it has kept it; later values come back.",
    );
}
