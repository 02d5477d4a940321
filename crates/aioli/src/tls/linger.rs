//! The last wait of a client that has only written.
//!
//! After the handshake, a server of TLS 1.3 sends tickets for the next connection. When they meet a socket that is closed, or lie unread in
//! one that is being closed, the system resets the connection, and what is still on its way to the server is lost. So a client that
//! is closed before it has heard anything waits for the tickets, and one that is dropped reads what is there.

use super::TlsWire;
use crate::time::{Sleep, sleep};
use aioli_primitives::budget;
use std::{
    future::Future,
    mem,
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

/// How long it waits: a round trip is shorter. There are servers that send no tickets, and then read on.
const LIMIT: Duration = Duration::from_secs(5);

/// How many times what is there is read; tickets need one.
const READS: usize = 16;

/// How far the wait is.
#[derive(Default)]
pub(super) enum Linger {
    #[default]
    NotYet,
    Asked,
    Until(Sleep),
}

impl TlsWire {
    /// Ends the writing direction, and waits for something to arrive, if that is needed.
    pub(super) fn poll_linger(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        // Before looking at the wire below: whoever reads, and has been there later, wakes this one to look again.
        let before = {
            let mut session = self.session.lock();
            if !session.lingers() {
                return Poll::Ready(());
            }
            session.waiting.replace(waker)
        };
        drop(before);
        // If that fails, the connection is gone, and nothing will arrive.
        let _ = ready!(self.below.poll_end(cx, Shutdown::Write));
        if self.poll_arrival(cx).is_pending() {
            let before = mem::replace(&mut *self.linger.lock(), Linger::Asked);
            let mut timer = match before {
                Linger::NotYet => {
                    // Whoever calls for the first time may do so where there is no loop, but then makes a task of it.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Linger::Asked => sleep(LIMIT),
                Linger::Until(timer) => timer,
            };
            if Pin::new(&mut timer).poll(cx).is_pending() {
                *self.linger.lock() = Linger::Until(timer);
                return Poll::Pending;
            }
        }
        let waker = self.session.lock().has_lingered();
        drop(waker);
        Poll::Ready(())
    }
}

impl Drop for TlsWire {
    fn drop(&mut self) {
        if !self.session.get_mut().is_client() {
            return;
        }
        // Nobody reads any more, so no waker is in the way; and this has to be now, whatever the budget of the task says.
        let left = budget::replace(budget::UNLIMITED);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..READS {
            if !matches!(self.below.poll_read(&mut cx, &mut [0; 4096]), Poll::Ready(Ok(1..))) {
                break;
            }
        }
        budget::replace(left);
    }
}
