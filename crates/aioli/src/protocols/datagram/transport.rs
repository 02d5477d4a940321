//! What a datagram protocol sends and controls its socket by.

use super::queue::{Datagram, Queue};
use crate::{
    net::UdpSocket,
    streams::{Address, ExtraInfo},
};
use aioli_primitives::sync::{Mutex, MutexGuard};
use std::{
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Waker},
};

/// A handle to a UDP socket that has a [`DatagramProtocol`](super::DatagramProtocol): cloneable, and good from any thread. As
/// `asyncio.DatagramTransport`.
///
/// The socket belongs to the loop, not to its handles: it lives until it is [closed](Self::close) or [aborted](Self::abort), or the loop
/// ends.
///
/// Nothing here waits.
#[derive(Clone)]
pub struct DatagramTransport(Arc<Shared>);

struct Shared {
    info: ExtraInfo,
    remote: Option<SocketAddr>,
    /// The socket itself is connected to `remote`.
    connected: bool,
    state: Mutex<State>,
}

/// What the socket's task and the handles share.
///
/// The task leaves its waker here and looks at the rest in one step, under the lock, and waits only if it has found nothing to do.
/// Everybody else changes something and takes the waker in one step. So no change is missed.
struct State {
    /// `None`: it is closed.
    socket: Option<Arc<UdpSocket>>,
    queue: Queue,
    /// A datagram could not be sent, and the protocol has not been told.
    error: Option<io::Error>,
    closing: bool,
    task: Option<Waker>,
}

impl State {
    fn situation(&mut self) -> Situation {
        Situation {
            error: self.error.take(),
            paused: self.queue.is_paused(),
            closing: self.closing,
            first: self.queue.first(),
        }
    }

    /// Sends a datagram, or queues it, as `false` says.
    fn send(&mut self, data: &[u8], target: Option<SocketAddr>) -> io::Result<bool> {
        let sent = match (&self.socket, target) {
            // Those that wait are first.
            _ if !self.queue.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            (Some(socket), Some(target)) => socket.try_send_to(data, target),
            (Some(socket), None) => socket.try_send(data),
            (None, _) => return Ok(true),
        };
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.queue.keep(data, target);
                Ok(false)
            }
            sent => sent.map(|_| true),
        }
    }
}

/// What the task is to do.
pub(super) struct Situation {
    /// Of sending, to be told.
    pub(super) error: Option<io::Error>,
    pub(super) paused: bool,
    pub(super) closing: bool,
    /// To be sent.
    pub(super) first: Option<Datagram>,
}

impl DatagramTransport {
    pub(super) fn new(socket: Arc<UdpSocket>, remote: Option<SocketAddr>) -> Self {
        let (local, peer) = (socket.local_addr().ok(), socket.peer_addr().ok());
        Self(Arc::new(Shared {
            info: ExtraInfo {
                sockname: local.map(Address::Ip),
                peername: remote.map(Address::Ip),
                ..ExtraInfo::default()
            },
            remote,
            connected: peer.is_some(),
            state: Mutex::new(State {
                socket: Some(socket),
                queue: Queue::default(),
                error: None,
                closing: false,
                task: None,
            }),
        }))
    }

