//! Accepting connections, for as long as there is a listener, whatever happens to single connections.

use super::house::{Doorkeeper, Guest};
use crate::{
    net::{TcpListener, UnixListener},
    runtime::EventLoop,
    streams::{connect::tcp, info::Address, wire::Wire},
    task::UnhandledError,
    time::sleep,
};
use aioli_primitives::sync::Mutex;
use rustix::io::Errno;
use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// How long a server waits, for descriptors or memory above all, before it accepts again. Those that it serves may free some.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What a server does with a connection: has it served in a task, and returns.
pub(crate) type Serve = Arc<dyn Fn(Arc<dyn Wire>, Arc<Guest>) + Send + Sync>;

/// What connections come from.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arc<dyn Wire>>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok(tcp(stream)))
            }
            Self::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok(Arc::new(stream)))
            }
        }
    }

    pub(super) fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Ip),
            Self::Unix(listener) => listener.local_addr().map(Address::Unix),
        }
    }
}

/// A listener that can be closed while somebody accepts from it.
pub(super) struct Door(Mutex<Option<Listener>>);

impl Door {
    pub(super) fn new(listener: Listener) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(listener))))
    }

    /// Closes the listener now. Whoever accepts finds no door.
    pub(super) fn close(&self) {
        let listener = self.0.lock().take();
        // Not under the lock: it holds the waker of whoever accepts.
        drop(listener);
    }

    /// The next connection; `None`: it is closed. For one caller at a time.
    async fn accept(&self) -> Option<io::Result<Arc<dyn Wire>>> {
        poll_fn(|cx| match &*self.0.lock() {
            Some(listener) => listener.poll_accept(cx).map(Some),
            None => Poll::Ready(None),
        })
        .await
    }
}

/// Accepts until the door is closed, the task cancelled, or the socket fails for good.
pub(super) async fn accept(door: Arc<Door>, doorkeeper: Doorkeeper, serve: Serve) {
    // The listener is closed before the server hears that nobody accepts any more.
    let _closed = CloseOnDrop(&door);
    let house = &doorkeeper.0;
    while let Some(accepted) = door.accept().await {
        match accepted {
            Ok(wire) => {
                let guest = Guest::enter(house, &wire);
                serve(wire, guest);
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) if concerns_the_listener(&error) => {
                let text = format_args!("a server stops accepting: {error}");
                EventLoop::current().call_exception_handler(UnhandledError::error(text));
                house.look(|state| state.failure = Some(error));
                return;
            }
            // Descriptors or memory are short, most likely. The connection waits in the backlog.
            Err(_) => sleep(BACK_OFF).await,
        }
    }
}

struct CloseOnDrop<'a>(&'a Door);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The connection was gone before it was accepted. Linux gives its network errors here too.
fn concerns_one_connection(error: &io::Error) -> bool {
    const ERRORS: [Errno; 11] = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::OPNOTSUPP,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::NONET,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::TIMEDOUT,
    ];
    Errno::from_io_error(error).is_some_and(|errno| ERRORS.contains(&errno))
}

/// It is no socket that listens, and will not become one.
fn concerns_the_listener(error: &io::Error) -> bool {
    const ERRORS: [Errno; 3] = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK];
    Errno::from_io_error(error).is_some_and(|errno| ERRORS.contains(&errno))
}
