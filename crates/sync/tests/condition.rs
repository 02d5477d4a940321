//! `Condition`, behaviour by behaviour.

mod common;

use aioli_sync::{Condition, Lock, LockGuard};
use common::{Log, calls, panicking, poll, poll_with};
use futures_lite::future::block_on;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Waker,
    thread,
};

/// Somebody who waits.
type Waiting<'a> = Pin<Box<dyn Future<Output = LockGuard<'a, u32>> + Send + 'a>>;

/// One who waits, and is woken by that waker.
fn wait_with<'a>(condition: &'a Condition, lock: &'a Lock<u32>, waker: &Waker) -> Waiting<'a> {
    let mut waiting: Waiting<'a> = Box::pin(condition.wait(lock.try_lock().unwrap()));
    assert!(poll_with(waiting.as_mut(), waker).is_none());
    waiting
}

/// So many who wait, and write their numbers when they are woken.
fn wait<'a>(count: usize, condition: &'a Condition, lock: &'a Lock<u32>, log: &Log) -> Vec<Waiting<'a>> {
    (0..count)
        .map(|number| wait_with(condition, lock, &log.waker(number)))
        .collect()
}

#[test]
fn the_lock_is_released_when_the_wait_begins_and_held_when_it_returns() {
    let (condition, lock) = (Condition::new(), Lock::new(1));
    let mut waiting = pin!(condition.wait(lock.try_lock().unwrap()));
    assert!(lock.is_locked());
    assert!(poll(waiting.as_mut()).is_none());
    *lock.try_lock().unwrap() = 2;
    condition.notify(1);
    let Some(guard) = poll(waiting) else {
        panic!("it was notified");
    };
    assert_eq!(*guard, 2);
    assert!(lock.try_lock().is_none());
}

#[test]
fn a_waiter_is_in_line_before_whoever_gets_the_lock_after_it_can_notify() {
    let (condition, lock) = (Arc::new(Condition::new()), Arc::new(Lock::new(0)));
    let guard = lock.try_lock().unwrap();
    let mut next = pin!(lock.lock());
    let log = Log::default();
    // Its waker is called as the lock is released, and notifies there and then.
    let notifies = calls({
        let condition = condition.clone();
        move || condition.notify(1)
    });
    assert!(poll_with(next.as_mut(), &notifies).is_none());
    let mut waiting = pin!(condition.wait(guard));
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    assert_eq!(log.take(), [1]);
    drop(block_on(next));
    assert!(poll(waiting).is_some());
}

#[test]
fn notify_wakes_so_many_in_the_order_in_which_they_came() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(5, &condition, &lock, &log);
    condition.notify(0);
    assert!(log.take().is_empty());
    condition.notify(2);
    assert_eq!(log.take(), [0, 1]);
    condition.notify(1);
    assert_eq!(log.take(), [2]);
    condition.notify(7);
    assert_eq!(log.take(), [3, 4]);
    assert!(waiting.iter_mut().all(|waiting| poll(waiting.as_mut()).is_some()));
}

#[test]
fn notify_all_wakes_all_who_wait_and_nobody_who_comes_later() {
    const COUNT: usize = 100;
    let (condition, lock, log) = (Arc::new(Condition::new()), Arc::new(Lock::new(0)), Log::default());
    // Each waits again as soon as it is woken; so those who come while it goes on could keep it going for ever.
    type Again = Pin<Box<dyn Future<Output = ()> + Send>>;
    let again: Arc<Mutex<Vec<Again>>> = Arc::default();
    let wait_again = {
        let (condition, lock, log, again) = (condition.clone(), lock.clone(), log.clone(), Arc::downgrade(&again));
        move || {
            let (condition, lock) = (condition.clone(), lock.clone());
            let mut waiting: Again = Box::pin(async move { drop(condition.wait(lock.try_lock().unwrap()).await) });
            assert!(poll_with(waiting.as_mut(), &log.waker(COUNT)).is_none());
            again.upgrade().unwrap().lock().unwrap().push(waiting);
        }
    };
    let waker = |number| {
        let (log, wait_again) = (log.clone(), wait_again.clone());
        calls(move || {
            log.write(number);
            wait_again();
        })
    };
    let mut waiting: Vec<_> = (0..COUNT)
        .map(|number| wait_with(&condition, &lock, &waker(number)))
        .collect();
    condition.notify_all();
    assert_eq!(log.take(), (0..COUNT).collect::<Vec<_>>());
    assert!(waiting.iter_mut().all(|waiting| poll(waiting.as_mut()).is_some()));
    assert_eq!(format!("{condition:?}"), "Condition { waiters: 100 }");
    let again = std::mem::take(&mut *again.lock().unwrap());
    drop(again);
    assert_eq!(format!("{condition:?}"), "Condition { waiters: 0 }");
}

