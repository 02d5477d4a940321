//! `Lock`, behaviour by behaviour. What it shares with `Semaphore`, on which core it stands, is in the tests of that.

mod common;

use aioli_primitives::budget;
use aioli_sync::{Lock, LockGuard, OwnedLockGuard};
use common::{Dice, calls, counts, message, on_threads, poll, poll_with, waiting};
use futures_lite::future::block_on;
use std::{
    cell::Cell,
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

#[test]
fn one_has_the_value_at_a_time() {
    let lock = Lock::new(1);
    assert!(!lock.is_locked());
    let mut guard = block_on(lock.lock());
    *guard += 1;
    assert!(lock.is_locked());
    assert!(lock.try_lock().is_none());
    let mut next = waiting(lock.lock());
    drop(guard);
    assert_eq!(*poll(next.as_mut()).unwrap(), 2);
    assert!(!lock.is_locked());
    drop(next);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn the_lock_is_given_in_the_order_in_which_it_was_asked_for() {
    let lock = Lock::new(());
    let mut held = Some(lock.try_lock().unwrap());
    let mut line: Vec<_> = (0..5).map(|_| waiting(lock.lock())).collect();
    while !line.is_empty() {
        drop(held.take());
        assert!(lock.try_lock().is_none(), "a newcomer does not pass");
        let mut served: Vec<_> = line.iter_mut().map(|waiter| poll(waiter.as_mut())).collect();
        assert!(served[1..].iter().all(Option::is_none));
        held = served.swap_remove(0);
        assert!(held.is_some(), "the first has it");
        drop(line.remove(0));
    }
}

#[test]
fn a_waiter_that_gives_up_is_skipped() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let [first, mut second] = [(), ()].map(|()| waiting(lock.lock()));
    drop(first);
    drop(guard);
    assert!(poll(second.as_mut()).is_some());
}

#[test]
fn a_waiter_that_was_given_the_lock_and_goes_hands_it_on() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let first = waiting(lock.lock());
    let woken = Arc::new(AtomicUsize::new(0));
    let mut second = Box::pin(lock.lock());
    assert!(poll_with(second.as_mut(), &counts(&woken)).is_none());
    drop(guard);
    assert_eq!(woken.load(SeqCst), 0);
    drop(first);
    assert_eq!(woken.load(SeqCst), 1);
    let guard = poll(second.as_mut()).expect("it is next");
    drop(guard);
    let guard = lock.try_lock().unwrap();
    let only = waiting(lock.lock());
    drop(guard);
    drop(only);
    assert!(!lock.is_locked());
}

#[test]
fn a_holder_that_panics_releases_the_lock_and_poisons_nothing() {
    let lock = Lock::new(vec![1]);
    let mut guard = lock.try_lock().unwrap();
    let mut next = waiting(lock.lock());
    let panic = catch_unwind(AssertUnwindSafe(move || {
        guard.push(2);
        panic!("with the lock");
    }));
    assert!(panic.is_err());
    assert_eq!(*poll(next.as_mut()).expect("it is next"), [1, 2], "as it was left");
}

#[test]
fn a_waker_that_panics_has_given_the_lock_all_the_same() {
    let lock = Lock::new(0);
    let guard = lock.try_lock().unwrap();
    let mut next = Box::pin(lock.lock());
    assert!(poll_with(next.as_mut(), &calls(|| panic!("in a waker"))).is_none());
    let panic = catch_unwind(AssertUnwindSafe(|| drop(guard))).unwrap_err();
    assert_eq!(message(panic), "in a waker");
    assert!(poll(next.as_mut()).is_some());
}

#[test]
fn a_waker_may_call_the_lock() {
    let lock = Arc::new(Lock::new(0));
    let guard = lock.try_lock().unwrap();
    let mut next = Box::pin(lock.lock());
    let waker = {
        let lock = lock.clone();
        calls(move || {
            assert!(lock.try_lock().is_none());
            assert!(lock.is_locked());
            drop(waiting(lock.lock()));
        })
    };
    assert!(poll_with(next.as_mut(), &waker).is_none());
    drop(guard);
    assert!(poll(next.as_mut()).is_some());
}

