//! `aioli_sync::Barrier`.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::{Barrier, BrokenBarrierError};
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::Relaxed},
    thread,
};

const BROKEN: Result<usize, BrokenBarrierError> = Err(BrokenBarrierError);

fn arrive(barrier: &Arc<Barrier>) -> thread::JoinHandle<Result<usize, BrokenBarrierError>> {
    let barrier = barrier.clone();
    thread::spawn(move || block_on(barrier.wait()))
}

/// Two meet twice. Each time one is first and one last, and either sees what the other did before.
#[test]
fn arrive_x_arrive_twice() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let been = [(), ()].map(|()| Arc::new(AtomicBool::new(false)));
        let meet_twice = |barrier: &Barrier, mine: &AtomicBool, others: &AtomicBool| {
            mine.store(true, Relaxed);
            let first = block_on(barrier.wait()).unwrap();
            assert!(others.load(Relaxed));
            [first, block_on(barrier.wait()).unwrap()]
        };
        let other = {
            let (barrier, been) = (barrier.clone(), been.clone());
            thread::spawn(move || meet_twice(&barrier, &been[1], &been[0]))
        };
        let indexes = meet_twice(&barrier, &been[0], &been[1]);
        let others = other.join().unwrap();
        for (mine, others) in indexes.into_iter().zip(others) {
            assert_eq!(mine + others, 1);
        }
        assert_eq!(barrier.n_waiting(), 0);
    });
}

/// One that waits is dropped while two arrive, and the barrier is aborted then, for the one that may be left over.
#[test]
fn arrive_x_arrive_x_drop() {
    model_with(3, || {
        let barrier = Arc::new(Barrier::new(2));
        let mut waiting = Box::pin(barrier.wait());
        assert!(poll_once(waiting.as_mut()).is_none());
        let arrivals = [(), ()].map(|()| arrive(&barrier));
        drop(waiting);
        barrier.abort();
        let outcomes = arrivals.map(|arrival| arrival.join().unwrap());
        // The dropped one was let through with one of them, or they with one another, or neither came before the abort.
        let possible = [[Ok(1), BROKEN], [Ok(0), Ok(1)], [BROKEN, BROKEN]];
        let [one, another] = outcomes;
        assert!(possible.contains(&[one, another]) || possible.contains(&[another, one]));
        assert_eq!(barrier.n_waiting(), 0);
        barrier.reset();
        let mut next = Box::pin(barrier.wait());
        assert!(poll_once(next.as_mut()).is_none());
        assert_eq!(poll_once(Box::pin(barrier.wait()).as_mut()), Some(Ok(1)));
    });
}

/// One of two arrives while the barrier is aborted: it does not wait for ever, whichever comes first.
#[test]
fn abort_x_arrive() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let arrival = arrive(&barrier);
        barrier.abort();
        assert!(barrier.is_broken());
        assert_eq!(arrival.join().unwrap(), BROKEN);
        assert_eq!(barrier.n_waiting(), 0);
    });
}

/// Two arrive while the barrier is reset, and come again if that failed them: they meet.
#[test]
fn reset_x_arrive_x_arrive() {
    model_with(3, || {
        let barrier = Arc::new(Barrier::new(2));
        let arrivals = [(), ()].map(|()| {
            let barrier = barrier.clone();
            thread::spawn(move || {
                loop {
                    if let Ok(index) = block_on(barrier.wait()) {
                        break index;
                    }
                }
            })
        });
        barrier.reset();
        let indexes = arrivals.map(|arrival| arrival.join().unwrap());
        assert_eq!(indexes[0] + indexes[1], 1);
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, false));
    });
}

/// The last arrives while the barrier is aborted: all have the same outcome.
#[test]
fn last_arrival_x_abort() {
    model_with(3, || {
        let barrier = Arc::new(Barrier::new(2));
        let mut waiting = Box::pin(barrier.wait());
        assert!(poll_once(waiting.as_mut()).is_none());
        let last = arrive(&barrier);
        let aborter = {
            let barrier = barrier.clone();
            thread::spawn(move || barrier.abort())
        };
        let first = block_on(waiting);
        let last = last.join().unwrap();
        assert!([(Ok(0), Ok(1)), (BROKEN, BROKEN)].contains(&(first, last)));
        aborter.join().unwrap();
        assert_eq!(block_on(barrier.wait()), BROKEN);
    });
}
