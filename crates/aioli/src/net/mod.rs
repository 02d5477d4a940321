//! TCP: [`TcpListener`], [`TcpStream`], and where they take addresses from.
//!
//! These are the plain sockets, with `futures-io`'s traits, for those who want bytes with nothing between. asyncio's
//! streams, with their buffers and lines, are built on them in [`streams`](crate::streams).
//!
//! A read or write tries the system call first and waits only if it would block; a socket is registered once, and never
//! again. Reads go from the kernel straight into the caller's buffer.

mod addr;
mod listener;
mod split;
mod stream;

pub use addr::{Addresses, ToAddresses};
pub use listener::TcpListener;
pub use split::{ReadHalf, WriteHalf};
pub use stream::TcpStream;

use crate::runtime::driver::with_driver;
use aioli_reactor::Reactor;

/// The reactor of the loop that runs on this thread.
#[track_caller]
fn reactor() -> Reactor {
    with_driver(|driver, _| driver.reactor.clone())
}
