//! asyncio's protocols and transports: callbacks for what happens on a connection, and handles to control it by.
//!
//! A [`Protocol`] is called for what arrives, and writes by its [`Transport`]; nothing in between copies, buffers or waits. That is
//! the fastest way to serve many small requests, and the wrong one for a conversation, which reads better as a task with
//! [`streams`](crate::streams).
//!
//! * [`create_connection`] and [`create_server`] give each connection a protocol of its own. A [`BufferedProtocol`] is a protocol which
//!   says where bytes are read into.
//!
//! | file | what it is |
//! |---|---|
//! | `protocol` | what a program implements |
//! | `transport` | the handle, and how it reaches the connection's task |
//! | `driver` | the connection's task, which reads and calls the protocol |
//! | `callback`, `scratch` | a call that may panic; the buffer that is read into |

mod callback;
mod connect;
mod driver;
mod protocol;
mod scratch;
mod serve;
mod transport;

pub use connect::{CreateConnection, create_connection};
pub use protocol::{BufferedProtocol, Protocol};
pub use serve::{CreateServer, create_server};
pub use transport::Transport;
