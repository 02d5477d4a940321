//! `Semaphore`, behaviour by behaviour.

mod common;

use aioli_primitives::budget;
use aioli_sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use common::{Dice, calls, counts, message, poll, poll_with, waiting};
use futures_lite::future::block_on;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

const MAX: usize = Semaphore::MAX_PERMITS;

#[test]
fn permits_are_counted_and_come_back_when_they_are_dropped() {
    let semaphore = Semaphore::new(3);
    let one = block_on(semaphore.acquire());
    let two = block_on(semaphore.acquire_many(2));
    assert_eq!((one.count(), two.count()), (1, 2));
    assert_eq!(semaphore.available_permits(), 0);
    assert!(semaphore.is_locked());
    assert!(semaphore.try_acquire().is_none());
    drop(two);
    assert_eq!(semaphore.available_permits(), 2);
    assert!(!semaphore.is_locked());
    assert!(semaphore.try_acquire_many(3).is_none());
    drop(one);
    assert_eq!(semaphore.try_acquire_many(3).unwrap().count(), 3);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn a_forgotten_permit_does_not_come_back() {
    let semaphore = Arc::new(Semaphore::new(5));
    block_on(semaphore.acquire_many(2)).forget();
    let owned = semaphore.clone().try_acquire_many_owned(2).unwrap();
    assert_eq!(owned.count(), 2);
    owned.forget();
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(
        Arc::strong_count(&semaphore),
        1,
        "the share in the semaphore is dropped"
    );
}

#[test]
fn a_release_adds_what_nobody_took() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.is_locked());
    semaphore.release();
    semaphore.release_many(2);
    semaphore.release_many(0);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    let semaphore = Semaphore::new(0);
    let mut line: Vec<_> = (0..5).map(|_| waiting(semaphore.acquire())).collect();
    while !line.is_empty() {
        semaphore.release();
        let served = line.iter_mut().map(|waiter| poll(waiter.as_mut()));
        let served: Vec<_> = served
            .map(|permit| permit.map(SemaphorePermit::forget).is_some())
            .collect();
        assert!(served[0], "the first has it");
        assert!(!served[1..].contains(&true), "and nobody else");
        drop(line.remove(0));
    }
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_release_of_many_wakes_as_many_each_once_and_in_order() {
    // More than are woken in one go.
    const WAITERS: usize = 100;
    let semaphore = Semaphore::new(0);
    let woken = Arc::new(Mutex::new(Vec::new()));
    let mut line = Vec::new();
    for name in 0..WAITERS {
        let mut waiter = Box::pin(semaphore.acquire());
        let woken = woken.clone();
        let waker = calls(move || woken.lock().unwrap().push(name));
        assert!(poll_with(waiter.as_mut(), &waker).is_none());
        line.push(waiter);
    }
    semaphore.release_many(WAITERS - 1);
    assert_eq!(*woken.lock().unwrap(), Vec::from_iter(0..WAITERS - 1));
    assert_eq!(semaphore.available_permits(), 0);
    assert!(poll(line.pop().unwrap().as_mut()).is_none());
    for mut waiter in line {
        poll(waiter.as_mut()).expect("it was served").forget();
    }
    semaphore.release();
    assert!(semaphore.try_acquire().is_some(), "nobody is left in the line");
}

