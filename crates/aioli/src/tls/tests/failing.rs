//! What is not as it should be.

use super::*;
use rustls::Error;

/// What is sent from here on is changed underway.
fn tamper(from: &End, to: &End) {
    let mut bytes = to.take();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    from.inject(&bytes);
}

#[test]
fn a_change_underway_is_noticed_and_told_to_both_ends() {
    run(|| async {
        let (client, server, left, right) = pair(100_000).await;
        write(&client, b"pay 10 to Bob").await.unwrap();
        tamper(&left, &right);
        // Everybody is told, over and over.
        for size in [1, 8192, 1] {
            let error = read(&server, size).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(matches!(inside(&error), TlsError::Protocol(Error::DecryptError)));
        }
        // Without anybody who writes, or flushes.
        let error = read(&client, 8192).await.unwrap_err();
        assert!(
            matches!(inside(&error), TlsError::Protocol(Error::AlertReceived(_))),
            "{error}"
        );
        let error = server.try_write(b"fine").unwrap_err();
        assert!(matches!(inside(&error), TlsError::Protocol(Error::DecryptError)));
    });
}

#[test]
fn what_came_before_a_fault_is_read_first() {
    run(|| async {
        for size in [3, 8192] {
            let (client, server, left, _) = pair(100_000).await;
            write(&client, b"good").await.unwrap();
            left.inject(b"bad: no record at all");
            let mut got = Vec::new();
            let error = loop {
                match read(&server, size).await {
                    Ok(more) => got.extend(more),
                    Err(error) => break error,
                }
            };
            assert_eq!(got, b"good");
            assert!(matches!(inside(&error), TlsError::Protocol(_)));
        }
    });
}

#[test]
fn what_sending_fails_with_is_told_to_who_writes_and_not_to_who_reads() {
    run(|| async {
        let (client, server, left, _) = pair(100_000).await;
        left.set_capacity(0);
        client.try_write(b"never sent").unwrap();
        left.break_outgoing();
        for _ in 0..2 {
            let error = poll_fn(|cx| client.poll_flush(cx)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
        assert!(!client.needs_flush(), "there is no sense in it");
        assert_eq!(client.try_write(b"more").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        end(&client, Shutdown::Write).await.unwrap_err();
        write(&server, b"still there").await.unwrap();
        assert_eq!(read(&client, 8192).await.unwrap(), b"still there");
    });
}

#[test]
fn messages_say_what_to_do() {
    let message = TlsError::Protocol(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)).to_string();
    assert!(message.contains("trusted root certificates"), "{message}");
    let message = TlsError::HandshakeTimeout(Duration::from_millis(1500)).to_string();
    assert!(message.contains("1.5s"), "{message}");
    let message = TlsError::Protocol(Error::DecryptError).to_string();
    assert_eq!(message, Error::DecryptError.to_string());
}
