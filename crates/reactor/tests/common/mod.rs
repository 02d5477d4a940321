//! What the tests share: one run of each test for each backend, counting wakers, and sockets.

#![allow(dead_code, unused_macros, reason = "each test file uses its part of this")]

use aioli_reactor::Reactor;
use std::{
    io,
    os::unix::net::UnixStream,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

/// Turns functions that take a `&Reactor` into tests, one for each backend.
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        #[cfg(target_os = "linux")]
        on_every_backend!(@one epoll Epoll $($test)*);
        #[cfg(target_os = "linux")]
        on_every_backend!(@one epoll_millis EpollMillis $($test)*);
        on_every_backend!(@one portable Portable $($test)*);
        on_every_backend!(@one portable_one_shot PortableOneShot $($test)*);
    };
    (@one $module:ident $kind:ident $($test:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    let kind = aioli_reactor::BackendKind::$kind;
                    super::$test(&aioli_reactor::Reactor::with_backend(kind).unwrap());
                }
            )*
        }
    };
}

/// A waker that counts.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    pub fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), Waker::from(wakes))
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits for events until `condition` holds. The time limit is there to fail instead of hanging.
pub fn wait_until(reactor: &Reactor, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < give_up, "what the test waits for never happened");
        reactor.wait(Some(Duration::from_millis(100))).unwrap();
    }
}

/// Passes on all events that there are by now.
pub fn settle(reactor: &Reactor) {
    while reactor.wait(Some(Duration::ZERO)).unwrap() > 0 {}
}

/// Drives the reactor until `poll` is ready, polling only when woken.
pub fn drive<R>(reactor: &Reactor, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut polled_at = 0;
    loop {
        if let Poll::Ready(value) = poll(&mut cx) {
            return value;
        }
        wait_until(reactor, || wakes.count() > polled_at);
        polled_at = wakes.count();
    }
}

/// As [`drive`], for a future.
pub fn block_on<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    let mut future = pin!(future);
    drive(reactor, |cx| future.as_mut().poll(cx))
}

pub fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// A TCP connection over the loopback device; both ends non-blocking.
pub fn tcp_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// Writes until the pipe or socket is full; gives how much fitted.
pub fn fill(mut stream: impl io::Write) -> usize {
    let chunk = [b'x'; 4096];
    let mut total = 0;
    loop {
        match stream.write(&chunk) {
            Ok(count) => total += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads until the pipe or socket is empty; gives how much there was.
pub fn empty(mut stream: impl io::Read) -> usize {
    let mut chunk = [0; 4096];
    let mut total = 0;
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}
