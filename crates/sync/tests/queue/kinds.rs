//! In which order items come, and what queues say of themselves.

use aioli_sync::{LifoQueue, Order, PriorityQueue, Queue};
use futures_lite::{StreamExt, future::block_on};
use std::cmp::Reverse;

fn drain<T, O: Order<T>>(queue: &Queue<T, O>) -> Vec<T> {
    std::iter::from_fn(|| queue.get_nowait().ok()).collect()
}

fn filled<T, O: Order<T>>(queue: &Queue<T, O>, items: impl IntoIterator<Item = T>) {
    for item in items {
        block_on(queue.put(item)).unwrap();
    }
}

#[test]
fn a_queue_gives_the_oldest_first() {
    let queue = Queue::new();
    filled(&queue, 0..1000);
    assert_eq!(drain(&queue), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_lifo_queue_gives_the_newest_first() {
    let queue = LifoQueue::new();
    filled(&queue, 0..1000);
    assert_eq!(drain(&queue), (0..1000).rev().collect::<Vec<_>>());
}

#[test]
fn a_priority_queue_gives_the_smallest_first() {
    let queue = PriorityQueue::new();
    filled(&queue, (0..1000).map(|n| n * 619 % 1000));
    assert_eq!(drain(&queue), (0..1000).collect::<Vec<_>>());
    let greatest_first = PriorityQueue::new();
    filled(&greatest_first, [1, 3, 2].map(Reverse));
    assert_eq!(drain(&greatest_first), [3, 2, 1].map(Reverse));
}

/// Only the first half counts.
#[derive(Debug)]
struct Ranked(u32, u32);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Ranked {}

#[test]
fn equals_come_in_the_order_in_which_they_were_put() {
    let queue = PriorityQueue::new();
    filled(&queue, (0..300).map(|n| Ranked(n % 3, n)));
    let got: Vec<_> = drain(&queue).into_iter().map(|item| item.1).collect();
    let expected: Vec<_> = (0..3).flat_map(|rank| (rank..300).step_by(3)).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_queue_grows_and_keeps_the_order_wherever_its_items_begin() {
    for taken in 0..70 {
        let queue = Queue::new();
        filled(&queue, 0..taken);
        assert_eq!(drain(&queue).len(), taken);
        filled(&queue, 0..500);
        assert_eq!(drain(&queue), (0..500).collect::<Vec<_>>());
    }
}

#[test]
fn a_large_bound_holds_though_the_slots_come_later() {
    let queue = Queue::bounded(5000);
    filled(&queue, 0..5000);
    assert!(queue.is_full() && queue.put_nowait(5000).is_err());
    assert_eq!(drain(&queue), (0..5000).collect::<Vec<_>>());
}

#[test]
fn a_bound_that_is_no_power_of_two_is_exact() {
    for bound in 1..20 {
        let queue = Queue::bounded(bound);
        for lap in 0..5 {
            filled(&queue, 0..bound);
            assert!(queue.is_full() && queue.put_nowait(0).is_err(), "{bound} in lap {lap}");
            assert_eq!(drain(&queue), (0..bound).collect::<Vec<_>>());
        }
    }
}

#[test]
fn sizes_are_exact() {
    let queue = Queue::bounded(2);
    assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (0, true, false));
    assert_eq!(queue.maxsize(), Some(2));
    queue.put_nowait('a').unwrap();
    assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (1, false, false));
    queue.put_nowait('b').unwrap();
    assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (2, false, true));
    assert_eq!(Queue::<()>::new().maxsize(), None);
    assert_eq!(
        format!("{queue:?}"),
        r#"Queue { len: 2, maxsize: Some(2), unfinished: 2, shut_down: false }"#
    );
    assert!(format!("{:?}", LifoQueue::<u8>::new()).starts_with("LifoQueue { len: 0, maxsize: None"));
    assert!(format!("{:?}", PriorityQueue::<u8>::new()).starts_with("PriorityQueue {"));
}

#[test]
fn clones_are_the_same_queue() {
    let queue = PriorityQueue::bounded(3);
    let clone = queue.clone();
    clone.put_nowait(1).unwrap();
    assert_eq!(queue.get_nowait(), Ok(1));
}

#[test]
fn a_stream_gives_the_items_and_ends_with_the_queue() {
    let queue = LifoQueue::new();
    filled(&queue, 0..3);
    queue.shutdown(false);
    let stream = queue.stream();
    drop(queue);
    assert_eq!(block_on(stream.collect::<Vec<_>>()), [2, 1, 0]);
}

#[test]
fn items_of_no_size_and_of_a_large_one_pass() {
    let nothings = Queue::bounded(3);
    filled(&nothings, [(); 3]);
    assert_eq!(drain(&nothings), [(); 3]);
    let large = Queue::new();
    filled(&large, (0..100_u64).map(|n| [n; 100]));
    assert!(drain(&large).into_iter().zip(0..).all(|(item, n)| item == [n; 100]));
}

#[test]
fn queues_may_go_where_their_items_may() {
    fn sent_and_shared<T: Send + Sync>(_: &T) {}
    fn sent<T: Send>(_: T) {}
    let queue = Queue::<std::cell::Cell<u8>>::new();
    sent_and_shared(&queue);
    sent(queue.get());
    sent(queue.put(std::cell::Cell::new(0)));
    sent(queue.join());
    sent_and_shared(&queue.stream());
    sent_and_shared(&LifoQueue::<u8>::new());
    sent_and_shared(&PriorityQueue::<u8>::new());
}
