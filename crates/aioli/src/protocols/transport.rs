//! What a protocol writes to and controls its connection by.

use super::Protocol;
use crate::streams::{ExtraInfo, connection::Connection, outbox::Ending};
use aioli_primitives::sync::Mutex;
use std::{
    fmt, mem,
    sync::{Arc, OnceLock, Weak},
};

/// A handle to a connection that has a [`Protocol`]: cloneable, and good from any thread. As `asyncio.Transport`.
///
/// The connection belongs to the loop, not to its handles: dropping them all changes nothing. It lives until it is
/// [closed](Self::close) or [aborted](Self::abort) here, or ends by the peer; then [`Protocol::connection_lost`] is called, and after that
/// handles do nothing.
///
/// Nothing here waits.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

struct Shared {
    /// Of the connection's task, whose end is the connection's. It may be shared by a flusher that has something left to send.
    connection: Weak<Connection>,
    orders: Mutex<Orders>,
    info: OnceLock<ExtraInfo>,
}

/// What the connection's task is to do.
///
/// # No order is lost
///
/// The task leaves its waker in the connection's outbox before it looks here, at each turn, and it waits only after it has looked. An
/// order is put here before the waker is taken from there and woken. Whichever of the two, leaving and taking the waker, is first
/// (they exclude each other, by the outbox's lock): if the task is, it is woken; if the order is, the task sees it. What happens to
/// the outbox itself (too much unsent, little enough, an end asked for, an end come, a failure) changes under that lock,
/// under which the task looks in the same step as it leaves the waker. And bytes to read wake the waker that the task left in the wire,
/// by the read which found none.
#[derive(Default)]
struct Orders {
    reading_is_paused: bool,
    next_protocol: Option<Box<dyn Protocol>>,
    /// Nobody looks here any more.
    over: bool,
}

