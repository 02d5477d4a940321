//! A descriptor's number comes back at once, for another source. Alone in its process, so that nobody else takes it.

mod common;

use aioli_reactor::{BackendKind, Reactor};
use common::{Wakes, pair, settle, wait_until};
use std::{
    io::Write,
    os::fd::AsRawFd,
    task::{Context, Poll},
};

#[test]
fn a_source_is_gone_before_its_descriptor_is_used_again() {
    reuse(BackendKind::Portable);
    reuse(BackendKind::PortableOneShot);
    #[cfg(target_os = "linux")]
    reuse(BackendKind::Epoll);
}

fn reuse(kind: BackendKind) {
    let reactor = Reactor::with_backend(kind).unwrap();
    let (near, mut far) = pair();
    // A second descriptor keeps the open file alive, and with it what the kernel would report.
    let _alive = near.try_clone().unwrap();
    let source = reactor.register(near).unwrap();
    let fd = source.get_ref().as_raw_fd();
    drop(source);
    far.write_all(b"late").unwrap();

    let (near, mut far) = pair();
    assert_eq!(near.as_raw_fd(), fd, "the lowest free number is given out first");
    let source = reactor.register(near).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert!(source.poll_read(&mut cx, &mut [0; 8]).is_pending());
    settle(&reactor);
    assert_eq!(wakes.count(), 0);
    far.write_all(b"y").unwrap();
    wait_until(&reactor, || wakes.count() == 1);
    assert!(matches!(source.poll_read(&mut cx, &mut [0; 8]), Poll::Ready(Ok(1))));
}
