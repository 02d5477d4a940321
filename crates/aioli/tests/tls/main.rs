//! TLS through streams, over real sockets, with one worker and with two.

#![cfg(feature = "tls")]

mod certificates;
mod closing;
mod options;
mod peers;
mod protocols;
mod transfer;
mod upgrading;

use aioli::{
    Builder, Server, StreamReader, StreamWriter, open_connection, start_server,
    tls::{TlsAcceptor, TlsConnector, TlsError, rustls, start_tls},
    wait_for,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::{
    future::Future,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test with one worker and with two; one that hangs fails.
fn run<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for workers in [1, 2] {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(async { wait_for(test(), LIMIT).await.expect("the test hangs") });
    }
}

/// Somebody who issues certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pem: String,
}

/// A certificate and its key.
struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", MADE.fetch_add(1, Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Issues a certificate for `localhost` and `127.0.0.1`.
    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = key.serialize_pem();
        Identity { certificate, key }
    }

    /// A client that trusts this.
    fn connector(&self) -> TlsConnector {
        TlsConnector::with_root_certificates(&self.pem).unwrap()
    }
}

impl Identity {
    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem(&self.certificate, &self.key).unwrap()
    }
}

/// A client and a server that trust each other.
fn ends() -> (TlsConnector, TlsAcceptor) {
    let authority = Authority::new();
    (authority.connector(), authority.issue(|_| {}).acceptor())
}

/// A server's handler: gives back what it reads, up to the end.
async fn echo(mut reader: StreamReader, writer: StreamWriter) {
    let mut buf = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = reader.read(&mut buf).await {
        writer.write(&buf[..count]);
        if writer.drain().await.is_err() {
            return;
        }
    }
    writer.close();
}

async fn echo_server(acceptor: TlsAcceptor) -> Server {
    start_server(echo, "127.0.0.1:0").tls(acceptor).await.unwrap()
}

/// What is inside of an error.
fn inside(error: &io::Error) -> &TlsError {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    inside.unwrap_or_else(|| panic!("not an error of TLS: {error:?}"))
}

/// The handshakes of a client and of a server, and what they came to.
async fn shake_hands(
    connector: TlsConnector,
    acceptor: TlsAcceptor,
) -> (
    io::Result<(StreamReader, StreamWriter)>,
    io::Result<(StreamReader, StreamWriter)>,
) {
    let accepted = Arc::new(Mutex::new(None));
    let handler = {
        let accepted = accepted.clone();
        move |reader, writer| {
            let (accepted, acceptor) = (accepted.clone(), acceptor.clone());
            async move {
                let result = start_tls(reader, writer, acceptor).await;
                *accepted.lock().unwrap() = Some(result);
            }
        }
    };
    let server = start_server(handler, "127.0.0.1:0").await.unwrap();
    let client = open_connection(server.local_addr()).tls(connector).await;
    loop {
        let result = accepted.lock().unwrap().take();
        match result {
            Some(result) => return (client, result),
            None => aioli::yield_now().await,
        }
    }
}

/// Bytes in which every misplaced piece shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8)
        .collect()
}
