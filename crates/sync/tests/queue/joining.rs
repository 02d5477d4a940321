//! `task_done` and `join`.

use crate::common::{poll, waiting};
use aioli_sync::Queue;
use futures_lite::future::block_on;

#[test]
fn a_fresh_queue_has_nothing_to_wait_for() {
    block_on(Queue::<u8>::new().join());
}

#[test]
fn join_waits_for_every_item_to_be_done_and_not_to_be_got() {
    let queue = Queue::new();
    for item in 0..3 {
        queue.put_nowait(item).unwrap();
    }
    let mut join = waiting(queue.join());
    for _ in 0..3 {
        queue.get_nowait().unwrap();
        assert_eq!(poll(join.as_mut()), None);
    }
    for _ in 0..2 {
        queue.task_done().unwrap();
        assert_eq!(poll(join.as_mut()), None);
    }
    queue.task_done().unwrap();
    assert_eq!(poll(join.as_mut()), Some(()));
}

#[test]
fn what_is_put_while_somebody_joins_counts() {
    let queue = Queue::new();
    queue.put_nowait(1).unwrap();
    let mut join = waiting(queue.join());
    queue.put_nowait(2).unwrap();
    queue.task_done().unwrap();
    assert_eq!(poll(join.as_mut()), None);
    queue.task_done().unwrap();
    assert_eq!(poll(join.as_mut()), Some(()));
}

#[test]
fn the_first_moment_with_nothing_left_is_enough() {
    let queue = Queue::new();
    queue.put_nowait(1).unwrap();
    let mut joins: Vec<_> = (0..100).map(|_| waiting(queue.join())).collect();
    queue.task_done().unwrap();
    queue.put_nowait(2).unwrap();
    let mut late = waiting(queue.join());
    assert!(joins.iter_mut().all(|join| poll(join.as_mut()).is_some()));
    assert_eq!(poll(late.as_mut()), None);
}

#[test]
fn once_too_often_is_an_error_and_changes_nothing() {
    let queue = Queue::new();
    queue.task_done().unwrap_err();
    queue.put_nowait(1).unwrap();
    queue.task_done().unwrap();
    let error = queue.task_done().unwrap_err();
    assert_eq!(error.to_string(), "task_done was called more often than items were put");
    queue.put_nowait(2).unwrap();
    assert!(poll(Box::pin(queue.join()).as_mut()).is_none());
    queue.task_done().unwrap();
    block_on(queue.join());
}

#[test]
fn what_was_reported_done_before_it_was_got_is_not_counted_twice() {
    let queue = Queue::new();
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    queue.get_nowait().unwrap();
    for _ in 0..2 {
        queue.task_done().unwrap();
    }
    queue.shutdown(true);
    block_on(queue.join());
    queue.task_done().unwrap_err();
}