#[test]
fn a_newcomer_does_not_pass_one_who_was_served() {
    let semaphore = Semaphore::new(0);
    let mut first = waiting(semaphore.acquire());
    semaphore.release();
    assert!(semaphore.is_locked());
    assert!(semaphore.try_acquire().is_none());
    let newcomer = waiting(semaphore.acquire());
    let permit = poll(first.as_mut()).expect("it has the permit");
    drop((newcomer, permit));
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_waiter_that_gives_up_is_skipped() {
    let semaphore = Semaphore::new(0);
    let [mut first, second, mut third, fourth] = [(), (), (), ()].map(|()| waiting(semaphore.acquire()));
    drop(second);
    semaphore.release_many(2);
    let _permits = (poll(first.as_mut()).unwrap(), poll(third.as_mut()).unwrap());
    drop(fourth);
    semaphore.release();
    assert_eq!(semaphore.available_permits(), 1, "nobody is left to get it");
    assert!(!semaphore.is_locked());
}

#[test]
fn what_a_served_waiter_did_not_take_goes_to_the_next() {
    let semaphore = Semaphore::new(0);
    let first = waiting(semaphore.acquire_many(2));
    let [mut second, mut third] = [(), ()].map(|()| waiting(semaphore.acquire()));
    semaphore.release_many(2);
    assert!(poll(second.as_mut()).is_none());
    drop(first);
    drop(poll(second.as_mut()).expect("it has one of the two"));
    drop(poll(third.as_mut()).expect("it has the other"));
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn what_a_served_waiter_did_not_take_is_free_if_nobody_waits() {
    let semaphore = Semaphore::new(0);
    let waiter = waiting(semaphore.acquire());
    semaphore.release();
    assert_eq!(semaphore.available_permits(), 0);
    drop(waiter);
    assert_eq!(semaphore.available_permits(), 1);
    assert!(!semaphore.is_locked());
}

#[test]
fn who_wants_many_is_not_starved_by_those_who_want_few() {
    let semaphore = Semaphore::new(3);
    let [first, second] = [(), ()].map(|()| semaphore.try_acquire().unwrap());
    let mut many = waiting(semaphore.acquire_many(3));
    assert_eq!(semaphore.available_permits(), 1);
    assert!(semaphore.is_locked(), "one is free, and not to be had");
    assert!(semaphore.try_acquire().is_none());
    assert!(semaphore.try_acquire_many(0).is_none());
    let mut few = waiting(semaphore.acquire());
    drop(first);
    assert!(poll(many.as_mut()).is_none() && poll(few.as_mut()).is_none());
    drop(second);
    let all = poll(many.as_mut()).expect("it has all three");
    assert!(poll(few.as_mut()).is_none());
    drop(all);
    assert!(poll(few.as_mut()).is_some());
}

#[test]
fn whom_it_held_up_goes_on_when_a_waiter_gives_up() {
    let semaphore = Semaphore::new(2);
    let woken = Arc::new(AtomicUsize::new(0));
    let many = waiting(semaphore.acquire_many(3));
    let mut few: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire())).collect();
    for waiter in &mut few {
        assert!(poll_with(waiter.as_mut(), &counts(&woken)).is_none());
    }
    drop(many);
    assert_eq!(woken.load(SeqCst), 2);
    let served: Vec<_> = few.iter_mut().map(|waiter| poll(waiter.as_mut())).collect();
    assert_eq!(served.iter().flatten().count(), 2);
    assert!(served[2].is_none());
}

#[test]
fn no_permits_at_all_are_to_be_had_in_ones_turn() {
    let semaphore = Semaphore::new(0);
    assert_eq!(block_on(semaphore.acquire_many(0)).count(), 0);
    let first = waiting(semaphore.acquire());
    let mut none = waiting(semaphore.acquire_many(0));
    drop(first);
    assert_eq!(poll(none.as_mut()).expect("nobody is before it").count(), 0);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn huge_counts_are_served_and_one_more_is_an_error() {
    let semaphore = Semaphore::new(MAX);
    assert_eq!(block_on(semaphore.acquire_many(MAX)).count(), MAX);
    assert_eq!(semaphore.available_permits(), MAX);

    let panic = catch_unwind(|| Semaphore::new(MAX + 1)).unwrap_err();
    assert!(message(panic).contains("Semaphore::MAX_PERMITS"));
    let ask = [
        catch_unwind(AssertUnwindSafe(|| drop(block_on(semaphore.acquire_many(MAX + 1))))),
        catch_unwind(AssertUnwindSafe(|| drop(semaphore.try_acquire_many(usize::MAX)))),
    ];
    for panic in ask {
        assert!(message(panic.unwrap_err()).contains("never has more than"));
    }
    for count in [1, MAX, usize::MAX] {
        let panic = catch_unwind(AssertUnwindSafe(|| semaphore.release_many(count))).unwrap_err();
        assert!(message(panic).contains("MAX_PERMITS"));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.release())).is_err());
    assert_eq!(semaphore.available_permits(), MAX, "nothing was added");
}

#[test]
fn more_than_can_be_counted_do_not_overflow() {
    let semaphore = Semaphore::new(0);
    let held: Vec<_> = (0..20)
        .map(|_| {
            semaphore.release_many(MAX);
            semaphore.try_acquire_many(MAX).unwrap()
        })
        .collect();
    assert_eq!(semaphore.available_permits(), 0);
    let mut before = 0;
    for permits in held {
        drop(permits);
        assert!(semaphore.available_permits() >= before);
        before = semaphore.available_permits();
    }
    assert!(before > 2 * MAX, "those up to there were counted");
    assert!(semaphore.try_acquire_many(MAX).is_some());
    assert!(!semaphore.is_locked());
}

