//! Wakers whose own code does what it should not: it costs nobody anything.

mod common;

use aioli_sync::{Barrier, Lock, Queue, Semaphore};
use common::{counts, hooked, panicking, poll, poll_with, waiting};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Waker,
};

/// A waker whose first clone calls `on_clone` when it is made, and whose destructor calls `on_drop` next.
fn clone_calls(on_clone: impl Fn() + Send + Sync + 'static, on_drop: impl Fn() + Send + Sync + 'static) -> Waker {
    let armed = Arc::new(AtomicBool::new(false));
    let cloned = armed.clone();
    hooked(
        move || {
            on_clone();
            cloned.store(true, SeqCst);
        },
        move || {
            if armed.swap(false, SeqCst) {
                on_drop();
            }
        },
    )
}

fn clone_panics_when_dropped() -> Waker {
    clone_calls(|| {}, || panic!("a foreign destructor"))
}

/// A queue whose next `put` finds that it has to grow, and so looks with the lock.
fn about_to_grow() -> Queue<usize> {
    let queue = Queue::new();
    (0..32).for_each(|item| queue.put_nowait(item).unwrap());
    queue
}

#[test]
fn a_queue_whose_putters_waker_panics_as_it_is_dropped_has_the_item() {
    let queue = about_to_grow();
    let put = poll_with(Box::pin(queue.put(32)).as_mut(), &clone_panics_when_dropped());
    assert_eq!(put, Some(Ok(())));
    assert!((0..=32).all(|item| queue.get_nowait() == Ok(item)));
}

#[test]
fn a_queue_may_be_used_by_a_waker_that_is_dropped() {
    let queue = about_to_grow();
    let got = Arc::new(AtomicUsize::new(0));
    let waker = clone_calls(|| {}, {
        let (queue, got) = (queue.clone(), got.clone());
        move || {
            while queue.get_nowait().is_ok() {
                got.fetch_add(1, SeqCst);
            }
        }
    });
    assert_eq!(poll_with(Box::pin(queue.put(32)).as_mut(), &waker), Some(Ok(())));
    assert_eq!(got.load(SeqCst), 33);
}

#[test]
fn a_barrier_lets_all_go_when_the_last_ones_waker_panics_as_it_is_dropped() {
    let barrier = Barrier::new(2);
    let woken = Arc::new(AtomicUsize::new(0));
    let mut first = Box::pin(barrier.wait());
    assert!(poll_with(first.as_mut(), &counts(&woken)).is_none());
    let last = poll_with(Box::pin(barrier.wait()).as_mut(), &clone_panics_when_dropped());
    assert_eq!(last, Some(Ok(1)));
    assert_eq!(woken.load(SeqCst), 1);
    assert_eq!(poll(first.as_mut()), Some(Ok(0)));
}

#[test]
fn a_permit_that_comes_while_a_waker_is_renewed_is_not_lost_with_that() {
    let semaphore = Arc::new(Semaphore::new(0));
    let mut acquire = waiting(semaphore.acquire());
    let releasing = semaphore.clone();
    let waker = clone_calls(move || releasing.release(), || panic!("a foreign destructor"));
    assert!(poll_with(acquire.as_mut(), &waker).is_some());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_holder_that_panics_is_not_joined_by_the_waker_of_the_next_in_line() {
    let lock = Lock::new(1);
    let mut next = Box::pin(lock.lock());
    let guard = lock.try_lock().unwrap();
    assert!(poll_with(next.as_mut(), &panicking()).is_none());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _guard = guard;
        panic!("the holder");
    }));
    assert_eq!(common::message(panic.unwrap_err()), "the holder");
    assert!(poll(next.as_mut()).is_some());
}

#[test]
fn who_gets_keeps_the_item_whatever_the_putters_waker_panics_with() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the payload of a panic");
        }
    }
    let queue = Queue::bounded(1);
    queue.put_nowait('a').unwrap();
    let mut putter = Box::pin(queue.put('b'));
    let waker = common::calls(|| std::panic::panic_any(Bomb));
    assert!(poll_with(putter.as_mut(), &waker).is_none());
    assert_eq!(queue.get_nowait(), Ok('a'));
    assert_eq!(poll(putter.as_mut()), Some(Ok(())));
}

#[test]
fn who_goes_hears_nothing_of_the_waker_that_is_served_instead() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    let gone = waiting(semaphore.acquire());
    let mut next = Box::pin(semaphore.acquire());
    assert!(poll_with(next.as_mut(), &panicking()).is_none());
    drop(permit);
    drop(gone);
    assert!(poll(next.as_mut()).is_some());
}
