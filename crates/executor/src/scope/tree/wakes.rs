//! Whom to wake, and what to drop, when the tree is left alone again.

use super::mailbox::Mailbox;
use crate::{current, scope::issue::Request};
use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
};

/// Those to be woken, and what is to be dropped, when the tree is left alone again: a waker may be anybody's, and what it does
/// when it is called or dropped may be anything, to the tree as well.
#[derive(Default)]
pub(in crate::scope) struct Wakes {
    wakers: Vec<Waker>,
    mailboxes: Vec<RefCell<Mailbox>>,
    requests: Vec<Request>,
}

impl Wakes {
    pub(in crate::scope) fn push(&mut self, waker: Option<Waker>) {
        self.wakers.extend(waker);
    }

    pub(super) fn keep(&mut self, mailbox: Option<Box<RefCell<Mailbox>>>) {
        self.mailboxes.extend(mailbox.map(|mailbox| *mailbox));
    }

    pub(in crate::scope) fn keep_request(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// Outside any task, so that nothing is added to a tree that is about to go; and a panic is reported, and keeps nobody
    /// else from being woken.
    #[inline]
    pub(in crate::scope) fn wake(self) {
        if !(self.wakers.is_empty() && self.mailboxes.is_empty() && self.requests.is_empty()) {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(self) {
        let task = current::task();
        let caught = |call: &mut dyn FnMut()| {
            let _nobody = current::leave();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
                match task {
                    // SAFETY: the task is current, but for this call.
                    Some(task) => unsafe { crate::task::report(task, payload) },
                    None => drop(crate::task::Panic::new(payload)),
                }
            }
        };
        for waker in self.wakers {
            let mut waker = Some(waker);
            caught(&mut || waker.take().into_iter().for_each(Waker::wake));
        }
        for mailbox in self.mailboxes {
            let mut mailbox = Some(mailbox);
            caught(&mut || drop(mailbox.take()));
        }
        for request in self.requests {
            let mut request = Some(request);
            caught(&mut || drop(request.take()));
        }
    }
}
