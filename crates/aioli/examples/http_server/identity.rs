//! A certificate and its key, for TLS. Built without that, the server says so to whoever asks for it.

use aioli::{Server, streams::Starting};
use std::{io, path::Path};

/// Who the server is.
#[cfg(feature = "tls")]
pub struct Identity(aioli::tls::TlsAcceptor);

#[cfg(feature = "tls")]
impl Identity {
    /// Reads the two files, which are PEM text.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, String> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let acceptor = aioli::tls::TlsAcceptor::from_pem(read(cert)?, read(key)?).map_err(|error| error.to_string())?;
        // A client that asks for HTTP/2 as well is told what it will get.
        Ok(Self(acceptor.alpn(["http/1.1"])))
    }

    pub async fn serve(self, start: Starting) -> io::Result<Server> {
        start.tls(self.0).await
    }
}

#[cfg(not(feature = "tls"))]
pub enum Identity {}

#[cfg(not(feature = "tls"))]
impl Identity {
    pub fn read(_: &Path, _: &Path) -> Result<Self, String> {
        Err("this server was built without TLS: build it with `--features tls`".to_owned())
    }

    pub async fn serve(self, _: Starting) -> io::Result<Server> {
        match self {}
    }
}
