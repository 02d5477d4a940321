//! asyncio's protocols and transports: callbacks for what happens on a connection, and handles to control it by.
//!
//! A [`Protocol`] is called for what arrives, and writes by its [`Transport`]; nothing in between copies, buffers or waits. That is
//! the fastest way to serve many small requests, and the wrong one for a conversation, which reads better as a task with
//! [`streams`](crate::streams).
//!
//! * [`create_connection`] and [`create_server`] give each connection a protocol of its own. A [`BufferedProtocol`] is a protocol which
//!   says where bytes are read into. [`create_unix_connection`] and [`create_unix_server`] do so on Unix sockets.
//! * [`connect_read_pipe`] and [`connect_write_pipe`] are for the ends of pipes.
//! * [`create_datagram_endpoint`] gives a UDP socket a [`DatagramProtocol`].

mod callback;
mod connect;
mod datagram;
mod driver;
mod pipes;
mod protocol;
mod scratch;
mod serve;
mod transport;

pub use connect::{create_connection, create_unix_connection};
pub use datagram::{CreateDatagramEndpoint, DatagramProtocol, DatagramTransport, create_datagram_endpoint};
pub use pipes::{connect_read_pipe, connect_write_pipe};
pub use protocol::{BufferedProtocol, Protocol};
pub use serve::{create_server, create_server_on, create_unix_server};
pub use transport::Transport;
