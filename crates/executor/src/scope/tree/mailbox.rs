//! What comes to a node, and what it issues. Nothing here is locked: it is for the runner, and what it polls.

use super::{Kind, Node};
use crate::scope::issue::{CancelCause, Issue, Request};
use aioli_primitives::sync::Arc;
use std::{
    cell::RefMut,
    mem,
    ptr::NonNull,
    task::{Context, Waker},
};

/// Made when something first comes to a node, or it issues something.
#[derive(Default)]
pub(super) struct Mailbox {
    /// Requests that came to this frame: those that it has not taken, or, for a join, those that it has passed on.
    pub(super) mail: Vec<Request>,
    /// The newest wave of each issue that this frame was served, so that none is delivered twice.
    pub(super) served: Vec<(u64, u64)>,
    /// Whom to wake when mail comes.
    pub(super) waker: Option<Waker>,
    /// The scope's own requests.
    pub(super) issue: Option<Arc<Issue>>,
}

impl Mailbox {
    /// Whether this is the first time that the request comes here; it is not from now on.
    pub(super) fn is_new(&mut self, request: &Request) -> bool {
        let (issue, wave) = request.key();
        match self.served.iter_mut().find(|served| served.0 == issue) {
            Some(served) => mem::replace(&mut served.1, wave) != wave,
            None => {
                self.served.push((issue, wave));
                true
            }
        }
    }
}

impl Node {
    /// The mailbox, made if need be.
    pub(super) fn mailbox(&self) -> RefMut<'_, Mailbox> {
        self.trace.touch();
        self.mailbox.get_or_init(Box::default).borrow_mut()
    }

    /// The mailbox, if there is one.
    pub(super) fn has_mailbox(&self) -> Option<RefMut<'_, Mailbox>> {
        self.trace.touch();
        Some(self.mailbox.get()?.borrow_mut())
    }

    pub(super) fn take_waker(&self) -> Option<Waker> {
        self.has_mailbox()?.waker.take()
    }

    pub(in crate::scope) fn set_issue(&self, issue: &Arc<Issue>) {
        self.mailbox().issue = Some(issue.clone());
    }

    pub(in crate::scope) fn issues(&self, request: &Request) -> bool {
        let issues = |mailbox: RefMut<'_, Mailbox>| mailbox.issue.as_ref().is_some_and(|issue| request.is_from(issue));
        self.has_mailbox().is_some_and(issues)
    }

    pub(in crate::scope) fn has_mail(&self) -> bool {
        self.has_mailbox().is_some_and(|mailbox| !mailbox.mail.is_empty())
    }

    pub(in crate::scope) fn take_mail(&self) -> Vec<Request> {
        self.has_mailbox()
            .map(|mut mailbox| mem::take(&mut mailbox.mail))
            .unwrap_or_default()
    }

    /// That of the newest request that is here.
    pub(in crate::scope) fn newest_cause(&self) -> Option<CancelCause> {
        self.has_mailbox()?.mail.last().map(Request::cause)
    }

    pub(in crate::scope) fn parent(&self) -> Option<NonNull<Node>> {
        self.parent.get()
    }

    pub(in crate::scope) fn kind(&self) -> Kind {
        self.kind.get()
    }

    pub(in crate::scope) fn set_kind(&self, kind: Kind) {
        self.kind.set(kind);
    }

    /// Whether the scope is about to drop its body.
    pub(in crate::scope) fn unwinds(&self) -> bool {
        let unwinds = |issue: &Arc<Issue>| issue.is_unwinding() && !issue.is_held();
        self.has_mailbox()
            .is_some_and(|mailbox| mailbox.issue.as_ref().is_some_and(unwinds))
    }

    /// Mail that comes is to wake `cx`.
    pub(in crate::scope) fn register(&self, cx: &Context<'_>) {
        let same = |waker: &Waker| waker.will_wake(cx.waker());
        if !self.mailbox().waker.as_ref().is_some_and(same) {
            // Made and dropped out here: wakers may be anybody's.
            let new = cx.waker().clone();
            let old = self.mailbox().waker.replace(new);
            drop(old);
        }
    }
}
