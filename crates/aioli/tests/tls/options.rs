//! Options that cannot be meant are errors before anything is connected, or listens.

use super::*;
use aioli::{open_unix_connection, streams::Connecting};
use std::net::TcpListener;

/// Nobody connects.
async fn refused<T: std::fmt::Debug + 'static>(connecting: Connecting<T>, listener: &TcpListener, says: &str) {
    let error = connecting.await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains(says), "{error} / {says}");
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

#[test]
fn a_client_that_forgets_tls_sends_no_plain_text() {
    run(|| async {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let connecting = || open_connection(address);
        refused(connecting().server_hostname("localhost"), &listener, "`tls(connector)`").await;
        refused(connecting().handshake_timeout(LIMIT), &listener, "`handshake_timeout`").await;
    });
}

#[test]
fn a_server_that_forgets_tls_does_not_listen() {
    run(|| async {
        // Listening on this address would be another error.
        let taken = listener();
        let address = taken.local_addr().unwrap();
        let error = start_server(echo, address).handshake_timeout(LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("`tls(acceptor)`"), "{error}");
    });
}

#[test]
fn a_name_that_can_be_in_no_certificate_is_refused_before_connecting() {
    run(|| async {
        let (connector, _) = ends();
        let listener = listener();
        let address = listener.local_addr().unwrap();
        for name in ["", "two words", "http://localhost/"] {
            let connecting = open_connection(address).tls(connector.clone()).server_hostname(name);
            refused(connecting, &listener, &format!("{name:?}")).await;
        }
    });
}

#[test]
fn a_name_that_is_missing_is_asked_for_before_connecting() {
    run(|| async {
        let (connector, _) = ends();
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let several = open_connection([address, address].as_slice()).tls(connector.clone());
        refused(several, &listener, "`server_hostname`").await;
        // There is no such file, and nobody has looked.
        let error = open_unix_connection("/nowhere")
            .tls(connector.clone())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("`server_hostname`"), "{error}");
        // An address that is none comes first.
        let error = open_connection("no port").tls(connector).await.unwrap_err();
        assert!(!error.to_string().contains("`server_hostname`"), "{error}");
    });
}
