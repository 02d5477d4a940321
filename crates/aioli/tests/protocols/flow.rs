//! Who waits for whom: reading that is paused, and writing that is to be.

use crate::{MUCH, Recorder, Seen, pattern, run, serve, until};
use aioli::{
    create_task,
    io::{AsyncReadExt, AsyncWriteExt},
    to_thread, yield_now,
};

/// Some turns in which something wrong could happen.
async fn some_turns() {
    for _ in 0..200 {
        yield_now().await;
    }
}

#[test]
fn nothing_is_received_while_reading_is_paused() {
    run(|| async {
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, transport| {
            // In a callback it holds at once: one read is all that comes.
            if call == "data" {
                transport.pause_reading();
            }
        });
        let (_server, mut peer) = serve(recorder).await;
        peer.write_all(b"one").await.unwrap();
        seen.until_called("data").await;
        let transport = seen.transport();
        assert!(!transport.is_reading());
        transport.pause_reading();
        peer.write_all(b"two").await.unwrap();
        peer.close().await.unwrap();
        some_turns().await;
        assert_eq!(seen.lock().data, b"one");
        // Once is enough, however often it was paused.
        transport.resume_reading();
        seen.until(|record| record.data == b"onetwo").await;
        assert!(!transport.is_reading());
        some_turns().await;
        assert_eq!(seen.calls(), ["made", "data"], "the end waits, too");
        transport.resume_reading();
        assert_eq!(seen.all().await, ["made", "data", "eof", "lost"]);
    });
}

#[test]
fn reading_is_resumed_from_any_thread() {
    run(|| async {
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|_, transport| transport.pause_reading());
        let (_server, mut peer) = serve(recorder).await;
        seen.until_called("made").await;
        for round in 1..=50 {
            peer.write_all(b"x").await.unwrap();
            let transport = seen.transport();
            to_thread(move || transport.resume_reading()).await.unwrap();
            seen.until(|record| record.data.len() == round).await;
        }
    });
}

#[test]
fn a_peer_that_is_not_read_from_has_to_wait() {
    run(|| async {
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, transport| {
            if call == "made" {
                transport.pause_reading();
            }
        });
        let (_server, mut peer) = serve(recorder).await;
        let bytes = pattern(MUCH);
        let sent = bytes.clone();
        let writing = create_task(async move {
            peer.write_all(&sent).await.unwrap();
            peer
        });
        seen.until_called("made").await;
        some_turns().await;
        assert!(!writing.is_finished());
        seen.transport().resume_reading();
        seen.until(|record| record.data.len() == MUCH).await;
        assert!(seen.lock().data == bytes);
        drop(writing.await.unwrap());
        seen.all().await;
    });
}

#[test]
fn writing_is_paused_above_the_high_mark_and_resumed_at_the_low_one() {
    run(|| async {
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, transport| {
            if call == "data" {
                transport.set_write_buffer_limits(Some(100_000), Some(1000));
                transport.write(pattern(MUCH));
                assert!(transport.write_buffer_size() > 100_000);
            }
            if call == "resume" {
                assert!(transport.write_buffer_size() <= 1000);
            }
        });
        let (_server, mut peer) = serve(recorder).await;
        peer.write_all(b"go").await.unwrap();
        seen.until_called("pause").await;
        assert_eq!(seen.transport().write_buffer_limits(), (1000, 100_000));
        assert_eq!(seen.calls(), ["made", "data", "pause"]);
        let mut got = vec![0; MUCH];
        peer.read_exact(&mut got).await.unwrap();
        assert!(got == pattern(MUCH));
        seen.until_called("resume").await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "data", "pause", "resume", "eof", "lost"]);
    });
}

#[test]
fn a_task_that_writes_too_much_is_told_as_well() {
    run(|| async {
        let seen = Seen::default();
        let (_server, mut peer) = serve(Recorder::new(&seen)).await;
        seen.until_called("made").await;
        // The connection's task is waiting for the peer.
        some_turns().await;
        let transport = seen.transport();
        transport.write(pattern(MUCH));
        seen.until_called("pause").await;
        // Marks that are moved past what is unsent count as well.
        transport.set_write_buffer_limits(Some(2 * MUCH), None);
        seen.until(|record| record.calls.last().is_some_and(|call| call == "pause"))
            .await;
        transport.set_write_buffer_limits(Some(8 * MUCH), None);
        seen.until_called("resume").await;
        transport.set_write_buffer_limits(Some(0), None);
        seen.until(|record| record.calls.last().is_some_and(|call| call == "pause"))
            .await;
        transport.close();
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert!(got == pattern(MUCH));
        let calls = seen.all().await;
        let expected = ["made", "pause", "resume", "pause", "resume", "lost"];
        // What is sent last may be over before the protocol is told.
        assert!(
            calls == expected || calls == ["made", "pause", "resume", "pause", "lost"],
            "{calls:?}"
        );
    });
}

#[test]
fn a_transport_that_is_closing_receives_no_more() {
    run(|| async {
        for by_server in [false, true] {
            let seen = Seen::default();
            let (server, mut peer) = serve(Recorder::new(&seen)).await;
            seen.until_called("made").await;
            let transport = seen.transport();
            transport.write(pattern(MUCH));
            if by_server {
                server.close_clients();
            } else {
                transport.close();
            }
            assert!(transport.is_closing() && !transport.is_reading());
            seen.until_called("pause").await;
            peer.write_all(b"anybody?").await.unwrap();
            some_turns().await;
            transport.resume_reading();
            some_turns().await;
            assert_eq!(seen.calls(), ["made", "pause"]);
            let mut got = Vec::new();
            // It is reset in the end, by what was not read, and perhaps before the last bytes are read.
            while let Ok(1..) = peer.read(got_more(&mut got)).await {}
            let calls = seen.all().await;
            assert_eq!(calls.last().unwrap(), "lost");
            assert!(seen.lock().data.is_empty());
            until(|| server.connections() == 0).await;
        }
    });
}

/// Room to read into; what is read does not matter.
fn got_more(got: &mut Vec<u8>) -> &mut [u8] {
    got.resize(64 * 1024, 0);
    got
}
