//! `Barrier`, behaviour by behaviour.

mod common;

use aioli_sync::{Barrier, BrokenBarrierError};
use common::{Log, calls, panicking, poll, poll_with};
use futures_lite::future::block_on;
use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    thread,
};

const BROKEN: Option<Result<usize, BrokenBarrierError>> = Some(Err(BrokenBarrierError));

fn through(index: usize) -> Option<Result<usize, BrokenBarrierError>> {
    Some(Ok(index))
}

#[test]
fn indexes_are_in_the_order_of_arrival_and_the_last_does_not_wait() {
    let barrier = Barrier::new(3);
    assert_eq!(barrier.parties(), 3);
    for _ in 0..2 {
        let mut first = pin!(barrier.wait());
        let mut second = pin!(barrier.wait());
        // They arrive when they are polled.
        assert_eq!(barrier.n_waiting(), 0);
        assert!(poll(second.as_mut()).is_none());
        assert!(poll(first.as_mut()).is_none());
        assert!(poll(second.as_mut()).is_none());
        assert_eq!(barrier.n_waiting(), 2);
        assert_eq!(poll(pin!(barrier.wait())), through(2));
        assert_eq!(barrier.n_waiting(), 0);
        assert_eq!(poll(first), through(1));
        assert_eq!(poll(second), through(0));
    }
}

#[test]
fn all_are_woken_in_the_order_in_which_they_came_however_many() {
    const PARTIES: usize = 100;
    let barrier = Barrier::new(PARTIES);
    let log = Log::default();
    let mut waiting: Vec<_> = (1..PARTIES).map(|_| Box::pin(barrier.wait())).collect();
    for (number, waiting) in waiting.iter_mut().enumerate() {
        assert!(poll_with(waiting.as_mut(), &log.waker(number)).is_none());
    }
    assert_eq!(poll(pin!(barrier.wait())), through(PARTIES - 1));
    assert_eq!(log.take(), (0..PARTIES - 1).collect::<Vec<_>>());
    for (number, waiting) in waiting.iter_mut().enumerate() {
        assert_eq!(poll(waiting.as_mut()), through(number));
    }
}

#[test]
fn a_barrier_of_one_keeps_nobody_waiting() {
    let barrier = Barrier::new(1);
    assert_eq!(poll(pin!(barrier.wait())), through(0));
    assert_eq!(poll(pin!(barrier.wait())), through(0));
}

#[test]
#[should_panic = "a barrier needs at least one party"]
fn a_barrier_of_none_is_refused() {
    Barrier::new(0);
}

#[test]
fn a_barrier_of_as_many_as_there_can_be_waits() {
    let barrier = Barrier::new(usize::MAX);
    assert!(poll(pin!(barrier.wait())).is_none());
}

#[test]
fn a_waiter_that_is_dropped_has_not_arrived_and_the_others_move_up() {
    let barrier = Barrier::new(3);
    let log = Log::default();
    let mut first = Box::pin(barrier.wait());
    let mut second = pin!(barrier.wait());
    assert!(poll_with(first.as_mut(), &log.waker(1)).is_none());
    assert!(poll_with(second.as_mut(), &log.waker(2)).is_none());
    drop(first);
    assert_eq!(barrier.n_waiting(), 1);
    let mut third = pin!(barrier.wait());
    assert!(poll_with(third.as_mut(), &log.waker(3)).is_none());
    assert_eq!(poll(pin!(barrier.wait())), through(2));
    assert_eq!(log.take(), [2, 3]);
    assert_eq!(poll(second), through(0));
    assert_eq!(poll(third), through(1));
}

#[test]
fn a_waiter_that_is_dropped_when_all_had_arrived_changes_nothing() {
    let barrier = Barrier::new(3);
    let [mut first, mut second] = [(); 2].map(|()| Box::pin(barrier.wait()));
    assert!(poll(first.as_mut()).is_none());
    assert!(poll(second.as_mut()).is_none());
    assert_eq!(poll(pin!(barrier.wait())), through(2));
    // Somebody waits in the next round already.
    let mut next = pin!(barrier.wait());
    assert!(poll(next.as_mut()).is_none());
    drop(first);
    assert_eq!(barrier.n_waiting(), 1);
    assert_eq!(poll(second.as_mut()), through(1));
}

