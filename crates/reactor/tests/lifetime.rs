//! Sources come and go, their descriptors are used again, and late events harm nobody.

#[macro_use]
mod common;

use aioli_reactor::{Direction, Reactor, readiness::Ready, registration::Registration, registry::Registry};
use common::{Wakes, block_on, drive, pair, settle};
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Context,
    thread,
};

fn a_dropped_source_lets_its_waker_go(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    assert!(
        source
            .poll_read(&mut Context::from_waker(&waker), &mut [0; 8])
            .is_pending()
    );
    far.write_all(b"late").unwrap();
    drop(source);
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
    settle(reactor);
    assert_eq!(wakes.count(), 0);
    assert_eq!(reactor.source_count(), 0);
}

fn an_object_can_be_taken_back_and_registered_again(reactor: &Reactor) {
    let (near, mut far) = pair();
    let near = reactor.register(near).unwrap().into_inner();
    assert_eq!(reactor.source_count(), 0);
    let source = reactor.register(near).unwrap();
    far.write_all(b"x").unwrap();
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut [0; 8])).unwrap(), 1);
}

fn registering_twice_is_an_error_and_harms_nothing(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(Arc::new(near)).unwrap();
    let again = reactor.register(source.get_ref().clone()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(reactor.source_count(), 1);
    far.write_all(b"x").unwrap();
    let read = || (&**source.get_ref()).read(&mut [0; 8]);
    assert_eq!(block_on(reactor, source.io(Direction::Read, read)).unwrap(), 1);
}

#[cfg(target_os = "linux")]
fn what_cannot_be_waited_for_is_refused(reactor: &Reactor) {
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let refused = reactor.register(file).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    assert_eq!(reactor.source_count(), 0);
}

#[cfg(not(target_os = "linux"))]
fn what_cannot_be_waited_for_is_refused(_: &Reactor) {}

/// One thread waits while the other registers, uses and drops sources as fast as it can.
fn sources_may_come_and_go_during_waits(reactor: &Reactor) {
    let stop = Arc::new(AtomicBool::new(false));
    let waiting = thread::spawn({
        let (reactor, stop) = (reactor.clone(), stop.clone());
        move || {
            while !stop.load(Ordering::SeqCst) {
                reactor.wait(None).unwrap();
            }
        }
    });
    for round in 0..1000 {
        let (near, mut far) = pair();
        let source = reactor.register(near).unwrap();
        let (_, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        assert!(source.poll_read(&mut cx, &mut [0; 8]).is_pending());
        far.write_all(b"x").unwrap();
        // Every other one leaves while its event is under way.
        if round % 2 == 0 {
            continue;
        }
        while source.poll_read(&mut cx, &mut [0; 8]).is_pending() {
            thread::yield_now();
        }
    }
    assert_eq!(reactor.source_count(), 0);
    stop.store(true, Ordering::SeqCst);
    reactor.notify();
    waiting.join().unwrap();
}

fn a_source_outlives_the_reactors_other_handles(reactor: &Reactor) {
    let source = reactor.clone().register(pair().0).unwrap();
    assert_eq!(source.reactor().source_count(), 1);
    assert!(format!("{source:?} {reactor:?}").contains("Registration"));
}

on_every_backend![
    a_dropped_source_lets_its_waker_go,
    an_object_can_be_taken_back_and_registered_again,
    registering_twice_is_an_error_and_harms_nothing,
    what_cannot_be_waited_for_is_refused,
    sources_may_come_and_go_during_waits,
    a_source_outlives_the_reactors_other_handles,
];

#[test]
fn an_event_for_a_former_occupant_reaches_nobody() {
    let mut registry = Registry::new();
    let mut wakers = Vec::new();
    let old = registry.insert(0, Arc::new(Registration::new())).unwrap();
    assert!(registry.event(old, Ready::READABLE, &mut wakers).is_some());
    assert!(registry.remove(old).is_some());
    assert!(registry.event(old, Ready::READABLE, &mut wakers).is_none());
    let new = registry.insert(0, Arc::new(Registration::new())).unwrap();
    assert_ne!(old, new, "the place is the same, the key is not");
    assert!(registry.event(old, Ready::READABLE, &mut wakers).is_none());
    assert!(registry.remove(old).is_none());
    assert!(registry.event(new, Ready::READABLE, &mut wakers).is_some());
    assert_eq!(registry.len(), 1);
}
