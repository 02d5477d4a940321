//! `BoundedSemaphore`, where it differs from `Semaphore`.

mod common;

use aioli_sync::{BoundedSemaphore, Semaphore};
use common::{message, poll, waiting};
use futures_lite::future::block_on;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

#[test]
fn a_release_too_many_is_an_error_and_adds_nothing() {
    let semaphore = BoundedSemaphore::new(2);
    assert_eq!(semaphore.bound(), 2);
    let error = semaphore.release().unwrap_err();
    assert_eq!(error.to_string(), "the bounded semaphore was released too often");
    block_on(semaphore.acquire()).forget();
    assert!(semaphore.release_many(2).is_err());
    assert!(semaphore.release_many(usize::MAX).is_err());
    assert_eq!(semaphore.available_permits(), 1);
    semaphore.release().unwrap();
    semaphore.release_many(0).unwrap();
    assert_eq!(semaphore.available_permits(), 2);
    assert!(semaphore.release().is_err());
}

#[test]
fn a_permit_for_which_somebody_has_released_adds_nothing() {
    let semaphore = Arc::new(BoundedSemaphore::new(2));
    let permit = semaphore.try_acquire().unwrap();
    let owned = semaphore.clone().try_acquire_owned().unwrap();
    semaphore.release_many(2).unwrap();
    drop(permit);
    assert_eq!(semaphore.available_permits(), 2);
    drop(owned);
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.try_acquire_many(2).unwrap().count(), 2);
    assert!(semaphore.release().is_err());
}

#[test]
fn what_a_waiter_was_given_and_did_not_take_adds_nothing_when_all_are_free() {
    let semaphore = BoundedSemaphore::new(1);
    semaphore.try_acquire().unwrap().forget();
    let served = waiting(semaphore.acquire());
    semaphore.release().unwrap();
    semaphore.release().unwrap();
    drop(served);
    assert_eq!(semaphore.available_permits(), 1);
    drop(semaphore.try_acquire().unwrap());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn of_many_permits_those_come_back_that_there_is_room_for() {
    let semaphore = BoundedSemaphore::new(3);
    let permits = semaphore.try_acquire_many(3).unwrap();
    semaphore.release().unwrap();
    drop(permits);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn asking_for_more_than_there_ever_are_panics() {
    let semaphore = Arc::new(BoundedSemaphore::new(2));
    let nothing = BoundedSemaphore::new(0);
    let asked = [
        catch_unwind(AssertUnwindSafe(|| drop(block_on(semaphore.acquire_many(3))))),
        catch_unwind(AssertUnwindSafe(|| drop(semaphore.try_acquire_many(3)))),
        catch_unwind(AssertUnwindSafe(|| {
            drop(block_on(semaphore.clone().acquire_many_owned(3)))
        })),
        catch_unwind(AssertUnwindSafe(|| drop(semaphore.clone().try_acquire_many_owned(3)))),
        catch_unwind(AssertUnwindSafe(|| drop(block_on(nothing.acquire())))),
        catch_unwind(AssertUnwindSafe(|| drop(nothing.try_acquire()))),
        catch_unwind(AssertUnwindSafe(|| drop(nothing.blocking_acquire()))),
    ];
    for panic in asked {
        assert!(message(panic.unwrap_err()).contains("never has more than"));
    }
    assert_eq!(semaphore.available_permits(), 2);
    let panic = catch_unwind(|| BoundedSemaphore::new(Semaphore::MAX_PERMITS + 1)).unwrap_err();
    assert!(message(panic).contains("Semaphore::MAX_PERMITS"));
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    let semaphore = Arc::new(BoundedSemaphore::new(2));
    let held = semaphore.try_acquire_many(2).unwrap();
    let mut first = waiting(semaphore.acquire_many(2));
    let mut second = waiting(semaphore.clone().acquire_owned());
    assert!(semaphore.is_locked());
    drop(held);
    assert!(poll(second.as_mut()).is_none());
    let both = poll(first.as_mut()).expect("it has both");
    assert_eq!(semaphore.available_permits(), 0);
    drop(both);
    let owned = poll(second.as_mut()).expect("it is its turn");
    assert_eq!((owned.count(), semaphore.available_permits()), (1, 1));
    thread::spawn(move || drop(owned)).join().unwrap();
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn what_a_served_waiter_did_not_take_goes_to_the_next() {
    let semaphore = BoundedSemaphore::new(1);
    semaphore.try_acquire().unwrap().forget();
    let first = waiting(semaphore.acquire());
    let mut second = waiting(semaphore.acquire());
    semaphore.release().unwrap();
    drop(first);
    assert!(poll(second.as_mut()).is_some());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_thread_waits_for_a_permit() {
    let semaphore = BoundedSemaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    thread::scope(|threads| {
        let waiter = threads.spawn(|| semaphore.blocking_acquire().count());
        drop(permit);
        assert_eq!(waiter.join().unwrap(), 1);
    });
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn it_may_be_a_static_and_says_what_it_has() {
    static SEATS: BoundedSemaphore = BoundedSemaphore::new(2);
    fn send_and_sync<T: Send + Sync>(_: &T) {}
    send_and_sync(&SEATS);
    let _permit = SEATS.try_acquire().unwrap();
    assert_eq!(
        format!("{SEATS:?}"),
        "BoundedSemaphore { available_permits: 1, bound: 2, .. }"
    );
}
