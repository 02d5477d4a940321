//! `RwLock`, behaviour by behaviour. What it shares with `Semaphore`, on which core it stands, is in the tests of that.

mod common;

use aioli_primitives::budget;
use aioli_sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use common::{Dice, calls, counts, message, on_threads, poll, poll_with, waiting};
use futures_lite::future::block_on;
use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

#[test]
fn many_read_or_one_writes() {
    let lock = RwLock::new(1);
    let (one, another) = (block_on(lock.read()), lock.try_read().unwrap());
    assert_eq!(*one + *another, 2);
    assert!(lock.try_write().is_none());
    drop((one, another));
    let mut writing = block_on(lock.write());
    *writing += 1;
    assert!(lock.try_write().is_none());
    assert!(lock.try_read().is_none());
    drop(writing);
    assert_eq!(*lock.try_read().unwrap(), 2);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn a_reader_does_not_pass_a_waiting_writer() {
    let lock = RwLock::new(0);
    let first = lock.try_read().unwrap();
    let mut writer = waiting(lock.write());
    assert!(lock.try_read().is_none());
    let mut late = waiting(lock.read());
    drop(first);
    assert!(poll(late.as_mut()).is_none());
    *poll(writer.as_mut()).expect("it is its turn") = 1;
    assert_eq!(*poll(late.as_mut()).expect("the writer is done"), 1);
}

#[test]
fn those_who_wait_are_let_in_in_the_order_in_which_they_came() {
    let lock = RwLock::new(());
    let writing = lock.try_write().unwrap();
    let [mut first, mut second, mut fourth] = [(), (), ()].map(|()| Box::pin(lock.read()));
    let mut third = Box::pin(lock.write());
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    assert!(poll(third.as_mut()).is_none() && poll(fourth.as_mut()).is_none());
    drop(writing);
    let readers = (poll(first.as_mut()).unwrap(), poll(second.as_mut()).unwrap());
    assert!(poll(third.as_mut()).is_none() && poll(fourth.as_mut()).is_none());
    drop(readers);
    assert!(poll(fourth.as_mut()).is_none());
    drop(poll(third.as_mut()).unwrap());
    assert!(poll(fourth.as_mut()).is_some());
}

#[test]
fn readers_whom_it_held_up_go_on_when_a_writer_gives_up() {
    let lock = RwLock::new(());
    let _reading = lock.try_read().unwrap();
    let writer = waiting(lock.write());
    let woken = Arc::new(AtomicUsize::new(0));
    let mut readers = [(), ()].map(|()| Box::pin(lock.read()));
    for reader in &mut readers {
        assert!(poll_with(reader.as_mut(), &counts(&woken)).is_none());
    }
    drop(writer);
    assert_eq!(woken.load(SeqCst), 2);
    let _readings = readers.each_mut().map(|reader| poll(reader.as_mut()).unwrap());
    assert!(lock.try_write().is_none());
}

#[test]
fn a_writer_that_was_let_in_and_goes_hands_on() {
    let lock = RwLock::new(());
    let reading = lock.try_read().unwrap();
    let writer = waiting(lock.write());
    let mut reader = waiting(lock.read());
    drop(reading);
    assert!(poll(reader.as_mut()).is_none());
    drop(writer);
    drop(poll(reader.as_mut()).expect("it is its turn"));
    assert!(lock.try_write().is_some());
}

#[test]
fn a_downgrade_lets_readers_in_and_no_writer() {
    let lock = Arc::new(RwLock::new(0));
    let mut writing = lock.try_write().unwrap();
    let mut reader = waiting(lock.read());
    let mut writer = waiting(lock.write());
    *writing = 1;
    let reading = writing.downgrade();
    assert_eq!(*poll(reader.as_mut()).expect("it may read"), 1);
    assert!(poll(writer.as_mut()).is_none());
    drop(reading);
    drop(poll(writer.as_mut()).expect("both are done"));

    let mut writing = lock.clone().try_write_owned().unwrap();
    let mut reader = waiting(lock.clone().read_owned());
    *writing = 2;
    let reading = writing.downgrade();
    assert_eq!(*reading + *poll(reader.as_mut()).expect("it may read"), 4);
    assert!(lock.try_write().is_none());
    drop(reading);
    assert!(lock.try_write().is_some());
    drop(reader);
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_downgrade_during_which_a_waker_panics_releases_the_lock() {
    let lock = Arc::new(RwLock::new(0));
    let panicking = || {
        let mut reader = Box::pin(lock.read());
        assert!(poll_with(reader.as_mut(), &calls(|| panic!("in a waker"))).is_none());
        reader
    };
    let writing = lock.try_write().unwrap();
    let mut reader = panicking();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(writing.downgrade()))).is_err());
    drop(poll(reader.as_mut()).expect("it was let in"));
    let writing = lock.clone().try_write_owned().expect("nobody holds it");
    let mut reader = panicking();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(writing.downgrade()))).is_err());
    drop(poll(reader.as_mut()).expect("it was let in"));
    assert!(lock.try_write().is_some());
}

#[test]
fn a_holder_that_panics_releases_the_lock_and_poisons_nothing() {
    let lock = RwLock::new(vec![1]);
    let mut writing = lock.try_write().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(move || {
        writing.push(2);
        panic!("writing");
    }));
    assert!(panic.is_err());
    let reading = lock.try_read().unwrap();
    assert_eq!(*reading, [1, 2], "as it was left");
    let panic = catch_unwind(AssertUnwindSafe(move || assert!(reading.is_empty())));
    assert!(panic.is_err());
    assert!(lock.try_write().is_some());
}

