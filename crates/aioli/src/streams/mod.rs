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
mod connection;
mod errors;
mod flusher;
mod info;
mod open;
mod outbox;
mod reader;
mod server;
pub(crate) mod wire;
mod writer;

pub use errors::{IncompleteReadError, LimitOverrunError, ReadError};
pub use info::{Address, ExtraInfo};
pub use open::{OpenConnection, open_connection};
pub use reader::StreamReader;
pub use server::{Server, StartServer, start_server};
pub use writer::StreamWriter;
