//! Streams: what asyncio's do, with one worker and with two.

use aioli::{
    Builder, EventLoop, IncompleteReadError, LimitOverrunError, ReadError, StreamReader, StreamWriter, create_task,
    gather,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    open_connection, start_server, wait_for, yield_now,
};
use futures_lite::future::poll_once;
use std::{
    future::Future,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    time::Duration,
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// More than the system takes without anybody reading.
const MUCH: usize = 16 * 1024 * 1024;

/// Runs a test with one worker and with two; one that hangs fails.
fn run<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for workers in [1, 2] {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(async { wait_for(test(), LIMIT).await.expect("the test hangs") });
    }
}

/// A connection, with streams at one end and a plain socket at the other.
async fn pair() -> (StreamReader, StreamWriter, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (reader, writer) = open_connection(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (reader, writer, peer)
}

/// Bytes in which every misplaced piece shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8)
        .collect()
}

/// Has the peer vanish: what it does next is to reset the connection.
fn reset(peer: TcpStream) {
    let peer = peer.into_std();
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
}

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
                        writer.write(&[number; 5_000]);
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

/// A waker that somebody holds, or nobody.
struct Held;

impl Wake for Held {
    fn wake(self: Arc<Self>) {}
}

/// Has `future` wait for once, drops it, and asks that nobody holds the waker any more.
fn leaves_nothing_behind(future: impl Future) {
    let held = Arc::new(Held);
    let waker = Waker::from(held.clone());
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(Arc::strong_count(&held) > 2, "it does not wait");
    drop((future, waker));
    assert_eq!(Arc::strong_count(&held), 1, "a waiter that is gone is remembered");
}

#[test]
fn waiters_that_are_dropped_leave_nothing_behind() {
    run(|| async {
        let (_reader, writer, _peer) = pair().await;
        writer.write(&pattern(MUCH));
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        for _ in 0..3 {
            leaves_nothing_behind(writer.drain());
            leaves_nothing_behind(writer.wait_closed());
            leaves_nothing_behind(server.wait_closed());
        }
        writer.close();
        leaves_nothing_behind(writer.wait_closed());
    });
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
        writer.write(&pattern(MUCH));
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
        writer.write(&pattern(MUCH));
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

async fn shout(mut reader: StreamReader, writer: StreamWriter) {
    while let Ok(line @ [_, ..]) = reader.readline().await.as_deref() {
        writer.write(&line.to_ascii_uppercase());
        if writer.drain().await.is_err() {
            return;
        }
    }
}

async fn ask(address: SocketAddr, question: &str) -> io::Result<String> {
    let (mut reader, writer) = open_connection(address).await?;
    writer.write(format!("{question}\n").as_bytes());
    let answer = reader.readline().await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[test]
fn a_server_serves_many_clients_at_a_time() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let answers = gather((0..200).map(|n| async move { ask(address, &format!("client {n}")).await.unwrap() }));
        for (n, answer) in answers.await.unwrap().into_iter().enumerate() {
            assert_eq!(answer, format!("CLIENT {n}\n"));
        }
        server.close();
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn a_closed_server_refuses_and_waits_for_those_it_has() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let (mut reader, writer) = open_connection(address).await.unwrap();
        writer.write(b"still here\n");
        assert_eq!(reader.readline().await.unwrap(), b"STILL HERE\n");
        assert!(server.is_serving());

        let server = Arc::new(server);
        let forever = create_task({
            let server = server.clone();
            async move { server.serve_forever().await }
        });
        yield_now().await;
        server.close();
        forever.await.unwrap().unwrap();
        assert!(!server.is_serving());
        let refused = open_connection(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        assert!(poll_once(pin!(server.wait_closed())).await.is_none());
        writer.write(b"and served\n");
        assert_eq!(reader.readline().await.unwrap(), b"AND SERVED\n");
        drop((reader, writer));
        server.wait_closed().await;
    });
}

