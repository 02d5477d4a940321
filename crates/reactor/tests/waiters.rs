//! Whoever waits is woken, once, and nobody's leaving or panicking harms the others.

#[macro_use]
mod common;

use aioli_reactor::{Direction, Reactor};
use common::{Wakes, block_on, empty, fill, pair, settle, tcp_pair, wait_until};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

fn many_waiters_share_one_listener(reactor: &Reactor) {
    const WAITERS: usize = 8;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let source = reactor.register(listener).unwrap();
    let mut accepts: Vec<Pin<Box<_>>> = (0..WAITERS)
        .map(|_| Box::pin(source.io(Direction::Read, || source.get_ref().accept())))
        .collect();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut accepted = 0;
    let mut clients = Vec::new();
    // Three at once, then the rest one by one.
    for burst in [3, 1, 1, 1, 1, 1] {
        clients.extend((0..burst).map(|_| TcpStream::connect(address).unwrap()));
        wait_until(reactor, || {
            accepts.retain_mut(|accept| accept.as_mut().poll(&mut cx).map(Result::unwrap).is_pending());
            accepted = WAITERS - accepts.len();
            accepted == clients.len()
        });
    }
    assert_eq!(accepted, WAITERS);
    assert!(wakes.count() > 0);
}

fn an_event_wakes_all_waiters_of_its_direction_only(reactor: &Reactor) {
    let (near, mut far) = pair();
    fill(&near);
    let source = reactor.register(near).unwrap();
    let (read_wakes, read_waker) = Wakes::new();
    let (write_wakes, write_waker) = Wakes::new();
    let mut readers: Vec<_> = (0..5).map(|_| Box::pin(source.readable())).collect();
    let mut writer = Box::pin(source.writable());
    for reader in &mut readers {
        assert!(reader.as_mut().poll(&mut Context::from_waker(&read_waker)).is_pending());
    }
    assert!(
        writer
            .as_mut()
            .poll(&mut Context::from_waker(&write_waker))
            .is_pending()
    );
    far.write_all(b"x").unwrap();
    wait_until(reactor, || read_wakes.count() > 0);
    assert_eq!((read_wakes.count(), write_wakes.count()), (5, 0));
    empty(&far);
    wait_until(reactor, || write_wakes.count() > 0);
    assert!(writer.as_mut().poll(&mut Context::from_waker(&write_waker)).is_ready());
    assert!(
        readers
            .iter_mut()
            .all(|reader| reader.as_mut().poll(&mut Context::from_waker(&read_waker)).is_ready())
    );
}

