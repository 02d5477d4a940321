//! `as_completed`: outcomes in the order in which they come. On a virtual clock, on one worker and on several.

mod common;

use aioli::{
    Builder, EventLoop, TimeoutError, as_completed, create_local_task, create_task, current_task, sleep, wait_for,
};
use common::{Log, WORKERS, ms, poll_once, until};
use futures_lite::{FutureExt, Stream, StreamExt};
use std::{
    future::{Future, Ready, pending, ready},
    rc::Rc,
};

/// Runs a program on each number of workers.
fn check<F: Future<Output = ()>>(program: impl Fn() -> F) {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program());
    }
}

async fn taking(n: u64) -> u64 {
    sleep(ms(n)).await;
    n
}

#[test]
fn outcomes_come_in_the_order_in_which_tasks_end() {
    check(|| async {
        let mut outcomes = as_completed([30, 10, 20].map(taking));
        for expected in [10, 20, 30] {
            assert_eq!(outcomes.next().await.unwrap().unwrap(), expected);
        }
        assert!(outcomes.next().await.is_none());
        assert!(outcomes.next().await.is_none());
        // Also if nobody asks before all are over.
        let mut outcomes = as_completed([30, 10, 20].map(taking));
        sleep(ms(100)).await;
        for expected in [10, 20, 30] {
            assert_eq!(outcomes.next().await.unwrap().unwrap(), expected);
        }
    });
}

#[test]
fn it_is_a_stream_that_knows_its_length() {
    check(|| async {
        let mut outcomes = as_completed(vec![taking(3), taking(1), taking(2)]);
        assert_eq!(outcomes.size_hint(), (3, Some(3)));
        assert_eq!(StreamExt::next(&mut outcomes).await.unwrap().unwrap(), 1);
        assert_eq!(outcomes.size_hint(), (2, Some(2)));
        assert_eq!(outcomes.map(Result::unwrap).collect::<Vec<_>>().await, [2, 3]);
    });
}

