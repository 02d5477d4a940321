//! A task for each client.
//!
//! One task for each address accepts; each connection that comes of it is a guest of the server's for as long as the
//! socket is open. The [`Server`] is a handle to what they share.

use super::{StreamReader, StreamWriter, changes::Changes, connection::Connection};
use crate::{
    net::{TcpListener, ToAddresses},
    task::{Task, create_task},
    time::sleep,
};
use aioli_primitives::sync::{Arc, Mutex};
use rustix::io::Errno;
use std::{fmt, future::Future, io, net::SocketAddr, time::Duration};

/// How long a server waits for descriptors or memory before it accepts again. Those that it serves may free some.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Listens on all of `addresses`, and calls `handler` in a task of its own for each connection. As
/// `asyncio.start_server()`; serving begins at once.
///
/// A handler that panics ends alone, and the loop's
/// [exception handler](crate::EventLoop::set_exception_handler) is told. What it leaves in the writer is still sent.
/// Connections that end before they are accepted are passed over; out of descriptors or memory, the server looks again
/// after 100 ms, while those that it has are served.
///
/// [`open_connection`](crate::open_connection) has an example.
///
/// # Errors
///
/// Those of [`TcpListener::bind`]: [`AddrInUse`](io::ErrorKind::AddrInUse) if one of the addresses is.
///
/// # Panics
///
/// If no event loop runs on this thread.
///
/// # Cancel safety
///
/// Nothing is left when it is dropped.
pub async fn start_server<H, F>(handler: H, addresses: impl ToAddresses) -> io::Result<Server>
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut listeners = Vec::new();
    for address in addresses.to_addresses()?.resolve().await? {
        listeners.push(TcpListener::bind(address).await?);
    }
    let addresses = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<io::Result<Vec<_>>>()?;
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "there is no address to listen on",
        ));
    }
    let house = Arc::new(House::new(listeners.len()));
    let handler = Arc::new(handler);
    let acceptors = listeners
        .into_iter()
        .map(|listener| {
            let doorkeeper = Doorkeeper(house.clone());
            create_task(accept(Door { listener, doorkeeper }, handler.clone()))
        })
        .collect();
    Ok(Server {
        house,
        addresses,
        acceptors,
    })
}

/// A server that accepts connections until it is closed or dropped. Made by [`start_server`].
///
/// Closing it ends the listening; connections live on.
#[must_use = "dropping a server closes it: keep it, or await `serve_forever`"]
pub struct Server {
    house: Arc<House>,
    addresses: Vec<SocketAddr>,
    acceptors: Vec<Task<()>>,
}

impl Server {
    /// The address that it listens on: the first, if there are several.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All addresses that it listens on. A name such as `localhost` may stand for several.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many of its connections are open: accepted, and with a reader, a writer or unsent bytes left.
    pub fn connections(&self) -> usize {
        self.house.state.lock().guests
    }

    /// Whether it still accepts connections.
    pub fn is_serving(&self) -> bool {
        let state = self.house.state.lock();
        state.doorkeepers > 0 && !state.closing
    }

    /// Stops listening. Connections live on. The addresses are free at the next turn of the loop, and at the latest when
    /// [`wait_closed`](Self::wait_closed) returns.
    pub fn close(&self) {
        self.house.state.lock().closing = true;
        for acceptor in &self.acceptors {
            acceptor.cancel();
        }
    }

    /// Waits until the server is closed and no connection of it is left.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn wait_closed(&self) {
        self.house
            .until(|state| state.doorkeepers == 0 && state.guests == 0)
            .await;
    }

    /// Waits until the server is closed. As `Server.serve_forever()`: when it is cancelled, it closes the server.
    ///
    /// # Errors
    ///
    /// That of a listening socket which has failed for good.
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
        let _closed_when_cancelled = CloseOnDrop(self);
        self.house.until(|state| state.doorkeepers == 0).await;
        self.house.state.lock().failure.take().map_or(Ok(()), Err)
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

/// Accepts until it is cancelled, or the socket fails for good.
async fn accept<H, F>(door: Door, handler: Arc<H>)
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let house = &door.doorkeeper.0;
    loop {
        match door.listener.accept().await {
            Ok((stream, _)) => {
                let (reader, writer) = Connection::open(stream, Some(Guest::enter(house)));
                let handler = handler.clone();
                // In the task, so that a handler which panics before its first await ends alone too.
                create_task(async move { handler(reader, writer).await }).detach();
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) if concerns_the_moment(&error) => sleep(BACK_OFF).await,
            Err(error) => {
                house.state.lock().failure = Some(error);
                return;
            }
        }
    }
}

/// The connection was gone before it was accepted. Linux gives its network errors here too.
fn concerns_one_connection(error: &io::Error) -> bool {
    const ERRORS: [Errno; 8] = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::PERM,
    ];
    Errno::from_io_error(error).is_some_and(|errno| ERRORS.contains(&errno))
}

/// Descriptors or memory are short; the connection waits in the backlog. (`ENOSPC`: no more sockets can be watched.)
fn concerns_the_moment(error: &io::Error) -> bool {
    const ERRORS: [Errno; 5] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::NOSPC];
    Errno::from_io_error(error).is_some_and(|errno| ERRORS.contains(&errno))
}

/// What the server, those who accept and the connections share.
struct House {
    state: Mutex<State>,
    /// The last of those who accept, or of the connections, has left.
    changes: Changes,
}

struct State {
    /// Tasks that accept.
    doorkeepers: usize,
    /// They have been told to stop.
    closing: bool,
    /// Connections that are open.
    guests: usize,
    failure: Option<io::Error>,
}

impl House {
    fn new(doorkeepers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                doorkeepers,
                closing: false,
                guests: 0,
                failure: None,
            }),
            changes: Changes::default(),
        }
    }

    async fn until(&self, ready: impl Fn(&State) -> bool) {
        self.changes.until(|| ready(&self.state.lock()).then_some(())).await;
    }

    /// Somebody leaves. Those who wait want the last one, of either kind.
    fn leave(&self, count: impl FnOnce(&mut State) -> &mut usize) {
        let mut state = self.state.lock();
        let left = count(&mut state);
        *left -= 1;
        let last = *left == 0;
        drop(state);
        if last {
            self.changes.announce();
        }
    }
}

/// What a task that accepts has. The order of the fields closes the socket before the server hears of it.
struct Door {
    listener: TcpListener,
    doorkeeper: Doorkeeper,
}

/// Held by a task that accepts.
struct Doorkeeper(Arc<House>);

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        self.0.leave(|state| &mut state.doorkeepers);
    }
}

/// Held by a connection of a server's.
pub(super) struct Guest(Arc<House>);

impl Guest {
    fn enter(house: &Arc<House>) -> Self {
        house.state.lock().guests += 1;
        Self(house.clone())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.leave(|state| &mut state.guests);
    }
}
