//! `shield`: the one who waits can be cancelled, the task goes on. On a virtual clock, on one worker and on several.

mod common;

use aioli::{
    Builder, EventLoop, JoinError, TimeoutError, catch_cancelled, create_task, current_task, finally, shield, sleep,
    wait_for,
};
use common::{Log, WORKERS, ms, until};
use futures_lite::FutureExt;
use std::{future::Future, pin::pin};

/// Runs a program on each number of workers, and compares what it has said.
fn says<F: Future<Output = ()>>(expected: &[&str], program: impl Fn(Log) -> F) {
    for workers in WORKERS {
        let log = Log::default();
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program(log.clone()));
        assert_eq!(log.lines(), expected, "with {workers} workers");
    }
}

async fn job(log: Log) -> u32 {
    if let Err(cancelled) = catch_cancelled(sleep(ms(50))).await {
        log.add("job cancelled");
        cancelled.resume().await;
    }
    log.add("job finished");
    42
}

#[test]
fn it_gives_what_the_task_gives() {
    says(&["job finished"; 4], |log| async move {
        assert_eq!(shield(job(log.clone())).await.unwrap(), 42);
        assert_eq!(shield(create_task(job(log.clone()))).await.unwrap(), 42);
        assert_eq!(shield(&create_task(job(log.clone()))).await.unwrap(), 42);
        assert_eq!(shield(&mut create_task(job(log))).await.unwrap(), 42);
        let panics: Result<(), _> = shield(async { panic!("oh") }).await;
        assert_eq!(panics.unwrap_err().to_string(), "the task panicked: oh");
    });
}

#[test]
fn the_one_who_waits_is_cancelled_and_the_task_goes_on() {
    says(&["waiter cancelled", "job finished"], |log| async move {
        let job = create_task(job(log.clone()));
        let (job_ref, end) = (job.task_ref(), job.finished());
        let waiter = create_task(async move { shield(job).await.unwrap() });
        sleep(ms(10)).await;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        log.add("waiter cancelled");
        assert_eq!((job_ref.is_finished(), job_ref.cancelling()), (false, 0));
        end.await;
        assert!(!job_ref.is_cancelled());
    });
}

#[test]
fn a_task_that_is_cancelled_itself_is_an_error_for_the_one_who_waits() {
    says(&["job cancelled"], |log| async move {
        let job = create_task(job(log));
        let job_ref = job.task_ref();
        let waiter = create_task(async move {
            let outcome = shield(job).await;
            assert_eq!(current_task().unwrap().cancelling(), 0);
            outcome
        });
        sleep(ms(10)).await;
        job_ref.cancel();
        assert!(matches!(waiter.await.unwrap(), Err(JoinError::Cancelled)));
    });
}

#[test]
fn a_limit_that_is_up_leaves_a_borrowed_task_to_be_awaited_again() {
    says(&["shared", "borrowed", "given", "job finished"], |log| async move {
        let mut task = create_task(job(log.clone()));
        assert_eq!(wait_for(shield(&task), ms(10)).await.unwrap_err(), TimeoutError);
        log.add("shared");
        assert_eq!(wait_for(shield(&mut task), ms(10)).await.unwrap_err(), TimeoutError);
        log.add("borrowed");
        let end = task.finished();
        assert_eq!(wait_for(shield(task), ms(10)).await.unwrap_err(), TimeoutError);
        log.add("given");
        end.await;
    });
}

#[test]
fn a_future_becomes_a_task_at_once() {
    says(&["begun", "goes on"], |log| async move {
        let theirs = log.clone();
        let shielded = shield(async move {
            theirs.add("begun");
            sleep(ms(10)).await;
            theirs.add("goes on");
        });
        until(|| log.lines() == ["begun"]).await;
        drop(shielded);
        sleep(ms(20)).await;
    });
}

#[test]
fn in_a_cleanup_it_lets_a_second_request_through_and_the_cleanup_goes_on() {
    says(&["cleanup", "cancelled", "done"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                let rollback = async move {
                    let shielded = shield({
                        let log = log.clone();
                        async move {
                            log.add("cleanup");
                            sleep(ms(50)).await;
                            log.add("done");
                        }
                    });
                    shielded.await.unwrap();
                    log.add("never");
                };
                finally(sleep(ms(1000)), rollback).await;
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        sleep(ms(10)).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        log.add("cancelled");
        until(|| log.lines().len() == 2).await;
        sleep(ms(50)).await;
    });
}

#[test]
fn dropped_by_a_foreign_combinator_it_leaves_the_task_alone() {
    says(&["dropped", "job finished"], |log| async move {
        let mut shielded = pin!(shield(job(log.clone())));
        async { drop(shielded.as_mut().await) }.or(sleep(ms(10))).await;
        log.add("dropped");
        assert_eq!(shielded.await.unwrap(), 42);
    });
}

#[test]
fn a_panic_after_the_one_who_waits_has_left_is_reported() {
    says(&["too late"], |log| async move {
        EventLoop::current().set_exception_handler(move |error| log.add(error.message()));
        let task = create_task(async {
            sleep(ms(20)).await;
            panic!("too late")
        });
        let end = task.finished();
        let waited: Result<Result<(), _>, _> = wait_for(shield(task), ms(10)).await;
        assert_eq!(waited.unwrap_err(), TimeoutError);
        end.await;
    });
}
