//! The end of a connection: writers that are closed or dropped, peers that reset it, and a loop that ends first.

use crate::{MUCH, pair, pattern, run};
use aioli::{
    Builder, ReadError, StreamWriter, create_task,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    yield_now,
};
use futures_lite::future::poll_once;
use std::{io, pin::pin, sync::Arc, time::Duration};

#[test]
fn a_dropped_writer_delivers_what_it_has_and_then_the_end() {
    run(|| async {
        let (reader, writer, mut peer) = pair().await;
        let bytes = pattern(MUCH);
        writer.write(&bytes);
        drop((reader, writer));
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes);
    });
}

#[test]
fn a_closed_writer_delivers_what_it_has_and_takes_no_more() {
    run(|| async {
        let (mut reader, writer, mut peer) = pair().await;
        let bytes = pattern(MUCH);
        writer.write(&bytes);
        assert!(!writer.is_closing());
        writer.close();
        assert!(writer.is_closing());
        assert!(poll_once(pin!(writer.wait_closed())).await.is_none());
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes);
        writer.wait_closed().await.unwrap();
        // Closing ends reading too.
        assert_eq!(reader.readline().await.unwrap(), b"");
        writer.write(b"too late");
        assert_eq!(writer.drain().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn what_is_written_after_the_end_costs_nothing_of_what_was_written_before() {
    // After both kinds of end.
    for end in [StreamWriter::close, StreamWriter::write_eof] {
        run(|| async {
            let (_reader, writer, mut peer) = pair().await;
            let bytes = pattern(20 * 1024 * 1024);
            writer.write(&bytes);
            end(&writer);
            writer.write(b"too late");
            assert!(writer.unsent() > 0, "the peer has not read yet");
            // Some turns for the background, in which nobody reads.
            for _ in 0..10 {
                yield_now().await;
            }
            let mut got = Vec::new();
            peer.read_to_end(&mut got).await.unwrap();
            assert!(got == bytes);
            assert_eq!(writer.drain().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(writer.unsent(), 0);
        });
    }
}

#[test]
fn after_the_end_of_writing_reading_goes_on() {
    run(|| async {
        let (mut reader, writer, mut peer) = pair().await;
        writer.write(b"question");
        writer.write_eof();
        let mut question = Vec::new();
        peer.read_to_end(&mut question).await.unwrap();
        assert_eq!(question, b"question");
        peer.write_all(b"answer").await.unwrap();
        peer.close().await.unwrap();
        assert_eq!(reader.read_to_eof().await.unwrap(), b"answer");
        writer.drain().await.unwrap();
    });
}

#[test]
fn closing_ends_a_read_that_another_task_is_waiting_in() {
    run(|| async {
        let (mut reader, writer, _peer) = pair().await;
        let mut reading = create_task(async move { reader.readline().await });
        yield_now().await;
        assert!(poll_once(pin!((&mut reading).into_future())).await.is_none());
        writer.close();
        assert_eq!(reading.await.unwrap().unwrap(), b"");
    });
}

/// Has the peer vanish: what it does next is to reset the connection.
fn reset(peer: TcpStream) {
    let peer = peer.into_std();
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_reset_is_an_error_for_every_read_after_what_had_arrived() {
    run(|| async {
        let (mut reader, _writer, mut peer) = pair().await;
        peer.write_all(b"before").await.unwrap();
        assert_eq!(reader.fill_buf().await.unwrap(), b"before");
        reset(peer);
        for _ in 0..2 {
            match reader.readline().await {
                Err(ReadError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(reader.readexactly(6).await.unwrap(), b"before");
        let error = reader.read(&mut [0; 16 * 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(!reader.at_eof());
    });
}

#[test]
fn a_reset_while_bytes_are_unsent_reaches_everybody_who_waits() {
    run(|| async {
        let (_reader, writer, peer) = pair().await;
        writer.write(pattern(MUCH));
        let writer = Arc::new(writer);
        let drained = create_task({
            let writer = writer.clone();
            async move { writer.drain().await }
        });
        writer.close();
        let closed = create_task({
            let writer = writer.clone();
            async move { writer.wait_closed().await }
        });
        yield_now().await;
        reset(peer);
        let failed = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(failed.contains(&drained.await.unwrap().unwrap_err().kind()));
        assert!(failed.contains(&closed.await.unwrap().unwrap_err().kind()));
        assert_eq!(writer.unsent(), 0);
    });
}

#[test]
fn a_loop_may_end_with_bytes_unsent() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    let (writer, _peer) = runner.run(async {
        let (_reader, writer, peer) = pair().await;
        writer.write(pattern(MUCH));
        (writer, peer)
    });
    assert!(writer.unsent() > 0);
    runner.close();
    assert_eq!(writer.unsent(), 0);
    // And a write that comes even later fails as well.
    writer.write(b"anybody?");
    let mut other = Builder::new().workers(1).build().unwrap();
    let error = other.run(async { writer.drain().await }).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
}
