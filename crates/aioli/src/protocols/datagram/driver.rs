//! The task of a socket that has a datagram protocol. It receives, sends what is queued, and it alone calls the protocol.

use super::{DatagramProtocol, DatagramTransport, queue::Datagram, transport::Situation};
use crate::{
    net::UdpSocket,
    protocols::{callback::call, scratch::Scratch},
    runtime::EventLoop,
    streams::errors::repeat,
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

pub(super) struct Driver {
    protocol: Box<dyn DatagramProtocol>,
    transport: DatagramTransport,
    socket: Arc<UdpSocket>,
    event_loop: EventLoop,
    stage: Stage,
    /// The protocol was told to pause writing, and not to resume it.
    writing_is_paused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Made,
    /// The protocol is not called any more.
    Lost,
}

impl Driver {
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        transport: DatagramTransport,
        protocol: Box<dyn DatagramProtocol>,
    ) -> Self {
        Self {
            protocol,
            transport,
            socket,
            event_loop: EventLoop::current(),
            stage: Stage::New,
            writing_is_paused: false,
        }
    }

    /// Tells the protocol of its socket, before the task begins. If that panics, all is over.
    pub(super) fn make(&mut self) -> io::Result<()> {
        self.stage = Stage::Made;
        let transport = self.transport.clone();
        let made = self.call("connection_made", |protocol| protocol.connection_made(&transport));
        if let Err(error) = &made {
            self.lose(Some(repeat(error)));
        }
        made
    }

    fn call<T>(&mut self, name: &str, callback: impl FnOnce(&mut dyn DatagramProtocol) -> T) -> io::Result<T> {
        call(&self.event_loop, name, || callback(&mut *self.protocol))
    }

    /// Does one thing that is to be done: `true` if the socket is to be closed then. An error is that of a panic.
    fn poll_turn(&mut self, cx: &mut Context<'_>, situation: Situation) -> Poll<io::Result<bool>> {
        if let Some(error) = situation.error {
            self.call("error_received", |protocol| protocol.error_received(error))?;
            return Poll::Ready(Ok(false));
        }
        if situation.paused != self.writing_is_paused {
            self.writing_is_paused = situation.paused;
            if situation.paused {
                self.call("pause_writing", |protocol| protocol.pause_writing())?;
            } else {
                self.call("resume_writing", |protocol| protocol.resume_writing())?;
            }
            return Poll::Ready(Ok(false));
        }
        if situation.closing && situation.first.is_none() {
            return Poll::Ready(Ok(true));
        }
        if let Some(first) = &situation.first {
            if let Poll::Ready(sent) = self.poll_send(cx, first) {
                self.transport.first_is_done();
                if let Err(error) = sent {
                    self.call("error_received", |protocol| protocol.error_received(error))?;
                }
                return Poll::Ready(Ok(false));
            }
        }
        if !situation.closing {
            ready!(self.poll_receive(cx))?;
            return Poll::Ready(Ok(false));
        }
        Poll::Pending
    }

    fn poll_send(&self, cx: &mut Context<'_>, datagram: &Datagram) -> Poll<io::Result<usize>> {
        match datagram.target {
            Some(target) => self.socket.poll_send_to(cx, &datagram.data, target),
            None => self.socket.poll_send(cx, &datagram.data),
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = Scratch::take();
        Poll::Ready(match ready!(self.socket.poll_recv_from(cx, &mut scratch)) {
            Ok((length, sender)) => self.call("datagram_received", |protocol| {
                protocol.datagram_received(&scratch[..length], sender);
            }),
            Err(error) => self.call("error_received", |protocol| protocol.error_received(error)),
        })
    }

    fn lose(&mut self, reason: Option<io::Error>) {
        self.stage = Stage::Lost;
        self.transport.retire();
        // The exception handler has been told of a panic, and the error is for nobody any more.
        let _ = self.call("connection_lost", |protocol| protocol.connection_lost(reason));
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let situation = this.transport.look(cx);
            match ready!(this.poll_turn(cx, situation)) {
                Ok(false) => {}
                Ok(true) => break this.lose(None),
                Err(error) => break this.lose(Some(error)),
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.stage == Stage::Made {
            self.lose(Some(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the event loop ended",
            )));
        }
    }
}
