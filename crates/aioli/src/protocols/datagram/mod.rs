//! UDP with callbacks. As for connections there is a protocol, a transport, and a task that calls the one and obeys the other;
//! sending goes to the system directly, and through a queue while that takes no more.

mod create;
mod driver;
mod protocol;
mod queue;
#[cfg(test)]
mod tests;
mod transport;

pub use create::{CreateDatagramEndpoint, create_datagram_endpoint};
pub use protocol::DatagramProtocol;
pub use transport::DatagramTransport;
