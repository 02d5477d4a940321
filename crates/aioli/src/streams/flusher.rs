//! Sends what a connection's outbox holds, and carries out its end.
//!
//! A flusher tries at once, where it is made; only if it has to wait does it become a task of the loop's. So a connection whose
//! peer keeps up has none, and a writer that is closed or dropped delivers what it has, because the flusher owns a share of
//! the connection.

use super::{connection::Connection, outbox::Job};
use std::{
    any::Any,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

/// Whoever has one is the connection's flusher, until it is ready.
pub(super) struct Flusher {
    connection: Arc<Connection>,
    taken: Vec<u8>,
    sent: usize,
    retired: bool,
    /// What a foreign waker that was told of something panicked with. It goes on when the work is done.
    panicked: Option<Box<dyn Any + Send>>,
}

impl Flusher {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            taken: Vec::new(),
            sent: 0,
            retired: false,
            panicked: None,
        }
    }

    /// Does what can be done at once, and leaves the rest to a task.
    pub(super) fn start(mut self) {
        if Pin::new(&mut self)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            self.wait();
        }
    }

    /// Leaves everything to a task.
    pub(super) fn wait(self) {
        let event_loop = self.connection.event_loop.clone();
        event_loop.create_service(self).detach();
    }

    /// Tells the connection of something, and so those who wait for it.
    fn tell(&mut self, news: impl FnOnce(&Connection)) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| news(&self.connection))) {
            self.panicked.get_or_insert(payload);
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.taken.len() {
            self.sent += match ready!(self.connection.wire.poll_write(cx, &self.taken[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => count,
            };
            let left = self.taken.len() - self.sent;
            self.tell(|connection| connection.has_sent(left));
        }
        Poll::Ready(Ok(()))
    }
}

impl Future for Flusher {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            if let Err(error) = ready!(this.poll_send(cx)) {
                this.tell(|connection| connection.fail(error));
            }
            (this.taken, this.sent) = (Vec::new(), 0);
            match this.connection.next_job() {
                Job::Send(bytes) => this.taken = bytes,
                Job::Flush => {
                    if let Err(error) = ready!(this.connection.wire.poll_flush(cx)) {
                        this.tell(|connection| connection.fail(error));
                    }
                }
                Job::End(ending) => {
                    ready!(this.connection.poll_end(cx, ending));
                }
                Job::Retire => {
                    this.retired = true;
                    this.tell(Connection::all_is_sent);
                    if let Some(payload) = this.panicked.take() {
                        resume_unwind(payload);
                    }
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        if !self.retired {
            let error = io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the event loop ended before all was sent",
            );
            self.connection.flusher_has_gone(error);
        }
    }
}
