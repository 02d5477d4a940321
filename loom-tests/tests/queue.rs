//! `aioli_sync::Queue` and its kinds: who gets what, who waits, who goes, and who shuts down.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::{GetNowaitError, LifoQueue, Order, PriorityQueue, PutNowaitError, Queue, QueueShutDown};
use common::block_on::{block_on, poll_once};
use loom::{cell::UnsafeCell, sync::Arc, thread};

/// Runs a model with at most three preemptions.
fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 5000;
    builder.check(model);
}

/// One gets two items while another puts them.
///
/// Fails when `put` does not look at the flag, when the queue is closed by a load and a store and not in one step, when opening it
/// serves nobody, and when a full stamp is stored or read Relaxed.
#[test]
fn get_x_put() {
    bounded_model(|| {
        let queue = Queue::new();
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.put_nowait(1).unwrap();
                queue.put_nowait(2).unwrap();
            })
        };
        assert_eq!(block_on(queue.get()), Ok(1));
        assert_eq!(block_on(queue.get()), Ok(2));
        putter.join().unwrap();
        assert!(queue.is_empty());
    });
}

/// Two put through a queue with room for one, and one gets.
///
/// Fails when an empty stamp is stored or read Relaxed, and when a slot is handed on before the item is out of it.
#[test]
fn put_x_put_x_get() {
    bounded_model(|| {
        let queue = Queue::bounded(1);
        let putters = [1, 2].map(|item| {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.put(item)).unwrap())
        });
        let got = [(); 2].map(|()| block_on(queue.get()).unwrap());
        assert!(got == [1, 2] || got == [2, 1]);
        for putter in putters {
            putter.join().unwrap();
        }
        assert!(queue.is_empty() && !queue.is_full());
    });
}

/// The first of two getters goes, while an item is put.
///
/// Fails when no flag says that somebody waits, when `put` does not look at it, and when opening the queue serves nobody.
#[test]
fn getter_goes_x_put_x_get() {
    bounded_model(|| {
        let queue = Queue::new();
        let mut gone = Box::pin(queue.get());
        assert!(poll_once(gone.as_mut()).is_none());
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || queue.put_nowait(1).unwrap())
        };
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.get()))
        };
        drop(gone);
        assert_eq!(getter.join().unwrap(), Ok(1));
        putter.join().unwrap();
        assert!(queue.is_empty());
    });
}

/// A getter goes, while an item is put for it: the item stays in the queue, before one that is put later.
///
/// Fails when a getter that goes keeps what was promised to it, and when the queue is closed by a load and a store.
#[test]
fn getter_goes_x_put() {
    bounded_model(|| {
        let queue = Queue::new();
        let mut gone = Box::pin(queue.get());
        assert!(poll_once(gone.as_mut()).is_none());
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.put_nowait(1).unwrap();
                queue.put_nowait(2).unwrap();
            })
        };
        drop(gone);
        putter.join().unwrap();
        assert_eq!(queue.len(), 2);
        assert_eq!((queue.get_nowait(), queue.get_nowait()), (Ok(1), Ok(2)));
    });
}

/// The first of two who wait for room goes, while an item is got.
///
/// Fails when a putter that goes keeps the room that was promised to it, and when an empty stamp is stored or read Relaxed.
#[test]
fn putter_goes_x_get_x_put() {
    bounded_model(|| {
        let queue = Queue::bounded(1);
        queue.put_nowait(0).unwrap();
        let mut gone = Box::pin(queue.put(1));
        assert!(poll_once(gone.as_mut()).is_none());
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.put(2)))
        };
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.get()).unwrap())
        };
        drop(gone);
        assert_eq!(getter.join().unwrap(), 0);
        putter.join().unwrap().unwrap();
        assert_eq!(queue.get_nowait(), Ok(2));
        assert!(queue.is_empty() && !queue.is_full());
    });
}

/// The queue is shut down while one gets until it is, and another puts: what was put is got, before the getter hears of it.
///
/// Fails when shutting down does not dismiss those who wait for an item, and with each mistake about stamps.
#[test]
fn shut_down_x_put_x_get() {
    bounded_model(|| {
        let queue = Queue::bounded(1);
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || {
                let first = block_on(queue.put(1)).is_ok();
                let second = block_on(queue.put(2)).is_ok();
                u32::from(first) + u32::from(second) * 2
            })
        };
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || {
                let mut sum = 0;
                while let Ok(item) = block_on(queue.get()) {
                    sum += item;
                }
                sum
            })
        };
        queue.shutdown(false);
        assert_eq!(putter.join().unwrap(), getter.join().unwrap());
    });
}

