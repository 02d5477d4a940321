//! TLS, on [rustls]: what a client and a server need for it, and what is known about a connection that has it.
//!
//! A [`TlsConnector`] says whom a client trusts, a [`TlsAcceptor`] who a server is. Both are made of PEM text, or of a configuration
//! of rustls, which is [re-exported](rustls) and can say everything.
//!
//! # Differences from asyncio's
//!
//! * A stream that ends without TLS's own mark of the end (`close_notify`) was cut off, perhaps by an attacker: reading says
//!   [`TlsError::Truncated`], where asyncio reports a regular end.
//! * The writing direction can be ended alone; reading goes on.
//! * Closing waits for the peer to take what was written, as without TLS: if it takes nothing, for ever. asyncio aborts such a connection
//!   after 30 seconds (`ssl_shutdown_timeout`); here, whoever wants that gives `wait_closed` a [`timeout`](crate::timeout), and then calls
//!   `abort`.
//! * Closing waits for the peer to send something in one case only, and for 5 seconds at most: a client that has heard nothing since the
//!   handshake waits for what a server of TLS 1.3 sends then, since the system may otherwise throw away what the client has written last.
//!   One that is dropped does not wait, nor does anybody in [virtual time](crate::Builder::virtual_time), which passes at once.
//! * There is no way to trust everybody but by a verifier of one's own, in a configuration of rustls.

mod config;
mod error;
mod handshake;
mod info;
mod linger;
mod session;
mod wire;

#[cfg(test)]
mod tests;

#[doc(inline)]
pub use crate::streams::{StartingTls, TlsSide, start_tls};
pub use config::{TlsAcceptor, TlsConnector};
pub use error::TlsError;
pub(crate) use handshake::{HANDSHAKE_LIMIT, server_name};
pub use info::TlsInfo;
pub(crate) use wire::TlsWire;

/// The crate below, in the version that is used here.
pub use rustls;
