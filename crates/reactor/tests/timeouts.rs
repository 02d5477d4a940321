//! Waits last no shorter than asked for, zero never blocks, and no timeout is too long.

#[macro_use]
mod common;

use aioli_reactor::Reactor;
use std::{
    thread,
    time::{Duration, Instant},
};

fn a_wait_lasts_at_least_its_timeout(reactor: &Reactor) {
    for timeout in [1, 300, 999_999, 1_000_001, 7_500_000].map(Duration::from_nanos) {
        let start = Instant::now();
        assert_eq!(reactor.wait(Some(timeout)).unwrap(), 0);
        assert!(start.elapsed() >= timeout, "{timeout:?} took {:?}", start.elapsed());
    }
}

fn zero_does_not_block(reactor: &Reactor) {
    for _ in 0..100 {
        assert_eq!(reactor.wait(Some(Duration::ZERO)).unwrap(), 0);
    }
}

fn a_huge_timeout_is_as_good_as_none(reactor: &Reactor) {
    let centuries = Duration::from_secs(300 * 365 * 86_400);
    for timeout in [Duration::MAX, Duration::from_secs(i64::MAX as u64), centuries] {
        reactor.notify();
        assert_eq!(reactor.wait(Some(timeout)).unwrap(), 0);
    }
}

fn zero_does_not_block_while_somebody_else_waits(reactor: &Reactor) {
    let other = thread::spawn({
        let reactor = reactor.clone();
        move || reactor.wait(None).unwrap()
    });
    while !other.is_finished() {
        assert_eq!(reactor.wait(Some(Duration::ZERO)).unwrap(), 0);
        reactor.notify();
    }
    other.join().unwrap();
}

on_every_backend![
    a_wait_lasts_at_least_its_timeout,
    zero_does_not_block,
    a_huge_timeout_is_as_good_as_none,
    zero_does_not_block_while_somebody_else_waits,
];
