//! What a loop has besides its executor. The driver holds it, so that it is found from the loop's threads, and so does every
//! handle.

use super::clock::Clock;

pub(crate) struct LoopState {
    pub(super) clock: Clock,
}

impl LoopState {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock }
    }
}