impl Transport {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        Self(Arc::new(Shared {
            connection: Arc::downgrade(connection),
            orders: Mutex::default(),
            info: OnceLock::new(),
        }))
    }

    /// What the connection's task is to do: whether to read, and which protocol is to take over.
    pub(super) fn look(&self) -> (bool, Option<Box<dyn Protocol>>) {
        let mut orders = self.0.orders.lock();
        (!orders.reading_is_paused, orders.next_protocol.take())
    }

    /// The connection's task takes no more orders. Gives what has come meanwhile.
    pub(super) fn retire(&self) -> Option<Box<dyn Protocol>> {
        let mut orders = self.0.orders.lock();
        orders.over = true;
        orders.next_protocol.take()
    }

    fn connection(&self) -> Option<Arc<Connection>> {
        self.0.connection.upgrade()
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.0.orders.lock());
        if let Some(connection) = self.connection() {
            connection.wake_watcher();
        }
    }

    /// Sends `data`, without waiting: what the system does not take at once is buffered, and sent in the background.
    ///
    /// What comes after the end of writing, or when the connection is over, is discarded. (asyncio raises `RuntimeError` after
    /// `write_eof()`.)
    pub fn write(&self, data: impl AsRef<[u8]>) {
        if let Some(connection) = self.connection() {
            Connection::write(&connection, data.as_ref());
        }
    }

    /// As one [`write`](Self::write) of all the pieces.
    pub fn writelines<I>(&self, pieces: I)
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut data = Vec::new();
        for piece in pieces {
            data.extend_from_slice(piece.as_ref());
        }
        self.write(&data);
    }

    /// Ends the writing direction once everything is sent: the peer reads the end of the stream, and reading goes on.
    pub fn write_eof(&self) {
        if let Some(connection) = self.connection() {
            Connection::end(&connection, Ending::Writing);
        }
    }

    /// Whether the writing direction can be ended alone: that of every transport here can, also with TLS.
    pub fn can_write_eof(&self) -> bool {
        true
    }

    /// Closes the connection once everything is sent. Nothing more is received, and
    /// [`connection_lost(None)`](Protocol::connection_lost) is called in the end. As long as the peer takes nothing, that is not; who will
    /// not wait for it [aborts](Self::abort).
    pub fn close(&self) {
        if let Some(connection) = self.connection() {
            Connection::end(&connection, Ending::Everything);
        }
    }

    /// Ends the connection now. What is unsent is lost, and [`connection_lost(None)`](Protocol::connection_lost) is called soon.
    pub fn abort(&self) {
        if let Some(connection) = self.connection() {
            connection.abort();
        }
    }

    /// Whether the connection is closing or over.
    pub fn is_closing(&self) -> bool {
        let over = self.0.orders.lock().over;
        over || self
            .connection()
            .is_none_or(|connection| connection.asked() == Ending::Everything)
    }

    /// No more [`data_received`](Protocol::data_received), and no [`eof_received`](Protocol::eof_received), until
    /// [`resume_reading`](Self::resume_reading); what arrives is kept by the system, and when that has enough, the peer has to
    /// wait. It holds from the next callback on: in a callback, at once; elsewhere, one may be under way.
    ///
    /// A reset by the peer is not noticed meanwhile, but by writing.
    pub fn pause_reading(&self) {
        self.0.orders.lock().reading_is_paused = true;
    }

    /// Takes [`pause_reading`](Self::pause_reading) back, however often that was called.
    pub fn resume_reading(&self) {
        self.order(|orders| orders.reading_is_paused = false);
    }

    /// Whether what arrives is received: reading is not paused, and the connection neither closing nor over.
    pub fn is_reading(&self) -> bool {
        !self.is_closing() && !self.0.orders.lock().reading_is_paused
    }

    /// Has another protocol take over from the next callback on. Its [`connection_made`](Protocol::connection_made) is not called,
    /// as in asyncio; the old one is dropped, without another call. If the connection is over, it is the new one that is dropped.
    ///
    /// There is no `get_protocol()`: the protocol belongs to the connection's task.
    pub fn set_protocol(&self, protocol: impl Protocol) {
        let mut new: Option<Box<dyn Protocol>> = Some(Box::new(protocol));
        // Which of them is not to be, is dropped out here, without the lock.
        self.order(|orders| {
            if !orders.over {
                mem::swap(&mut orders.next_protocol, &mut new);
            }
        });
    }

    /// How many bytes were written and not sent yet. As `get_write_buffer_size()`.
    pub fn write_buffer_size(&self) -> usize {
        self.connection().map_or(0, |connection| connection.unsent())
    }

    /// The low and the high water mark, in bytes; none when the connection is over. As `get_write_buffer_limits()`.
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.connection().map_or((0, 0), |connection| connection.limits())
    }

    /// Sets the water marks, in bytes: when more than `high` are unsent, [`pause_writing`](Protocol::pause_writing) is called, and when then
    /// no more than `low` are, [`resume_writing`](Protocol::resume_writing). A mark that is not given follows from the other, a quarter of
    /// the high one or four times the low one; without any they are 16 KiB and 64 KiB again.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    #[track_caller]
    pub fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) {
        if let Some(connection) = self.connection() {
            connection.set_limits(low, high);
        }
    }

    /// What is known about the connection: its addresses above all. It is found out at the first call, so that who asks in time still
    /// knows when the connection is over.
    ///
    /// As `get_extra_info()`, which takes the name of what it is to give; here it is a field.
    pub fn get_extra_info(&self) -> ExtraInfo {
        match (self.0.info.get(), self.connection()) {
            (Some(info), _) => info.clone(),
            (None, Some(connection)) => self.0.info.get_or_init(|| connection.wire.extra_info()).clone(),
            (None, None) => ExtraInfo::default(),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.connection() {
            Some(connection) => f.debug_tuple("Transport").field(&connection).finish(),
            None => f.debug_tuple("Transport").field(&"over").finish(),
        }
    }
}
