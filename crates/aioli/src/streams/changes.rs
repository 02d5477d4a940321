//! Waiting for a change of what is behind a lock: call for the next change, look, and wait for it.

use aioli_sync::Event;

#[derive(Default)]
pub(super) struct Changes(Event);

impl Changes {
    /// Waits until `look` finds what it looks for. It is called once, and again after each change.
    pub(super) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            // Before the look, so that a change which comes after it is not missed.
            let change = self.0.wait();
            if let Some(found) = look() {
                return found;
            }
            change.await;
        }
    }

    /// Something has changed. To be called with the lock released: it wakes, and wakers run foreign code.
    pub(super) fn announce(&self) {
        self.0.pulse();
    }
}
