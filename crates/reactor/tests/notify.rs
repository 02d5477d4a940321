//! `notify` ends waits, each of them no more often than it must.

#[macro_use]
mod common;

use aioli_reactor::Reactor;
use common::{Wakes, pair};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Context,
    thread,
    time::{Duration, Instant},
};

fn a_notification_before_the_wait_ends_it(reactor: &Reactor) {
    for _ in 0..1000 {
        reactor.notify();
        assert_eq!(reactor.wait(None).unwrap(), 0);
    }
}

fn a_notification_during_the_wait_ends_it(reactor: &Reactor) {
    let returned = Arc::new(AtomicBool::new(false));
    let waiting = thread::spawn({
        let (reactor, returned) = (reactor.clone(), returned.clone());
        move || {
            reactor.wait(None).unwrap();
            returned.store(true, Ordering::SeqCst);
        }
    });
    // Time for it to sleep; the outcome is the same if it did not.
    thread::sleep(Duration::from_millis(20));
    assert!(!returned.load(Ordering::SeqCst));
    reactor.notify();
    waiting.join().unwrap();
}

fn many_notifications_end_one_wait(reactor: &Reactor) {
    for _ in 0..100 {
        reactor.notify();
    }
    reactor.wait(None).unwrap();
    // Nothing is left over: this one lasts for its time.
    let start = Instant::now();
    let nap = Duration::from_millis(20);
    assert_eq!(reactor.wait(Some(nap)).unwrap(), 0);
    assert!(start.elapsed() >= nap, "the wait ended after {:?}", start.elapsed());
}

/// Two threads hand a number back and forth, each sleeping until the other has notified it.
fn no_notification_is_lost_and_what_came_before_is_seen(reactor: &Reactor) {
    const ROUNDS: usize = 2000;
    let number = Arc::new(AtomicUsize::new(0));
    let there = reactor.clone();
    let back = Reactor::new().unwrap();
    let other = thread::spawn({
        let (number, there, back) = (number.clone(), there.clone(), back.clone());
        move || {
            for round in 0..ROUNDS {
                while number.load(Ordering::Relaxed) < 2 * round + 1 {
                    there.wait(None).unwrap();
                }
                number.store(2 * round + 2, Ordering::Relaxed);
                back.notify();
            }
        }
    });
    for round in 0..ROUNDS {
        number.store(2 * round + 1, Ordering::Relaxed);
        there.notify();
        while number.load(Ordering::Relaxed) < 2 * round + 2 {
            back.wait(None).unwrap();
        }
    }
    other.join().unwrap();
}

fn a_notification_and_an_event_can_come_together(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    assert!(
        source
            .poll_read(&mut Context::from_waker(&waker), &mut [0; 8])
            .is_pending()
    );
    reactor.notify();
    std::io::Write::write_all(&mut far, b"x").unwrap();
    assert!(reactor.wait(None).unwrap() > 0);
    assert_eq!(wakes.count(), 1);
    assert_eq!(reactor.wait(Some(Duration::from_nanos(1))).unwrap(), 0);
}

/// One waiter at a time is the contract. Whoever breaks it gets no answers, but no harm and no spinning either.
fn a_second_waiter_sleeps_and_is_woken_too(reactor: &Reactor) {
    let returns = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (reactor, returns) = (reactor.clone(), returns.clone());
            thread::spawn(move || {
                reactor.wait(None).unwrap();
                returns.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(20));
    assert_eq!(returns.load(Ordering::SeqCst), 0);
    // Those that sleep behind the first end with it; one that came late needs a notification of its own.
    while threads.iter().any(|thread| !thread.is_finished()) {
        reactor.notify();
        thread::yield_now();
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

on_every_backend![
    a_notification_before_the_wait_ends_it,
    a_notification_during_the_wait_ends_it,
    many_notifications_end_one_wait,
    no_notification_is_lost_and_what_came_before_is_seen,
    a_notification_and_an_event_can_come_together,
    a_second_waiter_sleeps_and_is_woken_too,
];