#[test]
fn a_server_that_is_dropped_or_whose_serve_forever_is_cancelled_is_closed() {
    run(|| async {
        let dropped = start_server(shout, "127.0.0.1:0").await.unwrap();
        let first = dropped.local_addr();
        drop(dropped);

        let cancelled = start_server(shout, "127.0.0.1:0").await.unwrap();
        let second = cancelled.local_addr();
        assert!(
            wait_for(cancelled.serve_forever(), Duration::from_millis(1))
                .await
                .is_err()
        );
        cancelled.wait_closed().await;

        for address in [first, second] {
            // The first may take the loop another turn.
            while open_connection(address).await.is_ok() {
                yield_now().await;
            }
        }
    });
}

#[test]
fn a_handler_that_panics_ends_alone_and_is_reported() {
    run(|| async {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let heard = reports.clone();
        EventLoop::current().set_exception_handler(move |panic| heard.lock().unwrap().push(panic.message().to_owned()));

        // Before its first await, and after it.
        let early = |_, _| -> std::future::Ready<()> { panic!("early") };
        let early = start_server(early, "127.0.0.1:0").await.unwrap();
        let late = |mut reader: StreamReader, writer: StreamWriter| async move {
            let line = reader.readline().await.unwrap();
            writer.write(&line);
            assert_eq!(line, b"good\n", "late");
        };
        let late = start_server(late, "127.0.0.1:0").await.unwrap();

        for _ in 0..2 {
            assert_eq!(ask(early.local_addr(), "anybody?").await.unwrap_or_default(), "");
            // What it had written is delivered all the same.
            assert_eq!(ask(late.local_addr(), "bad").await.unwrap(), "bad\n");
        }
        assert_eq!(ask(late.local_addr(), "good").await.unwrap(), "good\n");
        for server in [early, late] {
            server.close();
            server.wait_closed().await;
        }
        let reports = reports.lock().unwrap();
        assert_eq!(reports.iter().filter(|message| *message == "early").count(), 2);
        assert_eq!(reports.iter().filter(|message| message.contains("late")).count(), 2);
    });
}

#[test]
fn an_address_in_use_is_an_error() {
    run(|| async {
        let server = start_server(shout, "127.0.0.1:0").await.unwrap();
        let again = start_server(shout, server.local_addr()).await.unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn what_is_no_address_is_an_error() {
    run(|| async {
        for text in ["127.0.0.1", "here", "127.0.0.1:port"] {
            assert_eq!(
                start_server(shout, text).await.unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
            assert_eq!(
                open_connection(text).await.unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
        let none: &[SocketAddr] = &[];
        assert_eq!(
            start_server(shout, none).await.unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    });
}

#[test]
fn a_server_may_have_several_addresses() {
    run(|| async {
        let two: [SocketAddr; 2] = ["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
        let server = start_server(shout, &two[..]).await.unwrap();
        assert_eq!(server.local_addrs().len(), 2);
        assert_eq!(server.local_addr(), server.local_addrs()[0]);
        for address in server.local_addrs() {
            assert_eq!(ask(*address, "hello").await.unwrap(), "HELLO\n");
        }
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn both_ends_know_their_addresses() {
    run(|| async {
        let (reader, writer, peer) = pair().await;
        let (here, there) = (peer.peer_addr().unwrap(), peer.local_addr().unwrap());
        assert_eq!(
            (reader.local_addr().unwrap(), reader.peer_addr().unwrap()),
            (here, there)
        );
        assert_eq!(
            (writer.local_addr().unwrap(), writer.peer_addr().unwrap()),
            (here, there)
        );
    });
}

/// A waker of somebody else's making.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker");
    }
}

#[test]
fn a_foreign_waker_that_panics_leaves_the_writer_in_order() {
    run(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_reader, writer) = open_connection(listener.local_addr().unwrap()).await.unwrap();
        let writer = Arc::new(writer);
        {
            let mut mined = pin!(writer.wait_closed());
            let waker = Waker::from(Arc::new(Bomb));
            assert!(mined.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let ended = catch_unwind(AssertUnwindSafe(|| writer.write_eof()));
            assert!(ended.is_err(), "the waker's panic is passed on");
        }
        let theirs = writer.clone();
        let closed = create_task(async move { theirs.wait_closed().await });
        yield_now().await;
        writer.close();
        closed.await.unwrap().unwrap();
    });
}
