//! Names to addresses and back, as the operating system's library has it.

use crate::task::{JoinError, to_thread};
use dns_lookup::LookupErrorKind;
use socket2::{Domain, Protocol, Type};
use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, SocketAddr},
};

/// What is wanted of [`getaddrinfo`]. By default, everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddrInfoHints {
    family: Option<Domain>,
    socket_type: Option<Type>,
    protocol: Option<Protocol>,
    flags: i32,
}

impl AddrInfoHints {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Addresses of this family only.
    pub fn family(mut self, family: Domain) -> Self {
        self.family = Some(family);
        self
    }

    /// Addresses for this type of socket only. Without it, each address may come once for each type.
    pub fn socket_type(mut self, socket_type: Type) -> Self {
        self.socket_type = Some(socket_type);
        self
    }

    /// Addresses for this protocol only.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// The system's flags, such as `libc::AI_PASSIVE` and `libc::AI_CANONNAME`, joined by `|`.
    pub fn flags(mut self, flags: i32) -> Self {
        self.flags = flags;
        self
    }
}

/// An address that was found by [`getaddrinfo`], and the socket that it is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AddrInfo {
    /// The family of the address.
    pub family: Domain,
    /// What type of socket it is for.
    pub socket_type: Type,
    /// What protocol it is for.
    pub protocol: Protocol,
    /// The address.
    pub address: SocketAddr,
    /// The host's proper name, in the first of the addresses if `AI_CANONNAME` asked for it.
    pub canonical_name: Option<String>,
}

/// Looks up the addresses of a host and a service. As `loop.getaddrinfo()`.
///
/// `host` is a name, an address in numbers, or `None` for this machine: its loopback address or, with `AI_PASSIVE`, the one to listen on
/// everywhere. `service` is a port, or a name such as `"https"`. The system's library is asked on a thread for blocking calls, but at
/// once where all is numbers. It is asked in any case: [`Resolver`](super::Resolver)s of the program's own are for what connects.
///
/// ```
/// use aioli::net::{AddrInfoHints, getaddrinfo, socket2::Type};
///
/// # aioli::run(async {
/// let hints = AddrInfoHints::new().socket_type(Type::STREAM);
/// for info in getaddrinfo("localhost", 80, hints).await? {
///     assert!(info.address.ip().is_loopback());
/// }
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// A [`LookupError`] inside an [`io::Error`]: of the kind [`NotFound`](io::ErrorKind::NotFound) if there is no such name, or it has no
/// addresses. [`InvalidInput`](io::ErrorKind::InvalidInput) for a name with a NUL byte in it.
///
/// # Panics
///
/// If no event loop runs on this thread.
///
/// # Cancel safety
///
/// A look-up that has begun goes on on its thread, and its result is lost.
pub async fn getaddrinfo<'a>(
    host: impl Into<Option<&'a str>>,
    service: impl ToString,
    hints: AddrInfoHints,
) -> io::Result<Vec<AddrInfo>> {
    let (host, service) = (host.into().map(str::to_owned), service.to_string());
    let name = host.clone().unwrap_or_else(|| service.clone());
    let is_numbers = host.as_ref().is_none_or(|host| host.parse::<IpAddr>().is_ok()) && service.parse::<u16>().is_ok();
    let ask = move || {
        let hints = dns_lookup::AddrInfoHints {
            flags: hints.flags,
            address: hints.family.map_or(0, Into::into),
            socktype: hints.socket_type.map_or(0, Into::into),
            protocol: hints.protocol.map_or(0, Into::into),
        };
        dns_lookup::getaddrinfo(host.as_deref(), Some(&service), Some(hints))?
            .map(|info| Ok(info?.into()))
            .collect()
    };
    answer(name, is_numbers, ask).await
}

impl From<dns_lookup::AddrInfo> for AddrInfo {
    fn from(info: dns_lookup::AddrInfo) -> Self {
        Self {
            family: info.address.into(),
            socket_type: info.socktype.into(),
            protocol: info.protocol.into(),
            address: info.sockaddr,
            canonical_name: info.canonname,
        }
    }
}

