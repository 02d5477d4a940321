//! Reading: lines, exact counts and separators, what overruns the limit, and reads that are cancelled.

use crate::{pair, pattern, run};
use aioli::{IncompleteReadError, LimitOverrunError, ReadError, create_task, io::AsyncWriteExt, wait_for, yield_now};
use futures_lite::future::poll_once;
use std::{io, pin::pin, time::Duration};

#[test]
fn lines_come_one_by_one_and_the_rest_at_the_end() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        peer.write_all(b"one\n\nthree\r\nrest").await.unwrap();
        drop(peer);
        assert_eq!(reader.readline().await.unwrap(), b"one\n");
        assert_eq!(reader.readline().await.unwrap(), b"\n");
        assert_eq!(reader.readline().await.unwrap(), b"three\r\n");
        assert!(!reader.at_eof());
        assert_eq!(reader.readline().await.unwrap(), b"rest");
        assert!(reader.at_eof());
        assert_eq!(reader.readline().await.unwrap(), b"");
    });
}

#[test]
fn an_exact_count_is_exact_and_not_bounded_by_the_limit() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        let bytes = pattern(1_000_000);
        let sent = bytes.clone();
        let sender = create_task(async move { peer.write_all(&sent).await.map(|()| peer) });
        reader.set_limit(10);
        assert_eq!(reader.readexactly(0).await.unwrap(), b"");
        assert_eq!(reader.readexactly(3).await.unwrap(), bytes[..3]);
        assert!(reader.readexactly(999_997).await.unwrap() == bytes[3..]);
        sender.await.unwrap().unwrap();
    });
}

#[test]
fn an_exact_count_that_the_stream_does_not_have_gives_what_there_was() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        peer.write_all(b"four").await.unwrap();
        drop(peer);
        match reader.readexactly(10).await {
            Err(ReadError::Incomplete(error)) => assert_eq!(
                error,
                IncompleteReadError {
                    partial: b"four".to_vec(),
                    expected: Some(10)
                }
            ),
            other => panic!("{other:?}"),
        }
        assert!(reader.at_eof());
        let error = io::Error::from(reader.readuntil(b"x").await.unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            error.to_string(),
            "the stream ended after 0 bytes, without the separator"
        );
    });
}

#[test]
fn a_separator_may_come_in_pieces() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        let read = create_task(async move { (reader.readuntil(b"<end>").await, reader.readuntil("\r\n").await) });
        for piece in ["a<en", "b<", "e", "nd", ">c\r", "\r", "\n"] {
            peer.write_all(piece.as_bytes()).await.unwrap();
            yield_now().await;
        }
        let (first, second) = read.await.unwrap();
        assert_eq!(first.unwrap(), b"a<enb<end>");
        assert_eq!(second.unwrap(), b"c\r\r\n");
    });
}

#[test]
fn what_overruns_the_limit_stays_in_the_stream() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        reader.set_limit(4);
        peer.write_all(b"12345;1234;").await.unwrap();
        for _ in 0..2 {
            match reader.readuntil(b";").await {
                Err(ReadError::LimitOverrun(error)) => {
                    assert_eq!(error, LimitOverrunError { consumed: 5, limit: 4 });
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(reader.readexactly(6).await.unwrap(), b"12345;");
        assert_eq!(reader.readuntil(b";").await.unwrap(), b"1234;");
    });
}

#[test]
fn a_line_that_overruns_the_limit_is_skipped() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        assert_eq!(reader.limit(), 64 * 1024);
        reader.set_limit(8);
        peer.write_all(b"much too long\nshort\n").await.unwrap();
        let error = io::Error::from(reader.readline().await.unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(reader.readline().await.unwrap(), b"short\n");
    });
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        let sender = create_task(async move {
            let endless = vec![b'x'; 1024 * 1024];
            let _ = peer.write_all(&endless).await;
        });
        match reader.readline().await {
            Err(ReadError::LimitOverrun(error)) => assert!((64 * 1024..256 * 1024).contains(&error.consumed)),
            other => panic!("{other:?}"),
        }
        drop((reader, _writer));
        sender.await.unwrap();
    });
}

#[test]
#[should_panic(expected = "a separator needs at least one byte")]
fn an_empty_separator_is_a_mistake() {
    run(|| async {
        let (mut reader, _writer, _peer) = pair().await;
        let _ = reader.readuntil(b"").await;
    });
}

#[test]
fn a_cancelled_read_loses_no_byte() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        let bytes = b"first part, second part\nthe rest";
        let mut byte = [0];
        for piece in bytes.chunks(5) {
            peer.write_all(piece).await.unwrap();
            // Each of them takes a look at what has come, wants more, and is dropped.
            assert!(
                wait_for(reader.readexactly(1000), Duration::from_millis(1))
                    .await
                    .is_err()
            );
            assert!(
                wait_for(reader.readuntil(b"#"), Duration::from_millis(1))
                    .await
                    .is_err()
            );
            assert!(wait_for(reader.read_to_eof(), Duration::from_millis(1)).await.is_err());
        }
        assert_eq!(reader.read(&mut byte).await.unwrap(), 1);
        assert_eq!(byte, [b'f']);
        assert_eq!(reader.readline().await.unwrap(), b"irst part, second part\n");
        assert!(poll_once(pin!(reader.readline())).await.is_none());
        drop(peer);
        assert_eq!(reader.read_to_eof().await.unwrap(), b"the rest");
        assert_eq!(reader.read(&mut byte).await.unwrap(), 0);
    });
}

#[test]
fn a_read_gives_what_is_there_and_an_empty_one_nothing() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        assert_eq!(reader.read(&mut []).await.unwrap(), 0);
        peer.write_all(b"abcdef").await.unwrap();
        let mut buf = [0; 4];
        assert_eq!(reader.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"abcd");
        assert_eq!(reader.read(&mut buf).await.unwrap(), 2);
        assert_eq!(&buf[..2], b"ef");
    });
}

#[test]
fn direct_reads_get_all_bytes_in_order_and_read_ahead() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        // More than any of the reads takes is there before the first.
        let bytes = pattern(100_000);
        peer.write_all(&bytes).await.unwrap();
        peer.close().await.unwrap();
        let mut got = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        loop {
            match reader.read(&mut buffer).await.unwrap() {
                0 => break,
                count => got.extend(&buffer[..count]),
            }
            // What was read ahead is there for other reads, too.
            if got.len() == 2 * buffer.len() {
                got.extend(reader.readexactly(1).await.unwrap());
            }
        }
        assert!(got == bytes);
        assert!(reader.at_eof());
    });
}
