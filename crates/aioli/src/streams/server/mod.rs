//! A task for each client.
//!
//! One task for each address accepts; each connection that comes of it is a guest of the server's for as long as the
//! socket is open. The [`Server`] is a handle to what they share.

mod accept;
mod house;
mod listen;
mod start;
mod starting;

pub(crate) use accept::Serve;
pub(crate) use house::Guest;
pub(crate) use listen::Listen;
pub use start::{start_server, start_server_on, start_unix_server};
pub use starting::Starting;

use super::info::Address;
use crate::{runtime::EventLoop, task::Task};
use accept::{Door, Listener, accept};
use aioli_primitives::sync::Mutex;
use house::{Doorkeeper, Goodbye, House, Phase};
use std::{fmt, io, net::SocketAddr, sync::Arc};

/// A server that accepts connections until it is closed or dropped. Made by [`start_server`] and its like.
///
/// Closing it ends the listening; connections live on, until they end themselves, or by [`close_clients`](Self::close_clients) and
/// [`abort_clients`](Self::abort_clients). A server that is to be shut down without cutting anybody off, and without waiting for
/// ever, goes through all of it:
///
/// ```
/// use aioli::{StreamReader, StreamWriter, open_connection, start_server, timeout};
/// use std::time::Duration;
///
/// # aioli::run(async {
/// async fn until_told(mut reader: StreamReader, writer: StreamWriter) {
///     while !matches!(reader.readline().await.as_deref(), Ok([]) | Err(_)) {
///         writer.write(b"go on\n");
///     }
/// }
/// let server = start_server(until_told, "127.0.0.1:0").await?;
/// let (mut reader, writer) = open_connection(server.local_addr()).await?;
/// writer.write(b"hello\n");
/// assert_eq!(reader.readline().await?, b"go on\n");
///
/// // Nobody new; who is there may finish; then they are told to go; then they are thrown out.
/// server.close();
/// if timeout(Duration::from_millis(10), server.wait_closed()).await.is_err() {
///     server.close_clients();
///     if timeout(Duration::from_secs(5), server.wait_closed()).await.is_err() {
///         server.abort_clients();
///         server.wait_closed().await;
///     }
/// }
/// assert_eq!(reader.readline().await?, b"");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[must_use = "dropping a server closes it: keep it, or await `serve_forever`"]
pub struct Server {
    house: Arc<House>,
    addresses: Vec<Address>,
    doors: Vec<Arc<Door>>,
    serve: Serve,
    event_loop: EventLoop,
    acceptors: Mutex<Vec<Task<()>>>,
}

