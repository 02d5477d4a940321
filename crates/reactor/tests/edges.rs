//! Events reach operations, whenever they come.

#[macro_use]
mod common;

use aioli_reactor::{Direction, Reactor};
use common::{Wakes, block_on, drive, empty, fill, pair, settle, tcp_pair, wait_until};
use std::{
    io::{self, Read, Write},
    task::{Context, Poll},
};

fn a_read_that_finds_data_does_not_wait(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    far.write_all(b"now").unwrap();
    let (_, waker) = Wakes::new();
    let mut buf = [0; 8];
    let read = source.poll_read(&mut Context::from_waker(&waker), &mut buf);
    assert!(matches!(read, Poll::Ready(Ok(3))), "{read:?}");
}

fn readable_after_the_peer_writes(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 8];
    for round in 1..=3 {
        assert!(source.poll_read(&mut cx, &mut buf).is_pending());
        settle(reactor);
        assert!(source.poll_read(&mut cx, &mut buf).is_pending());
        assert_eq!(wakes.count(), round - 1);
        far.write_all(b"hello").unwrap();
        wait_until(reactor, || wakes.count() == round);
        assert!(matches!(source.poll_read(&mut cx, &mut buf), Poll::Ready(Ok(5))));
        assert_eq!(&buf[..5], b"hello");
    }
}

/// The data arrives after the operation has seen nothing, and so does its event, if there is one, before the operation
/// takes its belief back.
fn an_event_during_a_read_is_not_lost(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    let mut tries = 0;
    let count = drive(reactor, |cx| {
        source.poll_io(cx, Direction::Read, || {
            tries += 1;
            let result = source.get_ref().read(&mut [0; 8]);
            if tries == 1 {
                far.write_all(b"x").unwrap();
                settle(reactor);
            }
            result
        })
    });
    assert_eq!(count.unwrap(), 1);
    assert_eq!(tries, 2);
}

/// The data arrives after the operation has seen nothing; the event is passed on after it has begun to wait.
fn data_between_a_read_and_its_waiting_is_not_lost(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    let mut tries = 0;
    let count = drive(reactor, |cx| {
        source.poll_io(cx, Direction::Read, || {
            tries += 1;
            let result = source.get_ref().read(&mut [0; 8]);
            if tries == 1 {
                far.write_all(b"x").unwrap();
            }
            result
        })
    });
    assert_eq!(count.unwrap(), 1);
    assert_eq!(tries, 2);
}

fn an_interrupted_operation_is_tried_again(reactor: &Reactor) {
    let source = reactor.register(pair().0).unwrap();
    let mut interrupted = 0;
    let result = block_on(
        reactor,
        source.io(Direction::Write, || {
            interrupted += 1;
            if interrupted < 3 {
                Err(io::ErrorKind::Interrupted.into())
            } else {
                Ok(interrupted)
            }
        }),
    );
    assert_eq!(result.unwrap(), 3);
}

fn an_error_is_delivered_and_changes_nothing(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let failed = block_on(
        reactor,
        source.io(Direction::Read, || Err::<(), _>(io::Error::other("mine"))),
    );
    assert_eq!(failed.unwrap_err().to_string(), "mine");
    far.write_all(b"x").unwrap();
    let mut buf = [0; 2];
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut buf)).unwrap(), 1);
}

fn writable_once_the_peer_has_read(reactor: &Reactor) {
    for tcp in [false, true] {
        if tcp {
            let (near, far) = tcp_pair();
            write_until_full_then_drain(reactor, near, far);
        } else {
            let (near, far) = pair();
            write_until_full_then_drain(reactor, near, far);
        }
    }
}

fn write_until_full_then_drain<T>(reactor: &Reactor, near: T, far: T)
where
    T: std::os::fd::AsFd + 'static,
    for<'a> &'a T: Read + Write,
{
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut sent = 0;
    let mut received = 0;
    for _ in 0..3 {
        let before = wakes.count();
        while let Poll::Ready(count) = source.poll_write(&mut cx, &[7; 3000]) {
            sent += count.unwrap();
            settle(reactor);
        }
        wait_until(reactor, || {
            received += empty(&far);
            wakes.count() > before
        });
    }
    drop(source);
    while received < sent {
        received += empty(&far);
    }
    assert_eq!(received, sent);
}

fn waiting_to_write_does_not_keep_reads_waiting(reactor: &Reactor) {
    let (near, mut far) = pair();
    fill(&near);
    let source = reactor.register(near).unwrap();
    let (write_wakes, write_waker) = Wakes::new();
    let (read_wakes, read_waker) = Wakes::new();
    let mut write_cx = Context::from_waker(&write_waker);
    let mut read_cx = Context::from_waker(&read_waker);
    assert!(source.poll_write(&mut write_cx, b"x").is_pending());
    assert!(source.poll_read(&mut read_cx, &mut [0; 8]).is_pending());

    far.write_all(b"y").unwrap();
    wait_until(reactor, || read_wakes.count() == 1);
    assert_eq!(write_wakes.count(), 0);
    assert!(matches!(
        source.poll_read(&mut read_cx, &mut [0; 8]),
        Poll::Ready(Ok(1))
    ));
    assert!(source.poll_write(&mut write_cx, b"x").is_pending());

    empty(&far);
    wait_until(reactor, || write_wakes.count() == 1);
    assert!(matches!(source.poll_write(&mut write_cx, b"x"), Poll::Ready(Ok(1))));
}

/// More sources are ready than one wait collects.
fn no_event_of_many_is_lost(reactor: &Reactor) {
    let fd = || rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();
    let sources: Vec<_> = (0..700).map(|_| reactor.register(fd()).unwrap()).collect();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut read = |source: &aioli_reactor::Source<std::os::fd::OwnedFd>| {
        source.poll_io(&mut cx, Direction::Read, || {
            Ok(rustix::io::read(source.get_ref(), &mut [0; 8])?)
        })
    };
    for source in &sources {
        assert!(read(source).is_pending());
    }
    settle(reactor);
    for source in &sources {
        rustix::io::write(source.get_ref(), &1u64.to_ne_bytes()).unwrap();
    }
    wait_until(reactor, || wakes.count() == sources.len());
    for source in &sources {
        assert!(matches!(read(source), Poll::Ready(Ok(8))));
    }
}

on_every_backend![
    a_read_that_finds_data_does_not_wait,
    readable_after_the_peer_writes,
    an_event_during_a_read_is_not_lost,
    data_between_a_read_and_its_waiting_is_not_lost,
    an_interrupted_operation_is_tried_again,
    an_error_is_delivered_and_changes_nothing,
    writable_once_the_peer_has_read,
    waiting_to_write_does_not_keep_reads_waiting,
    no_event_of_many_is_lost,
];
