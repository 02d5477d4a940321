//! Callbacks that panic: their connection ends, and nothing else.

use crate::{MUCH, Recorder, Seen, pattern, reports, run, serve, until};
use aioli::{
    Protocol, create_connection, create_server,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[test]
fn a_panic_in_any_callback_ends_the_connection_with_an_error() {
    run(|| async {
        for call in ["made", "data", "eof", "pause", "resume"] {
            let reports = reports();
            let seen = Seen::default();
            let recorder = Recorder::new(&seen).hook(move |now, transport| {
                if now == "data" && ["pause", "resume"].contains(&call) {
                    transport.write(pattern(MUCH));
                }
                assert_ne!(now, call, "on purpose");
            });
            let (server, mut peer) = serve(recorder).await;
            let _ = peer.write_all(b"hello").await;
            if call == "resume" {
                let _ = peer.read_exact(&mut vec![0; MUCH]).await;
            } else {
                let _ = peer.close().await;
            }
            let calls = seen.all().await;
            assert_eq!(calls[calls.len() - 2..], [call, "lost: Other"]);
            let reports = reports();
            assert!(reports.len() == 1 && reports[0].contains("on purpose"), "{reports:?}");
            until(|| server.connections() == 0).await;
        }
    });
}

#[test]
fn a_panic_when_the_connection_is_lost_is_reported_and_that_is_all() {
    run(|| async {
        let reports = reports();
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, _| assert_ne!(call, "lost", "on purpose"));
        let (server, peer) = serve(recorder).await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "eof", "lost"]);
        until(|| server.connections() == 0).await;
        assert_eq!(reports().len(), 1);
    });
}

#[test]
fn a_client_whose_connection_made_panics_gets_an_error() {
    run(|| async {
        let reports = reports();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, _| assert_ne!(call, "made", "on purpose"));
        let made = create_connection(|| recorder, listener.local_addr().unwrap()).await;
        let text = made.unwrap_err().to_string();
        assert!(
            text.contains("connection_made") && text.contains("on purpose"),
            "{text}"
        );
        assert_eq!(seen.all().await, ["made", "lost: Other"]);
        assert_eq!(reports().len(), 1);
        let (mut peer, _) = listener.accept().await.unwrap();
        assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn a_factory_that_panics_costs_its_connection_alone() {
    run(|| async {
        let reports = reports();
        let (seen, first) = (Seen::default(), AtomicBool::new(true));
        let made = seen.clone();
        let factory = move || {
            assert!(!first.swap(false, SeqCst), "on purpose");
            Recorder::new(&made)
        };
        let server = create_server(factory, "127.0.0.1:0").await.unwrap();
        let mut unlucky = TcpStream::connect(server.local_addr()).await.unwrap();
        assert_eq!(unlucky.read(&mut [0; 1]).await.unwrap(), 0);
        until(|| server.connections() == 0).await;
        assert_eq!(reports().len(), 1);
        let peer = TcpStream::connect(server.local_addr()).await.unwrap();
        seen.until_called("made").await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "eof", "lost"]);
    });
}

/// Panics when it is dropped.
struct Brittle;

impl Protocol for Brittle {
    fn data_received(&mut self, _: &[u8]) {}
}

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn a_protocol_whose_drop_panics_is_reported() {
    run(|| async {
        let reports = reports();
        let (server, peer) = serve(Brittle).await;
        drop(peer);
        until(|| server.connections() == 0).await;
        let mut told = reports();
        until(|| {
            told.extend(reports());
            !told.is_empty()
        })
        .await;

        let (server, _peer) = serve(Brittle).await;
        let seen = Seen::default();
        let swapped = create_connection(|| Brittle, server.local_addr()).await.unwrap();
        swapped.set_protocol(Recorder::new(&seen));
        assert_eq!(seen.all().await, ["lost: Other"]);
    });
}