#[test]
fn a_waker_that_panics_does_not_keep_others_out() {
    let lock = RwLock::new(());
    let writing = lock.try_write().unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let mut unlucky = Box::pin(lock.read());
    assert!(poll_with(unlucky.as_mut(), &calls(|| panic!("in a waker"))).is_none());
    let mut other = Box::pin(lock.read());
    assert!(poll_with(other.as_mut(), &counts(&woken)).is_none());
    let panic = catch_unwind(AssertUnwindSafe(|| drop(writing))).unwrap_err();
    assert_eq!(message(panic), "in a waker");
    assert_eq!(woken.load(SeqCst), 1);
    assert!(poll(unlucky.as_mut()).is_some() && poll(other.as_mut()).is_some());
}

#[test]
fn a_waker_may_call_the_lock() {
    let lock = Arc::new(RwLock::new(0));
    let writing = lock.try_write().unwrap();
    let mut reader = Box::pin(lock.read());
    let waker = {
        let lock = lock.clone();
        calls(move || {
            assert!(lock.try_write().is_none());
            assert!(lock.try_read().is_some());
            drop(waiting(lock.write()));
        })
    };
    assert!(poll_with(reader.as_mut(), &waker).is_none());
    drop(writing);
    drop(poll(reader.as_mut()).expect("it was let in"));
    assert!(lock.try_write().is_some());
}

#[test]
fn owned_guards_go_to_other_threads_and_outlive_the_handle() {
    let lock = Arc::new(RwLock::new(1));
    let mut writing = block_on(lock.clone().write_owned());
    assert!(lock.clone().try_read_owned().is_none() && lock.clone().try_write_owned().is_none());
    thread::spawn(move || *writing += 1).join().unwrap();
    let readings = [
        block_on(lock.clone().read_owned()),
        lock.clone().try_read_owned().unwrap(),
    ];
    drop(lock);
    let sum = readings.map(|reading| thread::spawn(move || *reading).join().unwrap());
    assert_eq!(sum, [2, 2]);
}

#[test]
fn threads_wait_for_the_lock() {
    let lock = RwLock::new((0, 0));
    on_threads(4, |number| {
        for _ in 0..1_000 {
            if number % 2 == 0 {
                let mut value = lock.blocking_write();
                value.0 += 1;
                value.1 += 1;
            } else {
                let value = lock.blocking_read();
                assert_eq!(value.0, value.1);
            }
        }
    });
    assert_eq!(lock.into_inner(), (2_000, 2_000));
}

#[test]
fn taking_the_lock_spends_the_budget_of_the_poll() {
    let lock = RwLock::new(0);
    let woken = Arc::new(AtomicUsize::new(0));
    budget::replace(0);
    assert!(poll_with(Box::pin(lock.read()).as_mut(), &counts(&woken)).is_none());
    assert!(poll_with(Box::pin(lock.write()).as_mut(), &counts(&woken)).is_none());
    assert_eq!(woken.load(SeqCst), 2);
    budget::replace(budget::UNLIMITED);
}

#[test]
fn a_lock_may_be_around_what_has_no_size() {
    let lock: Arc<RwLock<dyn Debug + Send + Sync>> = Arc::new(RwLock::new(7));
    assert_eq!(format!("{:?}", &*block_on(lock.read())), "7");
    assert_eq!(format!("{:?}", block_on(lock.clone().write_owned())), "7");
}

#[test]
fn it_is_made_like_any_value_and_shows_it() {
    static LOCK: RwLock<i32> = RwLock::new(3);
    let mut lock = RwLock::from(2);
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?}"), "RwLock { value: 3 }");
    assert_eq!(format!("{:?}", RwLock::<String>::default()), "RwLock { value: \"\" }");
    let reading = LOCK.try_read().unwrap();
    assert_eq!(format!("{LOCK:?} {reading:?} {reading}"), "RwLock { value: 3 } 3 3");
    drop(reading);
    let writing = LOCK.try_write().unwrap();
    assert_eq!(
        format!("{LOCK:?} {writing:?} {writing}"),
        "RwLock { value: <locked> } 3 3"
    );
}

#[test]
fn locks_and_guards_go_to_other_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>(_: T) {}
    send_and_sync::<RwLock<i32>>();
    send_and_sync::<RwLockReadGuard<'_, i32>>();
    send_and_sync::<RwLockWriteGuard<'_, i32>>();
    send_and_sync::<OwnedRwLockReadGuard<i32>>();
    send_and_sync::<OwnedRwLockWriteGuard<i32>>();
    let lock = Arc::new(RwLock::new(1));
    is_send(lock.read());
    is_send(lock.write());
    is_send(lock.clone().read_owned());
    is_send(lock.write_owned());
}

#[test]
fn no_turn_is_lost_among_threads_that_give_up_at_random() {
    let lock = Arc::new(RwLock::new(0));
    let threads: Vec<_> = (1..=4)
        .map(|seed| {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut dice = Dice(seed);
                let mut added = 0;
                for _ in 0..2_000 {
                    let mut writing = Box::pin(lock.write());
                    let at_once = poll(writing.as_mut());
                    thread::yield_now();
                    if at_once.is_none() && dice.once_in(2) {
                        drop(writing);
                        let before = *block_on(lock.read());
                        assert!(before >= added);
                        continue;
                    }
                    *at_once.unwrap_or_else(|| block_on(writing)) += 1;
                    added += 1;
                }
                added
            })
        })
        .collect();
    let added: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(*lock.try_write().expect("nobody is left"), added);
}
