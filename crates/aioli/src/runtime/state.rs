//! What a loop has besides its executor. The driver holds it, so that it is found from the loop's threads, and so does every
//! handle.

use super::{call_later::Pending, clock::Clock, main_task::MainTask, signal_handlers::SignalHandlers, watch::Watches};
use aioli_reactor::Reactor;

pub(crate) struct LoopState {
    pub(super) clock: Clock,
    /// The driver's.
    pub(super) reactor: Reactor,
    pub(super) pending: Pending,
    pub(super) signal_handlers: SignalHandlers,
    pub(super) watches: Watches,
    pub(super) main: MainTask,
}

impl LoopState {
    pub(super) fn new(clock: Clock, reactor: Reactor) -> Self {
        Self {
            clock,
            reactor,
            pending: Pending::default(),
            signal_handlers: SignalHandlers::default(),
            watches: Watches::default(),
            main: MainTask::default(),
        }
    }
}
