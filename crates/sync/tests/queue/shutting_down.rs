//! A queue that is shut down, with its items and without.

use crate::common::{poll, waiting};
use aioli_sync::{GetNowaitError, PutNowaitError, Queue, QueueShutDown};
use futures_lite::future::block_on;

#[test]
fn nothing_can_be_put_and_the_item_comes_back() {
    let queue = Queue::new();
    queue.shutdown(false);
    assert!(queue.is_shut_down());
    assert_eq!(block_on(queue.put(1)), Err(QueueShutDown(1)));
    assert_eq!(queue.put_nowait(2), Err(PutNowaitError::QueueShutDown(2)));
    assert_eq!(queue.blocking_put(3), Err(QueueShutDown(3)));
}

#[test]
fn what_is_there_can_be_got() {
    let queue = Queue::new();
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    queue.shutdown(false);
    assert_eq!(block_on(queue.get()), Ok(1));
    assert_eq!(queue.get_nowait(), Ok(2));
    assert_eq!(block_on(queue.get()), Err(QueueShutDown(())));
    assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueShutDown));
    assert_eq!(queue.blocking_get(), Err(QueueShutDown(())));
}

#[test]
fn all_who_wait_for_an_item_are_told() {
    let queue = Queue::<u8>::new();
    let mut getters: Vec<_> = (0..100).map(|_| waiting(queue.get())).collect();
    queue.shutdown(false);
    for getter in &mut getters {
        assert_eq!(poll(getter.as_mut()), Some(Err(QueueShutDown(()))));
    }
}

#[test]
fn all_who_wait_for_room_are_told_and_have_their_items() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let mut putters: Vec<_> = (1..100).map(|item| waiting(queue.put(item))).collect();
    queue.shutdown(false);
    for (putter, item) in putters.iter_mut().zip(1..) {
        assert_eq!(poll(putter.as_mut()), Some(Err(QueueShutDown(item))));
    }
    assert_eq!(queue.get_nowait(), Ok(0));
}

#[test]
fn a_putter_that_was_promised_room_is_too_late() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let mut putter = waiting(queue.put(1));
    assert_eq!(queue.get_nowait(), Ok(0));
    queue.shutdown(false);
    assert_eq!(poll(putter.as_mut()), Some(Err(QueueShutDown(1))));
    assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueShutDown));
}

#[test]
fn a_getter_that_was_promised_an_item_gets_it() {
    let queue = Queue::new();
    let mut getter = waiting(queue.get());
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    assert_eq!(poll(getter.as_mut()), Some(Ok(1)));
}

#[test]
fn who_waits_behind_a_promise_gets_the_item_if_that_getter_goes() {
    let queue = Queue::new();
    let gone = waiting(queue.get());
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    let mut behind = waiting(queue.get());
    assert_eq!(
        queue.get_nowait(),
        Err(GetNowaitError::QueueEmpty),
        "it may yet come back"
    );
    drop(gone);
    assert_eq!(poll(behind.as_mut()), Some(Ok(1)));
}

#[test]
fn who_waits_behind_a_promise_is_told_when_the_item_is_got() {
    let queue = Queue::new();
    let mut first = waiting(queue.get());
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    let mut behind: Vec<_> = (0..40).map(|_| waiting(queue.get())).collect();
    assert_eq!(poll(first.as_mut()), Some(Ok(1)));
    for getter in &mut behind {
        assert_eq!(poll(getter.as_mut()), Some(Err(QueueShutDown(()))));
    }
}

#[test]
fn at_once_drops_the_items_and_counts_them_as_done() {
    let item = std::sync::Arc::new(());
    let queue = Queue::new();
    for _ in 0..3 {
        queue.put_nowait(item.clone()).unwrap();
    }
    queue.get_nowait().unwrap();
    let mut join = waiting(queue.join());
    queue.shutdown(true);
    assert_eq!(std::sync::Arc::strong_count(&item), 1);
    assert_eq!(queue.len(), 0);
    assert_eq!(poll(join.as_mut()), None, "one that was got is not done");
    queue.task_done().unwrap();
    assert_eq!(poll(join.as_mut()), Some(()));
    queue.task_done().unwrap_err();
}

#[test]
fn at_once_breaks_promises() {
    let queue = Queue::new();
    let mut promised = waiting(queue.get());
    let gone = waiting(queue.get());
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    queue.shutdown(true);
    assert_eq!(poll(promised.as_mut()), Some(Err(QueueShutDown(()))));
    drop(gone);
    assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueShutDown));
    assert_eq!(queue.len(), 0);
}

#[test]
fn it_can_be_shut_down_again_to_drop_what_is_left() {
    let queue = Queue::new();
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    queue.shutdown(false);
    assert_eq!(queue.len(), 1);
    queue.shutdown(true);
    queue.shutdown(true);
    assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueShutDown));
}

#[test]
fn an_item_whose_destructor_panics_takes_nobody_down_with_it() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor");
        }
    }
    let queue = Queue::bounded(1);
    queue.put_nowait(Panics).unwrap();
    let mut join = waiting(queue.join());
    let mut putter = waiting(queue.put(Panics));
    let shutdown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.shutdown(true)));
    assert!(shutdown.is_err());
    assert_eq!(poll(join.as_mut()), Some(()));
    let Some(Err(QueueShutDown(item))) = poll(putter.as_mut()) else {
        panic!("the putter is told")
    };
    std::mem::forget(item);
}
