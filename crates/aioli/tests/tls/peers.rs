//! Peers that do not do what they should.

use super::*;
use aioli::{
    EventLoop,
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    run(|| async {
        let greet = |_reader, writer: StreamWriter| async move { writer.write(b"220 mail.example.org ESMTP\r\n") };
        let server = start_server(greet, "127.0.0.1:0").await.unwrap();
        let error = open_connection(server.local_addr()).tls(ends().0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("does not speak TLS"), "{error}");
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = open_connection(listener.local_addr().unwrap()).tls(ends().0);
        let error = connecting
            .handshake_timeout(Duration::from_millis(20))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(matches!(inside(&error), TlsError::HandshakeTimeout(_)));
    });
}

#[test]
fn a_server_that_hangs_up_in_the_handshake_is_an_error() {
    run(|| async {
        let server = start_server(
            |mut reader: StreamReader, _| async move { drop(reader.read(&mut [0; 4096]).await) },
            "127.0.0.1:0",
        );
        let server = server.await.unwrap();
        let error = open_connection(server.local_addr()).tls(ends().0).await.unwrap_err();
        assert!(matches!(inside(&error), TlsError::HandshakeEof), "{error}");
    });
}

#[test]
fn clients_that_never_finish_the_handshake_keep_nobody_waiting() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = echo_server(acceptor).await;
        let silent = TcpStream::connect(server.local_addr()).await.unwrap();
        while server.connections() == 0 {
            aioli::yield_now().await;
        }
        assert_eq!(
            EventLoop::current().all_tasks().len(),
            1,
            "the handshake is the server's affair"
        );
        let (mut reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        writer.write(b"hello");
        assert_eq!(reader.readexactly(5).await.unwrap(), b"hello");
        drop(silent);
    });
}

#[test]
fn clients_that_do_not_shake_hands_are_put_out() {
    run(|| async {
        let listening = start_server(echo, "127.0.0.1:0").tls(ends().1);
        let server = listening.handshake_timeout(Duration::from_millis(20)).await.unwrap();
        let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
        let mut noisy = TcpStream::connect(server.local_addr()).await.unwrap();
        noisy.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        for stream in [&mut silent, &mut noisy] {
            aioli::io::AsyncReadExt::read_to_end(stream, &mut Vec::new())
                .await
                .unwrap();
        }
    });
}

#[test]
fn a_connection_that_breaks_off_is_no_regular_end() {
    run(|| async {
        let (connector, acceptor) = ends();
        let handler = |_reader, writer: StreamWriter| async move {
            writer.write(b"half of it");
            writer.drain().await.unwrap();
            writer.abort();
        };
        let server = start_server(handler, "127.0.0.1:0").tls(acceptor).await.unwrap();
        let (mut reader, writer) = open_connection(server.local_addr()).tls(connector).await.unwrap();
        assert_eq!(reader.readexactly(10).await.unwrap(), b"half of it");
        for _ in 0..2 {
            let error = reader.read(&mut [0; 100]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        assert!(!reader.at_eof());
        drop(writer);
    });
}

#[test]
fn a_server_that_is_closed_waits_for_handshakes_and_they_may_fail() {
    run(|| async {
        let server = echo_server(ends().1).await;
        let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
        while server.connections() == 0 {
            aioli::yield_now().await;
        }
        server.close();
        drop(silent.write_all(b"no TLS at all, by any means").await);
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn virtual_time_needs_a_handshake_without_a_limit() {
    let mut runner = Builder::new().workers(1).virtual_time(true).build().unwrap();
    runner.run(async {
        let (connector, acceptor) = ends();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = open_connection(silent.local_addr().unwrap()).tls(connector.clone());
        let error = connecting.await.unwrap_err();
        assert!(error.to_string().contains("virtual"), "{error}");

        let starting = start_server(echo, "127.0.0.1:0").tls(acceptor);
        let server = starting.handshake_timeout(Duration::MAX).await.unwrap();
        let connecting = open_connection(server.local_addr()).tls(connector);
        let (mut reader, writer) = connecting.handshake_timeout(Duration::MAX).await.unwrap();
        writer.write(b"hello");
        assert_eq!(reader.readexactly(5).await.unwrap(), b"hello");
    });
}