/// Two getters wait, an item is put for the first, and the queue is shut down while the first goes: the second gets the item, and
/// hears that the queue is shut down only when there is none.
///
/// Fails when getters are dismissed, or newcomers refused, while an item is promised to one who may yet go.
#[test]
fn shut_down_x_getter_goes_x_get() {
    bounded_model(|| {
        let queue = Queue::new();
        let mut gone = Box::pin(queue.get());
        assert!(poll_once(gone.as_mut()).is_none());
        queue.put_nowait(1).unwrap();
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.get()))
        };
        let shutter = {
            let queue = queue.clone();
            thread::spawn(move || queue.shutdown(false))
        };
        drop(gone);
        shutter.join().unwrap();
        assert_eq!(getter.join().unwrap(), Ok(1));
        assert_eq!(block_on(queue.get()), Err(QueueShutDown(())));
    });
}

/// The queue is shut down at once, while one waits that was promised an item, and another puts: what is put before is dropped or got,
/// nothing is left, and who joins is told.
///
/// Fails when `put` or `get` does not look at its flag, when a getter does not see that what it was promised was dropped, when what is
/// dropped is not counted as done, and when `task_done` compares with a tail that it read before.
#[test]
fn drop_all_x_put_x_get() {
    bounded_model(|| {
        let queue = Queue::new();
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || queue.put_nowait(1))
        };
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || {
                let got = block_on(queue.get()).is_ok();
                if got {
                    queue.task_done().unwrap();
                }
                got
            })
        };
        queue.shutdown(true);
        block_on(queue.join());
        let put = putter.join().unwrap();
        assert!(matches!(put, Ok(()) | Err(PutNowaitError::QueueShutDown(1))));
        let got = getter.join().unwrap();
        assert!(!got || put.is_ok());
        assert!(queue.is_empty());
    });
}

/// The queue is shut down at once, while one goes that was promised an item.
///
/// Fails when a getter that goes gives back what was dropped.
#[test]
fn drop_all_x_getter_goes() {
    bounded_model(|| {
        let queue = Queue::new();
        let mut gone = Box::pin(queue.get());
        assert!(poll_once(gone.as_mut()).is_none());
        queue.put_nowait(1).unwrap();
        let shutter = {
            let queue = queue.clone();
            thread::spawn(move || queue.shutdown(true))
        };
        drop(gone);
        shutter.join().unwrap();
        assert!(queue.is_empty());
        assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueShutDown));
        block_on(queue.join());
    });
}

/// A queue without a bound grows, while one puts and another gets past the place where it does.
///
/// Fails when the ring grows without waiting for items that are on their way, or reads their stamps Relaxed; when `put` or `get` takes its
/// position Relaxed, or the word is stored Relaxed when the queue is opened (they find the old slots); and when `get` does not look
/// at its flag.
#[test]
fn grow_x_put_x_get() {
    bounded_model(|| {
        let queue = Queue::new();
        queue.put_nowait(0).unwrap();
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.put_nowait(1).unwrap();
                queue.put_nowait(2).unwrap();
            })
        };
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.get()).unwrap())
        };
        queue.put_nowait(10).unwrap();
        putter.join().unwrap();
        assert_eq!(getter.join().unwrap(), 0);
        let mut rest: Vec<_> = std::iter::from_fn(|| queue.get_nowait().ok()).collect();
        rest.retain(|item| *item != 10);
        assert_eq!(rest, [1, 2]);
    });
}

/// The last item of a bounded ring's lap is taken while the next lap's is put: the slot is handed on.
///
/// Fails with each mistake about stamps.
#[test]
fn lap_x_lap() {
    bounded_model(|| {
        let queue = Queue::bounded(1);
        queue.put_nowait(0).unwrap();
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || {
                for item in [1, 2] {
                    block_on(queue.put(item)).unwrap();
                }
            })
        };
        for item in [0, 1, 2] {
            assert_eq!(block_on(queue.get()), Ok(item));
        }
        putter.join().unwrap();
    });
}

