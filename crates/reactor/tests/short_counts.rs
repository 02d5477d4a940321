//! A short count saves the system call that would find out that there is no more, and never hides an end.

#[macro_use]
mod common;

use aioli_reactor::{Direction, Reactor, Source};
use common::{Wakes, drive, pair, settle, tcp_pair, wait_until};
use std::{
    io::{IoSlice, IoSliceMut, Read, Write},
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    task::{Context, Poll},
};

/// Reads with a buffer that is always too large, until the end; gives all the bytes.
fn read_to_end<T: AsFd>(reactor: &Reactor, source: &Source<T>) -> Vec<u8>
where
    for<'a> &'a T: Read,
{
    let mut all = Vec::new();
    let mut buf = [0; 64];
    loop {
        match drive(reactor, |cx| source.poll_read(cx, &mut buf)).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buf[..count]),
        }
    }
}

fn the_next_byte_after_a_short_read_wakes(reactor: &Reactor) {
    let (near, mut far) = tcp_pair();
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 64];
    for round in 1..=3 {
        far.write_all(b"short").unwrap();
        let count = drive(reactor, |cx| source.poll_read(cx, &mut buf)).unwrap();
        assert_eq!(&buf[..count], b"short");
        assert!(source.poll_read(&mut cx, &mut buf).is_pending());
        far.write_all(b"more").unwrap();
        wait_until(reactor, || wakes.count() == round);
        assert!(matches!(source.poll_read(&mut cx, &mut buf), Poll::Ready(Ok(4))));
    }
}

fn an_end_that_came_with_the_data_is_seen(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    far.write_all(b"last").unwrap();
    drop(far);
    settle(reactor);
    assert_eq!(read_to_end(reactor, &source), b"last");
    assert_eq!(read_to_end(reactor, &source), b"");
}

/// As above, but the first read is before any event.
fn an_end_before_the_first_event_is_seen(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    far.write_all(b"last").unwrap();
    drop(far);
    assert_eq!(read_to_end(reactor, &source), b"last");
}

fn an_end_after_a_short_read_is_seen(reactor: &Reactor) {
    let (near, mut far) = tcp_pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    far.write_all(b"last").unwrap();
    let mut buf = [0; 64];
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut buf)).unwrap(), 4);
    drop(far);
    assert_eq!(read_to_end(reactor, &source), b"");
}

/// TCP's half-close is not a hang-up: only `EPOLLRDHUP` tells of it.
fn a_half_close_that_came_with_the_data_is_seen(reactor: &Reactor) {
    let (near, mut far) = tcp_pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    far.write_all(b"last").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    wait_for_both(&source);
    settle(reactor);
    assert_eq!(read_to_end(reactor, &source), b"last");
    // The other direction lives on.
    assert_eq!(drive(reactor, |cx| source.poll_write(cx, b"answer")).unwrap(), 6);
    far.set_nonblocking(false).unwrap();
    let mut answer = [0; 6];
    far.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

/// Until the kernel has the bytes and the end of the stream behind them.
fn wait_for_both(source: &Source<TcpStream>) {
    use rustix::event::{PollFd, PollFlags, poll};
    let ended = PollFlags::from_bits_retain(0x2000); // POLLRDHUP
    loop {
        let mut fds = [PollFd::new(source.get_ref(), PollFlags::IN | ended)];
        poll(&mut fds, None).unwrap();
        if !cfg!(target_os = "linux") || fds[0].revents().contains(ended) {
            return;
        }
    }
}

/// A read stops at the urgent mark, with bytes behind it.
fn bytes_behind_urgent_data_are_read(reactor: &Reactor) {
    let (near, mut far) = tcp_pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    far.write_all(b"before").unwrap();
    send_urgent(&far, b'!');
    far.write_all(b"behind").unwrap();
    settle(reactor);
    let mut buf = [0; 64];
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut buf)).unwrap(), 6);
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut buf)).unwrap(), 6);
    assert_eq!(&buf[..6], b"behind");
}

