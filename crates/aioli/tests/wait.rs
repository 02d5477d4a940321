//! `wait`: who is over and who is not, and nobody touched. On a virtual clock, on one worker and on several.

mod common;

use aioli::{
    Builder, EventLoop, JoinError, ReturnWhen, Task, TaskRef, create_task, current_task, finally, sleep, wait, wait_for,
};
use common::{WORKERS, ms, poll_once};
use futures_lite::FutureExt;
use std::{
    future::{Future, pending},
    thread,
    time::Duration,
};

/// Runs a program on each number of workers.
fn check<F: Future<Output = ()>>(program: impl Fn() -> F) {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program());
    }
}

/// How long the loop has run, in virtual milliseconds.
fn clock() -> impl Fn() -> u128 {
    let start = EventLoop::current().time();
    move || (EventLoop::current().time() - start).as_millis()
}

/// A task that takes so many milliseconds and gives them.
fn taking(n: u64) -> Task<u64> {
    create_task(async move {
        sleep(ms(n)).await;
        n
    })
}

fn panicking(n: u64) -> Task<u64> {
    create_task(async move {
        sleep(ms(n)).await;
        panic!("at {n}")
    })
}

/// Which of `all` these are.
fn places<W: aioli::task::AsTaskRef>(some: &[W], all: &[Task<u64>]) -> Vec<usize> {
    let place = |task: &TaskRef| all.iter().position(|other| **other == *task).unwrap();
    some.iter().map(|task| place(task.as_task_ref())).collect()
}

#[test]
fn all_are_waited_for_and_given_in_their_order() {
    check(|| async {
        let clock = clock();
        let tasks = [taking(30), taking(10), panicking(20)];
        let (done, pending) = wait(&tasks, ReturnWhen::AllCompleted).await;
        assert_eq!((places(&done, &tasks), pending.len()), (vec![0, 1, 2], 0));
        assert_eq!(clock(), 30);
        let [_, _, panicked] = tasks;
        assert!(panicked.await.unwrap_err().is_panic());
    });
}

#[test]
fn the_first_to_be_over_ends_the_wait() {
    check(|| async {
        let clock = clock();
        let tasks = [taking(30), taking(10), taking(20)];
        let (done, pending) = wait(&tasks, ReturnWhen::FirstCompleted).await;
        assert_eq!((places(&done, &tasks), places(&pending, &tasks)), (vec![1], vec![0, 2]));
        assert_eq!(clock(), 10);
        let (done, pending) = wait(&tasks, ReturnWhen::FirstCompleted).await;
        assert_eq!((places(&done, &tasks), places(&pending, &tasks)), (vec![1], vec![0, 2]));
        assert_eq!(clock(), 10);
    });
}

#[test]
fn the_first_failure_ends_the_wait_and_neither_a_value_nor_a_cancellation_does() {
    check(|| async {
        let clock = clock();
        let tasks = [taking(40), taking(10), panicking(30), taking(1000)];
        tasks[3].cancel();
        let (done, pending) = wait(&tasks, ReturnWhen::FirstException).await;
        assert_eq!(
            (places(&done, &tasks), places(&pending, &tasks)),
            (vec![1, 2, 3], vec![0])
        );
        assert_eq!(clock(), 30);
        let [rest, _, panicked, _] = tasks;
        assert!(panicked.await.is_err());
        let rest = [rest];
        let (done, _) = wait(&rest, ReturnWhen::FirstException).await;
        assert_eq!((done.len(), clock()), (1, 40));
    });
}

#[test]
fn a_failure_from_before_ends_the_wait_for_the_first_failure() {
    check(|| async {
        let panicked = panicking(1);
        panicked.finished().await;
        let tasks = [taking(1000), panicked];
        let (done, pending) = wait(&tasks, ReturnWhen::FirstException).await;
        assert_eq!((places(&done, &tasks), places(&pending, &tasks)), (vec![1], vec![0]));
        let [_, panicked] = tasks;
        assert!(panicked.await.is_err());
    });
}