#[test]
fn a_notification_that_nobody_waits_for_is_not_kept() {
    let (condition, lock) = (Condition::new(), Lock::new(0));
    condition.notify(1);
    condition.notify_all();
    let mut waiting = pin!(condition.wait(lock.try_lock().unwrap()));
    assert!(poll(waiting.as_mut()).is_none());
    assert!(poll(waiting).is_none());
}

#[test]
fn one_that_is_notified_waits_for_the_lock_in_its_turn() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(2, &condition, &lock, &log);
    let guard = lock.try_lock().unwrap();
    condition.notify_all();
    assert_eq!(log.take(), [0, 1]);
    let mut other = pin!(lock.lock());
    assert!(poll_with(waiting[0].as_mut(), &log.waker(0)).is_none());
    assert!(poll_with(other.as_mut(), &log.waker(7)).is_none());
    assert!(poll_with(waiting[1].as_mut(), &log.waker(1)).is_none());
    drop(guard);
    assert_eq!(log.take(), [0]);
    drop(block_on(waiting.remove(0)));
    assert_eq!(log.take(), [7]);
    drop(block_on(other));
    assert_eq!(log.take(), [1]);
    drop(block_on(waiting.remove(0)));
}

#[test]
fn one_that_is_dropped_before_it_is_notified_takes_no_notification_with_it() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(3, &condition, &lock, &log);
    drop(waiting.remove(1));
    assert!(log.take().is_empty());
    condition.notify(2);
    assert_eq!(log.take(), [0, 2]);
    assert!(waiting.iter_mut().all(|waiting| poll(waiting.as_mut()).is_some()));
}

#[test]
fn a_notification_goes_to_the_next_if_the_waiter_is_dropped_before_it_looked() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(3, &condition, &lock, &log);
    condition.notify(1);
    assert_eq!(log.take(), [0]);
    drop(waiting.remove(0));
    assert_eq!(log.take(), [1]);
    assert!(poll(waiting[1].as_mut()).is_none());
    drop(waiting);
    assert!(log.take().is_empty(), "nobody is left");
}

#[test]
fn a_notification_goes_to_the_next_if_the_waiter_is_dropped_before_it_has_the_lock() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(3, &condition, &lock, &log);
    let guard = lock.try_lock().unwrap();
    condition.notify(1);
    // It is in the line of the lock.
    assert!(poll_with(waiting[0].as_mut(), &log.waker(0)).is_none());
    assert_eq!(log.take(), [0]);
    drop(waiting.remove(0));
    assert_eq!(log.take(), [1]);
    assert!(poll_with(waiting[0].as_mut(), &log.waker(1)).is_none());
    drop(guard);
    assert_eq!(log.take(), [1]);
    // It has been given the lock, and has not looked.
    drop(waiting.remove(0));
    assert_eq!(log.take(), [2]);
    assert!(poll(waiting[0].as_mut()).is_some());
}

#[test]
fn one_that_has_the_lock_again_keeps_its_notification() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(2, &condition, &lock, &log);
    condition.notify(1);
    let Some(guard) = poll(waiting[0].as_mut()) else {
        panic!("it was notified");
    };
    drop(guard);
    drop(waiting.remove(0));
    assert_eq!(log.take(), [0]);
}

