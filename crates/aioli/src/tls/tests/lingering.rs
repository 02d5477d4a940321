//! A client that has heard nothing waits, before it is closed, for what the server sends after the handshake.

use super::*;
use crate::{create_task, streams::ExtraInfo, yield_now};
use aioli_primitives::sync::Mutex;
use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::{Context, Poll, Wake, Waker},
};

/// A client that is connected, and a server that has the tickets for it in hand.
struct Far {
    client: Arc<TlsWire>,
    server: TlsWire,
    /// Below the server.
    right: Arc<End>,
    tickets: Vec<u8>,
    interrupt: Arc<Interrupt>,
}

impl Far {
    async fn new() -> Self {
        let (left, right) = link(100_000);
        let interrupt = Arc::new(Interrupt {
            below: left.clone(),
            first: Mutex::default(),
        });
        let handshake = create_task(connect(interrupt.clone()));
        let mut hello = Vec::new();
        while hello.is_empty() {
            yield_now().await;
            hello = right.take();
        }
        let accepting = create_task({
            let right = right.clone();
            async move { TlsWire::accept(right, &acceptor(), hello, HANDSHAKE_LIMIT).await }
        });
        let client = Arc::new(handshake.await.unwrap().unwrap());
        right.set_capacity(0);
        let server = accepting.await.unwrap().unwrap();
        Self {
            client,
            server,
            tickets: left.take(),
            right,
            interrupt,
        }
    }

    /// The client writes and is closed; only then do the tickets arrive.
    async fn write_and_close(&self) {
        write(&self.client, b"only").await.unwrap();
        let closing = create_task({
            let client = self.client.clone();
            async move { end(&client, Shutdown::Both).await.unwrap() }
        });
        assert_eq!(read_to_end(&self.server, 8192).await.unwrap(), b"only");
        assert!(!closing.is_finished());
        self.send_tickets();
        // Nobody there would be an error.
        poll_fn(|cx| self.server.poll_flush(cx)).await.unwrap();
        closing.await.unwrap();
    }

    fn send_tickets(&self) {
        self.right.set_capacity(100_000);
        self.right.inject(&self.tickets);
    }
}

#[test]
fn a_client_that_has_only_written_waits() {
    run(|| async { Far::new().await.write_and_close().await });
}

#[test]
fn a_client_whose_read_was_given_up_waits() {
    run(|| async {
        for size in [1, 8192] {
            let far = Far::new().await;
            let given_up = poll_fn(|cx| Poll::Ready(far.client.poll_read(cx, &mut vec![0; size]))).await;
            assert!(given_up.is_pending());
            far.write_and_close().await;
        }
    });
}

#[test]
fn a_client_that_reads_waits_and_who_reads_does_not() {
    run(|| async {
        for size in [1, 8192] {
            let far = Far::new().await;
            let reading = create_task({
                let client = far.client.clone();
                async move { read(&client, size).await }
            });
            yield_now().await;
            write(&far.client, b"only").await.unwrap();
            let closing = create_task({
                let client = far.client.clone();
                async move { end(&client, Shutdown::Both).await.unwrap() }
            });
            assert!(reading.await.unwrap().unwrap().is_empty());
            assert_eq!(read_to_end(&far.server, 8192).await.unwrap(), b"only");
            assert!(!closing.is_finished());
            far.send_tickets();
            poll_fn(|cx| far.server.poll_flush(cx)).await.unwrap();
            closing.await.unwrap();
        }
    });
}

#[test]
fn who_reads_at_the_moment_of_the_end_gives_way_to_who_waits() {
    run(|| async {
        for size in [1, 8192] {
            let far = Far::new().await;
            let woken = Arc::new(Count::default());
            let closer = Waker::from(woken.clone());
            let end = |client: &TlsWire| client.poll_end(&mut Context::from_waker(&closer), Shutdown::Both);
            // Who reads has seen that it is not the end yet, and waits for the wire below after the one who ends.
            *far.interrupt.first.lock() = Some(Box::new({
                let (client, closer) = (far.client.clone(), closer.clone());
                move || {
                    for _ in 0..2 {
                        let ended = client.poll_end(&mut Context::from_waker(&closer), Shutdown::Both);
                        assert!(ended.is_pending());
                    }
                }
            }));
            assert!(read(&far.client, size).await.unwrap().is_empty());
            // Once it asked to be polled again itself.
            assert_eq!(woken.0.load(SeqCst), 2);
            assert!(end(&far.client).is_pending());
            far.send_tickets();
            assert_eq!(woken.0.load(SeqCst), 3);
            assert!(matches!(end(&far.client), Poll::Ready(Ok(()))));
        }
    });
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A wire on which something happens just before somebody reads.
struct Interrupt {
    below: Arc<End>,
    first: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Wire for Interrupt {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let first = self.first.lock().take();
        if let Some(first) = first {
            first();
        }
        self.below.poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.below.poll_write(cx, buf)
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.below.try_write(buf)
    }

    fn poll_end(&self, cx: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>> {
        self.below.poll_end(cx, how)
    }

    fn close(&self) {
        self.below.close();
    }

    fn extra_info(&self) -> ExtraInfo {
        self.below.extra_info()
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}
