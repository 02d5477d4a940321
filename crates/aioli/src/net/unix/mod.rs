//! Unix domain sockets: connections and listeners within one machine, with paths for addresses.

mod address;
mod credentials;
mod file;
mod listener;
mod stream;

pub use address::unix_address;
pub use credentials::PeerCredentials;
pub use listener::UnixListener;
pub use stream::UnixStream;
