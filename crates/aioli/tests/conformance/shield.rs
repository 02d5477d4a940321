//! `shield`.

use crate::harness::{conforms, say, secs};
use aioli::{
    JoinError, ReturnWhen, Task, TaskRef, catch_cancelled, create_task, current_task, finally, shield, sleep, wait,
};
use std::{
    future::pending,
    sync::{Arc, Mutex},
};

/// shield: cancelling the waiter spares the job; cancelling the job itself reaches the waiter.
#[test]
fn shield_cancel() {
    async fn job(name: &'static str) -> &'static str {
        match catch_cancelled(sleep(secs(0.04))).await {
            Ok(()) => {
                say!("{name} job finished");
                "result"
            }
            Err(cancelled) => {
                say!("{name} job cancelled");
                match cancelled.resume().await {}
            }
        }
    }

    async fn waiter(name: &'static str, task: Arc<Task<&'static str>>) {
        let me = current_task().unwrap();
        match catch_cancelled(shield(&*task)).await {
            Ok(Ok(value)) => say!("{name} waiter got {value}"),
            // The job was cancelled, and not this task. To go on as its own cancellation it has to ask for one.
            Ok(Err(_)) => {
                say!("{name} waiter cancelled, requests {}", me.cancelling());
                me.cancel();
                pending::<()>().await;
            }
            Err(cancelled) => {
                say!("{name} waiter cancelled, requests {}", me.cancelling());
                cancelled.resume().await;
            }
        }
    }

    async fn main() {
        for (name, hit_waiter) in [("outer:", true), ("inner:", false)] {
            let j = Arc::new(create_task(job(name)));
            let w = create_task(waiter(name, j.clone()));
            sleep(secs(0.01)).await;
            if hit_waiter {
                w.cancel()
            } else {
                j.cancel()
            };
            wait([&w], ReturnWhen::AllCompleted).await;
            say!("{name} job done when waiter ended {}", j.is_finished());
            wait([&*j], ReturnWhen::AllCompleted).await;
            say!(
                "{name} waiter cancelled {} job cancelled {}",
                w.is_cancelled(),
                j.is_cancelled()
            );
            if !j.is_cancelled() {
                say!("{name} job result {}", j.result().unwrap().unwrap());
            }
        }
    }

    conforms("shield_cancel", main);
}

/// shield in a finally block: a second cancel ends the waiting, not the shielded cleanup.
#[test]
fn shield_cleanup() {
    type Cleanups = Arc<Mutex<Vec<TaskRef>>>;

    async fn rollback() {
        say!("rollback: start");
        sleep(secs(0.04)).await;
        say!("rollback: done");
    }

    async fn transaction(cleanups: Cleanups) {
        let body = async {
            say!("transaction: begin");
            sleep(secs(1.0)).await;
        };
        let cleanup = async move {
            let task = create_task(rollback());
            cleanups.lock().unwrap().push(task.task_ref());
            shield(task).await.unwrap();
            say!("transaction: only printed when not cancelled twice");
        };
        finally(body, cleanup).await;
    }

    async fn main() {
        let cleanups = Cleanups::default();
        let task = create_task(transaction(cleanups.clone()));
        sleep(secs(0.01)).await;
        task.cancel();
        sleep(secs(0.02)).await;
        task.cancel();
        let outcome = task.await;
        let rollback = cleanups.lock().unwrap()[0].clone();
        if let Err(JoinError::Cancelled) = outcome {
            say!("main: transaction cancelled, rollback done {}", rollback.is_finished());
        }
        rollback.finished().await;
        say!("main: rollback done {}", rollback.is_finished());
    }

    conforms("shield_cleanup", main);
}
