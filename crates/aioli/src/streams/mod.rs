//! asyncio's streams: a connection as a reader with a buffer and a writer with a buffer.
//!
//! A [`StreamReader`] gives lines, exact counts, or anything up to a separator, and what a read can fail with is a
//! [`ReadError`], which holds what it had got by then. A [`StreamWriter`] takes bytes without waiting, and is waited for with
//! `drain`. [`start_server`] runs a task for each client.
//!
//! What they add to [`net`](crate::net) is convenience at the price of a copy. Both sides also speak `futures-io`'s
//! traits, and those move large buffers between the socket and the caller directly.

mod buffer;
mod changes;
pub(crate) mod connect;
mod connecting;
pub(crate) mod connection;
pub(crate) mod errors;
mod flusher;
#[cfg(feature = "tls")]
mod greet;
mod info;
mod open;
pub(crate) mod outbox;
mod reader;
pub(crate) mod server;
#[cfg(feature = "tls")]
mod upgrade;
pub(crate) mod wire;
mod writer;

pub use connecting::Connecting;
pub use errors::{IncompleteReadError, LimitOverrunError, ReadError};
pub use info::{Address, ExtraInfo};
pub use open::{open_connection, open_unix_connection};
pub(crate) use reader::LIMIT;
pub use reader::StreamReader;
pub use server::{Server, Starting, start_server, start_server_on, start_unix_server};
#[cfg(feature = "tls")]
pub use upgrade::{StartingTls, TlsSide, start_tls};
pub use writer::StreamWriter;
