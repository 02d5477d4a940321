//! Handshakes.

use super::*;
use crate::create_task;
use rustls::Error;

#[test]
fn what_was_read_before_is_part_of_it() {
    run(|| async {
        let (left, right) = link(1 << 20);
        // Byte by byte up to a point, the rest at once; the server has read the beginning elsewhere.
        let client = create_task(async move {
            let client = connect(left).await.unwrap();
            write(&client, &pattern(100_000)).await.unwrap();
            end(&client, Shutdown::Write).await.unwrap();
            client
        });
        let mut arrived = vec![0; 77];
        let count = poll_fn(|cx| right.poll_read(cx, &mut arrived)).await.unwrap();
        arrived.truncate(count);
        let server = TlsWire::accept(right, &acceptor(), arrived, HANDSHAKE_LIMIT)
            .await
            .unwrap();
        assert!(read_to_end(&server, 8192).await.unwrap() == pattern(100_000));
        drop(client.await.unwrap());
    });
}

#[test]
fn what_arrives_with_the_last_message_is_not_lost() {
    run(|| async {
        for size in [1, 100, 8192] {
            let (left, right) = link(1 << 20);
            let client = create_task(async move {
                let client = connect(left).await.unwrap();
                client.try_write(&pattern(200_000)).unwrap();
                end(&client, Shutdown::Write).await.unwrap();
                client
            });
            // All of it has arrived before the server looks.
            let hello = loop {
                let bytes = right.take();
                if !bytes.is_empty() {
                    break bytes;
                }
                crate::yield_now().await;
            };
            let server = TlsWire::accept(right, &acceptor(), hello, HANDSHAKE_LIMIT)
                .await
                .unwrap();
            let client = client.await.unwrap();
            assert!(read_to_end(&server, size).await.unwrap() == pattern(64 * 1024));
            drop(client);
        }
    });
}

#[test]
fn it_goes_through_a_wire_of_one_byte() {
    run(|| async {
        let (left, right) = link(1);
        let (client, server) = zip(connect(left), accept(right)).await;
        let (client, server) = (client.unwrap(), server.unwrap());
        let (_, got) = zip(async { write(&client, b"x").await.unwrap() }, read(&server, 1)).await;
        assert_eq!(got.unwrap(), b"x");
    });
}

#[test]
fn a_name_that_is_none_is_refused() {
    for name in ["", "two words", "http://server.test/"] {
        let error = server_name(name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn a_peer_that_is_silent_is_given_up() {
    run(|| async {
        let (left, right) = link(100_000);
        let limit = Duration::from_millis(20);
        let error = TlsWire::connect(left, &connector(), name("server.test"), Vec::new(), limit)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(matches!(inside(&error), TlsError::HandshakeTimeout(of) if *of == limit));
        // And the connection with it.
        assert!(!right.take().is_empty());
        assert_eq!(right.try_write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_peer_that_does_not_read_is_given_up() {
    run(|| async {
        let (left, _right) = link(0);
        let limit = Duration::from_millis(20);
        let error = TlsWire::connect(left, &connector(), name("server.test"), Vec::new(), limit)
            .await
            .unwrap_err();
        assert!(matches!(inside(&error), TlsError::HandshakeTimeout(_)));
    });
}

#[test]
fn a_peer_that_speaks_something_else_is_told_so() {
    run(|| async {
        let (left, right) = link(100_000);
        left.inject(b"GET / HTTP/1.1\r\n\r\n");
        let error = accept(right).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("does not speak TLS"), "{error}");
        let alert = left.take();
        assert_eq!(alert[0], 21, "an alert");
    });
}

#[test]
fn a_peer_that_leaves_in_the_middle_is_an_error() {
    run(|| async {
        let (left, right) = link(100_000);
        left.cut();
        let error = accept(right).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(matches!(inside(&error), TlsError::HandshakeEof));
    });
}

#[test]
fn dropping_it_closes_the_connection() {
    run(|| async {
        let (left, right) = link(100_000);
        let handshake = create_task(connect(left));
        while right.take().is_empty() {
            crate::yield_now().await;
        }
        handshake.cancel();
        assert!(handshake.await.unwrap_err().is_cancelled());
        assert_eq!(right.try_write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn both_ends_are_told_of_a_certificate_that_is_not_good() {
    run(|| async {
        let (left, right) = link(100_000);
        let connector = connector();
        let client = TlsWire::connect(left, &connector, name("other.test"), Vec::new(), HANDSHAKE_LIMIT);
        let (client, server) = zip(client, accept(right)).await;
        let error = client.unwrap_err();
        assert!(matches!(
            inside(&error),
            TlsError::Protocol(Error::InvalidCertificate(_))
        ));
        assert!(error.to_string().contains("server.test"), "{error}");
        let error = server.unwrap_err();
        assert!(
            matches!(inside(&error), TlsError::Protocol(Error::AlertReceived(_))),
            "{error}"
        );
    });
}

#[test]
fn what_was_agreed_on_is_known() {
    run(|| async {
        let (left, right) = link(100_000);
        let connector = connector().alpn(["h2", "http/1.1"]);
        let acceptor = acceptor().alpn(["http/1.1"]);
        let client = TlsWire::connect(left, &connector, name("server.test"), Vec::new(), HANDSHAKE_LIMIT);
        let server = TlsWire::accept(right, &acceptor, Vec::new(), HANDSHAKE_LIMIT);
        let (client, server) = try_zip(client, server).await.unwrap();
        let (client, server) = (client.extra_info().tls.unwrap(), server.extra_info().tls.unwrap());
        for info in [&client, &server] {
            assert_eq!(info.version, rustls::ProtocolVersion::TLSv1_3);
            assert_eq!(info.alpn_protocol.as_deref(), Some(&b"http/1.1"[..]));
            assert_eq!(info.server_name.as_deref(), Some("server.test"));
        }
        assert_eq!(client.cipher_suite, server.cipher_suite);
        assert_eq!((client.peer_certificates.len(), server.peer_certificates.len()), (1, 0));
    });
}
