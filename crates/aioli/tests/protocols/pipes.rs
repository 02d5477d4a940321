//! The ends of pipes, and Unix sockets.

use crate::{LIMIT, MUCH, Recorder, Seen, pattern, run};
use aioli::{
    connect_read_pipe, connect_write_pipe, create_server_on, create_unix_connection, create_unix_server,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    pipe::pipe,
    streams::Address,
    wait_for,
};

#[test]
fn a_pipe_that_is_read_has_data_and_an_end() {
    run(|| async {
        for keep_open in [false, true] {
            let seen = Seen::default();
            let (reader, mut writer) = pipe().unwrap();
            let mut recorder = Recorder::new(&seen);
            recorder.keep_open = keep_open;
            connect_read_pipe(|| recorder, reader).unwrap();
            writer.write_all(&pattern(MUCH)).await.unwrap();
            drop(writer);
            // There is nothing to stay for.
            assert_eq!(seen.all().await, ["made", "data", "eof", "lost"]);
            assert!(seen.lock().data == pattern(MUCH));
        }
    });
}

#[test]
fn a_pipe_that_is_read_is_closed_by_its_transport() {
    run(|| async {
        let seen = Seen::default();
        let (reader, mut writer) = pipe().unwrap();
        let recorder = Recorder::new(&seen);
        let transport = connect_read_pipe(|| recorder, reader).unwrap();
        transport.close();
        assert_eq!(seen.all().await, ["made", "lost"]);
        assert!(writer.write_all(b"anybody?").await.is_err());
    });
}

#[test]
fn a_pipe_that_is_written_to_pauses_and_ends() {
    run(|| async {
        let seen = Seen::default();
        let (mut reader, writer) = pipe().unwrap();
        let recorder = Recorder::new(&seen);
        let transport = connect_write_pipe(|| recorder, writer).unwrap();
        let bytes = pattern(1024 * 1024);
        transport.write(&bytes);
        seen.until_called("pause").await;
        transport.write_eof();
        let mut got = Vec::new();
        wait_for(reader.read_to_end(&mut got), LIMIT).await.unwrap().unwrap();
        assert!(got == bytes);
        let calls = seen.all().await;
        assert!(
            calls == ["made", "pause", "resume", "lost"] || calls == ["made", "pause", "lost"],
            "{calls:?}"
        );
    });
}

#[test]
fn a_pipe_that_is_written_to_notices_that_the_reader_has_gone() {
    run(|| async {
        for unsent in [false, true] {
            let seen = Seen::default();
            let (reader, writer) = pipe().unwrap();
            let recorder = Recorder::new(&seen);
            let transport = connect_write_pipe(|| recorder, writer).unwrap();
            if unsent {
                transport.write(pattern(MUCH));
                seen.until_called("pause").await;
            }
            drop(reader);
            let expected = if unsent { "lost: BrokenPipe" } else { "lost" };
            let calls = seen.all().await;
            assert_eq!(calls.last().unwrap(), expected);
            assert!(!calls.contains(&"eof".to_owned()), "it has nothing to end");
        }
    });
}

#[test]
fn unix_sockets_have_protocols() {
    run(|| async {
        let path = std::env::temp_dir().join(format!("aioli-protocols-{}", std::process::id()));
        let (there, here) = (Seen::default(), Seen::default());
        let served = there.clone();
        let server = create_unix_server(move || Recorder::new(&served), &path).await.unwrap();
        let recorder = Recorder::new(&here);
        let transport = create_unix_connection(|| recorder, &path).await.unwrap();
        let peername = transport.get_extra_info().peername;
        assert_eq!(peername.as_ref().and_then(Address::as_path), Some(path.as_path()));
        transport.write(b"hello");
        there.until(|record| record.data == b"hello").await;
        there.transport().write(pattern(MUCH));
        there.transport().close();
        let calls = here.all().await;
        assert_eq!(calls, ["made", "data", "eof", "lost"]);
        assert!(here.lock().data == pattern(MUCH));
        server.close();
        server.wait_closed().await;
        assert!(!path.exists());
    });
}

#[test]
fn a_server_takes_a_listener_that_is_there_and_waits_to_serve() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let served = seen.clone();
        let server = create_server_on(move || Recorder::new(&served), listener)
            .start_serving(false)
            .await
            .unwrap();
        let peer = TcpStream::connect(address).await.unwrap();
        for _ in 0..100 {
            aioli::yield_now().await;
        }
        assert!(seen.calls().is_empty());
        server.start_serving();
        seen.until_called("made").await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "eof", "lost"]);
    });
}
