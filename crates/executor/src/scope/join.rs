//! The frame of one who awaits a task: a request that comes to it is passed on to the task, and the one who awaits stays.

use super::{
    around::{forward, innermost, swallow, unwinds_around},
    issue::{CancelCause, Request},
    tree::{Kind, Place},
};
use crate::{current, task::Header};
use std::ptr::NonNull;

/// Open while a join is pending.
pub(crate) struct JoinFrame(Option<Place>);

impl JoinFrame {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// The join is pending.
    #[inline]
    pub(crate) fn open(&mut self, child: NonNull<Header>) {
        if let Some((task, in_root)) = current::task_in_root() {
            // SAFETY: the task is current, and its root the innermost scope.
            if in_root && unsafe { Place::plant(&mut self.0, child, task) } {
                return;
            }
            // SAFETY: the task is current, and its innermost node is in its tree.
            unsafe {
                Place::settle(&mut self.0, Kind::Join, innermost(task), task)
                    .as_ref()
                    .set_joined(child)
            };
        }
    }

    fn passed_on(&self) -> Vec<Request> {
        let node = self.0.as_ref().and_then(Place::here);
        // SAFETY: the node is the current task's.
        node.map(|node| unsafe { node.as_ref() }.take_mail())
            .unwrap_or_default()
    }

    /// That of the newest request that was passed on to the task.
    pub(crate) fn passed_on_for(&self) -> Option<CancelCause> {
        let node = self.0.as_ref().and_then(Place::here)?;
        // SAFETY: the node is the current task's.
        unsafe { node.as_ref() }.newest_cause()
    }

    /// The task has ended, and not as cancelled: what was passed on ends here.
    #[inline]
    pub(crate) fn swallow(&mut self) {
        if let Some(place) = self.0.take() {
            Self::swallow_at(place);
        }
    }

    #[inline(never)]
    fn swallow_at(place: Place) {
        if let Err(place) = place.leave_quietly() {
            // SAFETY: the node is the current task's.
            let mail = place.here().map(|node| unsafe { node.as_ref() }.take_mail());
            mail.iter().flatten().for_each(swallow);
        }
    }

    /// The join is dropped: what was passed on goes on outward.
    #[inline]
    pub(crate) fn close(&mut self) {
        self.0 = None;
    }

    /// The task has ended as cancelled: what was passed on goes on. `true`: something around is about to unwind.
    pub(crate) fn resume(&mut self) -> bool {
        let passed_on = self.passed_on();
        self.0 = None;
        let mut any = false;
        for request in passed_on {
            request.release();
            any |= forward(&request);
        }
        any && unwinds_around()
    }
}
