//! How a connection ends.

use super::*;

#[test]
fn one_direction_ends_and_the_other_goes_on() {
    run(|| async {
        let (client, server, ..) = pair(100_000).await;
        write(&client, b"question").await.unwrap();
        end(&client, Shutdown::Write).await.unwrap();
        assert_eq!(read_to_end(&server, 8192).await.unwrap(), b"question");
        write(&server, b"answer").await.unwrap();
        end(&server, Shutdown::Both).await.unwrap();
        assert_eq!(read_to_end(&client, 8192).await.unwrap(), b"answer");
        // Over and over.
        assert!(read(&client, 8192).await.unwrap().is_empty());
        assert!(read(&client, 1).await.unwrap().is_empty());
    });
}

#[test]
fn nothing_is_written_after_the_end() {
    run(|| async {
        let (client, server, ..) = pair(100_000).await;
        end(&client, Shutdown::Write).await.unwrap();
        assert_eq!(client.try_write(b"late").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        end(&client, Shutdown::Write).await.unwrap();
        assert!(!client.needs_flush());
        assert!(read_to_end(&server, 8192).await.unwrap().is_empty());
    });
}

#[test]
fn the_end_waits_for_what_was_written() {
    run(|| async {
        let (client, server, left, _) = pair(100_000).await;
        left.set_capacity(1000);
        let bytes = pattern(60_000);
        assert_eq!(client.try_write(&bytes).unwrap(), bytes.len());
        let (_, all) = zip(
            async { end(&client, Shutdown::Write).await.unwrap() },
            read_to_end(&server, 8192),
        )
        .await;
        assert!(all.unwrap() == bytes);
    });
}

#[test]
fn a_stream_that_is_cut_off_is_no_regular_end() {
    run(|| async {
        for size in [1, 8192] {
            let (client, server, left, _) = pair(100_000).await;
            write(&client, b"a").await.unwrap();
            left.cut();
            assert_eq!(read(&server, size).await.unwrap(), b"a");
            for _ in 0..2 {
                let error = read(&server, size).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                assert!(matches!(inside(&error), TlsError::Truncated));
            }
            // The other direction is still there.
            write(&server, b"b").await.unwrap();
            assert_eq!(read(&client, 8192).await.unwrap(), b"b");
        }
    });
}

#[test]
fn a_stream_that_is_cut_off_in_a_record_is_no_regular_end() {
    run(|| async {
        let (client, server, left, _) = pair(100_000).await;
        left.set_capacity(1000);
        client.try_write(&pattern(5000)).unwrap();
        left.cut();
        let error = read(&server, 8192).await.unwrap_err();
        assert!(matches!(inside(&error), TlsError::Truncated));
    });
}

#[test]
fn closing_says_nothing_to_the_peer_and_ends_what_is_read_here() {
    run(|| async {
        let (client, server, ..) = pair(100_000).await;
        write(&server, b"unread").await.unwrap();
        let (there, _) = zip(read(&server, 8192), async { client.close() }).await;
        assert!(matches!(inside(&there.unwrap_err()), TlsError::Truncated));
        assert!(read(&client, 8192).await.unwrap().is_empty());
        assert_eq!(client.try_write(b"late").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn closing_wakes_who_reads() {
    run(|| async {
        let (client, _server, ..) = pair(100_000).await;
        let (here, _) = zip(read(&client, 8192), async { client.close() }).await;
        assert!(here.unwrap().is_empty());
    });
}

#[test]
fn data_after_the_end_of_the_peer_is_ignored() {
    run(|| async {
        let (client, server, left, _) = pair(100_000).await;
        client.try_write(b"last").unwrap();
        client.session.lock().end(Shutdown::Write);
        poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
        left.inject(&pattern(50_000));
        assert_eq!(read_to_end(&server, 8192).await.unwrap(), b"last");
    });
}
