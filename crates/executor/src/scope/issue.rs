//! What a scope asks of what is inside it: that it be cancelled.
//!
//! An [`Issue`] is the scope's side of all its requests, and a [`Request`] is one of them on its way. Both are counted, because
//! a token ([`CancelledError`](super::CancelledError)) that holds a request may go anywhere, and outlive the scope.
//!
//! A scope that asks again starts a new *wave*. A *hold* is a token of the newest wave that was neither swallowed nor
//! resumed: somebody still cleans up, and the scope waits. One word has both, so that a token of an older wave that is let
//! go at the same instant takes nothing from the newer one.

use super::dropping;
use aioli_primitives::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::*},
};
use std::task::{Context, Waker};

/// What was said about why something was cancelled.
pub(crate) type Text = std::sync::Arc<str>;

/// Where a cancellation began, to know it by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origin(u64, u64);

/// What a cancellation is known by when it comes to a task by more than one way: from a group, say, and from a sibling that
/// awaits the task and is cancelled by the same group. And why it came.
///
/// For [`TaskRef::cancel_once`](crate::TaskRef::cancel_once).
#[derive(Clone, Debug)]
pub struct CancelCause {
    pub(crate) reason: Option<Text>,
    /// `None`: it begins where it is used.
    pub(crate) origin: Option<Origin>,
}

impl CancelCause {
    /// That of a new cancellation, of one or more tasks.
    #[expect(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        Self {
            origin: Some(Origin(next_id(), 0)),
            ..Self::unknown()
        }
    }

    /// Says why; as `msg` in asyncio.
    pub fn with_reason(self, reason: impl Into<Text>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }

    /// That for which something is being dropped around here, if it is being dropped because of a cancellation; else a new one. For
    /// destructors that cancel tasks.
    pub fn of_drop() -> Self {
        dropping::cause().unwrap_or_else(Self::new)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.reason.is_none() && self.origin.is_none()
    }

    /// Of a cancellation that comes by one way only.
    pub(crate) fn unknown() -> Self {
        Self {
            reason: None,
            origin: None,
        }
    }
}

fn next_id() -> u64 {
    // A counter of the process and not of a model.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

const WAVE: u64 = 1 << 32;

pub(super) struct Issue {
    /// Unlike its address, nobody's but its own.
    id: u64,
    /// The wave above, the holds of that wave below. Relaxed where only the scope's own task reads it; a hold is let go
    /// with `Release` and counted with `Acquire`, so that the scope goes on after what the holder did.
    word: AtomicU64,
    /// Nobody inside stops it: the body is to be dropped.
    unwinding: AtomicBool,
    /// Whoever polls the scope.
    waker: Mutex<Option<Waker>>,
    /// That of the newest wave.
    cause: Mutex<CancelCause>,
}

impl Issue {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            id: next_id(),
            word: AtomicU64::new(0),
            unwinding: AtomicBool::new(false),
            waker: Mutex::new(None),
            cause: Mutex::new(CancelCause::unknown()),
        })
    }

    /// Starts a new wave. Only the scope does, so nobody else changes the wave.
    pub(super) fn ask(this: &Arc<Self>, cause: CancelCause) -> Request {
        let wave = this.word.load(Relaxed) / WAVE + 1;
        this.word.store(wave * WAVE, Relaxed);
        let begins_here = Origin(this.id, wave);
        *this.cause.lock() = CancelCause {
            origin: cause.origin.or(Some(begins_here)),
            ..cause
        };
        Self::again(this)
    }

    /// The newest wave, asked again of those who have not been.
    pub(super) fn again(this: &Arc<Self>) -> Request {
        Request {
            wave: this.word.load(Relaxed) / WAVE,
            issue: this.clone(),
            cause: this.cause(),
            has_gone_on: false,
        }
    }

    /// That of the newest wave.
    pub(super) fn cause(&self) -> CancelCause {
        self.cause.lock().clone()
    }

    pub(super) fn is_held(&self) -> bool {
        self.word.load(Acquire) % WAVE > 0
    }

    pub(super) fn is_unwinding(&self) -> bool {
        self.unwinding.load(Acquire)
    }

    pub(super) fn set_unwinding(&self, unwinding: bool) {
        self.unwinding.store(unwinding, Release);
    }

    /// Whoever polls the scope wants to know when something changes.
    pub(super) fn register(&self, cx: &Context<'_>) {
        let same = |slot: &Option<Waker>| slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !same(&self.waker.lock()) {
            // Made and dropped out here: wakers may be anybody's.
            let new = cx.waker().clone();
            let old = self.waker.lock().replace(new);
            drop(old);
        }
    }

    /// Whom to wake now; whoever polls the scope registers anew when it does.
    pub(super) fn take_waker(&self) -> Option<Waker> {
        self.waker.lock().take()
    }
}

/// A request on its way.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) issue: Arc<Issue>,
    wave: u64,
    cause: CancelCause,
    has_gone_on: bool,
}

impl Request {
    /// The scope and the wave, to know it by.
    pub(super) fn key(&self) -> (u64, u64) {
        (self.issue.id, self.wave)
    }

    /// To be passed on with it.
    pub(super) fn cause(&self) -> CancelCause {
        self.cause.clone()
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.cause.reason.as_deref()
    }

    /// As it goes on outward: it counts for the newest wave.
    pub(super) fn gone_on(&self) -> Self {
        Self {
            wave: self.issue.word.load(Relaxed) / WAVE,
            has_gone_on: true,
            ..self.clone()
        }
    }

    /// Somebody had it, and let it go on.
    pub(super) fn has_gone_on(&self) -> bool {
        self.has_gone_on
    }

    pub(super) fn is_from(&self, issue: &Arc<Issue>) -> bool {
        Arc::ptr_eq(&self.issue, issue)
    }

    /// Somebody takes it, and the scope waits.
    pub(super) fn hold(&self) {
        let newest = |word: u64| (word / WAVE == self.wave).then_some(word + 1);
        // An older wave holds nothing.
        let _ = self.issue.word.fetch_update(Relaxed, Relaxed, newest);
    }

    /// The one who lets go is not where the scope is. Unless the scope has asked anew meanwhile, it unwinds.
    pub(super) fn goes_home(&self) {
        if self.issue.word.load(Acquire) / WAVE == self.wave {
            self.issue.set_unwinding(true);
        }
    }

    /// Who took it lets go.
    pub(super) fn release(&self) {
        let newest = |word: u64| (word / WAVE == self.wave && word % WAVE > 0).then(|| word - 1);
        let _ = self.issue.word.fetch_update(Release, Relaxed, newest);
    }
}
