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
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
};

const BROKEN: Result<usize, BrokenBarrierError> = Err(BrokenBarrierError);

fn arrive(barrier: &Arc<Barrier>) -> thread::JoinHandle<Result<usize, BrokenBarrierError>> {
    let barrier = barrier.clone();
    thread::spawn(move || block_on(barrier.wait()))
}

/// Two meet twice. Each time one is first and one last, and either sees what the other did before.
///
/// Fails when those who were served are counted on (there is no second round), and when the last to arrive serves nobody.
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

/// One that waits is dropped while two arrive, and the barrier is aborted then, for the one that may be left over. Nobody is
/// let through by one who has gone.
///
/// Fails when one that leaves the line is not taken off the number of those who wait; when one that was served is (it never
/// ends); when the round ends in a later critical section than the one in which the last was counted; when whoever arrives
/// does not look whether the barrier is broken, or that is written in a later critical section than the one that fails those
/// who wait; and when those who were served are counted on.
#[test]
fn arrive_x_arrive_x_drop() {
    model_with(3, || {
        let barrier = Arc::new(Barrier::new(2));
        let gone = Arc::new(AtomicBool::new(false));
        let mut waiting = Box::pin(barrier.wait());
        assert!(poll_once(waiting.as_mut()).is_none());
        let arrivals = [(), ()].map(|()| {
            let (barrier, gone) = (barrier.clone(), gone.clone());
            thread::spawn(move || {
                let was_gone = gone.load(Acquire);
                (was_gone, block_on(barrier.wait()))
            })
        });
        drop(waiting);
        gone.store(true, Release);
        barrier.abort();
        let mut arrivals = arrivals.map(|arrival| arrival.join().unwrap());
        arrivals.sort_by_key(|(_, outcome)| outcome.unwrap_or(2));
        match arrivals {
            // With one another.
            [(_, Ok(0)), (_, Ok(1))] => (),
            // One with the one that was dropped then.
            [(was_gone, Ok(1)), (_, BROKEN)] => assert!(!was_gone),
            // After the abort, or alone before it.
            [(_, BROKEN), (_, BROKEN)] => (),
            _ => panic!("{arrivals:?}"),
        }
        assert_eq!(barrier.n_waiting(), 0);
    });
}

/// One of two arrives while the barrier is aborted: it does not wait for ever, whichever comes first.
///
/// Fails when whoever arrives does not look whether the barrier is broken, and when that is written in a later critical section
/// than the one that fails those who wait (both: it sleeps for ever); and when those who wait are not served, or with an index.
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
///
/// Fails when those who wait are only no longer counted, and not served; when they are served and counted on; and when the
/// round ends in a later critical section than the one in which the last was counted.
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
///
/// Fails when the round ends in a later critical section than the one in which the last was counted, when it is aborted in an
/// earlier one than the one in which the barrier breaks, and when the number that serves a waiter is not a Release.
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