#[test]
fn whoever_comes_before_the_others_have_left_belongs_to_the_next_round() {
    let barrier = Barrier::new(2);
    let mut early = pin!(barrier.wait());
    assert!(poll(early.as_mut()).is_none());
    assert_eq!(poll(pin!(barrier.wait())), through(1));
    let mut next = pin!(barrier.wait());
    assert!(poll(next.as_mut()).is_none());
    assert_eq!(poll(pin!(barrier.wait())), through(1));
    assert_eq!(poll(next), through(0));
    assert_eq!(poll(early), through(0));
}

#[test]
fn abort_fails_those_who_wait_and_all_who_come_until_a_reset() {
    let barrier = Barrier::new(3);
    let log = Log::default();
    let [mut first, mut second] = [(); 2].map(|()| Box::pin(barrier.wait()));
    assert!(poll_with(first.as_mut(), &log.waker(1)).is_none());
    assert!(poll_with(second.as_mut(), &log.waker(2)).is_none());
    barrier.abort();
    assert_eq!(log.take(), [1, 2]);
    assert!(barrier.is_broken());
    assert_eq!(barrier.n_waiting(), 0);
    assert_eq!(poll(first.as_mut()), BROKEN);
    assert_eq!(poll(pin!(barrier.wait())), BROKEN);
    barrier.abort();
    assert_eq!(poll(pin!(barrier.wait())), BROKEN);
    barrier.reset();
    assert!(!barrier.is_broken());
    // One that was failed fails, whatever came since.
    assert_eq!(poll(second.as_mut()), BROKEN);
    assert!(poll(pin!(barrier.wait())).is_none());
}

#[test]
fn reset_fails_those_who_wait_and_leaves_the_barrier_usable() {
    let barrier = Barrier::new(2);
    let log = Log::default();
    let mut waiting = pin!(barrier.wait());
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    barrier.reset();
    assert_eq!(log.take(), [1]);
    assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, false));
    let mut next = pin!(barrier.wait());
    assert!(poll(next.as_mut()).is_none());
    assert_eq!(poll(waiting), BROKEN);
    assert_eq!(poll(pin!(barrier.wait())), through(1));
    assert_eq!(poll(next), through(0));
}

#[test]
fn whoever_was_let_through_stays_so_whatever_follows() {
    for follows in [Barrier::abort, Barrier::reset] {
        let barrier = Barrier::new(2);
        let mut waiting = pin!(barrier.wait());
        assert!(poll(waiting.as_mut()).is_none());
        assert_eq!(poll(pin!(barrier.wait())), through(1));
        follows(&barrier);
        assert_eq!(poll(waiting), through(0));
    }
}

#[test]
fn a_waker_that_panics_does_not_take_the_wake_ups_of_others_with_it() {
    let break_it: [fn(&Barrier); 3] = [
        |barrier| assert!(poll(pin!(barrier.wait())).is_some()),
        Barrier::abort,
        Barrier::reset,
    ];
    for (way, break_it) in break_it.into_iter().enumerate() {
        let barrier = Barrier::new(51);
        let log = Log::default();
        let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(barrier.wait())).collect();
        for (number, waiting) in waiting.iter_mut().enumerate() {
            let waker = if number % 20 == 0 {
                panicking()
            } else {
                log.waker(number)
            };
            assert!(poll_with(waiting.as_mut(), &waker).is_none());
        }
        let payload = catch_unwind(AssertUnwindSafe(|| break_it(&barrier))).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "a foreign waker");
        assert_eq!(
            log.take(),
            (0..50).filter(|number| number % 20 != 0).collect::<Vec<_>>()
        );
        for (number, waiting) in waiting.iter_mut().enumerate() {
            let outcome = if way == 0 { through(number) } else { BROKEN };
            assert_eq!(poll(waiting.as_mut()), outcome);
        }
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, way == 1));
    }
}

