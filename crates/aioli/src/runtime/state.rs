//! What a loop has besides its executor. The driver holds it, so that it is found from the loop's threads, and so does every
//! handle.

use super::{call_later::Pending, clock::Clock, main_task::MainTask};
use crate::process::Children;
use std::sync::Arc;

pub(crate) struct LoopState {
    pub(super) clock: Clock,
    pub(super) pending: Pending,
    pub(super) main: MainTask,
    /// The child processes that are running.
    pub(crate) children: Arc<Children>,
}

impl LoopState {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            pending: Pending::default(),
            main: MainTask::default(),
            children: Arc::default(),
        }
    }
}
