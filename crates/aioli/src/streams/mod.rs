//! asyncio's streams: a connection as a reader with a buffer and a writer with a buffer.
//!
//! | file | what it is |
//! |---|---|
//! | `connection` | the socket that a reader and a writer share |
//! | `buffer` | bytes that have arrived and were not asked for yet; knows no socket |
//! | `reader` | [`StreamReader`]: lines, exact counts, anything up to a separator |
//! | `outbox` | bytes that were written and not sent yet, and the task that sends them |
//! | `writer` | [`StreamWriter`]: writes that never wait, and `drain` |
//! | `server` | [`start_server`]: a task for each client |
//! | `errors` | what a read can fail with, and what it had got by then |
//! | `waiters` | whom to wake when something changes |
//!
//! What they add to [`net`](crate::net) is convenience at the price of a copy. Both sides also speak `futures-io`'s
//! traits, and those move large buffers between the socket and the caller directly.

mod buffer;
mod connection;
mod errors;
mod outbox;
mod reader;
mod server;
mod waiters;
mod writer;

pub use connection::open_connection;
pub use errors::{IncompleteReadError, LimitOverrunError, ReadError};
pub use reader::StreamReader;
pub use server::{Server, start_server};
pub use writer::StreamWriter;