#[test]
fn wakers_may_use_the_barrier() {
    /// Uses it also when it is dropped.
    struct Uses(Arc<Barrier>);
    impl Wake for Uses {
        fn wake(self: Arc<Self>) {
            // It arrives, and leaves.
            assert!(poll(pin!(self.0.wait())).is_none());
            self.0.abort();
            assert_eq!(poll(pin!(self.0.wait())), BROKEN);
            self.0.reset();
        }
    }
    impl Drop for Uses {
        fn drop(&mut self) {
            self.0.n_waiting();
        }
    }
    let barrier = Arc::new(Barrier::new(3));
    let waker = || Waker::from(Arc::new(Uses(barrier.clone())));
    let mut stays = pin!(barrier.wait());
    assert!(poll_with(stays.as_mut(), &waker()).is_none());
    assert!(poll_with(stays.as_mut(), &waker()).is_none());
    let mut goes = Box::pin(barrier.wait());
    assert!(poll_with(goes.as_mut(), &waker()).is_none());
    drop(goes);
    let mut second = pin!(barrier.wait());
    assert!(poll_with(second.as_mut(), &waker()).is_none());
    assert_eq!(poll(pin!(barrier.wait())), through(2));
    assert_eq!(poll(stays), through(0));
    assert_eq!(poll(second), through(1));
}

#[test]
fn the_waker_of_a_waiter_that_is_dropped_or_woken_by_another_is_given_back() {
    let barrier = Barrier::new(2);
    let log = Log::default();
    let held = [(); 2].map(|()| Arc::new(()));
    let mut waiting = Box::pin(barrier.wait());
    for (number, held) in held.iter().enumerate() {
        let (log, held) = (log.clone(), held.clone());
        let waker = calls(move || {
            let _ = &held;
            log.write(number);
        });
        assert!(poll_with(waiting.as_mut(), &waker).is_none());
    }
    assert_eq!(held.each_ref().map(Arc::strong_count), [1, 2]);
    drop(waiting);
    assert_eq!(held.each_ref().map(Arc::strong_count), [1, 1]);
    barrier.reset();
    assert!(log.take().is_empty());
}

#[test]
fn arriving_takes_of_the_budget_of_the_poll() {
    let barrier = Barrier::new(1);
    let log = Log::default();
    let mut waiting = pin!(barrier.wait());
    let before = aioli_primitives::budget::replace(0);
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    assert_eq!(log.take(), [1]);
    aioli_primitives::budget::replace(before);
    assert_eq!(poll(waiting), through(0));
}

#[test]
fn threads_meet_round_after_round() {
    const ROUNDS: usize = 200;
    const PARTIES: usize = 4;
    let barrier = Arc::new(Barrier::new(PARTIES));
    let arrived = Arc::new(AtomicUsize::new(0));
    let indexes = Arc::new(AtomicUsize::new(0));
    let threads = [(); PARTIES].map(|()| {
        let (barrier, arrived, indexes) = (barrier.clone(), arrived.clone(), indexes.clone());
        thread::spawn(move || {
            for round in 1..=ROUNDS {
                arrived.fetch_add(1, SeqCst);
                let index = block_on(barrier.wait()).unwrap();
                // Nobody is let through before all have arrived.
                assert!(arrived.load(SeqCst) >= round * PARTIES);
                // A digit for each index.
                indexes.fetch_add(1 << (index * 16), SeqCst);
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let indexes = indexes.load(SeqCst);
    assert_eq!(
        [0, 16, 32, 48].map(|shift| indexes >> shift & 0xffff),
        [ROUNDS; PARTIES]
    );
}

#[test]
fn it_is_shared_among_threads_and_shown() {
    fn check<T: Send + Sync>(_: &T) {}
    static BARRIER: Barrier = Barrier::new(2);
    check(&BARRIER);
    check(&BARRIER.wait());
    let mut waiting = pin!(BARRIER.wait());
    assert!(poll(waiting.as_mut()).is_none());
    assert_eq!(
        format!("{BARRIER:?}"),
        "Barrier { parties: 2, waiting: 1, broken: false }"
    );
    let error: Box<dyn Error + Send + Sync> = BrokenBarrierError.into();
    assert_eq!(error.to_string(), "the barrier was aborted or reset");
}