fn send_urgent(stream: &TcpStream, byte: u8) {
    use std::os::fd::AsRawFd;
    // SAFETY: the pointer is to one readable byte, and the descriptor is open.
    let sent = unsafe { libc::send(stream.as_raw_fd(), (&raw const byte).cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
}

fn vectored_reads_and_writes_move_all_buffers(reactor: &Reactor) {
    let (near, far) = pair();
    let (near, far) = (reactor.register(near).unwrap(), reactor.register(far).unwrap());
    let out = [IoSlice::new(b"one"), IoSlice::new(b"two")];
    assert_eq!(drive(reactor, |cx| near.poll_write_vectored(cx, &out)).unwrap(), 6);
    let (mut a, mut b) = ([0; 4], [0; 4]);
    let mut into = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
    assert_eq!(drive(reactor, |cx| far.poll_read_vectored(cx, &mut into)).unwrap(), 6);
    assert_eq!((&a, &b[..2]), (b"onet", &b"wo"[..]));
}

/// More buffers than one call takes (1024).
const MANY: usize = 1500;

/// The call takes fewer bytes than there are in the buffers, and yet the stream has more.
fn a_read_into_more_buffers_than_a_call_takes_drains_nothing(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    far.write_all(&[b'x'; 2000]).unwrap();
    settle(reactor);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut bytes = [0; MANY];
    let mut read = || {
        let mut bufs: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
        source.poll_read_vectored(&mut cx, &mut bufs)
    };
    let Poll::Ready(Ok(first)) = read() else {
        panic!("there are bytes")
    };
    assert!(first < MANY);
    // Without an event in between.
    let Poll::Ready(Ok(second)) = read() else {
        panic!("there are more bytes")
    };
    assert_eq!(first + second, 2000);
    assert!(read().is_pending());
    far.write_all(b"more").unwrap();
    wait_until(reactor, || wakes.count() > 0);
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut [0; 8])).unwrap(), 4);
}

/// The call takes fewer bytes than there are in the buffers, and yet there is room for more.
fn a_write_from_more_buffers_than_a_call_takes_fills_nothing(reactor: &Reactor) {
    let (near, far) = pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    let (_, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let bytes: Vec<_> = (0..MANY).map(|number| number as u8).collect();
    let mut written = 0;
    while written < MANY {
        let bufs: Vec<_> = bytes[written..].chunks(1).map(IoSlice::new).collect();
        // Without an event in between.
        match source.poll_write_vectored(&mut cx, &bufs) {
            Poll::Ready(count) => written += count.unwrap(),
            Poll::Pending => panic!("there is room for more than {written} bytes"),
        }
    }
    let mut got = vec![0; MANY];
    (&far).read_exact(&mut got).unwrap();
    assert_eq!(got, bytes);
}

fn an_empty_read_is_no_end_and_drains_nothing(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    settle(reactor);
    far.write_all(b"x").unwrap();
    settle(reactor);
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut [])).unwrap(), 0);
    assert_eq!(drive(reactor, |cx| source.poll_read(cx, &mut [0; 8])).unwrap(), 1);
}

on_every_backend![
    the_next_byte_after_a_short_read_wakes,
    an_end_that_came_with_the_data_is_seen,
    an_end_before_the_first_event_is_seen,
    an_end_after_a_short_read_is_seen,
    a_half_close_that_came_with_the_data_is_seen,
    bytes_behind_urgent_data_are_read,
    vectored_reads_and_writes_move_all_buffers,
    a_read_into_more_buffers_than_a_call_takes_drains_nothing,
    a_write_from_more_buffers_than_a_call_takes_fills_nothing,
    an_empty_read_is_no_end_and_drains_nothing,
];

/// How many system calls it takes to read `"short"` into a large buffer, and to learn that there is no more.
#[cfg(target_os = "linux")]
fn calls_for_a_short_read(reactor: &Reactor) -> usize {
    let (near, mut far) = tcp_pair();
    let source = reactor.register(near).unwrap();
    far.write_all(b"short").unwrap();
    assert!(reactor.wait(None).unwrap() > 0);
    let (_, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut calls = 0;
    let mut poll = || {
        source.poll_transfer(&mut cx, Direction::Read, 64, || {
            calls += 1;
            source.get_ref().read(&mut [0; 64])
        })
    };
    assert!(matches!(poll(), Poll::Ready(Ok(5))));
    assert!(poll().is_pending());
    calls
}

#[cfg(target_os = "linux")]
#[test]
fn on_epoll_a_short_read_needs_no_second_call() {
    assert_eq!(calls_for_a_short_read(&Reactor::new().unwrap()), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_short_write_needs_no_second_call() {
    let reactor = Reactor::new().unwrap();
    let (near, _far) = tcp_pair();
    let source = reactor.register(near).unwrap();
    assert!(reactor.wait(None).unwrap() > 0);
    let (_, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let large = vec![0; 64 << 20];
    let mut calls = 0;
    let mut poll = || {
        source.poll_transfer(&mut cx, Direction::Write, large.len(), || {
            calls += 1;
            source.get_ref().write(&large)
        })
    };
    assert!(matches!(poll(), Poll::Ready(Ok(count)) if count < large.len()));
    assert!(poll().is_pending());
    assert_eq!(calls, 1);
}
