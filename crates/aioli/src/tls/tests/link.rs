//! Two wires that are connected in memory. As with a socket, in each direction one waker is known, that of the last to wait.

use crate::streams::{ExtraInfo, wire::Wire};
use aioli_primitives::sync::Mutex;
use std::{
    collections::VecDeque,
    io::{self, Read},
    mem,
    net::Shutdown,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// One end of a link.
#[derive(Debug)]
pub(super) struct End {
    incoming: Arc<Direction>,
    outgoing: Arc<Direction>,
}

#[derive(Debug, Default)]
struct Direction(Mutex<Flow>);

#[derive(Debug, Default)]
struct Flow {
    bytes: VecDeque<u8>,
    capacity: usize,
    ended: bool,
    /// Nobody will ever read.
    broken: bool,
    /// How many times somebody has sent something, and how many of these it was too much.
    sends: usize,
    refused: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Each direction holds `capacity` bytes.
pub(super) fn link(capacity: usize) -> (Arc<End>, Arc<End>) {
    let direction = || {
        let flow = Flow {
            capacity,
            ..Flow::default()
        };
        Arc::new(Direction(Mutex::new(flow)))
    };
    let (there, back) = (direction(), direction());
    let left = End {
        incoming: back.clone(),
        outgoing: there.clone(),
    };
    let right = End {
        incoming: there,
        outgoing: back,
    };
    (Arc::new(left), Arc::new(right))
}

impl End {
    /// Sets how many bytes may be under way from here.
    pub(super) fn set_capacity(&self, capacity: usize) {
        self.outgoing.change(|flow| flow.capacity = capacity);
    }

    /// Takes what is under way to here, and has not been read.
    pub(super) fn take(&self) -> Vec<u8> {
        self.incoming.change(|flow| mem::take(&mut flow.bytes).into())
    }

    /// Sends bytes, whatever there is room for.
    pub(super) fn inject(&self, bytes: &[u8]) {
        self.outgoing.change(|flow| flow.bytes.extend(bytes));
    }

    /// The connection breaks in the direction from here.
    pub(super) fn break_outgoing(&self) {
        self.outgoing.change(|flow| flow.broken = true);
    }

    /// The peer reads the end, though nobody has ended it.
    pub(super) fn cut(&self) {
        self.outgoing.change(|flow| flow.ended = true);
    }

    /// How many times something was sent from here.
    pub(super) fn sends(&self) -> usize {
        self.outgoing.0.lock().sends
    }

    /// How many times something was sent from here, and nothing of it was taken.
    pub(super) fn refused(&self) -> usize {
        self.outgoing.0.lock().refused
    }

    /// Whether this waker waits to write here.
    pub(super) fn has_writer(&self, waker: &Waker) -> bool {
        let flow = self.outgoing.0.lock();
        flow.writer.as_ref().is_some_and(|writer| writer.will_wake(waker))
    }
}

impl Direction {
    /// Changes something, and wakes whoever waits.
    fn change<T>(&self, change: impl FnOnce(&mut Flow) -> T) -> T {
        let mut flow = self.0.lock();
        let result = change(&mut flow);
        let wakers = [flow.reader.take(), flow.writer.take()];
        drop(flow);
        wakers.into_iter().flatten().for_each(Waker::wake);
        result
    }

    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        let mut flow = self.0.lock();
        flow.sends += 1;
        if flow.broken || flow.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = flow.capacity.saturating_sub(flow.bytes.len()).min(buf.len());
        if room == 0 {
            flow.refused += 1;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        drop(flow);
        self.change(|flow| flow.bytes.extend(&buf[..room]));
        Ok(room)
    }
}

impl Wire for End {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut flow = self.incoming.0.lock();
        if flow.bytes.is_empty() && !flow.ended {
            flow.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(flow);
        Poll::Ready(self.incoming.change(|flow| flow.bytes.read(buf)))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.outgoing.write(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut flow = self.outgoing.0.lock();
                if flow.bytes.len() < flow.capacity {
                    // There has been room since.
                    cx.waker().wake_by_ref();
                }
                flow.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.outgoing.write(buf)
    }

    fn poll_end(&self, _: &mut Context<'_>, how: Shutdown) -> Poll<io::Result<()>> {
        self.outgoing.change(|flow| flow.ended = true);
        if how == Shutdown::Both {
            self.incoming.change(|flow| flow.ended = true);
        }
        Poll::Ready(Ok(()))
    }

    fn close(&self) {
        for direction in [&self.outgoing, &self.incoming] {
            direction.change(|flow| flow.ended = true);
        }
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo::default()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close();
    }
}