#[test]
fn an_owned_guard_goes_to_another_thread_and_outlives_the_handle() {
    let lock = Arc::new(Lock::new(String::from("a")));
    let mut guard = block_on(lock.clone().lock_owned());
    assert!(lock.clone().try_lock_owned().is_none());
    assert!(Arc::ptr_eq(OwnedLockGuard::lock(&guard), &lock));
    let mut next = waiting(lock.clone().lock_owned());
    thread::spawn(move || guard.push('b')).join().unwrap();
    let mut guard = poll(next.as_mut()).expect("it was released there");
    guard.push('c');
    drop((lock, next));
    assert_eq!(*guard, "abc");
}

#[test]
fn a_guard_knows_its_lock() {
    let lock = Lock::new(1);
    let guard = block_on(lock.lock());
    let same: &Lock<i32> = LockGuard::lock(&guard);
    assert!(std::ptr::eq(same, &lock));
    drop(guard);
    assert!(
        same.try_lock().is_some(),
        "the reference is the lock's, and not the guard's"
    );
}

#[test]
fn a_thread_waits_for_the_lock() {
    let lock = Lock::new(0);
    on_threads(4, |_| {
        for _ in 0..1_000 {
            *lock.blocking_lock() += 1;
        }
    });
    assert_eq!(lock.into_inner(), 4_000);
}

#[test]
fn taking_the_lock_spends_the_budget_of_the_poll() {
    let lock = Lock::new(0);
    let woken = Arc::new(AtomicUsize::new(0));
    budget::replace(0);
    let mut locking = Box::pin(lock.lock());
    assert!(poll_with(locking.as_mut(), &counts(&woken)).is_none());
    assert_eq!(woken.load(SeqCst), 1);
    assert!(!lock.is_locked());
    budget::replace(budget::UNLIMITED);
    assert!(poll(locking.as_mut()).is_some());
}

#[test]
fn a_lock_may_be_around_what_has_no_size() {
    let lock: Arc<Lock<dyn Debug + Send>> = Arc::new(Lock::new(7));
    assert_eq!(format!("{:?}", &*block_on(lock.lock())), "7");
    assert_eq!(format!("{:?}", block_on(lock.clone().lock_owned())), "7");
    assert_eq!(format!("{lock:?}"), "Lock { value: 7 }");
    let slice: &Lock<[i32]> = &Lock::new([1, 2, 3]);
    slice.try_lock().unwrap()[1] = 5;
    assert_eq!(*slice.try_lock().unwrap(), [1, 5, 3]);
}

#[test]
fn it_is_made_like_any_value_and_shows_it() {
    static LOCK: Lock<i32> = Lock::new(3);
    let mut lock = Lock::from(2);
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?}"), "Lock { value: 3 }");
    assert_eq!(format!("{:?}", Lock::<String>::default()), "Lock { value: \"\" }");
    let guard = LOCK.try_lock().unwrap();
    assert_eq!(format!("{LOCK:?} {guard:?} {guard}"), "Lock { value: <locked> } 3 3");
}

#[test]
fn locks_and_guards_go_to_other_threads_where_their_values_may() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn is_send<T: Send>(_: T) {}
    // A `Cell` may be sent, and not shared.
    send::<Lock<Cell<i32>>>();
    sync::<Lock<Cell<i32>>>();
    send::<LockGuard<'_, Cell<i32>>>();
    send::<OwnedLockGuard<Cell<i32>>>();
    sync::<LockGuard<'_, i32>>();
    sync::<OwnedLockGuard<i32>>();
    let lock = Arc::new(Lock::new(Cell::new(1)));
    is_send(lock.lock());
    is_send(lock.lock_owned());
}

#[test]
fn no_turn_is_lost_among_threads_that_give_up_at_random() {
    let lock = Arc::new(Lock::new(0));
    let threads: Vec<_> = (1..=4)
        .map(|seed| {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut dice = Dice(seed);
                let mut added = 0;
                for _ in 0..2_000 {
                    let mut locking = Box::pin(lock.lock());
                    let at_once = poll(locking.as_mut());
                    thread::yield_now();
                    if at_once.is_none() && dice.once_in(2) {
                        continue;
                    }
                    let mut guard = at_once.unwrap_or_else(|| block_on(locking));
                    *guard += 1;
                    added += 1;
                }
                added
            })
        })
        .collect();
    let added: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(!lock.is_locked());
    assert_eq!(*block_on(lock.lock()), added);
}
