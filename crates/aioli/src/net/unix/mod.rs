//! Unix domain sockets: connections, listeners and datagrams within one machine, with paths for addresses.

mod address;
mod credentials;
mod datagram;
mod file;
mod listener;
mod stream;

pub use address::unix_address;
pub use credentials::PeerCredentials;
pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use stream::UnixStream;

use crate::time::sleep;
use std::time::Duration;

/// The pauses between attempts, longer and longer, where the system does not tell when the next one is worth while.
struct Pauses(Duration);

impl Pauses {
    const LONGEST: Duration = Duration::from_millis(64);

    fn new() -> Self {
        Self(Duration::from_millis(1))
    }

    async fn pause(&mut self) {
        sleep(self.0).await;
        self.0 = Self::LONGEST.min(self.0 * 2);
    }
}