#[test]
fn a_holder_that_panics_gives_its_permit_back() {
    let semaphore = Semaphore::new(1);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _permit = semaphore.try_acquire().unwrap();
        panic!("with a permit");
    }));
    assert!(panic.is_err());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    let semaphore = Semaphore::new(0);
    let woken = Arc::new(AtomicUsize::new(0));
    let mut line: Vec<_> = (0..40).map(|_| Box::pin(semaphore.acquire())).collect();
    for (index, waiter) in line.iter_mut().enumerate() {
        let woken = woken.clone();
        let waker = calls(move || {
            assert_ne!(index, 3, "the third");
            assert_ne!(index, 35, "another");
            woken.fetch_add(1, SeqCst);
        });
        assert!(poll_with(waiter.as_mut(), &waker).is_none());
    }
    let panic = catch_unwind(AssertUnwindSafe(|| semaphore.release_many(40))).unwrap_err();
    assert!(message(panic).contains("the third"), "the first panic comes out");
    assert_eq!(woken.load(SeqCst), 38);
    for waiter in &mut line {
        poll(waiter.as_mut()).expect("all have been served").forget();
    }
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_waker_may_call_the_semaphore() {
    let semaphore = Arc::new(Semaphore::new(0));
    let other = Arc::new(Mutex::new(Some(waiting(semaphore.clone().acquire_owned()))));
    // The first to be woken drops the other one, which has been served by then, takes its permit, and releases another.
    let waker = {
        let (semaphore, other) = (semaphore.clone(), other.clone());
        calls(move || {
            drop(other.lock().unwrap().take());
            semaphore.try_acquire().expect("the one of the other").forget();
            semaphore.release();
        })
    };
    let last = Arc::new(Mutex::new(Box::pin(semaphore.clone().acquire_owned())));
    assert!(poll_with(last.lock().unwrap().as_mut(), &waker).is_none());
    semaphore.release_many(2);
    assert!(other.lock().unwrap().is_none());
    assert_eq!(semaphore.available_permits(), 1);
    poll(last.lock().unwrap().as_mut()).expect("it was served").forget();
}

#[test]
fn a_waker_may_call_the_semaphore_when_it_is_dropped() {
    struct Release(Arc<Semaphore>);
    impl Drop for Release {
        fn drop(&mut self) {
            self.0.release();
        }
    }
    let semaphore = Arc::new(Semaphore::new(0));
    let waker = || {
        let release = Release(semaphore.clone());
        calls(move || {
            let _ = &release;
        })
    };
    let mut waiter = Box::pin(semaphore.acquire());
    assert!(poll_with(waiter.as_mut(), &waker()).is_none());
    assert_eq!(semaphore.available_permits(), 0);
    // Another waker takes its place; the old one is dropped, and serves who waits.
    assert!(poll_with(waiter.as_mut(), &waker()).is_none());
    let permit = poll(waiter.as_mut()).expect("the first waker has released");
    assert_eq!(
        semaphore.available_permits(),
        1,
        "the second one as well, when it had been woken"
    );
    permit.forget();

    semaphore.try_acquire().unwrap().forget();
    let mut waiter = Box::pin(semaphore.acquire());
    assert!(poll_with(waiter.as_mut(), &waker()).is_none());
    drop(waiter);
    assert_eq!(semaphore.available_permits(), 1, "the waker goes with its waiter");
}

#[test]
fn the_latest_waker_is_woken_and_no_other() {
    let semaphore = Semaphore::new(0);
    let woken = [(), ()].map(|()| Arc::new(AtomicUsize::new(0)));
    let mut waiter = Box::pin(semaphore.acquire());
    for woken in &woken {
        assert!(poll_with(waiter.as_mut(), &counts(woken)).is_none());
    }
    semaphore.release();
    assert_eq!(woken.map(|woken| woken.load(SeqCst)), [0, 1]);
}

#[test]
fn an_owned_permit_goes_to_another_thread_and_outlives_the_handle() {
    let semaphore = Arc::new(Semaphore::new(1));
    let weak = Arc::downgrade(&semaphore);
    let permit = block_on(semaphore.clone().acquire_owned());
    assert!(semaphore.clone().try_acquire_owned().is_none());
    drop(semaphore);
    let seen = thread::spawn(move || {
        let before = weak.upgrade().map(|semaphore| semaphore.available_permits());
        let semaphore = weak.upgrade();
        drop(permit);
        (
            before,
            semaphore.map(|semaphore| semaphore.available_permits()),
            weak.upgrade().is_none(),
        )
    });
    assert_eq!(seen.join().unwrap(), (Some(0), Some(1), true));
}