/// Two report items done while a third joins.
///
/// Fails when `join` looks before its wait counts, and when `task_done` compares with a tail that it read before.
#[test]
fn task_done_x_task_done_x_join() {
    bounded_model(|| {
        let queue = Queue::new();
        for item in 0..2 {
            queue.put_nowait(item).unwrap();
            queue.get_nowait().unwrap();
        }
        let workers = [(); 2].map(|()| {
            let queue = queue.clone();
            thread::spawn(move || queue.task_done().unwrap())
        });
        block_on(queue.join());
        queue.task_done().unwrap_err();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

/// What two workers did before they reported it done is seen by who joins.
///
/// Fails when `task_done` is Relaxed.
#[test]
fn work_x_work_x_join() {
    bounded_model(|| {
        let queue = Queue::new();
        let work = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        (0..2).for_each(|item| queue.put_nowait(item).unwrap());
        let workers = [(); 2].map(|()| {
            let (queue, work) = (queue.clone(), work.clone());
            thread::spawn(move || {
                let item: usize = queue.get_nowait().unwrap();
                // SAFETY: each item is got by one worker.
                work[item].with_mut(|work| unsafe { *work = 1 });
                queue.task_done().unwrap();
            })
        });
        block_on(queue.join());
        for work in work.iter() {
            // SAFETY: both are done.
            assert_eq!(work.with(|work| unsafe { *work }), 1);
        }
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

/// The only item is reported done, while another is put by one who then joins: that one is not done, whatever is said of the first.
///
/// Fails when who joins believes whoever says that nothing is unfinished.
#[test]
fn task_done_x_put_and_join() {
    bounded_model(|| {
        let queue = Queue::new();
        queue.put_nowait(0).unwrap();
        let worker = {
            let queue = queue.clone();
            thread::spawn(move || queue.task_done().unwrap())
        };
        queue.put_nowait(1).unwrap();
        let mut join = Box::pin(queue.join());
        assert!(poll_once(join.as_mut()).is_none());
        worker.join().unwrap();
        assert!(poll_once(join.as_mut()).is_none());
        queue.task_done().unwrap();
        assert!(poll_once(join.as_mut()).is_some());
    });
}

/// One waits for an item while another puts one, and a third would snatch it.
///
/// Fails when no flag says that an item is promised, and, by never ending, when those that are do not count as out of reach.
#[test]
fn get_x_put_x_get_nowait() {
    bounded_model(|| {
        let queue = Queue::new();
        let mut getter = Box::pin(queue.get());
        assert!(poll_once(getter.as_mut()).is_none());
        let putter = {
            let queue = queue.clone();
            thread::spawn(move || queue.put_nowait(1).unwrap())
        };
        let snatcher = {
            let queue = queue.clone();
            thread::spawn(move || queue.get_nowait())
        };
        assert_eq!(block_on(getter), Ok(1));
        assert_eq!(snatcher.join().unwrap(), Err(GetNowaitError::QueueEmpty));
        putter.join().unwrap();
    });
}

/// One waits for room while another gets an item, and a third would take the room.
///
/// Fails when no flag says that room is promised.
#[test]
fn put_x_get_x_put_nowait() {
    bounded_model(|| {
        let queue = Queue::bounded(1);
        queue.put_nowait(0).unwrap();
        let mut putter = Box::pin(queue.put(1));
        assert!(poll_once(putter.as_mut()).is_none());
        let getter = {
            let queue = queue.clone();
            thread::spawn(move || block_on(queue.get()))
        };
        let snatcher = {
            let queue = queue.clone();
            thread::spawn(move || queue.put_nowait(2))
        };
        block_on(putter).unwrap();
        assert_eq!(snatcher.join().unwrap(), Err(PutNowaitError::QueueFull(2)));
        assert_eq!(getter.join().unwrap(), Ok(0));
        assert_eq!(queue.get_nowait(), Ok(1));
    });
}

/// One gets what two put where it takes a lock: it waits for who has been given a position and has not put yet.
fn put_x_put_x_get_in<O: Order<u32> + 'static>(queue: impl Fn() -> Queue<u32, O> + Send + Sync + 'static) {
    bounded_model(move || {
        let queue = queue();
        let putters = [2, 1].map(|item| {
            let queue = queue.clone();
            thread::spawn(move || queue.put_nowait(item).unwrap())
        });
        let got = [(); 2].map(|()| block_on(queue.get()).unwrap());
        assert!(got == [1, 2] || got == [2, 1]);
        for putter in putters {
            putter.join().unwrap();
        }
        assert!(queue.is_empty());
    });
}

/// Fails when who gets does not wait for the item.
#[test]
fn heap_put_x_put_x_get() {
    put_x_put_x_get_in(|| Queue::clone(&PriorityQueue::new()));
}

/// Fails when who gets does not wait for the item.
#[test]
fn stack_put_x_put_x_get() {
    put_x_put_x_get_in(|| Queue::clone(&LifoQueue::new()));
}
