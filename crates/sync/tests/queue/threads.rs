//! Queues between threads: each item arrives once.

use aioli_sync::{LifoQueue, Order, PriorityQueue, Queue};
use futures_lite::future::block_on;
use std::thread;

const ITEMS: usize = if cfg!(debug_assertions) { 2_000 } else { 20_000 };

/// Three put and three get, until all are done and the queue is shut down.
fn each_item_arrives_once<O>(queue: &Queue<usize, O>)
where
    O: Order<usize, Store: Send + Sync>,
{
    let got = thread::scope(|scope| {
        let getters = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut got = Vec::new();
                while let Ok(item) = queue.blocking_get() {
                    got.push(item);
                    queue.task_done().unwrap();
                }
                got
            })
        });
        let putters = [0, 1, 2].map(|putter| {
            scope.spawn(move || {
                for item in 0..ITEMS {
                    queue.blocking_put(item * 3 + putter).unwrap();
                }
            })
        });
        for putter in putters {
            putter.join().unwrap();
        }
        block_on(queue.join());
        queue.shutdown(false);
        getters.map(|getter| getter.join().unwrap())
    });
    let mut all: Vec<_> = got.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..ITEMS * 3));
}

#[test]
fn in_a_queue_with_little_room() {
    each_item_arrives_once(&Queue::bounded(1));
    each_item_arrives_once(&Queue::bounded(7));
}

#[test]
fn in_a_queue_that_grows() {
    each_item_arrives_once(&Queue::new());
    each_item_arrives_once(&Queue::bounded(2000));
}

#[test]
fn in_the_other_kinds() {
    each_item_arrives_once(&*LifoQueue::bounded(5));
    each_item_arrives_once(&*LifoQueue::new());
    each_item_arrives_once(&*PriorityQueue::bounded(5));
    each_item_arrives_once(&*PriorityQueue::new());
}

#[test]
fn one_putter_and_one_getter_keep_the_order() {
    for queue in [Queue::bounded(1), Queue::bounded(3), Queue::bounded(100), Queue::new()] {
        thread::scope(|scope| {
            let putter = scope.spawn(|| (0..ITEMS).for_each(|item| queue.blocking_put(item).unwrap()));
            for item in 0..ITEMS {
                assert_eq!(queue.blocking_get(), Ok(item));
            }
            putter.join().unwrap();
        });
    }
}
