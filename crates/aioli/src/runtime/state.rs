//! What a loop has besides its executor. The driver holds it, so that it is found from the loop's threads, and so does every
//! handle.

use super::{call_later::Pending, clock::Clock, main_task::MainTask, signal_handlers::SignalHandlers, watch::Watches};
use crate::{net::Resolver, process::Children};
use aioli_primitives::sync::Mutex;
use aioli_reactor::Reactor;
use std::sync::Arc;

pub(crate) struct LoopState {
    pub(super) clock: Clock,
    /// The driver's.
    pub(super) reactor: Reactor,
    pub(super) pending: Pending,
    pub(super) signal_handlers: SignalHandlers,
    pub(super) watches: Watches,
    pub(super) main: MainTask,
    pub(super) resolver: Mutex<Arc<dyn Resolver>>,
    /// The child processes that are running.
    pub(crate) children: Arc<Children>,
}

impl LoopState {
    pub(super) fn new(clock: Clock, reactor: Reactor, resolver: Arc<dyn Resolver>) -> Self {
        Self {
            clock,
            reactor,
            pending: Pending::default(),
            signal_handlers: SignalHandlers::default(),
            watches: Watches::default(),
            main: MainTask::default(),
            resolver: Mutex::new(resolver),
            children: Arc::default(),
        }
    }
}
