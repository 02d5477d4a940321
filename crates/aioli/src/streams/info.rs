//! What there is to know about a connection besides its bytes.

use std::{fmt, net, os::unix, path::Path};

/// Where one end of a connection is, or where a server listens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Address {
    /// An address and a port of IPv4 or IPv6.
    Ip(net::SocketAddr),
    /// A path in the file system, an abstract name, or nothing at all, which is what the client of a Unix socket has.
    Unix(unix::net::SocketAddr),
}

impl Address {
    /// The address and port, if that is what it is.
    pub fn as_ip(&self) -> Option<net::SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The path, if it is a Unix socket's and has one.
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Ip(_) => None,
            Self::Unix(address) => address.as_pathname(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(address) => match address.as_pathname() {
                Some(path) => path.display().fmt(f),
                None => f.write_str("(unnamed)"),
            },
        }
    }
}

/// What is known about a connection, given by [`StreamWriter::get_extra_info`](crate::StreamWriter::get_extra_info) and its like.
///
/// As what `get_extra_info()` gives for each name in asyncio. What is not known, because the connection has no such thing or is gone,
/// is `None`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExtraInfo {
    /// The address of this end.
    pub sockname: Option<Address>,
    /// The address of the other end.
    pub peername: Option<Address>,
    /// What the two ends have agreed on, if the connection speaks TLS.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::TlsInfo>,
}