/// What is wanted of [`getnameinfo`]. By default names, and numbers where there are none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameInfoFlags {
    /// The host in numbers, without a look-up.
    pub numeric_host: bool,
    /// The service in numbers, without a look-up.
    pub numeric_service: bool,
    /// An error, and not numbers, for a host without a name.
    pub name_required: bool,
    /// The service of UDP and not of TCP; a few ports have different names.
    pub datagram: bool,
    /// Only the first part of the names of hosts of this machine's own domain.
    pub no_domain: bool,
}

impl NameInfoFlags {
    /// All in numbers.
    pub const NUMERIC: Self = Self {
        numeric_host: true,
        numeric_service: true,
        name_required: false,
        datagram: false,
        no_domain: false,
    };

    fn bits(self) -> i32 {
        [
            (self.numeric_host, libc::NI_NUMERICHOST),
            (self.numeric_service, libc::NI_NUMERICSERV),
            (self.name_required, libc::NI_NAMEREQD),
            (self.datagram, libc::NI_DGRAM),
            (self.no_domain, libc::NI_NOFQDN),
        ]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .fold(0, |bits, (_, bit)| bits | bit)
    }
}

/// Looks up the names of a host and a service by their address. As `loop.getnameinfo()`.
///
/// The system's library is asked on a thread for blocking calls, but at once where all is numbers.
///
/// ```
/// use aioli::net::{NameInfoFlags, getnameinfo};
///
/// # aioli::run(async {
/// let address = "127.0.0.1:80".parse().unwrap();
/// let (host, service) = getnameinfo(address, NameInfoFlags::NUMERIC).await?;
/// assert_eq!((host.as_str(), service.as_str()), ("127.0.0.1", "80"));
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// A [`LookupError`] inside an [`io::Error`]: of the kind [`NotFound`](io::ErrorKind::NotFound) if the host has no name and one is
/// required.
///
/// # Panics
///
/// If no event loop runs on this thread.
///
/// # Cancel safety
///
/// A look-up that has begun goes on on its thread, and its result is lost.
pub async fn getnameinfo(address: SocketAddr, flags: NameInfoFlags) -> io::Result<(String, String)> {
    let is_numbers = flags.numeric_host && flags.numeric_service;
    let ask = move || dns_lookup::getnameinfo(&address, flags.bits());
    answer(address.to_string(), is_numbers, ask).await
}

/// Asks the system's library: at once, or where it may block.
async fn answer<T: Send + 'static>(
    name: String,
    at_once: bool,
    ask: impl FnOnce() -> Result<T, dns_lookup::LookupError> + Send + 'static,
) -> io::Result<T> {
    let outcome = match at_once {
        true => ask(),
        false => match to_thread(ask).await {
            Ok(outcome) => outcome,
            // The crate expects UTF-8 where there need be none.
            Err(JoinError::Panicked(panic)) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, panic.message()));
            }
            Err(JoinError::Cancelled) => {
                return Err(io::Error::other("the event loop was closed during a look-up"));
            }
        },
    };
    outcome.map_err(|error| LookupError::new(name, error).into_io())
}

/// A name or address that could not be looked up. Inside an [`io::Error`], and found by `error.get_ref()` and `downcast_ref()`.
#[derive(Debug)]
pub struct LookupError {
    name: String,
    reason: LookupErrorKind,
    message: io::Error,
}

impl LookupError {
    fn new(name: String, error: dns_lookup::LookupError) -> Self {
        Self {
            name,
            reason: error.kind(),
            message: error.into(),
        }
    }

    /// What was looked up.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may work later: no server for names has answered.
    pub fn is_temporary(&self) -> bool {
        matches!(self.reason, LookupErrorKind::Again)
    }

    fn into_io(self) -> io::Error {
        let kind = match self.reason {
            LookupErrorKind::NoName | LookupErrorKind::NoData => io::ErrorKind::NotFound,
            LookupErrorKind::Memory => io::ErrorKind::OutOfMemory,
            LookupErrorKind::Badflags
            | LookupErrorKind::Family
            | LookupErrorKind::Socktype
            | LookupErrorKind::Service => io::ErrorKind::InvalidInput,
            _ => self.message.kind(),
        };
        io::Error::new(kind, self)
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.name, self.message)
    }
}

impl Error for LookupError {}