#[test]
fn a_timeout_ends_the_wait_and_is_no_error() {
    check(|| async {
        let clock = clock();
        let tasks = [taking(10), taking(100)];
        let (done, pending) = wait(&tasks, ReturnWhen::AllCompleted).timeout(ms(50)).await;
        assert_eq!((places(&done, &tasks), places(&pending, &tasks)), (vec![0], vec![1]));
        assert_eq!(clock(), 50);
        let (done, pending) = wait(&tasks, ReturnWhen::AllCompleted).timeout(Duration::ZERO).await;
        assert_eq!((places(&done, &tasks), places(&pending, &tasks)), (vec![0], vec![1]));
        assert_eq!(clock(), 50);
        let (done, _) = wait(&tasks, ReturnWhen::AllCompleted).timeout(ms(1000)).await;
        assert_eq!((done.len(), clock()), (2, 100));
        assert_eq!(tasks[1].cancelling(), 0);
    });
}

#[test]
fn cancelling_the_one_who_waits_leaves_the_tasks_alone() {
    check(|| async {
        let task = taking(50);
        let name = task.task_ref();
        let waiter = create_task(async move { drop(wait([name], ReturnWhen::AllCompleted).await) });
        sleep(ms(10)).await;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert_eq!((task.cancelling(), task.is_finished()), (0, false));
        assert!(wait_for(wait([&task], ReturnWhen::AllCompleted), ms(10)).await.is_err());
        async { drop(wait([&task], ReturnWhen::AllCompleted).await) }
            .or(sleep(ms(10)))
            .await;
        assert_eq!(task.await.unwrap(), 50);
    });
}

#[test]
fn tasks_that_are_given_for_good_come_back() {
    check(|| async {
        let (done, pending) = wait(vec![taking(10), taking(20)], ReturnWhen::FirstCompleted).await;
        for task in done {
            assert_eq!(task.await.unwrap(), 10);
        }
        for task in pending {
            assert_eq!(task.await.unwrap(), 20);
        }
        let mut task = taking(1);
        let (mut done, _) = wait([&mut task], ReturnWhen::AllCompleted).await;
        assert_eq!(done.pop().unwrap().await.unwrap(), 1);
    });
}

#[test]
fn a_task_that_is_there_twice_is_twice_in_the_answer() {
    check(|| async {
        let task = taking(10);
        let (done, pending) = wait([&task, &task], ReturnWhen::AllCompleted).await;
        assert_eq!((done.len(), pending.len()), (2, 0));
    });
}

#[test]
fn a_task_that_is_cancelled_is_over_when_it_has_cleaned_up() {
    check(|| async {
        let clock = clock();
        let task = create_task(async {
            finally(sleep(ms(1000)), async { sleep(ms(30)).await }).await;
        });
        let waiting = wait([&task], ReturnWhen::FirstCompleted);
        sleep(ms(10)).await;
        task.cancel();
        waiting.await;
        assert_eq!(clock(), 40);
        assert!(task.is_cancelled());
    });
}

#[test]
fn ten_thousand_tasks_that_end_one_by_one() {
    check(|| async {
        let tasks: Vec<_> = (0..10_000).map(|n| taking(10_000 - n)).collect();
        let half = Duration::from_micros(5_000_500);
        let (done, pending) = wait(&tasks, ReturnWhen::AllCompleted).timeout(half).await;
        assert_eq!((done.len(), pending.len()), (5000, 5000));
        let (done, pending) = wait(&tasks, ReturnWhen::AllCompleted).await;
        assert_eq!((done.len(), pending.len()), (10_000, 0));
    });
}

#[test]
fn a_task_may_wait_for_itself_no_longer_than_a_timeout() {
    check(|| async {
        let me = current_task().unwrap();
        let (done, pending) = wait([me.clone()], ReturnWhen::AllCompleted).timeout(ms(10)).await;
        assert_eq!((done.len(), pending), (0, vec![me]));
    });
}

#[test]
fn a_thread_without_a_loop_can_wait() {
    check(|| async {
        let task = taking(10);
        let name = task.task_ref();
        let there = thread::spawn(|| futures_lite::future::block_on(wait([name], ReturnWhen::AllCompleted)));
        task.await.unwrap();
        assert_eq!(there.join().unwrap().0.len(), 1);
    });
}

#[test]
fn it_leaves_no_waker_behind() {
    check(|| async {
        let task = create_task(pending::<()>());
        let mut waiting = wait([&task], ReturnWhen::AllCompleted);
        assert!(poll_once(&mut waiting).await.is_pending());
        assert!(poll_once(&mut waiting).await.is_pending());
        drop(waiting);
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
#[should_panic(expected = "wait() was given no tasks")]
fn waiting_for_nothing_is_a_mistake() {
    drop(wait(Vec::<TaskRef>::new(), ReturnWhen::AllCompleted));
}