    /// What is to be done; the task is woken when there is more.
    pub(super) fn look(&self, cx: &Context<'_>) -> Situation {
        let mut state = self.0.state.lock();
        if state.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            return state.situation();
        }
        drop(state);
        // A waker's clone and drop may be anybody's code, so they are not called with the lock.
        let waker = cx.waker().clone();
        let mut state = self.0.state.lock();
        let before = state.task.replace(waker);
        let situation = state.situation();
        drop(state);
        drop(before);
        situation
    }

    /// The first in the queue has been sent, or cannot be.
    pub(super) fn first_is_done(&self) {
        self.0.state.lock().queue.remove_first();
    }

    /// The task is over.
    pub(super) fn retire(&self) {
        let mut state = self.0.state.lock();
        state.closing = true;
        state.queue.clear();
        let gone = (state.socket.take(), state.task.take());
        drop(state);
        drop(gone);
    }

    /// Has the task look again.
    fn wake(mut state: MutexGuard<'_, State>) {
        let task = state.task.take();
        drop(state);
        if let Some(waker) = task {
            waker.wake();
        }
    }

    /// Sends a datagram, which may be empty, without waiting: what the system does not take at once is queued. `None` sends to the
    /// remote address of the socket.
    ///
    /// What cannot be sent is told to [`error_received`](super::DatagramProtocol::error_received), soon:
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the socket has another remote address than the one given (asyncio raises
    /// `ValueError`), or none and none is given, and the errors of the system. When the socket is closing, nothing is sent.
    ///
    /// The queue has no end of its own: see
    /// [`pause_writing`](super::DatagramProtocol::pause_writing).
    pub fn send_to(&self, data: &[u8], target: Option<SocketAddr>) {
        let target = self.0.target(target);
        let mut state = self.0.state.lock();
        if state.closing {
            return;
        }
        match target.and_then(|target| state.send(data, target)) {
            Ok(true) => {}
            Ok(false) => Self::wake(state),
            Err(error) => {
                state.error.get_or_insert(error);
                Self::wake(state);
            }
        }
    }

    /// Closes the socket once everything is sent. Nothing more is received, and
    /// [`connection_lost(None)`](super::DatagramProtocol::connection_lost) is called in the end.
    pub fn close(&self) {
        let mut state = self.0.state.lock();
        state.closing = true;
        Self::wake(state);
    }

    /// Closes the socket. What is unsent is lost, and [`connection_lost(None)`](super::DatagramProtocol::connection_lost) is called soon.
    pub fn abort(&self) {
        let mut state = self.0.state.lock();
        state.closing = true;
        state.queue.clear();
        Self::wake(state);
    }

    /// Whether the socket is closing or closed.
    pub fn is_closing(&self) -> bool {
        self.0.state.lock().closing
    }

    /// How many bytes wait to be sent; each datagram counts for 8 more, as in asyncio. As `get_write_buffer_size()`.
    pub fn write_buffer_size(&self) -> usize {
        self.0.state.lock().queue.size()
    }

    /// The low and the high water mark, in bytes. As `get_write_buffer_limits()`.
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.0.state.lock().queue.limits()
    }

    /// Sets the water marks, in bytes, as [`Transport::set_write_buffer_limits`](crate::Transport::set_write_buffer_limits) does.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    #[track_caller]
    pub fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) {
        if let (Some(low), Some(high)) = (low, high) {
            assert!(
                low <= high,
                "the low mark, {low}, is above the high mark, {high}: writing would never be resumed"
            );
        }
        let mut state = self.0.state.lock();
        state.queue.set_limits(low, high);
        Self::wake(state);
    }

    /// The address of the socket, and the remote address if it has one. As `get_extra_info()`, which takes the name of what it is to
    /// give; here it is a field.
    pub fn get_extra_info(&self) -> ExtraInfo {
        self.0.info.clone()
    }

    /// As if the system had not taken it.
    #[cfg(test)]
    pub(super) fn keep(&self, data: &[u8], target: Option<SocketAddr>) {
        let mut state = self.0.state.lock();
        state.queue.keep(data, target);
        Self::wake(state);
    }
}

impl Shared {
    /// Where a datagram goes; `None`: to where the socket is connected.
    fn target(&self, given: Option<SocketAddr>) -> io::Result<Option<SocketAddr>> {
        let mistake = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        match (given, self.remote) {
            (None, None) => mistake("the socket has no remote address: say where the datagram is to go"),
            (Some(given), Some(remote)) if given != remote => {
                mistake("the socket sends to its remote address only: give that, or none")
            }
            (_, Some(_)) if self.connected => Ok(None),
            (given, remote) => Ok(given.or(remote)),
        }
    }
}

impl fmt::Debug for DatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramTransport")
            .field("info", &self.0.info)
            .field("unsent", &self.write_buffer_size())
            .field("closing", &self.is_closing())
            .finish()
    }
}
