//! The wakers of those who wait: nobody keeps one for longer than its future is there, and one that panics does no harm.

use crate::{MUCH, pair, pattern, run, shout};
use aioli::{EventLoop, create_task, io::AsyncReadExt, start_server, yield_now};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Wake, Waker},
};

/// A waker that somebody holds, or nobody.
struct Held;

impl Wake for Held {
    fn wake(self: Arc<Self>) {}
}

/// Has `future` wait for once, drops it, and asks that nobody holds the waker any more.
fn leaves_nothing_behind(future: impl Future) {
    let held = Arc::new(Held);
    let waker = Waker::from(held.clone());
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(Arc::strong_count(&held) > 2, "it does not wait");
    drop((future, waker));
    assert_eq!(Arc::strong_count(&held), 1, "a waiter that is gone is remembered");
}

#[test]
fn waiters_that_are_dropped_leave_nothing_behind() {
    run(|| async {
        let (_reader, writer, _peer) = pair().await;
        writer.write(pattern(MUCH));
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        for _ in 0..3 {
            leaves_nothing_behind(writer.drain());
            leaves_nothing_behind(writer.wait_closed());
            leaves_nothing_behind(server.wait_closed());
        }
        writer.close();
        leaves_nothing_behind(writer.wait_closed());
    });
}

/// A waker of somebody else's making.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker");
    }
}

#[test]
fn a_foreign_waker_that_panics_leaves_the_writer_in_order() {
    run(async || {
        let (_reader, writer, _peer) = pair().await;
        let writer = Arc::new(writer);
        {
            let mut mined = pin!(writer.wait_closed());
            let waker = Waker::from(Arc::new(Bomb));
            assert!(mined.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let ended = catch_unwind(AssertUnwindSafe(|| writer.write_eof()));
            assert!(ended.is_err(), "the waker's panic is passed on");
        }
        let theirs = writer.clone();
        let closed = create_task(async move { theirs.wait_closed().await });
        yield_now().await;
        writer.close();
        closed.await.unwrap().unwrap();
    });
}

#[test]
fn a_foreign_waker_that_panics_in_the_background_costs_no_bytes() {
    run(async || {
        let (_reader, writer, mut peer) = pair().await;
        EventLoop::current().set_exception_handler(|_| {});
        writer.write(pattern(MUCH));
        let mut mined = pin!(writer.drain());
        let waker = Waker::from(Arc::new(Bomb));
        assert!(mined.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        writer.write_eof();
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert!(got == pattern(MUCH));
    });
}
