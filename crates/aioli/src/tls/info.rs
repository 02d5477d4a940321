//! What there is to know about a TLS connection.

use rustls::{CipherSuite, Connection, ProtocolVersion, pki_types::CertificateDer};

/// What the two ends of a TLS connection have agreed on: [`ExtraInfo::tls`](crate::streams::ExtraInfo::tls).
///
/// As `get_extra_info()` gives in asyncio for `ssl_object`, `cipher` and `peercert`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsInfo {
    /// TLS 1.2 or 1.3.
    pub version: ProtocolVersion,
    /// How the bytes are encrypted.
    pub cipher_suite: CipherSuite,
    /// The protocol above TLS that was agreed on by ALPN, such as `h2`.
    pub alpn_protocol: Option<Vec<u8>>,
    /// The certificates that the peer has shown, its own first. None, if it is a client that was not asked for one.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// The name that the client asked for (SNI). `None`, if it asked for an address.
    pub server_name: Option<String>,
}

impl TlsInfo {
    /// What is known after the handshake; only then is there something. `asked` is the name that a client has asked for.
    pub(super) fn of(tls: &Connection, asked: Option<String>) -> Option<Self> {
        let server_name = match tls {
            Connection::Client(_) => asked,
            Connection::Server(server) => server.server_name().map(str::to_owned),
        };
        Some(Self {
            version: tls.protocol_version()?,
            cipher_suite: tls.negotiated_cipher_suite()?.suite(),
            alpn_protocol: tls.alpn_protocol().map(<[u8]>::to_vec),
            peer_certificates: tls.peer_certificates().unwrap_or_default().to_vec(),
            server_name,
        })
    }
}