impl Server {
    fn new(listeners: Vec<Listener>, serve: Serve, serving: bool) -> io::Result<Self> {
        if listeners.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "there is no address to listen on",
            ));
        }
        let server = Self {
            house: House::new(),
            addresses: listeners.iter().map(Listener::address).collect::<io::Result<_>>()?,
            doors: listeners.into_iter().map(Door::new).collect(),
            serve,
            event_loop: EventLoop::current(),
            acceptors: Mutex::default(),
        };
        if serving {
            server.start_serving();
        }
        Ok(server)
    }

    /// The address that it listens on: the first, if there are several.
    ///
    /// # Panics
    ///
    /// If that is the path of a Unix socket: see [`sockets`](Self::sockets).
    #[track_caller]
    pub fn local_addr(&self) -> SocketAddr {
        match self.addresses[0].as_ip() {
            Some(address) => address,
            None => panic!("this server listens on a Unix socket: use `sockets`, not `local_addr`"),
        }
    }

    /// All addresses that it listens on; none once it is closed. A name such as `localhost` may stand for several.
    ///
    /// As `Server.sockets`, of which asyncio's programs mostly want the addresses.
    pub fn sockets(&self) -> Vec<Address> {
        match self.phase() {
            Phase::Closed => Vec::new(),
            _ => self.addresses.clone(),
        }
    }

    /// How many of its connections are open: accepted and not closed, with a reader, a writer or unsent bytes left.
    pub fn connections(&self) -> usize {
        self.house.guests()
    }

    /// Whether it accepts connections.
    pub fn is_serving(&self) -> bool {
        self.house
            .look(|state| state.phase == Phase::Serving && state.doorkeepers > 0)
    }

    /// Accepts connections from now on, if it does not yet: it need not be called unless
    /// [that](Starting::start_serving) was put off. On a server that is closed, it does nothing.
    pub fn start_serving(&self) {
        let begins = self.house.look(|state| {
            let begins = state.phase == Phase::Listening;
            if begins {
                state.phase = Phase::Serving;
                state.doorkeepers = self.doors.len();
            }
            begins
        });
        if begins {
            let acceptors = self.doors.iter().map(|door| {
                let doorkeeper = Doorkeeper(self.house.clone());
                let accepting = accept(door.clone(), doorkeeper, self.serve.clone());
                self.event_loop.create_service(accepting)
            });
            let acceptors = acceptors.collect();
            *self.acceptors.lock() = acceptors;
            // Somebody may have closed it meanwhile, who did not see them.
            if self.phase() == Phase::Closed {
                self.stop_accepting();
            }
        }
    }

    /// Stops listening, at once. Connections live on. A second call does nothing.
    pub fn close(&self) {
        self.house.look(|state| state.phase = Phase::Closed);
        for door in &self.doors {
            door.close();
        }
        self.stop_accepting();
    }

    fn stop_accepting(&self) {
        let acceptors = std::mem::take(&mut *self.acceptors.lock());
        for acceptor in acceptors {
            acceptor.cancel();
        }
        // It may never have been serving.
        self.house.announce();
    }

    fn phase(&self) -> Phase {
        self.house.look(|state| state.phase)
    }

    /// Closes all connections that there are, each as [`StreamWriter::close`](crate::StreamWriter::close) does: what was written is
    /// still sent. New ones are accepted as before, unless the server is [closed](Self::close).
    ///
    /// As `Server.close_clients()`.
    pub fn close_clients(&self) {
        self.house.send_away(Goodbye::Close);
    }

    /// Ends all connections that there are, each as [`StreamWriter::abort`](crate::StreamWriter::abort) does: what is unsent is lost. Handlers
    /// find out by reading and writing.
    ///
    /// As `Server.abort_clients()`.
    pub fn abort_clients(&self) {
        self.house.send_away(Goodbye::Abort);
    }

    /// Waits until the server is closed and no connection of it is [open](Self::connections). It does not wait for handlers: those of
    /// connections that were closed or aborted may still be doing something else, and hold the descriptors meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn wait_closed(&self) {
        self.house
            .until(|state| state.phase == Phase::Closed && state.doorkeepers == 0 && !state.has_guests())
            .await;
    }

    /// Waits until the server is closed. As `Server.serve_forever()`: when it is cancelled, it closes the server; but it does not wait for
    /// connections that are left then. Several tasks may wait, and any of them closes the server for all when it is cancelled.
    ///
    /// # Errors
    ///
    /// That of a listening socket which has failed for good; [`InvalidInput`](io::ErrorKind::InvalidInput) if the server was closed before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the server; connections live on.
    pub async fn serve_forever(&self) -> io::Result<()> {
        struct CloseOnDrop<'a>(&'a Server);
        impl Drop for CloseOnDrop<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        if self.phase() == Phase::Closed {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the server is closed: start another one",
            ));
        }
        let _closed_when_cancelled = CloseOnDrop(self);
        self.start_serving();
        self.house
            .until(|state| state.phase != Phase::Listening && state.doorkeepers == 0)
            .await;
        self.house.look(|state| state.failure.take()).map_or(Ok(()), Err)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("serving", &self.is_serving())
            .field("connections", &self.connections())
            .finish()
    }
}