#[test]
fn a_failure_comes_in_its_turn() {
    check(|| async {
        let cancelled = create_task(taking(1000));
        cancelled.cancel();
        let panics = create_task(async {
            sleep(ms(20)).await;
            panic!("oh")
        });
        let tasks = [create_task(taking(30)), create_task(taking(10)), panics, cancelled];
        let mut outcomes = as_completed(tasks);
        assert!(outcomes.next().await.unwrap().unwrap_err().is_cancelled());
        assert_eq!(outcomes.next().await.unwrap().unwrap(), 10);
        assert_eq!(
            outcomes.next().await.unwrap().unwrap_err().to_string(),
            "the task panicked: oh"
        );
        assert_eq!(outcomes.next().await.unwrap().unwrap(), 30);
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn of_nothing_it_gives_nothing() {
    check(|| async {
        assert!(as_completed(Vec::<Ready<()>>::new()).next().await.is_none());
        let mut outcomes = as_completed(Vec::<Ready<()>>::new()).timeout(ms(10));
        assert!(outcomes.next().await.is_none());
    });
}

#[test]
fn tasks_that_are_over_come_in_their_order() {
    check(|| async {
        let tasks = [1, 2, 3].map(|n| create_task(ready(n)));
        until(|| tasks.iter().all(|task| task.is_finished())).await;
        let mut outcomes = as_completed(tasks);
        for expected in 1..=3 {
            assert_eq!(outcomes.next().await.unwrap().unwrap(), expected);
        }
    });
}

#[test]
fn items_are_created_where_it_is_called_and_begin_without_being_awaited() {
    check(|| async {
        let log = Log::default();
        let theirs = log.clone();
        let (line, mut outcomes) = (
            line!(),
            as_completed([async move {
                theirs.add("begun");
                current_task().unwrap().location()
            }]),
        );
        until(|| log.lines() == ["begun"]).await;
        let location = outcomes.next().await.unwrap().unwrap();
        assert_eq!(location.file(), file!());
        assert!((line..line + 3).contains(&location.line()));
    });
}

#[test]
fn when_the_time_is_up_that_is_the_last_item_and_the_tasks_go_on() {
    check(|| async {
        let slow = create_task(taking(200));
        let (slow_ref, end) = (slow.task_ref(), slow.finished());
        let mut outcomes = as_completed([slow, create_task(taking(10))]).timeout(ms(100));
        assert_eq!(outcomes.next().await.unwrap().unwrap().unwrap(), 10);
        assert_eq!(outcomes.next().await.unwrap().unwrap_err(), TimeoutError);
        assert!(outcomes.next().await.is_none());
        drop(outcomes);
        assert_eq!((slow_ref.is_finished(), slow_ref.cancelling()), (false, 0));
        end.await;
        assert!(!slow_ref.is_cancelled());
    });
}

#[test]
fn an_outcome_that_is_there_when_the_time_is_up_comes_first() {
    check(|| async {
        let mut outcomes = as_completed([taking(10)]).timeout(ms(10));
        sleep(ms(20)).await;
        assert_eq!(outcomes.next().await.unwrap().unwrap().unwrap(), 10);
        assert!(outcomes.next().await.is_none());
        let outcomes = as_completed([taking(10), taking(1000)]).timeout(ms(20));
        let all: Vec<_> = outcomes.map(|item| item.map(Result::unwrap)).collect().await;
        assert_eq!(all, [Ok(10), Err(TimeoutError)]);
    });
}

#[test]
fn cancelling_the_one_who_waits_leaves_the_tasks_alone() {
    check(|| async {
        let log = Log::default();
        let item = create_task({
            let log = log.clone();
            async move {
                sleep(ms(50)).await;
                log.add("finished");
            }
        });
        let item_ref = item.task_ref();
        let waiter = create_task(async move { drop(as_completed([item]).next().await) });
        sleep(ms(10)).await;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert_eq!((item_ref.is_finished(), item_ref.cancelling()), (false, 0));
        item_ref.finished().await;
        assert_eq!(log.lines(), ["finished"]);
    });
}

#[test]
fn a_next_that_is_dropped_loses_nothing() {
    check(|| async {
        let mut outcomes = as_completed([taking(30), taking(10)]);
        assert!(wait_for(outcomes.next(), ms(5)).await.is_err());
        async { drop(outcomes.next().await) }.or(sleep(ms(1))).await;
        assert_eq!(outcomes.next().await.unwrap().unwrap(), 10);
        assert!(wait_for(outcomes.next(), ms(5)).await.is_err());
        assert_eq!(outcomes.next().await.unwrap().unwrap(), 30);
        assert!(outcomes.next().await.is_none());
    });
}

#[test]
fn values_that_stay_on_their_worker() {
    check(|| async {
        let mut outcomes = as_completed([1, 2].map(|n| create_local_task(async move { Rc::new(n) })));
        let sum = *outcomes.next().await.unwrap().unwrap() + *outcomes.next().await.unwrap().unwrap();
        assert_eq!(sum, 3);
    });
}

#[test]
fn a_panic_of_one_that_was_left_is_reported() {
    check(|| async {
        let reported = Log::default();
        let theirs = reported.clone();
        EventLoop::current().set_exception_handler(move |error| theirs.add(error.message()));
        let item = create_task(async {
            sleep(ms(10)).await;
            panic!("left")
        });
        let end = item.finished();
        let items: [aioli::Task<()>; 2] = [item, create_task(pending())];
        drop(as_completed(items));
        end.await;
        assert_eq!(reported.lines(), ["left"]);
    });
}

#[test]
fn ten_thousand_tasks_that_end_one_by_one() {
    check(|| async {
        const COUNT: u64 = 10_000;
        let mut outcomes = as_completed((0..COUNT).map(|n| taking(COUNT - n)));
        for expected in 1..=COUNT {
            assert_eq!(outcomes.next().await.unwrap().unwrap(), expected);
        }
        assert!(poll_once(&mut outcomes.next().boxed_local()).await.is_ready());
    });
}
