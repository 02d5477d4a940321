//! How a signal handler tells a loop: by a byte.
//!
//! Very little may be done in a signal handler: it runs in the middle of anything, so it must not lock or allocate. It may write
//! to a descriptor; here, to a socket whose other end is a source on the loop's reactor.

use aioli_reactor::{Reactor, Source};
use std::{
    io,
    os::unix::net::UnixStream,
    sync::Arc,
    task::{Context, Poll},
};

/// The loop's end.
pub(crate) struct Doorbell {
    source: Source<UnixStream>,
    button: Button,
}

/// The handler's end.
#[derive(Clone)]
pub(crate) struct Button(Arc<UnixStream>);

impl Doorbell {
    pub(crate) fn new(reactor: &Reactor) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self {
            source: reactor.register(reader)?,
            button: Button(Arc::new(writer)),
        })
    }

    pub(crate) fn button(&self) -> Button {
        self.button.clone()
    }

    /// Whether the button was pressed since the last time. In any case the current task is woken when it is pressed the next time.
    pub(crate) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut rung = Poll::Pending;
        while let Poll::Ready(read) = self.source.poll_read(cx, &mut [0; 64]) {
            // No end either: the other end is ours, too.
            read.expect("the socket between a signal handler and its loop can be read");
            rung = Poll::Ready(());
        }
        rung
    }
}

impl Button {
    /// May be called in a signal handler.
    pub(crate) fn press(&self) {
        // If there is no room for the byte there are others, which have not been read. The other end may be gone: nobody listens.
        let _ = rustix::io::write(&*self.0, &[0]);
    }
}
