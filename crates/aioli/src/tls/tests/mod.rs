//! TLS over wires in memory, which are as narrow as a test wants them.

mod ending;
mod failing;
mod keys;
mod lingering;
mod link;
mod sending;
mod shaking;
mod transfer;

use super::{HANDSHAKE_LIMIT, TlsAcceptor, TlsConnector, TlsError, TlsWire, server_name};
use crate::{streams::wire::Wire, time::wait_for};
use futures_lite::future::{try_zip, zip};
use link::{End, link};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use std::{
    future::{Future, poll_fn},
    io,
    net::Shutdown,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs a test with one worker and with two; one that hangs fails.
fn run<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for workers in [1, 2] {
        let mut runner = crate::Builder::new().workers(workers).build().unwrap();
        runner.run(async { wait_for(test(), LIMIT).await.expect("the test hangs") });
    }
}

/// PEM texts, made once.
struct Texts {
    issuer: String,
    certificate: String,
    key: String,
}

fn texts() -> &'static Texts {
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer_key = KeyPair::generate().unwrap();
        let issuer = params.self_signed(&issuer_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let params_of_server = CertificateParams::new(["server.test".to_owned()]).unwrap();
        let certificate = params_of_server
            .signed_by(&key, &Issuer::new(params, issuer_key))
            .unwrap();
        Texts {
            issuer,
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    })
}

fn connector() -> TlsConnector {
    TlsConnector::with_root_certificates(&texts().issuer).unwrap()
}

fn acceptor() -> TlsAcceptor {
    TlsAcceptor::from_pem(&texts().certificate, &texts().key).unwrap()
}

/// Whom the certificate is to be for.
fn name(name: &str) -> ServerName<'static> {
    server_name(name).unwrap()
}

/// The handshake of a client.
async fn connect(below: Arc<dyn Wire>) -> io::Result<TlsWire> {
    TlsWire::connect(below, &connector(), name("server.test"), Vec::new(), HANDSHAKE_LIMIT).await
}

/// The handshake of a server.
async fn accept(below: Arc<dyn Wire>) -> io::Result<TlsWire> {
    TlsWire::accept(below, &acceptor(), Vec::new(), HANDSHAKE_LIMIT).await
}

/// A client and a server, and what is below them, which holds so many bytes in each direction.
async fn pair(capacity: usize) -> (TlsWire, TlsWire, Arc<End>, Arc<End>) {
    let (left, right) = link(capacity);
    let (client, server) = try_zip(connect(left.clone()), accept(right.clone())).await.unwrap();
    // What the server sends the client after the handshake would come between what the tests look at.
    let taken = poll_fn(|cx| std::task::Poll::Ready(client.poll_arrival(cx))).await;
    assert!(taken.is_ready());
    (client, server, left, right)
}

/// Reads at least one byte, into a buffer of this size.
async fn read(wire: &TlsWire, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    let count = poll_fn(|cx| wire.poll_read(cx, &mut bytes)).await?;
    bytes.truncate(count);
    Ok(bytes)
}

async fn read_to_end(wire: &TlsWire, size: usize) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        match &read(wire, size).await?[..] {
            [] => return Ok(all),
            more => all.extend_from_slice(more),
        }
    }
}

/// Writes all, and sees that it is sent.
async fn write(wire: &TlsWire, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| wire.poll_write(cx, bytes)).await?;
        bytes = &bytes[count..];
    }
    poll_fn(|cx| wire.poll_flush(cx)).await
}

async fn end(wire: &TlsWire, how: Shutdown) -> io::Result<()> {
    poll_fn(|cx| wire.poll_end(cx, how)).await
}

/// What is inside of an error.
fn inside(error: &io::Error) -> &TlsError {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    inside.unwrap_or_else(|| panic!("not an error of TLS: {error:?}"))
}

/// Bytes in which every misplaced piece shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8)
        .collect()
}
