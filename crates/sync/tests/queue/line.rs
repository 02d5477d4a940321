//! Who waits is served in turn, and nobody is faster.

use crate::common::{calls, counts, poll, poll_with, waiting};
use aioli_primitives::budget;
use aioli_sync::{GetNowaitError, PutNowaitError, Queue};
use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering::SeqCst},
};

#[test]
fn getters_are_served_in_the_order_in_which_they_came() {
    let queue = Queue::new();
    let mut getters: Vec<_> = (0..5).map(|_| waiting(queue.get())).collect();
    for item in 0..5 {
        queue.put_nowait(item).unwrap();
    }
    // Each of them may be polled first.
    for number in [3, 0, 4, 1, 2] {
        assert!(poll(getters[number].as_mut()).unwrap().is_ok());
    }
    assert!(queue.is_empty());
}

#[test]
fn getters_are_woken_one_for_each_item_and_in_order() {
    let queue = Queue::new();
    let woken = Arc::new(Mutex::new(Vec::new()));
    let mut getters: Vec<_> = (0..4).map(|_| Box::pin(queue.get())).collect();
    for (number, getter) in getters.iter_mut().enumerate() {
        let woken = woken.clone();
        let waker = calls(move || woken.lock().unwrap().push(number));
        assert!(poll_with(getter.as_mut(), &waker).is_none());
    }
    queue.put_nowait('a').unwrap();
    assert_eq!(*woken.lock().unwrap(), [0]);
    queue.put_nowait('b').unwrap();
    queue.put_nowait('c').unwrap();
    assert_eq!(*woken.lock().unwrap(), [0, 1, 2]);
}

#[test]
fn an_item_that_is_promised_is_out_of_reach_and_takes_up_room() {
    let queue = Queue::bounded(1);
    let mut getter = waiting(queue.get());
    queue.put_nowait('a').unwrap();
    assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (0, true, true));
    assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueEmpty));
    assert_eq!(queue.put_nowait('b'), Err(PutNowaitError::QueueFull('b')));
    let mut late = waiting(queue.get());
    assert_eq!(poll(getter.as_mut()), Some(Ok('a')));
    assert_eq!(poll(late.as_mut()), None);
    queue.put_nowait('b').unwrap();
    assert_eq!(poll(late.as_mut()), Some(Ok('b')));
}

#[test]
fn room_that_is_promised_is_out_of_reach() {
    let queue = Queue::bounded(1);
    queue.put_nowait('a').unwrap();
    let mut putter = waiting(queue.put('b'));
    assert_eq!(queue.get_nowait(), Ok('a'));
    assert_eq!((queue.len(), queue.is_full()), (0, true));
    assert_eq!(queue.put_nowait('c'), Err(PutNowaitError::QueueFull('c')));
    let mut late = waiting(queue.put('c'));
    assert_eq!(poll(putter.as_mut()), Some(Ok(())));
    assert_eq!(poll(late.as_mut()), None);
    assert_eq!(queue.get_nowait(), Ok('b'));
    assert_eq!(poll(late.as_mut()), Some(Ok(())));
    assert_eq!(queue.get_nowait(), Ok('c'));
}

#[test]
fn putters_are_served_in_the_order_in_which_they_came() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let mut putters: VecDeque<_> = (1..5).map(|item| waiting(queue.put(item))).collect();
    for item in 0..4 {
        assert_eq!(queue.get_nowait(), Ok(item));
        assert!(putters.iter_mut().skip(1).all(|putter| poll(putter.as_mut()).is_none()));
        assert_eq!(poll(putters.pop_front().unwrap().as_mut()), Some(Ok(())));
    }
    assert_eq!(queue.get_nowait(), Ok(4));
}

#[test]
fn who_is_polled_again_with_another_waker_is_woken_by_that() {
    let queue = Queue::new();
    let (first, second) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut getter = pin!(queue.get());
    assert!(poll_with(getter.as_mut(), &counts(&first)).is_none());
    assert!(poll_with(getter.as_mut(), &counts(&second)).is_none());
    queue.put_nowait(1).unwrap();
    assert_eq!((first.load(SeqCst), second.load(SeqCst)), (0, 1));
}

#[test]
fn a_waker_may_use_the_queue() {
    let queue = Queue::new();
    let mut getter = Box::pin(queue.get());
    let waker = calls({
        let queue = queue.clone();
        move || queue.put_nowait("from the waker").unwrap()
    });
    assert!(poll_with(getter.as_mut(), &waker).is_none());
    queue.put_nowait("first").unwrap();
    assert_eq!(poll(getter.as_mut()), Some(Ok("first")));
    assert_eq!(queue.get_nowait(), Ok("from the waker"));
}

#[test]
fn the_panic_of_a_foreign_waker_costs_no_item() {
    let queue = Queue::bounded(1);
    let mut getter = Box::pin(queue.get());
    assert!(poll_with(getter.as_mut(), &calls(|| panic!("a foreign waker"))).is_none());
    let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.put_nowait('a')));
    assert!(put.is_err(), "who puts hears of it");
    assert_eq!(poll(getter.as_mut()), Some(Ok('a')));

    queue.put_nowait('b').unwrap();
    let mut putter = Box::pin(queue.put('c'));
    assert!(poll_with(putter.as_mut(), &calls(|| panic!("a foreign waker"))).is_none());
    assert_eq!(queue.get_nowait(), Ok('b'), "who gets has the item");
    assert_eq!(poll(putter.as_mut()), Some(Ok(())));
}

#[test]
fn a_put_and_a_get_spend_the_budget_of_the_poll() {
    let queue = Queue::new();
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = counts(&woken);
    budget::replace(1);
    assert!(poll_with(Box::pin(queue.put(1)).as_mut(), &waker).is_some());
    let (mut put, mut get) = (Box::pin(queue.put(2)), Box::pin(queue.get()));
    assert!(poll_with(put.as_mut(), &waker).is_none());
    assert!(poll_with(get.as_mut(), &waker).is_none());
    assert_eq!(woken.load(SeqCst), 2, "they are polled again");
    budget::replace(budget::UNLIMITED);
    assert_eq!(poll(get.as_mut()), Some(Ok(1)));
    assert_eq!(poll(put.as_mut()), Some(Ok(())));
}
