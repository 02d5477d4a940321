//! Who sends what, how many times, and how much is kept.

use super::*;
use std::task::{Context, Poll, Wake, Waker};

/// Does nothing, but is somebody.
struct Somebody;

impl Wake for Somebody {
    fn wake(self: Arc<Self>) {}
}

fn waker() -> Waker {
    Waker::from(Arc::new(Somebody))
}

#[test]
fn a_write_that_is_taken_is_sent_at_once_and_in_one_piece() {
    run(|| async {
        let (client, server, left, _) = pair(1 << 20).await;
        for length in [1, 100, 16_384, 65_536] {
            let before = left.sends();
            let bytes = pattern(length);
            assert_eq!(client.try_write(&bytes).unwrap(), length);
            assert!(!client.needs_flush());
            assert_eq!(left.sends() - before, 1, "{length} bytes");
            let mut got = Vec::new();
            while got.len() < length {
                got.extend(read(&server, 8192).await.unwrap());
            }
            assert!(got == bytes);
        }
    });
}

#[test]
fn no_more_is_taken_than_the_limit() {
    run(|| async {
        let (client, server, left, _) = pair(100_000).await;
        left.set_capacity(10);
        let bytes = pattern(1 << 20);
        let taken = client.try_write(&bytes).unwrap();
        assert_eq!(taken, 64 * 1024);
        assert!(client.needs_flush());
        assert_eq!(
            client.try_write(&bytes[taken..]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        let waker = waker();
        let mut cx = Context::from_waker(&waker);
        assert!(client.poll_write(&mut cx, &bytes[taken..]).is_pending());
        assert!(left.has_writer(&waker));
        assert_eq!(client.try_write(b"more").unwrap_err().kind(), io::ErrorKind::WouldBlock);

        left.set_capacity(1 << 20);
        poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
        assert!(!client.needs_flush());
        let mut got = Vec::new();
        while got.len() < taken {
            got.extend(read(&server, 8192).await.unwrap());
        }
        assert!(got == bytes[..taken]);
    });
}

#[test]
fn writing_nothing_is_nothing() {
    run(|| async {
        let (client, _server, left, right) = pair(1 << 20).await;
        let before = left.sends();
        assert_eq!(client.try_write(b"").unwrap(), 0);
        assert_eq!(poll_fn(|cx| client.poll_write(cx, b"")).await.unwrap(), 0);
        assert_eq!(left.sends(), before);
        assert!(right.take().is_empty());
    });
}

#[test]
fn who_reads_leaves_the_waker_of_who_writes_alone() {
    run(|| async {
        let (client, server, left, right) = pair(100_000).await;
        left.set_capacity(0);
        client.try_write(b"does not fit").unwrap();
        let (reader, writer) = (waker(), waker());
        assert!(client.poll_flush(&mut Context::from_waker(&writer)).is_pending());
        assert!(
            client
                .poll_read(&mut Context::from_waker(&reader), &mut [0; 8192])
                .is_pending()
        );
        assert!(left.has_writer(&writer));

        // Also when there is an alert to be sent.
        right.inject(b"not a record");
        let result = client.poll_read(&mut Context::from_waker(&reader), &mut [0; 8192]);
        assert!(matches!(result, Poll::Ready(Err(_))));
        assert!(left.has_writer(&writer));

        // It goes with the rest.
        left.set_capacity(100_000);
        poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
        assert_eq!(read(&server, 8192).await.unwrap(), b"does not fit");
        assert!(matches!(
            inside(&read(&server, 8192).await.unwrap_err()),
            TlsError::Protocol(rustls::Error::AlertReceived(_))
        ));
    });
}

#[test]
fn an_alert_that_nobody_waits_to_send_goes_with_the_end() {
    run(|| async {
        let (client, server, left, right) = pair(100_000).await;
        left.set_capacity(0);
        right.inject(b"not a record");
        read(&client, 8192).await.unwrap_err();
        assert!(right.take().is_empty());
        assert!(client.needs_flush());
        left.set_capacity(100_000);
        end(&client, Shutdown::Both).await.unwrap();
        assert!(matches!(
            inside(&read(&server, 8192).await.unwrap_err()),
            TlsError::Protocol(rustls::Error::AlertReceived(_))
        ));
    });
}

#[test]
fn who_waits_does_not_try_over_and_over() {
    run(|| async {
        let (client, _server, left, _) = pair(100_000).await;
        left.set_capacity(0);
        client.try_write(&pattern(1000)).unwrap();
        let before = left.refused();
        assert!(client.poll_flush(&mut Context::from_waker(&waker())).is_pending());
        assert_eq!(left.refused() - before, 1);
        left.set_capacity(100_000);
        poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
        assert_eq!(left.refused() - before, 1);
    });
}