#[test]
fn what_was_for_all_goes_to_nobody_else() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut waiting = wait(2, &condition, &lock, &log);
    condition.notify_all();
    assert_eq!(log.take(), [0, 1]);
    let mut late = Box::pin(condition.wait(lock.try_lock().unwrap()));
    assert!(poll_with(late.as_mut(), &log.waker(2)).is_none());
    // One has not looked, the other is in the line of the lock.
    let guard = lock.try_lock().unwrap();
    assert!(poll(waiting[1].as_mut()).is_none());
    drop(waiting);
    assert!(log.take().is_empty());
    drop(guard);
    assert!(poll(late.as_mut()).is_none());
}

#[test]
fn a_wait_that_is_dropped_has_released_the_lock() {
    let (condition, lock) = (Condition::new(), Lock::new(0));
    drop(condition.wait(lock.try_lock().unwrap()));
    assert!(!lock.is_locked());
    {
        let mut waiting = pin!(condition.wait(lock.try_lock().unwrap()));
        assert!(poll(waiting.as_mut()).is_none());
    }
    assert!(!lock.is_locked());
}

#[test]
fn wait_for_looks_first_and_after_each_notification() {
    let (condition, lock, log) = (Condition::new(), Lock::new(2), Log::default());
    let guard = block_on(condition.wait_for(lock.try_lock().unwrap(), |value| *value == 2));
    assert_eq!(*guard, 2);
    let mut looks = 0;
    let mut waiting = Box::pin(condition.wait_for(guard, |value| {
        looks += 1;
        // It may change what it looks at.
        *value += 1;
        *value == 10
    }));
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    assert_eq!(*lock.try_lock().unwrap(), 3);
    condition.notify(1);
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    *lock.try_lock().unwrap() = 9;
    condition.notify_all();
    assert_eq!(log.take(), [1, 1]);
    assert_eq!(*block_on(waiting), 10);
    assert_eq!(looks, 3);
}

#[test]
fn a_predicate_that_panics_releases_the_lock_and_nothing_else() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let mut others = wait(1, &condition, &lock, &log);
    let guard = lock.try_lock().unwrap();
    let waiting = condition.wait_for(guard, |_| panic!("a predicate"));
    let payload = catch_unwind(AssertUnwindSafe(|| drop(block_on(waiting)))).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "a predicate");
    assert!(!lock.is_locked());
    assert!(log.take().is_empty());
    condition.notify(1);
    assert!(poll(others[0].as_mut()).is_some());

    // The same after a notification: it has arrived.
    let mut others = wait(1, &condition, &lock, &log);
    condition.notify_all();
    drop(poll(others[0].as_mut()));
    log.take();
    let mut panics = false;
    let mut waiting = Box::pin(condition.wait_for(lock.try_lock().unwrap(), |_| {
        assert!(!std::mem::replace(&mut panics, true), "a predicate");
        false
    }));
    assert!(poll(waiting.as_mut()).is_none());
    let _next = wait(1, &condition, &lock, &log);
    condition.notify(1);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(poll(waiting.as_mut())))).is_err());
    assert!(!lock.is_locked());
    drop(waiting);
    assert!(log.take().is_empty());
}

#[test]
fn a_waker_that_panics_does_not_take_the_wake_ups_of_others_with_it() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    for notify in [Condition::notify_all, |condition: &Condition| condition.notify(100)] {
        let mut waiting: Vec<_> = (0..50)
            .map(|number| {
                let waker = if number % 20 == 0 {
                    panicking()
                } else {
                    log.waker(number)
                };
                wait_with(&condition, &lock, &waker)
            })
            .collect();
        let payload = catch_unwind(AssertUnwindSafe(|| notify(&condition))).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "a foreign waker");
        assert_eq!(
            log.take(),
            (0..50).filter(|number| number % 20 != 0).collect::<Vec<_>>()
        );
        assert!(waiting.iter_mut().all(|waiting| poll(waiting.as_mut()).is_some()));
    }
}

