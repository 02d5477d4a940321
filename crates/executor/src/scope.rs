//! Scopes: what a cancellation stops, and what keeps the async work that a dropped future leaves behind.
//!
//! A future that is being dropped cannot await. It may *defer* work instead: hand a future to the innermost scope
//! around it. Every task has a root scope; [`Scoped`] makes one anywhere. The scope runs what was deferred, in the order in
//! which it was, at once and alongside what else of the scope goes on; nothing cancels it, and the scope ends only when it is
//! done. When a `Scoped` is itself dropped from outside, its work moves to the scope around it.

use crate::{current, task};
use pin_project_lite::pin_project;
use std::{
    any::Any,
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll},
};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The deferred work of one scope. Only whoever polls or drops the scope at the moment touches it, on its own thread.
pub(crate) struct Scope {
    deferred: RefCell<VecDeque<Work>>,
}

impl Scope {
    pub(crate) fn new() -> Self {
        Self {
            deferred: RefCell::new(VecDeque::new()),
        }
    }

    fn is_empty(&self) -> bool {
        self.deferred.borrow().is_empty()
    }

    fn push(&self, work: Work) {
        self.deferred.borrow_mut().push_back(work);
    }

    fn pop(&self) -> Option<Work> {
        self.deferred.borrow_mut().pop_front()
    }

    /// Runs deferred work as far as it goes. `true`: all of it is done. Panics are reported.
    #[inline]
    pub(crate) fn poll_deferred(&self, cx: &mut Context<'_>) -> bool {
        self.is_empty() || self.poll_deferred_slow(cx)
    }

    #[cold]
    fn poll_deferred_slow(&self, cx: &mut Context<'_>) -> bool {
        loop {
            // Taken out while it runs, because it may defer more.
            let Some(mut work) = self.pop() else {
                return true;
            };
            match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(Poll::Pending) => {
                    self.deferred.borrow_mut().push_front(work);
                    return false;
                }
                Ok(Poll::Ready(())) => drop_caught(work),
                Err(payload) => {
                    report(payload);
                    drop_caught(work);
                }
            }
        }
    }

    /// Gives deferred work up.
    pub(crate) fn drop_deferred(&self) {
        loop {
            let Some(work) = self.pop() else {
                return;
            };
            drop_caught(work);
        }
    }
}

fn drop_caught(work: Work) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(work))) {
        report(payload);
    }
}

/// Reports a panic of deferred work, on behalf of the current task.
fn report(payload: Box<dyn Any + Send>) {
    match current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack.
        Some(task) => unsafe { task::report(task, payload) },
        // On a foreign executor nobody is there to be told but the one who polls.
        None => resume_unwind(payload),
    }
}

/// Hands `work` to the innermost scope of the current task, which finishes it before it ends. Outside any task it goes
/// to the running loop as a task of its own; where there is no loop either, it comes back.
fn defer_now(work: Work) -> Result<(), Work> {
    if let Some(scope) = current::scope() {
        // SAFETY: `current` names a scope only while somebody up the stack polls or drops it.
        unsafe { scope.as_ref() }.push(work);
    } else if let Some(task) = current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack.
        unsafe { task.as_ref() }.extras_or_new().root.push(work);
    } else {
        return crate::here::spawn_detached(work);
    }
    Ok(())
}

/// Async work to be done when this guard is dropped: `finally` for what a destructor cannot do. Made by [`defer`].
#[must_use = "the work is deferred at once if the guard is not kept"]
pub struct Defer<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    /// `None` once it has been handed on.
    work: Option<F>,
}

impl<F> Drop for Defer<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            // With no loop anywhere, there is nobody to run it: it is dropped.
            drop(defer_now(Box::pin(work)));
        }
    }
}

/// Promises that `work` will be done: it begins when the returned guard is dropped, however that comes about (at the end of the
/// block, by `?`, or because the task was cancelled), and the scope around does not end before the work has.
///
/// *The scope around* is the innermost of: the task; a `wait_for`. Its deferred work runs one after the other, in the order in
/// which the guards were dropped (in a block the last one first), alongside what else the scope still does, and nothing
/// cancels it.
///
/// The counterpart of `finally: await ...` in asyncio, but for this: after a block that ends normally, what follows does
/// not wait for the work. Where it has to, await the work itself: `guard.disarm().await`.
///
/// Outside any task the work becomes a task of the running loop; without a loop it is dropped.
///
/// A panic of the work is reported to the unhandled-panic handler.
pub fn defer<F>(work: F) -> Defer<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    Defer { work: Some(work) }
}

impl<F> Defer<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    /// Calls the work off, and gives it back.
    pub fn disarm(mut self) -> F {
        self.work.take().expect("taken only here and in drop")
    }
}

/// Defers waiting for the end of something that needs no result.
pub(crate) fn defer_wait(wait: impl Future<Output = ()> + Send + 'static) {
    // With no loop anywhere there is nobody to wait.
    drop(defer_now(Box::pin(wait)));
}

pin_project! {
    /// A future in a scope of its own, which can be cancelled apart from the task around it.
    ///
    /// The building block of timeouts. It is ready when the future is gone, by finishing or by [`cancel`](Self::cancel),
    /// *and* all work that it deferred is done; then it gives the future's value, or `None` if it was cancelled before.
    pub struct Scoped<F: Future> {
        scope: Scope,
        #[pin]
        body: Option<F>,
        value: Option<F::Output>,
    }

    impl<F: Future> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            /// Even if the body's destructor panics.
            struct HandOn<'a>(&'a Scope);
            impl Drop for HandOn<'_> {
                fn drop(&mut self) {
                    while let Some(work) = self.0.pop() {
                        // With no loop anywhere, there is nobody to run it: it is dropped.
                        drop(defer_now(work));
                    }
                }
            }
            let this = this.project();
            let _hand_on = HandOn(this.scope);
            drop_within(this.scope, this.body);
        }
    }
}

/// Drops a body, if it is there, with its scope current, so that what it defers lands there.
fn drop_within<F>(scope: &Scope, mut body: Pin<&mut Option<F>>) {
    if body.is_some() {
        let _scope = current::enter_scope(NonNull::from(scope));
        body.set(None);
    }
}

impl<F: Future> Scoped<F> {
    /// Puts `body` into a scope.
    pub fn new(body: F) -> Self {
        Self {
            scope: Scope::new(),
            body: Some(body),
            value: None,
        }
    }

    /// Drops the future where it stands. What it deferred remains to be done: keep polling.
    ///
    /// # Panics
    ///
    /// Passes on a panic of the future's destructor.
    pub fn cancel(self: Pin<&mut Self>) {
        let this = self.project();
        drop_within(this.scope, this.body);
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(body) = this.body.as_mut().as_pin_mut() {
            let polled = {
                let _scope = current::enter_scope(NonNull::from(&*this.scope));
                body.poll(cx)
            };
            if let Poll::Ready(value) = polled {
                *this.value = Some(value);
                drop_within(this.scope, this.body.as_mut());
            }
        }
        let done = this.scope.is_empty() || {
            let _scope = current::enter_scope(NonNull::from(&*this.scope));
            this.scope.poll_deferred(cx)
        };
        if done && this.body.is_none() {
            Poll::Ready(this.value.take())
        } else {
            Poll::Pending
        }
    }
}
