//! What the two ends need for a handshake: whom to trust, and who to be.

use rustls::{
    ClientConfig, ConfigBuilder, ConfigSide, RootCertStore, ServerConfig, WantsVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use std::{env, error::Error, fs, io, path::PathBuf, sync::Arc};

/// What a client needs for TLS: above all, whose certificates it trusts. As an `ssl.SSLContext` of a client.
///
/// Making one takes a while, and it remembers the sessions that it had, so that the next handshake with the same server is short:
/// make one, and keep it. Clones share everything.
///
/// ```
/// use aioli::tls::TlsConnector;
///
/// # let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
/// // Usually: std::fs::read("ca.pem")?
/// let connector = TlsConnector::with_root_certificates(certificate)?.alpn(["h2", "http/1.1"]);
/// assert_eq!(connector.config().alpn_protocols.len(), 2);
///
/// let error = TlsConnector::with_root_certificates("not a certificate").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

impl TlsConnector {
    /// With a configuration of rustls, which can say everything: certificates of the client, revocation, versions, and so on.
    pub fn new(config: impl Into<Arc<ClientConfig>>) -> Self {
        Self { config: config.into() }
    }

    /// Trusts servers whose certificates were issued by one of `pem`, and nobody else. As
    /// `ssl.create_default_context(cadata=pem)`.
    ///
    /// `pem` is text with one or more `-----BEGIN CERTIFICATE-----`.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no certificate in `pem`, or one that cannot be used.
    pub fn with_root_certificates(pem: impl AsRef<[u8]>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem.as_ref(), "root certificates")? {
            roots
                .add(certificate)
                .map_err(|error| invalid("a root certificate cannot be used", error))?;
        }
        Self::trusting(roots)
    }

    /// Trusts whom the system trusts. As `ssl.create_default_context()`.
    ///
    /// The certificates are read, by this call, from the file that the environment variable `SSL_CERT_FILE` names, or else from where
    /// the usual systems have them. Those that cannot be used are passed over.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file; those of reading it;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no certificate in it.
    pub fn with_system_certificates() -> io::Result<Self> {
        let pem = fs::read(system_certificates()?)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&pem, "the root certificates of the system")?);
        Self::trusting(roots)
    }

    fn trusting(roots: RootCertStore) -> io::Result<Self> {
        let config = builder(ClientConfig::builder_with_provider)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::new(config))
    }

    /// Offers the server these protocols above TLS (ALPN), the preferred one first. As `SSLContext.set_alpn_protocols()`.
    ///
    /// What the server has chosen is [`TlsInfo::alpn_protocol`](super::TlsInfo::alpn_protocol); one that knows ALPN and none of them
    /// refuses the connection.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

/// What a server needs for TLS: above all, its certificate and its key. As an `ssl.SSLContext` of a server.
///
/// Clones share everything.
///
/// ```
/// use aioli::tls::TlsAcceptor;
///
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (certificate_chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
/// // Usually: std::fs::read("server.pem")?, std::fs::read("server.key")?
/// let acceptor = TlsAcceptor::from_pem(&certificate_chain, &key)?;
/// assert!(acceptor.config().alpn_protocols.is_empty());
///
/// let error = TlsAcceptor::from_pem(&certificate_chain, "not a key").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
}

impl TlsAcceptor {
    /// With a configuration of rustls, which can say everything: certificates of clients, several names, versions, and so on.
    pub fn new(config: impl Into<Arc<ServerConfig>>) -> Self {
        Self { config: config.into() }
    }

    /// Shows clients a certificate, and asks them for none. As `SSLContext.load_cert_chain()`.
    ///
    /// `certificate_chain` is text with the server's `-----BEGIN CERTIFICATE-----` and those of its issuers, each after the one that it
    /// has issued; `key` is text with the private key, PKCS #8, PKCS #1 or SEC 1, not encrypted.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if one of them is missing or cannot be used, or they do not belong together.
    pub fn from_pem(certificate_chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> io::Result<Self> {
        let chain = certificates(certificate_chain.as_ref(), "the certificate chain")?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(|error| match error {
            pem::Error::NoItemsFound => io::Error::new(
                io::ErrorKind::InvalidInput,
                "no private key in the PEM text: one begins with -----BEGIN PRIVATE KEY----- or the like, not ENCRYPTED",
            ),
            error => invalid("the private key cannot be read", error),
        })?;
        let config = builder(ServerConfig::builder_with_provider)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| invalid("the certificate and the private key cannot be used together", error))?;
        Ok(Self::new(config))
    }

    /// Speaks these protocols above TLS (ALPN), the preferred one first. As `SSLContext.set_alpn_protocols()`.
    ///
    /// A client that offers some, and none of these, is refused.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

/// Begins a configuration with the cryptography that the program has chosen for all of rustls, or else with ring's.
fn builder<S: ConfigSide>(
    begin: fn(Arc<CryptoProvider>) -> ConfigBuilder<S, rustls::WantsVersions>,
) -> io::Result<ConfigBuilder<S, WantsVerifier>> {
    let chosen = CryptoProvider::get_default().cloned();
    begin(chosen.unwrap_or_else(|| Arc::new(ring::default_provider())))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid("the CryptoProvider that was installed cannot be used", error))
}

/// All certificates of a text; at least one.
fn certificates(pem: &[u8], what: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| invalid(&format!("{what} cannot be read"), error))?;
    if found.is_empty() {
        let message = format!("no certificate in {what}: PEM text with -----BEGIN CERTIFICATE----- is needed");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(found)
}

/// Where the system has the certificates that it trusts, all in one file.
fn system_certificates() -> io::Result<PathBuf> {
    const USUAL: [&str; 5] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
    ];
    if let Some(path) = env::var_os("SSL_CERT_FILE") {
        return Ok(path.into());
    }
    USUAL
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| {
            let message = "the system has no file of root certificates where one is expected: name it in SSL_CERT_FILE";
            io::Error::new(io::ErrorKind::NotFound, message)
        })
}

fn invalid(what: &str, error: impl Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what}: {error}"))
}
