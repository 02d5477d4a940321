//! Who goes while it waits loses nothing.

use crate::common::{poll, waiting};
use aioli_sync::{PriorityQueue, Queue};

#[test]
fn a_getter_that_goes_is_skipped() {
    let queue = Queue::new();
    let gone = waiting(queue.get());
    let mut stays = waiting(queue.get());
    drop(gone);
    queue.put_nowait(1).unwrap();
    assert_eq!(poll(stays.as_mut()), Some(Ok(1)));
}

#[test]
fn what_was_promised_to_a_getter_that_goes_is_promised_to_the_next() {
    let queue = Queue::new();
    let gone = waiting(queue.get());
    let mut next = waiting(queue.get());
    queue.put_nowait(1).unwrap();
    assert_eq!(poll(next.as_mut()), None);
    drop(gone);
    assert_eq!(poll(next.as_mut()), Some(Ok(1)));
}

#[test]
fn what_was_promised_to_the_last_getter_stays_where_it_was() {
    let queue = Queue::new();
    let (first, second) = (waiting(queue.get()), waiting(queue.get()));
    for item in 0..4 {
        queue.put_nowait(item).unwrap();
    }
    assert_eq!(queue.get_nowait(), Ok(0));
    drop(first);
    drop(second);
    assert_eq!(queue.len(), 3);
    let rest: Vec<_> = std::iter::from_fn(|| queue.get_nowait().ok()).collect();
    assert_eq!(rest, [1, 2, 3]);
}

#[test]
fn who_gets_what_is_promised_gets_the_smallest_by_then() {
    let queue = PriorityQueue::new();
    let mut getter = waiting(queue.get());
    queue.put_nowait(5).unwrap();
    queue.put_nowait(3).unwrap();
    assert_eq!(poll(getter.as_mut()), Some(Ok(3)));
}

#[test]
fn a_putter_that_goes_puts_nothing() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let gone = waiting(queue.put(1));
    let mut next = waiting(queue.put(2));
    drop(gone);
    assert_eq!(queue.get_nowait(), Ok(0));
    assert_eq!(poll(next.as_mut()), Some(Ok(())));
    assert_eq!(queue.get_nowait(), Ok(2));
    assert!(queue.get_nowait().is_err());
}

#[test]
fn room_that_was_promised_to_a_putter_that_goes_is_promised_to_the_next() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let gone = waiting(queue.put(1));
    let mut next = waiting(queue.put(2));
    assert_eq!(queue.get_nowait(), Ok(0));
    drop(gone);
    assert_eq!(poll(next.as_mut()), Some(Ok(())));
    assert_eq!(queue.get_nowait(), Ok(2));
}

#[test]
fn room_that_was_promised_to_the_last_putter_is_there_for_all_again() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let gone = waiting(queue.put(1));
    assert_eq!(queue.get_nowait(), Ok(0));
    assert!(queue.is_full());
    drop(gone);
    assert!(!queue.is_full());
    queue.put_nowait(2).unwrap();
}

#[test]
fn items_are_dropped_with_who_was_to_put_them_and_with_the_queue() {
    let item = std::sync::Arc::new(());
    let queue = Queue::bounded(2);
    for _ in 0..2 {
        queue.put_nowait(item.clone()).unwrap();
    }
    let putter = waiting(queue.put(item.clone()));
    assert_eq!(std::sync::Arc::strong_count(&item), 4);
    drop(putter);
    assert_eq!(std::sync::Arc::strong_count(&item), 3);
    drop(queue);
    assert_eq!(std::sync::Arc::strong_count(&item), 1);
}

#[test]
fn a_stream_that_goes_leaves_what_was_promised() {
    use futures_lite::Stream;
    let queue = Queue::new();
    let mut stream = Box::pin(queue.stream());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(stream.as_mut().poll_next(&mut cx).is_pending());
    queue.put_nowait(1).unwrap();
    assert_eq!(queue.len(), 0);
    drop(stream);
    assert_eq!(queue.get_nowait(), Ok(1));
}
