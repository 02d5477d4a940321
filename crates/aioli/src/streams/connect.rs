//! Where a connection goes to and how: what streams and protocols have in common when they connect.

#[cfg(feature = "tls")]
use super::greet::Client;
use super::wire::Wire;
use crate::net::{Addresses, ConnectOptions, TcpStream, ToAddresses, UnixStream};
use std::{io, path::PathBuf, sync::Arc};

pub(crate) struct Connect {
    target: io::Result<Target>,
    /// For TCP.
    pub(crate) options: ConnectOptions,
    #[cfg(feature = "tls")]
    pub(crate) tls: Client,
}

enum Target {
    Ip(Addresses),
    Unix(PathBuf),
}

impl Connect {
    pub(crate) fn to(addresses: impl ToAddresses) -> Self {
        Self::new(addresses.to_addresses().map(Target::Ip))
    }

    pub(crate) fn to_path(path: PathBuf) -> Self {
        Self::new(Ok(Target::Unix(path)))
    }

    fn new(target: io::Result<Target>) -> Self {
        Self {
            target,
            options: ConnectOptions::new(),
            #[cfg(feature = "tls")]
            tls: Client::default(),
        }
    }

    pub(crate) async fn connect(self) -> io::Result<Arc<dyn Wire>> {
        let target = self.target?;
        #[cfg(feature = "tls")]
        let greeting = self.tls.prepare(target.host())?;
        let wire = target.connect(&self.options).await?;
        #[cfg(feature = "tls")]
        let wire = greeting.greet(wire).await?;
        Ok(wire)
    }
}

impl Target {
    async fn connect(self, options: &ConnectOptions) -> io::Result<Arc<dyn Wire>> {
        match self {
            Self::Ip(addresses) => Ok(tcp(options.connect(addresses).await?)),
            Self::Unix(path) => Ok(Arc::new(UnixStream::connect(path).await?)),
        }
    }

    /// What the certificate is expected to be for, unless it is said otherwise.
    #[cfg(feature = "tls")]
    fn host(&self) -> Option<String> {
        match self {
            Self::Ip(Addresses::Lookup(host, _)) => Some(host.clone()),
            Self::Ip(Addresses::Known(addresses)) => match addresses[..] {
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
