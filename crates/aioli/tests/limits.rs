//! Limits that may be missing, and what is left when one is over.

mod common;

use aioli::{
    Builder, EventLoop, ReturnWhen, Timeout, TimeoutError, as_completed, create_task, sleep, timeout, timeout_at, wait,
    wait_for,
};
use common::{LONG, WORKERS, ms};
use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Runs a program on each number of workers, with a clock that stands still while anything is left to do.
fn check<F: Future<Output = ()>>(program: impl Fn() -> F) {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program());
    }
}

async fn taking(milliseconds: u64) -> u64 {
    sleep(ms(milliseconds)).await;
    milliseconds
}

/// As a program has it from its settings.
#[derive(Clone, Copy)]
struct Settings {
    limit: Option<Duration>,
    deadline: Option<Instant>,
}

#[test]
fn a_limit_that_is_missing_is_none() {
    check(|| async {
        let settings = Settings {
            limit: None,
            deadline: None,
        };
        assert_eq!(timeout(settings.limit, taking(10)).await, Ok(10));
        assert_eq!(timeout_at(settings.deadline, taking(10)).await, Ok(10));
        assert_eq!(wait_for(taking(10), settings.limit).await, Ok(10));
        for limit in [
            Timeout::after(settings.limit),
            Timeout::at(settings.deadline),
            Timeout::never(),
        ] {
            assert_eq!(limit.when(), None);
            assert_eq!(limit.run(taking(10)).await, Ok(10));
            assert!(!limit.expired());
        }
        let task = create_task(taking(10));
        let (done, _) = wait([&task], ReturnWhen::AllCompleted).timeout(settings.limit).await;
        assert_eq!(done.len(), 1);
        let mut outcomes = as_completed([taking(20), taking(10)]).timeout(settings.limit);
        for expected in [10, 20] {
            assert_eq!(outcomes.next().await.unwrap().unwrap().unwrap(), expected);
        }
        assert!(outcomes.next().await.is_none());
    });
}

#[test]
fn a_limit_that_is_there_counts() {
    check(|| async {
        let settings = Settings {
            limit: Some(ms(10)),
            deadline: Some(EventLoop::current().time() + ms(5)),
        };
        assert_eq!(timeout_at(settings.deadline, taking(20)).await, Err(TimeoutError));
        assert_eq!(timeout(settings.limit, taking(20)).await, Err(TimeoutError));
        assert_eq!(wait_for(taking(20), settings.limit).await, Err(TimeoutError));
        assert_eq!(Timeout::after(settings.limit).run(taking(20)).await, Err(TimeoutError));
        assert_eq!(Timeout::at(settings.deadline).run(taking(20)).await, Err(TimeoutError));
        let moved = Timeout::after(ms(10));
        let mover = moved.clone();
        let body = async move {
            mover.reschedule(None).unwrap();
            taking(20).await
        };
        assert_eq!(moved.run(body).await, Ok(20));
    });
}

#[test]
fn what_is_left_of_as_completed_when_its_time_is_up() {
    check(|| async {
        let start = EventLoop::current().time();
        let mut outcomes = as_completed([taking(30), taking(10), taking(3_600_000)]).timeout(ms(20));
        assert_eq!(outcomes.next().await.unwrap().unwrap().unwrap(), 10);
        assert_eq!(outcomes.next().await.unwrap().unwrap_err(), TimeoutError);
        assert!(outcomes.next().await.is_none());
        let mut rest = outcomes.into_inner();
        assert_eq!(rest.next().await.unwrap().unwrap(), 30);
        let mut last = rest.timeout(LONG * 2);
        assert_eq!(last.next().await.unwrap().unwrap().unwrap(), 3_600_000);
        assert!(last.next().await.is_none());
        assert_eq!(EventLoop::current().time() - start, LONG);
    });
}
