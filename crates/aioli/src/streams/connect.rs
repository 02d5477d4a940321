//! Where a connection goes to and how: what streams and protocols have in common when they connect.

#[cfg(feature = "tls")]
use super::greet::Client;
use super::wire::Wire;
use crate::net::{Addresses, ConnectOptions, TcpStream, ToAddresses, UnixStream};
use std::{io, path::PathBuf, sync::Arc};

pub(crate) struct Connect {
    target: Target,
    /// For TCP.
    pub(crate) options: ConnectOptions,
    #[cfg(feature = "tls")]
    pub(crate) tls: Client,
}

enum Target {
    Ip(io::Result<Addresses>),
    Unix(PathBuf),
}

impl Connect {
    pub(crate) fn to(addresses: impl ToAddresses) -> Self {
        Self::new(Target::Ip(addresses.to_addresses()))
    }

    pub(crate) fn to_path(path: PathBuf) -> Self {
        Self::new(Target::Unix(path))
    }

    fn new(target: Target) -> Self {
        Self {
            target,
            options: ConnectOptions::new(),
            #[cfg(feature = "tls")]
            tls: Client::default(),
        }
    }

    pub(crate) async fn connect(self) -> io::Result<Arc<dyn Wire>> {
        #[cfg(feature = "tls")]
        let (tls, host) = (self.tls, self.target.host());
        let wire = self.target.connect(&self.options).await?;
        #[cfg(feature = "tls")]
        let wire = tls.greet(wire, host).await?;
        Ok(wire)
    }
}

impl Target {
    async fn connect(self, options: &ConnectOptions) -> io::Result<Arc<dyn Wire>> {
        match self {
            Self::Ip(addresses) => Ok(tcp(options.connect(addresses?).await?)),
            Self::Unix(path) => Ok(Arc::new(UnixStream::connect(path).await?)),
        }
    }

    /// What the certificate is expected to be for, unless it is said otherwise.
    #[cfg(feature = "tls")]
    fn host(&self) -> Option<String> {
        match self {
            Self::Ip(Ok(Addresses::Lookup(host, _))) => Some(host.clone()),
            Self::Ip(Ok(Addresses::Known(addresses))) => match addresses[..] {
                [address] => Some(address.ip().to_string()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A TCP connection as streams and protocols use it.
pub(super) fn tcp(stream: TcpStream) -> Arc<dyn Wire> {
    // A connection that the peer has reset already may refuse; reading will tell.
    let _ = stream.set_nodelay(true);
    Arc::new(stream)
}
