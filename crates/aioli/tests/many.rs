//! Many items in one combinator: waiting for them takes nothing from the budget of a turn, so that all are known from the start.

mod common;

use aioli::{Builder, EventLoop, as_completed, gather, gather_settled, sleep, try_gather};
use common::{WORKERS, ms};
use std::{
    future::{Future, poll_fn},
    pin::pin,
};

/// Runs a program with a clock that stands still while anything is left to do.
fn run<F: Future>(workers: usize, program: F) -> F::Output {
    let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
    runner.run(program)
}

async fn taking(milliseconds: u64) -> u64 {
    sleep(ms(milliseconds)).await;
    milliseconds
}

/// Awaits, and gives how often that was polled before the clock has moved.
async fn polls_at_first<F: Future>(future: F) -> (usize, F::Output) {
    let start = EventLoop::current().time();
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += usize::from(EventLoop::current().time() == start);
        future.as_mut().poll(cx)
    });
    let output = output.await;
    (polls, output)
}

#[test]
fn a_gathering_waits_for_all_of_its_tasks_after_two_turns() {
    run(1, async {
        // In the first turn it gives way, so that the tasks have theirs.
        let (polls, values) = polls_at_first(gather((0..10_000).map(|n| taking(n + 1)))).await;
        assert_eq!((polls, values.unwrap().len()), (2, 10_000));
        let (polls, values) = polls_at_first(gather_settled((0..1000).map(|n| taking(1000 - n)))).await;
        assert_eq!((polls, values.len()), (2, 1000));
    });
}

#[test]
fn a_gathering_takes_many_values_that_are_there() {
    for workers in WORKERS {
        run(workers, async {
            let values = gather((0..10_000).map(|n| async move { n })).await.unwrap();
            assert!(values.into_iter().eq(0..10_000));
            let failed = try_gather((0..10_000).map(|n| async move { if n < 9_999 { Ok(n) } else { Err(n) } }));
            assert!(failed.await.is_err());
        });
    }
}

#[test]
fn outcomes_come_in_the_order_in_which_many_tasks_ended_before_anybody_asked() {
    for workers in WORKERS {
        run(workers, async {
            let mut outcomes = as_completed((1..=1000).rev().map(taking));
            sleep(ms(2000)).await;
            for expected in 1..=1000 {
                assert_eq!(outcomes.next().await.unwrap().unwrap(), expected);
            }
            assert!(outcomes.next().await.is_none());
        });
    }
}
