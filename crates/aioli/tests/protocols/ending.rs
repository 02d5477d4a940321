//! Closing, aborting, and what ends a connection from outside: peers that reset it, a server, a loop.

use crate::{MUCH, Recorder, Seen, pattern, reset, run, serve, until};
use aioli::{
    Builder, Runner,
    io::{AsyncReadExt, AsyncWriteExt},
    to_thread,
};
use std::sync::{Arc, Mutex};

#[test]
fn close_sends_what_was_written() {
    run(|| async {
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, transport| {
            if call == "made" {
                transport.write(pattern(MUCH));
                transport.close();
                transport.write(b"too late");
            }
        });
        let (server, mut peer) = serve(recorder).await;
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert!(got == pattern(MUCH));
        let calls = seen.all().await;
        assert_eq!((calls[0].as_str(), calls.last().unwrap().as_str()), ("made", "lost"));
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn abort_drops_what_was_written() {
    run(|| async {
        let seen = Seen::default();
        let (_server, mut peer) = serve(Recorder::new(&seen)).await;
        seen.until_called("made").await;
        let transport = seen.transport();
        transport.write(pattern(MUCH));
        transport.abort();
        transport.abort();
        assert!(transport.is_closing());
        assert_eq!(transport.write_buffer_size(), 0);
        assert_eq!(seen.all().await.last().unwrap(), "lost");
        let mut got = Vec::new();
        let _ = peer.read_to_end(&mut got).await;
        assert!(got.len() < MUCH);
    });
}

#[test]
fn a_connection_ends_from_any_thread_and_from_any_callback() {
    run(|| async {
        for call in ["made", "data", "eof", "pause"] {
            for abort in [false, true] {
                let seen = Seen::default();
                let recorder = Recorder::new(&seen).keep_open().hook(move |now, transport| {
                    if now == "data" && call == "pause" {
                        transport.write(pattern(MUCH));
                    }
                    if now == call {
                        if abort { transport.abort() } else { transport.close() }
                    }
                });
                let (_server, mut peer) = serve(recorder).await;
                // It may be gone by now.
                let _ = peer.write_all(b"hello").await;
                let _ = peer.close().await;
                let _ = peer.read_to_end(&mut Vec::new()).await;
                assert_eq!(seen.all().await.last().unwrap(), "lost", "{call}, abort: {abort}");
            }
        }
        for abort in [false, true] {
            let seen = Seen::default();
            let (_server, _peer) = serve(Recorder::new(&seen)).await;
            seen.until_called("made").await;
            let transport = seen.transport();
            let end = move || if abort { transport.abort() } else { transport.close() };
            to_thread(end).await.unwrap();
            assert_eq!(seen.all().await, ["made", "lost"]);
        }
    });
}

#[test]
fn a_reset_is_an_error() {
    run(|| async {
        let seen = Seen::default();
        let (_server, mut peer) = serve(Recorder::new(&seen)).await;
        peer.write_all(b"hello").await.unwrap();
        seen.until_called("data").await;
        reset(peer);
        assert_eq!(seen.all().await, ["made", "data", "lost: ConnectionReset"]);
    });
}

#[test]
fn a_reset_while_bytes_are_unsent_is_an_error() {
    run(|| async {
        for paused in [false, true] {
            let seen = Seen::default();
            let (_server, peer) = serve(Recorder::new(&seen)).await;
            seen.until_called("made").await;
            let transport = seen.transport();
            if paused {
                transport.pause_reading();
            }
            transport.write(pattern(MUCH));
            seen.until_called("pause").await;
            if paused {
                // Nobody reads, so only who writes can notice, also when it is closing.
                transport.close();
            }
            reset(peer);
            let calls = seen.all().await;
            let expected = ["lost: ConnectionReset", "lost: BrokenPipe"];
            assert!(expected.contains(&calls.last().unwrap().as_str()), "{calls:?}");
        }
    });
}

#[test]
fn a_server_ends_its_connections() {
    run(|| async {
        for abort in [false, true] {
            let seen = Seen::default();
            let (server, mut peer) = serve(Recorder::new(&seen)).await;
            seen.until_called("made").await;
            assert_eq!(server.connections(), 1);
            // It may know the connection as something that arrives only, for a moment.
            server.close();
            if abort {
                server.abort_clients();
            } else {
                server.close_clients();
            }
            server.wait_closed().await;
            // The server has waited for the protocol's end.
            assert!(seen.lock().dropped);
            assert_eq!(seen.calls(), ["made", "lost"]);
            assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0);
        }
    });
}

#[test]
fn handles_that_outlive_the_connection_do_nothing() {
    run(|| async {
        let seen = Seen::default();
        let (server, peer) = serve(Recorder::new(&seen)).await;
        seen.until_called("made").await;
        let transport = seen.transport();
        transport.close();
        seen.all().await;
        until(|| server.connections() == 0).await;
        drop(peer);
        transport.write(b"anybody?");
        transport.write_eof();
        transport.close();
        transport.abort();
        transport.pause_reading();
        transport.resume_reading();
        assert!(transport.is_closing() && !transport.is_reading());
        assert_eq!(transport.write_buffer_size(), 0);
        // A protocol that comes too late is dropped, and not kept.
        let late = Seen::default();
        transport.set_protocol(Recorder::new(&late));
        assert!(late.lock().dropped);
        assert!(late.calls().is_empty());
    });
}

#[test]
fn a_loop_that_ends_tells_its_protocols() {
    for workers in [1, 2] {
        let seen = Seen::default();
        let kept = Arc::new(Mutex::new(None));
        {
            let mut runner: Runner = Builder::new().workers(workers).build().unwrap();
            runner.run(async {
                *kept.lock().unwrap() = Some(serve(Recorder::new(&seen)).await);
                seen.until_called("made").await;
                seen.transport().write(pattern(MUCH));
            });
        }
        let calls = seen.calls();
        assert_eq!(calls.last().unwrap(), "lost: ConnectionAborted", "{calls:?}");
        assert!(seen.lock().dropped);
        assert!(seen.transport().is_closing());
    }
}
