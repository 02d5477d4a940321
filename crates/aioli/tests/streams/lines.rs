//! Lines as a stream, separators of several kinds, and water marks that were set.

use crate::{MUCH, pair, pattern, run};
use aioli::{ReadError, create_task, io::AsyncWriteExt, yield_now};
use futures_lite::{StreamExt, future::poll_once};
use std::pin::pin;

#[test]
fn a_reader_is_a_stream_of_lines() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        peer.write_all(b"one\n\ntwo\nthe rest").await.unwrap();
        peer.close().await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await {
            lines.push(String::from_utf8(line.unwrap()).unwrap());
        }
        assert_eq!(lines, ["one\n", "\n", "two\n", "the rest"]);
        assert!(reader.at_eof());
        assert!(reader.next().await.is_none());
    });
}

#[test]
fn a_line_that_comes_byte_by_byte_is_one_line() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        let feeding = create_task(async move {
            for byte in b"slow\nfast\n" {
                peer.write_all(&[*byte]).await.unwrap();
                yield_now().await;
            }
            peer
        });
        assert_eq!(reader.next().await.unwrap().unwrap(), b"slow\n");
        // A wait for the next one that is given up loses nothing, and does not confuse other reads.
        assert!(poll_once(pin!(reader.next())).await.is_none_or(|line| line.is_some()));
        drop(feeding.await.unwrap());
        let rest = reader.read_to_eof().await.unwrap();
        assert!(rest.is_empty() || rest == b"fast\n");
    });
}

#[test]
fn a_line_that_is_too_long_is_an_error_and_the_stream_goes_on() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        reader.set_limit(4);
        peer.write_all(b"much too long\nfine\n").await.unwrap();
        peer.close().await.unwrap();
        match reader.next().await {
            Some(Err(ReadError::LimitOverrun(error))) => assert_eq!(error.limit, 4),
            other => panic!("{other:?}"),
        }
        assert_eq!(reader.next().await.unwrap().unwrap(), b"fine\n");
        assert!(reader.next().await.is_none());
    });
}

#[test]
fn the_separator_that_ends_first_counts() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        peer.write_all(b"a--b-c->d").await.unwrap();
        peer.close().await.unwrap();
        assert_eq!(reader.readuntil_any(&["->", "--"]).await.unwrap(), b"a--");
        assert_eq!(reader.readuntil_any(&["->", "-c->", "-"]).await.unwrap(), b"b-");
        assert_eq!(reader.readuntil_any(&["->", "-c->"]).await.unwrap(), b"c->");
        match reader.readuntil_any(&["x", "yy"]).await {
            Err(ReadError::Incomplete(error)) => assert_eq!(error.partial, b"d"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
#[should_panic(expected = "there is no separator")]
fn no_separator_is_a_mistake() {
    run(|| async {
        let (mut reader, _writer, _peer) = pair().await;
        let _ = reader.readuntil_any::<&str>(&[]).await;
    });
}

#[test]
fn water_marks_say_when_draining_waits() {
    run(|| async {
        let (_reader, writer, mut peer) = pair().await;
        assert_eq!(writer.write_buffer_limits(), (16 * 1024, 64 * 1024));
        writer.write(pattern(MUCH));
        assert!(poll_once(pin!(writer.drain())).await.is_none());
        // With a mark above what is unsent there is nothing to wait for.
        writer.set_write_buffer_limits(Some(2 * MUCH), None);
        assert_eq!(writer.write_buffer_limits(), (MUCH / 2, 2 * MUCH));
        assert!(
            poll_once(pin!(writer.drain())).await.is_none(),
            "not yet at the low mark"
        );
        writer.set_write_buffer_limits(Some(2 * MUCH), Some(MUCH));
        writer.drain().await.unwrap();
        // At zero, everything has to be sent.
        writer.set_write_buffer_limits(Some(0), None);
        let drained = create_task(async move {
            writer.drain().await.unwrap();
            assert_eq!(writer.unsent(), 0);
            writer
        });
        let mut rest = vec![0; MUCH];
        futures_lite::AsyncReadExt::read_exact(&mut peer, &mut rest)
            .await
            .unwrap();
        drained.await.unwrap();
    });
}

#[test]
#[should_panic(expected = "the low mark, 2, is above the high mark, 1")]
fn water_marks_the_wrong_way_round_are_a_mistake() {
    run(|| async {
        let (_reader, writer, _peer) = pair().await;
        writer.set_write_buffer_limits(Some(1), Some(2));
    });
}
