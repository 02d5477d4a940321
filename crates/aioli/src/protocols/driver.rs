//! The task of a connection that has a protocol. It alone reads, and it alone calls the protocol, so calls never overlap; writing
//! is the connection's affair.

use super::{
    Protocol, Transport,
    callback::call,
    scratch::{self, Scratch},
};
use crate::streams::{
    connection::Connection,
    errors::repeat,
    outbox::{Ending, Standing},
};
use aioli_executor::UnhandledError;
use std::{
    future::Future,
    io,
    ops::ControlFlow::{self, Break, Continue},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Reads for a protocol, and calls it, until the connection is over.
pub(super) struct Driver {
    /// Before `connection`, so that it is gone when a server hears that the connection is.
    protocol: Box<dyn Protocol>,
    transport: Transport,
    connection: Arc<Connection>,
    ways: Ways,
    stage: Stage,
    /// The protocol was told to pause writing, and not to resume it.
    writing_is_paused: bool,
}

/// Where bytes can go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ways {
    In,
    Out,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The protocol has not been called.
    New,
    Connected,
    /// There is nothing more to read.
    AtEnd,
    /// The protocol is not called any more.
    Lost,
}

/// What follows from a turn: another one, or the end of the connection, for that reason.
type Turn = ControlFlow<Option<io::Error>>;

impl Driver {
    pub(super) fn new(connection: Arc<Connection>, ways: Ways, protocol: Box<dyn Protocol>) -> Self {
        Self {
            protocol,
            transport: Transport::new(&connection),
            connection,
            ways,
            stage: Stage::New,
            writing_is_paused: false,
        }
    }

    /// Tells the protocol of its connection, before the task begins. If that panics, all is over.
    pub(super) fn make(&mut self) -> io::Result<Transport> {
        let made = self.tell_made();
        if let Err(error) = &made {
            self.lose(Some(repeat(error)));
        }
        made.map(|()| self.transport.clone())
    }

    fn call<T>(&mut self, name: &str, callback: impl FnOnce(&mut dyn Protocol) -> T) -> io::Result<T> {
        call(&self.connection.event_loop, name, || callback(&mut *self.protocol))
    }

    fn tell_made(&mut self) -> io::Result<()> {
        self.stage = Stage::Connected;
        let transport = self.transport.clone();
        self.call("connection_made", |protocol| protocol.connection_made(&transport))
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, standing: Standing, reading: bool) -> Poll<io::Result<Turn>> {
        if self.stage == Stage::New {
            self.tell_made()?;
        } else if let Some(over) = standing.over {
            return Poll::Ready(Ok(Break(over.err())));
        } else if standing.paused != self.writing_is_paused {
            self.writing_is_paused = standing.paused;
            if standing.paused {
                self.call("pause_writing", |protocol| protocol.pause_writing())?;
            } else {
                self.call("resume_writing", |protocol| protocol.resume_writing())?;
            }
        } else if standing.closing || self.stage == Stage::AtEnd || !reading {
            return Poll::Pending;
        } else if ready!(self.poll_receive(cx))? == 0 {
            self.reach_end()?;
        }
        Poll::Ready(Ok(Continue(())))
    }

    fn reach_end(&mut self) -> io::Result<()> {
        self.stage = Stage::AtEnd;
        // Another thread may have closed the connection during the read, and that is what it found.
        let closing = self.connection.asked() == Ending::Everything;
        if closing {
            return Ok(());
        }
        // There is nothing to stay for when no bytes go the other way; and what is only written to has no end, but nobody who reads.
        let stays = self.ways != Ways::Out && self.call("eof_received", |protocol| protocol.eof_received())?;
        if !stays || self.ways != Ways::Both {
            Connection::end(&self.connection, Ending::Everything);
        }
        Ok(())
    }

    /// Reads once, and hands over what that gave: how many bytes; none at the end. Spends the poll's budget, as every read does, so
    /// that a peer who sends without end does not keep the others waiting.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (connection, protocol) = (&*self.connection, &mut *self.protocol);
        let event_loop = &connection.event_loop;
        if self.ways == Ways::Out {
            return connection.wire.poll_read(cx, &mut []);
        }
        if let Some(buffered) = protocol.as_buffered() {
            let place = &mut *buffered;
            let buffer = call(event_loop, "get_buffer", move || place.get_buffer(scratch::SIZE))?;
            if buffer.is_empty() {
                const MISTAKE: &str = "the protocol's `get_buffer` gave a buffer of no bytes: pause reading instead";
                event_loop.call_exception_handler(UnhandledError::error(MISTAKE));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, MISTAKE)));
            }
            let count = ready!(connection.wire.poll_read(cx, buffer))?;
            if count > 0 {
                call(event_loop, "buffer_updated", || buffered.buffer_updated(count))?;
            }
            return Poll::Ready(Ok(count));
        }
        let mut scratch = Scratch::take();
        let count = ready!(connection.wire.poll_read(cx, &mut scratch))?;
        if count > 0 {
            call(event_loop, "data_received", || {
                protocol.data_received(&scratch[..count])
            })?;
        }
        Poll::Ready(Ok(count))
    }

    /// Has a protocol that was set take over.
    fn take_over(&mut self, next: Option<Box<dyn Protocol>>) -> io::Result<()> {
        let Some(next) = next else { return Ok(()) };
        let before = std::mem::replace(&mut self.protocol, next);
        call(&self.connection.event_loop, "drop", || drop(before))
    }

    /// The connection is over, for that reason.
    fn lose(&mut self, reason: Option<io::Error>) {
        self.stage = Stage::Lost;
        if reason.is_some() {
            self.connection.abort();
        }
        // The exception handler has been told of a panic, and the error is for nobody any more.
        let next = self.transport.retire();
        let _ = self.take_over(next);
        let _ = self.call("connection_lost", |protocol| protocol.connection_lost(reason));
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            // In this order: see `Orders`.
            let standing = this.connection.watch(cx.waker());
            let (reading, next) = this.transport.look();
            let turn = match this.take_over(next) {
                Ok(()) => ready!(this.poll_turn(cx, standing, reading)),
                Err(error) => Err(error),
            };
            match turn {
                Ok(Continue(())) => {}
                Ok(Break(reason)) => break this.lose(reason),
                Err(error) => break this.lose(Some(error)),
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Connected | Stage::AtEnd) {
            self.lose(Some(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the event loop ended",
            )));
        }
    }
}
