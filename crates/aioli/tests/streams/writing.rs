//! Writing: when it waits and when it does not, and tasks that share a writer. Also through the traits of `futures-io`.

use crate::{MUCH, pair, pattern, run};
use aioli::{
    create_task, gather,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
};
use futures_lite::future::poll_once;
use std::{io, pin::pin, sync::Arc};

#[test]
fn a_small_write_is_sent_at_once() {
    run(|| async {
        let (_reader, writer, mut peer) = pair().await;
        writer.write(b"hel");
        writer.writelines(["lo", " ", "there"]);
        assert_eq!(writer.unsent(), 0);
        writer.drain().await.unwrap();
        let mut buf = [0; 11];
        peer.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello there");
    });
}

#[test]
fn a_writer_waits_for_a_slow_peer_in_drain_and_nowhere_else() {
    run(|| async {
        let (_reader, writer, mut peer) = pair().await;
        let bytes = pattern(MUCH);
        for piece in bytes.chunks(10_000) {
            writer.write(piece);
        }
        assert!(writer.unsent() > 64 * 1024);
        let writer = Arc::new(writer);
        let waiting = [writer.clone(), writer.clone()].map(|writer| create_task(async move { writer.drain().await }));
        // A cancelled `drain` takes nothing along.
        assert!(poll_once(pin!(writer.drain())).await.is_none());

        let mut got = vec![0; MUCH];
        peer.read_exact(&mut got).await.unwrap();
        assert!(got == bytes);
        for waited in waiting {
            waited.await.unwrap().unwrap();
        }
        assert!(writer.unsent() <= 16 * 1024);
    });
}

#[test]
fn tasks_that_share_a_writer_do_not_mix_their_writes() {
    run(|| async {
        let (_reader, writer, mut peer) = pair().await;
        let writer = Arc::new(writer);
        let tasks: Vec<_> = (0..8_u8)
            .map(|number| {
                let writer = writer.clone();
                create_task(async move {
                    for _ in 0..100 {
                        writer.write([number; 5_000]);
                        writer.drain().await.unwrap();
                    }
                })
            })
            .collect();
        let mut record = [0; 5_000];
        let mut counts = [0; 8];
        for _ in 0..800 {
            peer.read_exact(&mut record).await.unwrap();
            assert!(record.iter().all(|byte| *byte == record[0]));
            counts[record[0] as usize] += 1;
        }
        assert_eq!(counts, [100; 8]);
        gather(tasks).await.unwrap();
    });
}

#[test]
fn the_traits_of_futures_io_work_on_both_sides() {
    run(|| async {
        let (mut reader, mut writer, peer) = pair().await;
        let bytes = pattern(MUCH);
        let echo = create_task(async move {
            let (mut input, mut output) = (&peer, &peer);
            aioli::io::copy(&mut input, &mut output).await.unwrap();
            output.close().await.unwrap();
        });
        let sent = bytes.clone();
        let sender = create_task(async move {
            // What was written without waiting stays in front.
            writer.write(&sent[..MUCH / 2]);
            writer.write_all(&sent[MUCH / 2..]).await.unwrap();
            AsyncWriteExt::flush(&mut writer).await.unwrap();
            AsyncWriteExt::close(&mut writer).await.unwrap();
            AsyncWriteExt::write(&mut writer, b"more").await.unwrap_err().kind()
        });
        let mut got = reader.fill_buf().await.unwrap()[..1].to_vec();
        reader.consume(1);
        AsyncReadExt::read_to_end(&mut reader, &mut got).await.unwrap();
        assert!(got == bytes);
        assert_eq!(sender.await.unwrap(), io::ErrorKind::BrokenPipe);
        echo.await.unwrap();
    });
}

#[test]
fn who_writes_by_the_trait_waits_for_room_and_is_told_of_the_end() {
    run(|| async {
        let (_reader, mut writer, mut peer) = pair().await;
        let bytes = pattern(MUCH);
        let theirs = bytes.clone();
        let writing = create_task(async move {
            writer.write_all(&theirs).await.unwrap();
            assert!(writer.unsent() <= 64 * 1024, "no more is kept");
            AsyncWriteExt::close(&mut writer).await.unwrap();
        });
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes);
        writing.await.unwrap();
    });
}