#[test]
fn owned_permits_are_waited_for_in_the_same_line() {
    let semaphore = Arc::new(Semaphore::new(0));
    let mut first = waiting(semaphore.clone().acquire_many_owned(2));
    let mut second = waiting(semaphore.acquire());
    semaphore.release_many(2);
    assert!(poll(second.as_mut()).is_none());
    let both = poll(first.as_mut()).expect("it has both");
    assert_eq!(both.count(), 2);
    drop(both);
    assert!(poll(second.as_mut()).is_some());
}

#[test]
fn a_thread_waits_for_a_permit() {
    let semaphore = Semaphore::new(1);
    for _ in 0..100 {
        let permit = semaphore.try_acquire().unwrap();
        thread::scope(|threads| {
            let waiter = threads.spawn(|| semaphore.blocking_acquire().count());
            drop(permit);
            assert_eq!(waiter.join().unwrap(), 1);
        });
    }
    assert_eq!(semaphore.blocking_acquire().count(), 1);
}

#[test]
fn an_acquire_spends_the_budget_of_the_poll_before_it_takes_anything() {
    let semaphore = Semaphore::new(2);
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = counts(&woken);
    budget::replace(1);
    let _one = poll_with(Box::pin(semaphore.acquire()).as_mut(), &waker).expect("the budget is enough");
    let mut another = Box::pin(semaphore.acquire());
    assert!(poll_with(another.as_mut(), &waker).is_none(), "there is nothing left");
    assert_eq!(woken.load(SeqCst), 1, "it is polled again");
    assert_eq!(semaphore.available_permits(), 1);
    budget::replace(budget::UNLIMITED);
    assert!(poll(another.as_mut()).is_some());
}

#[test]
fn a_semaphore_may_be_a_static() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    let permit: SemaphorePermit<'static> = SEMAPHORE.try_acquire().unwrap();
    thread::spawn(move || drop(permit)).join().unwrap();
    assert_eq!(SEMAPHORE.available_permits(), 1);
}

#[test]
fn it_says_how_many_are_free() {
    let semaphore = Arc::new(Semaphore::new(2));
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available_permits: 2, .. }");
    assert_eq!(
        format!("{:?}", semaphore.try_acquire_many(2).unwrap()),
        "SemaphorePermit(2)"
    );
    assert_eq!(
        format!("{:?}", semaphore.try_acquire_owned().unwrap()),
        "OwnedSemaphorePermit(1)"
    );
}

#[test]
fn everything_may_go_to_other_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    send_and_sync::<Semaphore>();
    send_and_sync::<SemaphorePermit<'_>>();
    send_and_sync::<OwnedSemaphorePermit>();
    let semaphore = Arc::new(Semaphore::new(2));
    drop(is_send(semaphore.acquire()));
    drop(is_send(semaphore.acquire_owned()));
}

#[test]
fn no_permit_is_lost_among_threads_that_give_up_at_random() {
    const PERMITS: usize = 3;
    let semaphore = Arc::new(Semaphore::new(PERMITS));
    let inside = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (1..=4)
        .map(|seed| {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            thread::spawn(move || {
                let mut dice = Dice(seed);
                for round in 0..2_000 {
                    let count = 1 + round % PERMITS;
                    let mut acquire = Box::pin(semaphore.acquire_many(count));
                    let at_once = poll(acquire.as_mut());
                    thread::yield_now();
                    if at_once.is_none() && dice.once_in(2) {
                        continue;
                    }
                    let permits = at_once.unwrap_or_else(|| block_on(acquire));
                    assert!(inside.fetch_add(count, SeqCst) + count <= PERMITS);
                    thread::yield_now();
                    inside.fetch_sub(count, SeqCst);
                    drop(permits);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(semaphore.available_permits(), PERMITS);
    assert!(!semaphore.is_locked());
}

#[test]
fn a_task_that_would_block_its_worker_is_told_what_to_do() {
    let semaphore = Semaphore::new(1);
    // As in a poll of aioli's executor.
    budget::replace(1);
    let blocked = catch_unwind(AssertUnwindSafe(|| drop(semaphore.blocking_acquire())));
    budget::replace(budget::UNLIMITED);
    assert_eq!(
        message(blocked.unwrap_err()),
        "a task must not block its worker: await `acquire()` here, or call the blocking form in `to_thread`"
    );
    assert_eq!(semaphore.available_permits(), 1);
}
