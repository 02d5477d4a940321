//! From what people write to socket addresses.

use super::resolver::resolve;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

/// What can be resolved to socket addresses: addresses themselves, pairs of host and port, and texts like
/// `"127.0.0.1:80"`, `"[::1]:80"` and `"localhost:80"`.
///
/// Only names of hosts need a look-up, which is made by the loop's [`Resolver`](super::Resolver).
pub trait ToAddresses {
    /// The addresses, or what is to be looked up.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a text that is not an address.
    fn to_addresses(&self) -> io::Result<Addresses>;
}

/// Addresses, or a name that still has to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// There they are.
    Known(Vec<SocketAddr>),
    /// A host's name, and a port.
    Lookup(String, u16),
}

impl Addresses {
    /// The addresses, looked up if need be.
    ///
    /// # Errors
    ///
    /// Those of the [`Resolver`](super::Resolver): a [`LookupError`](super::LookupError) inside, of the kind
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such name.
    ///
    /// # Panics
    ///
    /// If there is something to look up, and no event loop runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// A look-up by the system that has begun goes on on its thread, and its result is lost.
    pub async fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Addresses::Known(addresses) => Ok(addresses),
            Addresses::Lookup(host, port) => resolve(&host, port).await,
        }
    }
}

/// Calls `operation` with each address until one succeeds.
pub(super) async fn first_that_works<T>(
    addresses: impl ToAddresses,
    mut operation: impl AsyncFnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "there is no address to use");
    for address in addresses.to_addresses()?.resolve().await? {
        match operation(address).await {
            Ok(value) => return Ok(value),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl<A: ToAddresses + ?Sized> ToAddresses for &A {
    fn to_addresses(&self) -> io::Result<Addresses> {
        (**self).to_addresses()
    }
}

impl ToAddresses for Addresses {
    fn to_addresses(&self) -> io::Result<Addresses> {
        Ok(self.clone())
    }
}

impl ToAddresses for SocketAddr {
    fn to_addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::Known(vec![*self]))
    }
}

impl ToAddresses for SocketAddrV4 {
    fn to_addresses(&self) -> io::Result<Addresses> {
        SocketAddr::from(*self).to_addresses()
    }
}

impl ToAddresses for SocketAddrV6 {
    fn to_addresses(&self) -> io::Result<Addresses> {
        SocketAddr::from(*self).to_addresses()
    }
}

impl ToAddresses for [SocketAddr] {
    fn to_addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::Known(self.to_vec()))
    }
}

impl ToAddresses for (IpAddr, u16) {
    fn to_addresses(&self) -> io::Result<Addresses> {
        SocketAddr::from(*self).to_addresses()
    }
}

impl ToAddresses for (Ipv4Addr, u16) {
    fn to_addresses(&self) -> io::Result<Addresses> {
        SocketAddr::from(*self).to_addresses()
    }
}

impl ToAddresses for (Ipv6Addr, u16) {
    fn to_addresses(&self) -> io::Result<Addresses> {
        SocketAddr::from(*self).to_addresses()
    }
}

impl ToAddresses for (&str, u16) {
    fn to_addresses(&self) -> io::Result<Addresses> {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => (ip, port).to_addresses(),
            Err(_) => Ok(Addresses::Lookup(host.to_owned(), port)),
        }
    }
}

impl ToAddresses for (String, u16) {
    fn to_addresses(&self) -> io::Result<Addresses> {
        (self.0.as_str(), self.1).to_addresses()
    }
}

impl ToAddresses for str {
    fn to_addresses(&self) -> io::Result<Addresses> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return address.to_addresses();
        }
        let parts = self
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) if !host.is_empty() && !host.contains(':') => (host, port).to_addresses(),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{self:?} is not an address: write \"host:port\", or \"[ip]:port\" for IPv6"),
            )),
        }
    }
}

impl ToAddresses for String {
    fn to_addresses(&self) -> io::Result<Addresses> {
        self.as_str().to_addresses()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_without_a_look_up() {
        let home: SocketAddr = "127.0.0.1:80".parse().unwrap();
        for known in [
            home.to_addresses(),
            "127.0.0.1:80".to_addresses(),
            ("127.0.0.1", 80).to_addresses(),
            (Ipv4Addr::LOCALHOST, 80).to_addresses(),
        ] {
            assert_eq!(known.unwrap(), Addresses::Known(vec![home]));
        }
        let six = Addresses::Known(vec!["[::1]:80".parse().unwrap()]);
        assert_eq!("[::1]:80".to_addresses().unwrap(), six);
        assert_eq!(("::1", 80).to_addresses().unwrap(), six);
    }

    #[test]
    fn names_are_looked_up() {
        let lookup = Addresses::Lookup("localhost".to_owned(), 80);
        assert_eq!("localhost:80".to_addresses().unwrap(), lookup);
        assert_eq!(("localhost", 80).to_addresses().unwrap(), lookup);
    }

    #[test]
    fn a_text_that_is_no_address_is_an_error_that_quotes_it() {
        for text in [
            "",
            "localhost",
            "localhost:",
            ":80",
            "localhost:eighty",
            "localhost:65536",
            "::1:80",
            "a:b:80",
        ] {
            let error = text.to_addresses().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text:?}");
            assert!(
                error.to_string().contains(&format!("{text:?} is not an address")),
                "{error}"
            );
        }
    }
}
