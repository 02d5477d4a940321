//! `OnceCell`, behaviour by behaviour.

mod common;

use aioli_sync::OnceCell;
use common::{calls, counts, message, on_threads, poll, poll_with, waiting};
use futures_lite::future::{block_on, pending, yield_now};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

#[test]
fn the_value_is_made_once() {
    let cell = OnceCell::new();
    assert_eq!(cell.get(), None);
    assert_eq!(block_on(cell.get_or_init(async || 1)), &1);
    assert_eq!(block_on(cell.get_or_init(async || panic!("again"))), &1);
    assert_eq!(block_on(cell.get_or_try_init(async || Err("again"))), Ok(&1));
    assert_eq!(cell.get(), Some(&1));
    assert_eq!(cell.into_inner(), Some(1));
}

#[test]
fn a_function_that_gives_a_future_will_do() {
    async fn one() -> i32 {
        1
    }
    assert_eq!(block_on(OnceCell::new().get_or_init(one)), &1);
}

#[test]
fn all_who_wait_get_the_value_at_once_when_it_is_there() {
    let cell = OnceCell::new();
    let mut first = waiting(cell.get_or_init(async || {
        yield_now().await;
        1
    }));
    let woken = Arc::new(AtomicUsize::new(0));
    let mut line: Vec<_> = (0..100)
        .map(|_| Box::pin(cell.get_or_init(async || panic!("somebody makes it"))))
        .collect();
    for waiter in &mut line {
        assert!(poll_with(waiter.as_mut(), &counts(&woken)).is_none());
    }
    let gone = line.pop();
    drop(gone);
    assert_eq!(poll(first.as_mut()), Some(&1));
    assert_eq!(woken.load(SeqCst), 99);
    let gone = line.remove(0);
    drop(gone);
    for waiter in &mut line {
        assert_eq!(poll(waiter.as_mut()), Some(&1));
    }
}

#[test]
fn the_next_in_line_tries_when_an_initialiser_is_cancelled_fails_or_panics() {
    let cell = OnceCell::new();
    let cancelled = waiting(cell.get_or_init(pending));
    let mut failed = waiting(cell.get_or_try_init(async || Err("no")));
    let mut panicked = waiting(cell.get_or_init(async || panic!("no")));
    let mut made = waiting(cell.get_or_init(async || 1));
    let mut late = waiting(cell.get_or_init(async || 2));
    assert!(poll(failed.as_mut()).is_none());
    drop(cancelled);
    assert!(poll(made.as_mut()).is_none() && poll(late.as_mut()).is_none());
    assert_eq!(poll(failed.as_mut()), Some(Err("no")));
    assert!(poll(late.as_mut()).is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(panicked.as_mut()))).is_err());
    assert!(poll(late.as_mut()).is_none());
    assert_eq!(poll(made.as_mut()), Some(&1));
    assert_eq!(poll(late.as_mut()), Some(&1));
}

#[test]
fn an_initialiser_whose_future_is_never_made_leaves_the_turn_to_others() {
    let cell: OnceCell<i32> = OnceCell::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        block_on(cell.get_or_init(|| -> std::future::Ready<i32> { panic!("before there is a future") }));
    }));
    assert!(panic.is_err());
    assert_eq!(block_on(cell.get_or_init(async || 1)), &1);
}

#[test]
fn a_waiter_that_was_given_the_turn_and_goes_hands_it_on() {
    let cell = OnceCell::new();
    let first = waiting(cell.get_or_init(pending));
    let second = waiting(cell.get_or_init(pending));
    let mut third = waiting(cell.get_or_init(async || 3));
    drop(first);
    drop(second);
    assert_eq!(poll(third.as_mut()), Some(&3));
}

#[test]
fn what_cannot_be_set_comes_back() {
    let cell = OnceCell::new();
    let making = waiting(cell.get_or_init(pending));
    let error = cell.set("one").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.value),
        ("the cell is being set by another", "one")
    );
    drop(making);
    cell.set("two").unwrap();
    let error = cell.set("three").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.value),
        ("the cell is set already", "three")
    );
    assert_eq!(cell.get(), Some(&"two"));
    let error = OnceCell::from(1).set(2).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.value),
        ("the cell is set already", 2)
    );
}

#[test]
fn a_waker_that_panics_does_not_keep_the_value_from_the_others() {
    let cell = Arc::new(OnceCell::new());
    let mut first = waiting(cell.get_or_init(async || {
        yield_now().await;
        1
    }));
    let woken = Arc::new(AtomicUsize::new(0));
    let mut line: Vec<_> = (0..3).map(|_| Box::pin(cell.get_or_init(pending))).collect();
    let looks = {
        let cell = cell.clone();
        calls(move || panic!("in a waker, with {:?}", cell.get()))
    };
    for (waiter, waker) in line.iter_mut().zip([counts(&woken), looks, counts(&woken)]) {
        assert!(poll_with(waiter.as_mut(), &waker).is_none());
    }
    let panic = catch_unwind(AssertUnwindSafe(|| poll(first.as_mut()))).unwrap_err();
    assert_eq!(message(panic), "in a waker, with Some(1)");
    assert_eq!(woken.load(SeqCst), 2);
    for waiter in &mut line {
        assert_eq!(poll(waiter.as_mut()), Some(&1));
    }
}

#[test]
fn a_value_is_dropped_with_its_cell_and_no_more_than_once() {
    let value = Arc::new(());
    let mut cell = OnceCell::new();
    assert!(cell.get_mut().is_none());
    cell.set(value.clone()).unwrap();
    assert_eq!(Arc::strong_count(&value), 2);
    *cell.get_mut().unwrap() = value.clone();
    assert_eq!(Arc::strong_count(&value), 2);
    drop(cell);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(OnceCell::<Arc<()>>::default().into_inner().is_none());
    let refused = OnceCell::from(value.clone()).set(value.clone());
    assert_eq!(Arc::strong_count(&value), 2);
    drop(refused);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn it_shows_its_value() {
    assert_eq!(format!("{:?}", OnceCell::<i32>::new()), "OnceCell(<unset>)");
    assert_eq!(format!("{:?}", OnceCell::from(1)), "OnceCell(1)");
}

#[test]
fn cells_go_to_other_threads_where_their_values_may() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn is_send<T: Send>(_: T) {}
    send::<OnceCell<Cell<i32>>>();
    sync::<OnceCell<i32>>();
    is_send(OnceCell::new().get_or_init(async || 1));
    is_send(OnceCell::new().get_or_try_init(async || "1".parse::<i32>()));
}

#[test]
fn of_many_threads_one_makes_the_value() {
    for _ in 0..200 {
        let (cell, made) = (OnceCell::new(), AtomicUsize::new(0));
        on_threads(4, |_| {
            let value = block_on(cell.get_or_init(async || {
                yield_now().await;
                made.fetch_add(1, SeqCst) + 7
            }));
            assert_eq!(*value, 7);
        });
        assert_eq!(made.load(SeqCst), 1);
    }
}