fn a_waiter_that_is_dropped_after_it_was_woken_takes_nothing_along(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let read = || Box::pin(source.io(Direction::Read, || source.get_ref().read(&mut [0; 8])));
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let (mut leaves, mut stays) = (read(), read());
    assert!(leaves.as_mut().poll(&mut cx).is_pending());
    assert!(stays.as_mut().poll(&mut cx).is_pending());
    far.write_all(b"x").unwrap();
    wait_until(reactor, || wakes.count() == 2);
    drop(leaves);
    assert!(matches!(stays.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
}

fn a_dropped_waiter_is_forgotten(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut readable = Box::pin(source.readable());
    assert!(readable.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(readable);
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
    far.write_all(b"x").unwrap();
    settle(reactor);
    assert_eq!(wakes.count(), 0);
}

fn of_pollers_the_last_one_is_woken(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let (first, first_waker) = Wakes::new();
    let (last, last_waker) = Wakes::new();
    assert!(
        source
            .poll_read(&mut Context::from_waker(&first_waker), &mut [0; 8])
            .is_pending()
    );
    assert!(
        source
            .poll_read(&mut Context::from_waker(&last_waker), &mut [0; 8])
            .is_pending()
    );
    drop(first_waker);
    assert_eq!(Arc::strong_count(&first), 1);
    far.write_all(b"x").unwrap();
    wait_until(reactor, || last.count() == 1);
    assert_eq!(first.count(), 0);
}

fn readable_tells_the_truth(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    far.write_all(b"x").unwrap();
    block_on(reactor, source.readable()).unwrap();
    empty(source.get_ref());
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut readable = Box::pin(source.readable());
    assert!(readable.as_mut().poll(&mut cx).is_pending());
    drop(far);
    wait_until(reactor, || wakes.count() == 1);
    assert!(
        matches!(readable.as_mut().poll(&mut cx), Poll::Ready(Ok(()))),
        "the end of the stream is readable"
    );
}

fn a_failed_connection_is_writable(reactor: &Reactor) {
    // A port that nobody listens on any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = unconnected();
    let source = reactor.register(socket).unwrap();
    settle(reactor);
    match rustix::net::connect(source.get_ref(), &address) {
        Err(rustix::io::Errno::INPROGRESS) => {
            block_on(reactor, source.writable()).unwrap();
            assert!(source.get_ref().take_error().unwrap().is_some());
        }
        refused => assert_eq!(refused, Err(rustix::io::Errno::CONNREFUSED)),
    }
}

/// Registered before it was connected, when the kernel still calls it hung up.
fn a_connection_is_writable_once_it_stands(reactor: &Reactor) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = reactor.register(unconnected()).unwrap();
    settle(reactor);
    let begun = rustix::net::connect(source.get_ref(), &listener.local_addr().unwrap());
    assert!(
        matches!(begun, Ok(()) | Err(rustix::io::Errno::INPROGRESS)),
        "{begun:?}"
    );
    block_on(reactor, source.writable()).unwrap();
    assert!(source.get_ref().peer_addr().is_ok());
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert!(source.poll_read(&mut cx, &mut [0; 8]).is_pending());
    listener.accept().unwrap().0.write_all(b"hi").unwrap();
    wait_until(reactor, || wakes.count() == 1);
    assert!(matches!(source.poll_read(&mut cx, &mut [0; 8]), Poll::Ready(Ok(2))));
}

fn unconnected() -> TcpStream {
    use rustix::net::{AddressFamily, SocketType};
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(true).unwrap();
    socket
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker's own");
    }
}

fn a_panicking_waker_does_not_keep_others_asleep(reactor: &Reactor) {
    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    let panics = Waker::from(Arc::new(Panics));
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(source.readable())).collect();
    for (waiter, waker) in waiters.iter_mut().zip([&waker, &panics, &waker]) {
        assert!(waiter.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    settle(reactor);
    far.write_all(b"x").unwrap();
    let caught = catch_unwind(AssertUnwindSafe(|| wait_until(reactor, || false))).unwrap_err();
    assert_eq!(caught.downcast_ref(), Some(&"a waker's own"));
    assert_eq!(wakes.count(), 2);
    reactor.notify();
    assert_eq!(reactor.wait(None).unwrap(), 0);
}

/// A waker may free a task, and with it sources and waiters of the same reactor, at any moment.
fn a_waker_may_drop_sources_and_notify(reactor: &Reactor) {
    struct DropsOnWake(std::sync::Mutex<Option<Box<dyn Send>>>, Reactor);

    impl Wake for DropsOnWake {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            self.1.notify();
            assert_eq!(self.1.wait(Some(std::time::Duration::ZERO)).unwrap(), 0);
        }
    }

    let (near, mut far) = pair();
    let source = reactor.register(near).unwrap();
    let victim = reactor.register(tcp_pair().0).unwrap();
    let waker = Waker::from(Arc::new(DropsOnWake(
        std::sync::Mutex::new(Some(Box::new(victim))),
        reactor.clone(),
    )));
    assert!(
        source
            .poll_read(&mut Context::from_waker(&waker), &mut [0; 8])
            .is_pending()
    );
    assert_eq!(reactor.source_count(), 2);
    far.write_all(b"x").unwrap();
    wait_until(reactor, || reactor.source_count() == 1);
}

fn operations_are_send_if_their_parts_are(reactor: &Reactor) {
    fn assert_send<T: Send>(_: &T) {}
    fn assert_sync<T: Sync>(_: &T) {}
    let source = reactor.register(pair().0).unwrap();
    assert_send(&source);
    assert_sync(&source);
    assert_sync(reactor);
    assert_send(&source.readable());
    assert_send(&source.io(Direction::Read, || io::Result::Ok(())));
    assert_send(&source.transfer(Direction::Read, 1, || Ok(1)));
}

on_every_backend![
    many_waiters_share_one_listener,
    an_event_wakes_all_waiters_of_its_direction_only,
    a_waiter_that_is_dropped_after_it_was_woken_takes_nothing_along,
    a_dropped_waiter_is_forgotten,
    of_pollers_the_last_one_is_woken,
    readable_tells_the_truth,
    a_failed_connection_is_writable,
    a_connection_is_writable_once_it_stands,
    a_panicking_waker_does_not_keep_others_asleep,
    a_waker_may_drop_sources_and_notify,
    operations_are_send_if_their_parts_are,
];
