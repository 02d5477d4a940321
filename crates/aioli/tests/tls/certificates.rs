//! Certificates that are good, and others.

use super::*;
use rustls::{
    AlertDescription, CertificateError, Error, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

/// Both ends refuse: the client for this reason, and the server hears of it by this alert.
async fn refused(connector: TlsConnector, identity: &Identity) -> (CertificateError, AlertDescription) {
    let (client, server) = shake_hands(connector, identity.acceptor()).await;
    let (client, server) = (client.unwrap_err(), server.unwrap_err());
    assert_eq!(client.kind(), io::ErrorKind::InvalidData);
    match (inside(&client), inside(&server)) {
        (TlsError::Protocol(Error::InvalidCertificate(why)), TlsError::Protocol(Error::AlertReceived(alert))) => {
            (why.clone(), *alert)
        }
        others => panic!("{others:?}"),
    }
}

#[test]
fn one_of_an_unknown_issuer_is_refused() {
    run(|| async {
        let (why, alert) = refused(Authority::new().connector(), &Authority::new().issue(|_| {})).await;
        assert_eq!(
            (why, alert),
            (CertificateError::UnknownIssuer, AlertDescription::UnknownCA)
        );
    });
}

#[test]
fn one_for_another_name_is_refused() {
    run(|| async {
        let authority = Authority::new();
        let other = authority.issue(|params| *params = CertificateParams::new(["elsewhere".to_owned()]).unwrap());
        let (why, alert) = refused(authority.connector(), &other).await;
        assert!(matches!(why, CertificateError::NotValidForNameContext { .. }), "{why}");
        assert!(why.to_string().contains("elsewhere"), "{why}");
        assert_eq!(alert, AlertDescription::BadCertificate);
    });
}

#[test]
fn one_that_has_expired_is_refused() {
    run(|| async {
        let authority = Authority::new();
        let old = authority.issue(|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
        let (why, alert) = refused(authority.connector(), &old).await;
        assert!(matches!(why, CertificateError::ExpiredContext { .. }), "{why}");
        assert_eq!(alert, AlertDescription::CertificateExpired);
    });
}

#[test]
fn a_client_without_the_one_that_is_asked_for_is_told_so() {
    run(|| async {
        let authority = Authority::new();
        let identity = authority.issue(|_| {});
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
            )
            .unwrap();
        let (client, server) = shake_hands(authority.connector(), TlsAcceptor::new(config)).await;
        let error = server.unwrap_err();
        assert!(
            matches!(inside(&error), TlsError::Protocol(Error::NoCertificatesPresented)),
            "{error}"
        );
        // For the client the handshake is over before the server has seen that there is none.
        let (mut reader, writer) = client.unwrap();
        writer.write(b"hello");
        let error = reader.read(&mut [0; 10]).await.unwrap_err();
        let alert = AlertDescription::CertificateRequired;
        assert!(
            matches!(inside(&error), TlsError::Protocol(Error::AlertReceived(of)) if *of == alert),
            "{error}"
        );
    });
}

#[test]
fn names_and_addresses_are_checked() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = echo_server(acceptor).await;
        let address = server.local_addr();
        let by_address = open_connection(address).tls(connector.clone()).await.unwrap();
        assert_eq!(by_address.1.get_extra_info().tls.unwrap().server_name, None);
        let by_name = open_connection(address)
            .tls(connector.clone())
            .server_hostname("localhost")
            .await
            .unwrap();
        assert_eq!(
            by_name.1.get_extra_info().tls.unwrap().server_name.as_deref(),
            Some("localhost")
        );
        let error = open_connection(address)
            .tls(connector.clone())
            .server_hostname("other")
            .await
            .unwrap_err();
        assert!(matches!(
            inside(&error),
            TlsError::Protocol(Error::InvalidCertificate(_))
        ));
        let error = open_connection(address)
            .tls(connector)
            .server_hostname("no name")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn texts_that_are_no_good_are_refused() {
    let (identity, other) = (Authority::new().issue(|_| {}), Authority::new().issue(|_| {}));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (result, says) in [
        (
            TlsConnector::with_root_certificates("").map(drop),
            "no certificate in root certificates",
        ),
        (
            TlsConnector::with_root_certificates(&identity.key).map(drop),
            "no certificate in root certificates",
        ),
        (TlsConnector::with_root_certificates(broken).map(drop), "cannot be used"),
        (
            TlsConnector::with_root_certificates("-----BEGIN CERTIFICATE-----\n").map(drop),
            "cannot be read",
        ),
        (
            TlsAcceptor::from_pem("", &identity.key).map(drop),
            "no certificate in the certificate chain",
        ),
        (
            TlsAcceptor::from_pem(&identity.certificate, "").map(drop),
            "no private key",
        ),
        (
            TlsAcceptor::from_pem(&identity.certificate, &other.key).map(drop),
            "cannot be used together",
        ),
        (
            TlsAcceptor::from_pem(broken, &identity.key).map(drop),
            "cannot be used together",
        ),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(says), "{error} / {says}");
    }
}
