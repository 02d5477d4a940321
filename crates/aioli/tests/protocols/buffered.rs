//! Protocols that say where bytes are read into.

use crate::{LIMIT, MUCH, Seen, pattern, reports, run, serve};
use aioli::{BufferedProtocol, Protocol, Transport, io::AsyncWriteExt, wait_for};
use std::io;

/// Reads into a buffer of this size.
struct Buffered {
    seen: Seen,
    buffer: Vec<u8>,
    panics_in: &'static str,
}

impl Buffered {
    fn new(seen: &Seen, size: usize) -> Self {
        Self {
            seen: seen.clone(),
            buffer: vec![0; size],
            panics_in: "",
        }
    }
}

impl BufferedProtocol for Buffered {
    fn connection_made(&mut self, transport: &Transport) {
        self.seen.lock().transport = Some(transport.clone());
        self.seen.note("made");
    }

    fn get_buffer(&mut self, hint: usize) -> &mut [u8] {
        assert!(hint > 0);
        assert_ne!(self.panics_in, "get_buffer", "on purpose");
        &mut self.buffer
    }

    fn buffer_updated(&mut self, count: usize) {
        assert!(count > 0);
        assert_ne!(self.panics_in, "buffer_updated", "on purpose");
        self.seen.lock().data.extend_from_slice(&self.buffer[..count]);
        self.seen.note("data");
    }

    fn eof_received(&mut self) -> bool {
        self.seen.note("eof");
        false
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.seen.note(format!("lost: {:?}", error.map(|error| error.kind())));
    }

    fn pause_writing(&mut self) {
        self.seen.note("pause");
    }

    fn resume_writing(&mut self) {
        self.seen.note("resume");
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        self.seen.lock().dropped = true;
    }
}

#[test]
fn bytes_go_where_the_protocol_says() {
    run(|| async {
        for (size, length) in [(1, 1000), (7, 10_000), (1 << 20, MUCH)] {
            let seen = Seen::default();
            let (_server, mut peer) = serve(Buffered::new(&seen, size)).await;
            wait_for(peer.write_all(&pattern(length)), LIMIT)
                .await
                .unwrap()
                .unwrap();
            drop(peer);
            assert_eq!(seen.all().await, ["made", "data", "eof", "lost: None"]);
            assert!(seen.lock().data == pattern(length));
        }
    });
}

#[test]
fn it_is_told_of_writing_as_others_are() {
    run(|| async {
        let seen = Seen::default();
        let (_server, peer) = serve(Buffered::new(&seen, 10)).await;
        seen.until_called("made").await;
        seen.transport().write(pattern(MUCH));
        seen.until_called("pause").await;
        seen.transport().set_write_buffer_limits(Some(2 * MUCH), Some(2 * MUCH));
        seen.until_called("resume").await;
        seen.transport().abort();
        assert_eq!(seen.all().await, ["made", "pause", "resume", "lost: None"]);
        drop(peer);
    });
}

#[test]
fn a_buffer_of_no_bytes_ends_the_connection() {
    run(|| async {
        let reports = reports();
        let seen = Seen::default();
        let (_server, _peer) = serve(Buffered::new(&seen, 0)).await;
        assert_eq!(seen.all().await, ["made", "lost: Some(InvalidInput)"]);
        let reports = reports();
        assert!(reports.len() == 1 && reports[0].contains("get_buffer"), "{reports:?}");
    });
}

#[test]
fn a_panic_in_its_own_callbacks_ends_the_connection() {
    run(|| async {
        for callback in ["get_buffer", "buffer_updated"] {
            let reports = reports();
            let seen = Seen::default();
            let mut protocol = Buffered::new(&seen, 10);
            protocol.panics_in = callback;
            let (_server, mut peer) = serve(protocol).await;
            let _ = peer.write_all(b"hello").await;
            assert_eq!(seen.all().await, ["made", "lost: Some(Other)"]);
            assert_eq!(reports().len(), 1);
        }
    });
}

#[test]
fn it_takes_bytes_from_whoever_has_them() {
    let seen = Seen::default();
    let mut protocol = Buffered::new(&seen, 3);
    protocol.data_received(b"more than fits");
    assert_eq!(seen.lock().data, b"more than fits");
}