#[test]
fn a_wait_whose_release_of_the_lock_panics_leaves_the_line() {
    let (condition, lock, log) = (Condition::new(), Lock::new(0), Log::default());
    let guard = lock.try_lock().unwrap();
    let mut next = pin!(lock.lock());
    assert!(poll_with(next.as_mut(), &panicking()).is_none());
    let waiting = condition.wait(guard);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(block_on(waiting)))).is_err());
    drop(block_on(next));
    let mut others = wait(1, &condition, &lock, &log);
    condition.notify(1);
    assert_eq!(log.take(), [0]);
    assert!(poll(others[0].as_mut()).is_some());
}

#[test]
fn wakers_may_use_the_condition_and_the_lock() {
    let (condition, lock, log) = (Arc::new(Condition::new()), Arc::new(Lock::new(0)), Log::default());
    let uses = || {
        let (condition, lock, log) = (condition.clone(), lock.clone(), log.clone());
        calls(move || {
            let mut waiting = pin!(condition.wait(lock.try_lock().unwrap()));
            assert!(poll_with(waiting.as_mut(), &log.waker(9)).is_none());
            condition.notify(1);
            condition.notify_all();
            log.write(1);
        })
    };
    let mut waiting = [(); 2].map(|()| wait_with(&condition, &lock, &uses()));
    condition.notify(1);
    // The first waits anew, and notifies the second; that one waits too, and notifies the newcomer of the first, and its own.
    assert_eq!(log.take(), [9, 9, 1, 1]);
    assert!(waiting.iter_mut().all(|waiting| poll(waiting.as_mut()).is_some()));
}

#[test]
fn one_lock_may_have_many_conditions() {
    let (even, odd, lock) = (Condition::new(), Condition::new(), Lock::new(0));
    let mut on_even = wait_with(&even, &lock, Waker::noop());
    let mut on_odd = wait_with(&odd, &lock, Waker::noop());
    odd.notify_all();
    assert!(poll(on_even.as_mut()).is_none());
    assert!(poll(on_odd.as_mut()).is_some());
}

#[test]
fn what_is_protected_may_be_unsized() {
    let condition = Condition::new();
    let lock: &Lock<[u8]> = &Lock::new([1, 2, 3]);
    let guard = block_on(condition.wait_for(lock.try_lock().unwrap(), |bytes| bytes.len() == 3));
    assert_eq!(*guard, [1, 2, 3]);
}

#[test]
fn threads_hand_over_what_they_make() {
    const EACH: u32 = 500;
    /// At most one item at a time.
    #[derive(Default)]
    struct Shop {
        item: Option<u32>,
        sold: u32,
    }
    static SHOP: Lock<Shop> = Lock::new(Shop { item: None, sold: 0 });
    static FILLED: Condition = Condition::new();
    static EMPTIED: Condition = Condition::new();
    let makers = [(); 2].map(|()| {
        thread::spawn(|| {
            for item in 1..=EACH {
                let guard = block_on(SHOP.lock());
                let mut shop = block_on(EMPTIED.wait_for(guard, |shop| shop.item.is_none()));
                shop.item = Some(item);
                FILLED.notify(1);
            }
        })
    });
    let buyers = [(); 2].map(|()| {
        thread::spawn(|| {
            let mut sum = 0;
            for _ in 0..EACH {
                let guard = block_on(SHOP.lock());
                let mut shop = block_on(FILLED.wait_for(guard, |shop| shop.item.is_some()));
                sum += shop.item.take().unwrap();
                shop.sold += 1;
                drop(shop);
                EMPTIED.notify(1);
            }
            sum
        })
    });
    makers.into_iter().for_each(|maker| maker.join().unwrap());
    let sum: u32 = buyers.into_iter().map(|buyer| buyer.join().unwrap()).sum();
    assert_eq!(sum, EACH * (EACH + 1));
    assert_eq!(block_on(SHOP.lock()).sold, 2 * EACH);
}
