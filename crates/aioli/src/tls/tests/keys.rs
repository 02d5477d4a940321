//! Keys that have encrypted as much as they may.

use super::*;
use rustls::{
    ClientConfig, RootCertStore, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
    crypto::{CipherSuiteCommon, CryptoProvider, ring},
    pki_types::{CertificateDer, pem::PemObject},
};

/// How many records one key may encrypt.
const RECORDS: u64 = 20;

fn worn(common: &CipherSuiteCommon) -> CipherSuiteCommon {
    CipherSuiteCommon {
        suite: common.suite,
        hash_provider: common.hash_provider,
        confidentiality_limit: RECORDS,
    }
}

/// A client whose keys wear out soon.
fn connector_of(version: &'static rustls::SupportedProtocolVersion) -> TlsConnector {
    let suites = ring::default_provider()
        .cipher_suites
        .into_iter()
        .map(|suite| match suite {
            SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: worn(&suite.common),
                ..*suite
            }))),
            SupportedCipherSuite::Tls13(suite) => SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: worn(&suite.common),
                ..*suite
            }))),
        });
    let provider = CryptoProvider {
        cipher_suites: suites.collect(),
        ..ring::default_provider()
    };
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(texts().issuer.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::new(config)
}

async fn pair_of(version: &'static rustls::SupportedProtocolVersion) -> (TlsWire, TlsWire) {
    let (left, right) = link(100_000);
    let connector = connector_of(version);
    let client = TlsWire::connect(left, &connector, name("server.test"), Vec::new(), HANDSHAKE_LIMIT);
    try_zip(client, accept(right)).await.unwrap()
}

#[test]
fn tls_1_3_renews_them() {
    run(|| async {
        let (client, server) = pair_of(&rustls::version::TLS13).await;
        for number in 0..10 * RECORDS {
            write(&client, &number.to_be_bytes()).await.unwrap();
            assert_eq!(read(&server, 8192).await.unwrap(), number.to_be_bytes());
            // With each renewal comes an answer, which is sent with the next thing that is written.
            write(&server, &number.to_be_bytes()).await.unwrap();
            assert_eq!(read(&client, 8192).await.unwrap(), number.to_be_bytes());
        }
    });
}

#[test]
fn tls_1_2_says_that_they_are_used_up_and_loses_nothing_in_silence() {
    run(|| async {
        let (client, server) = pair_of(&rustls::version::TLS12).await;
        let mut sent = Vec::new();
        let error = loop {
            let byte = [sent.len() as u8];
            match write(&client, &byte).await {
                Ok(()) => sent.extend(byte),
                Err(error) => break error,
            }
        };
        assert!(matches!(inside(&error), TlsError::KeysExhausted));
        assert!(matches!(
            inside(&write(&client, b"more").await.unwrap_err()),
            TlsError::KeysExhausted
        ));
        end(&client, Shutdown::Write).await.unwrap_err();
        let mut got = Vec::new();
        let error = loop {
            match read(&server, 8192).await {
                Ok(more) => got.extend(more),
                Err(error) => break error,
            }
        };
        assert!(sent.len() >= RECORDS as usize / 2, "{}", sent.len());
        assert_eq!(got, sent);
        // This was not meant to be the end.
        assert!(matches!(inside(&error), TlsError::Truncated));
    });
}
