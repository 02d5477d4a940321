//! Waiting for a change of what is behind a lock: take a place, look, wait, and look again.

use aioli_sync::Event;
use std::{future::poll_fn, pin::pin, task::Poll};

#[derive(Default)]
pub(super) struct Changes(Event);

impl Changes {
    /// Waits until `look` finds what it looks for. It is called once, and again after each change.
    pub(super) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let mut change = pin!(self.0.wait());
        poll_fn(|cx| {
            loop {
                // Before the look, so that a change which comes after it is not missed.
                let changed = change.as_mut().poll(cx).is_ready();
                if let Some(found) = look() {
                    return Poll::Ready(found);
                }
                if !changed {
                    return Poll::Pending;
                }
                change.set(self.0.wait());
            }
        })
        .await
    }

    /// Something has changed. To be called with the lock released: it wakes, and wakers run foreign code.
    pub(super) fn announce(&self) {
        self.0.pulse();
    }
}
