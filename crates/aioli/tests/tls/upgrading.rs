//! Going over to TLS on a live connection.

use super::*;

#[test]
fn a_live_connection_goes_over_to_tls() {
    run(|| async {
        let (connector, acceptor) = ends();
        let handler = move |mut reader: StreamReader, writer: StreamWriter| {
            let acceptor = acceptor.clone();
            async move {
                assert_eq!(reader.readline().await.unwrap(), b"STARTTLS\n");
                writer.write(b"go ahead\n");
                let (reader, writer) = start_tls(reader, writer, acceptor).await.unwrap();
                echo(reader, writer).await;
            }
        };
        let server = start_server(handler, "127.0.0.1:0").await.unwrap();
        let (mut reader, writer) = open_connection(server.local_addr()).await.unwrap();
        writer.write(b"STARTTLS\n");
        assert_eq!(reader.readline().await.unwrap(), b"go ahead\n");
        assert!(writer.get_extra_info().tls.is_none());
        let (mut reader, writer) = start_tls(reader, writer, (connector, "localhost")).await.unwrap();
        assert!(writer.get_extra_info().tls.is_some());
        writer.write(b"secret\n");
        writer.write_eof();
        assert_eq!(reader.read_to_eof().await.unwrap(), b"secret\n");
    });
}

#[test]
fn a_client_that_does_not_wait_for_the_answer_is_understood() {
    run(|| async {
        let (connector, acceptor) = ends();
        let handler = move |mut reader: StreamReader, writer: StreamWriter| {
            let acceptor = acceptor.clone();
            async move {
                assert_eq!(reader.readline().await.unwrap(), b"STARTTLS\n");
                // The reader may have read the beginning of the handshake by now.
                let (reader, writer) = start_tls(reader, writer, acceptor).await.unwrap();
                echo(reader, writer).await;
            }
        };
        let server = start_server(handler, "127.0.0.1:0").await.unwrap();
        let (reader, writer) = open_connection(server.local_addr()).await.unwrap();
        writer.write(b"STARTTLS\n");
        let (mut reader, writer) = start_tls(reader, writer, (connector, "localhost")).await.unwrap();
        writer.write(pattern(100_000));
        writer.write_eof();
        assert!(reader.read_to_eof().await.unwrap() == pattern(100_000));
    });
}

/// Both ends of a connection without TLS.
async fn plain() -> ((StreamReader, StreamWriter), (StreamReader, StreamWriter)) {
    let accepted = Arc::new(Mutex::new(None));
    let keep = accepted.clone();
    let handler = move |reader, writer| {
        *keep.lock().unwrap() = Some((reader, writer));
        async {}
    };
    let server = start_server(handler, "127.0.0.1:0").await.unwrap();
    let client = open_connection(server.local_addr()).await.unwrap();
    loop {
        let accepted = accepted.lock().unwrap().take();
        match accepted {
            Some(accepted) => return (client, accepted),
            None => aioli::yield_now().await,
        }
    }
}

#[test]
fn the_limits_stay() {
    run(|| async {
        let (connector, acceptor) = ends();
        let ((mut reader, writer), (other_reader, other_writer)) = plain().await;
        reader.set_limit(99);
        writer.set_write_buffer_limits(Some(10), Some(7));
        let (client, server) = futures_lite::future::zip(
            start_tls(reader, writer, (connector, "localhost")),
            start_tls(other_reader, other_writer, acceptor),
        )
        .await;
        let (reader, writer) = client.unwrap();
        assert_eq!(reader.limit(), 99);
        assert_eq!(writer.write_buffer_limits(), (7, 10));
        drop(server.unwrap());
    });
}

#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    run(|| async {
        let (connector, acceptor) = ends();
        let limit = Duration::from_millis(20);
        let ((reader, writer), other) = plain().await;
        let starting = start_tls(reader, writer, (connector, "localhost")).handshake_timeout(limit);
        let error = starting.await.unwrap_err();
        assert!(matches!(inside(&error), TlsError::HandshakeTimeout(of) if *of == limit));
        drop(other);
        let ((reader, writer), _other) = plain().await;
        let starting = start_tls(reader, writer, acceptor).handshake_timeout(limit);
        let error = starting.await.unwrap_err();
        assert!(matches!(inside(&error), TlsError::HandshakeTimeout(of) if *of == limit));
    });
}

#[test]
fn a_reader_and_a_writer_of_two_connections_are_refused() {
    run(|| async {
        let ((reader, writer), (mut far_reader, _far_writer)) = plain().await;
        let ((mut other_reader, other_writer), (_far_other_reader, far_other_writer)) = plain().await;
        let error = start_tls(reader, other_writer, (ends().0, "localhost"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("two connections"), "{error}");
        // The other halves still work.
        writer.write(b"a");
        assert_eq!(far_reader.readexactly(1).await.unwrap(), b"a");
        far_other_writer.write(b"b");
        assert_eq!(other_reader.readexactly(1).await.unwrap(), b"b");
    });
}

#[test]
fn a_name_that_can_be_in_no_certificate_is_refused_before_anything_is_sent() {
    run(|| async {
        let ((reader, writer), (mut far_reader, _far_writer)) = plain().await;
        let error = start_tls(reader, writer, (ends().0, "no name")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(far_reader.read_to_eof().await.unwrap().is_empty());
    });
}

#[test]
fn a_connection_that_is_being_closed_does_not_go_over() {
    run(|| async {
        let ((reader, writer), (mut far_reader, _far_writer)) = plain().await;
        writer.close();
        let error = start_tls(reader, writer, (ends().0, "localhost")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(far_reader.read_to_eof().await.unwrap().is_empty());
    });
}
