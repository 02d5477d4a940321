//! Scopes: what a cancellation stops, and what keeps the async work that a dropped future leaves behind.
//!
//! A future that is being dropped cannot await. It may *defer* work instead: hand a future to the innermost scope
//! around it, which finishes it before it ends itself. Every task has a root scope; [`Scoped`] makes one anywhere.
//! A scope's work is run by whoever polls the scope, in the order in which it was deferred, and nothing cancels it.
//! When a `Scoped` is itself dropped from outside, its work moves to the scope around it.

use crate::current;
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
type OnPanic<'a> = &'a mut dyn FnMut(Box<dyn Any + Send>);

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

    /// Runs deferred work as far as it goes. `true`: all of it is done.
    pub(crate) fn poll_deferred(&self, cx: &mut Context<'_>, on_panic: OnPanic<'_>) -> bool {
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
                Ok(Poll::Ready(())) => drop_caught(work, on_panic),
                Err(payload) => {
                    on_panic(payload);
                    drop_caught(work, on_panic);
                }
            }
        }
    }

    /// Gives deferred work up.
    pub(crate) fn drop_deferred(&self, on_panic: OnPanic<'_>) {
        loop {
            let Some(work) = self.pop() else {
                return;
            };
            drop_caught(work, on_panic);
        }
    }
}

fn drop_caught(work: Work, on_panic: OnPanic<'_>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(work))) {
        on_panic(payload);
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
        return crate::worker::spawn_detached(work);
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

/// Promises that `work` will be done when the returned guard is dropped, however that comes about: at the end of the
/// block, by `?`, or because the task was cancelled. The scope around (a task, a timeout) ends only when the work is
/// done; nothing cancels it.
///
/// The counterpart of `finally: await ...` in asyncio. Outside any task the work becomes a task of the running loop;
/// without a loop it is dropped.
///
/// # Panics
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
            match polled {
                Poll::Ready(value) => *this.value = Some(value),
                Poll::Pending => return Poll::Pending,
            }
            drop_within(this.scope, this.body);
        }
        if this.scope.is_empty() || finish(this.scope, cx) {
            Poll::Ready(this.value.take())
        } else {
            Poll::Pending
        }
    }
}

/// Runs deferred work of a scope whose body is gone. `true`: all of it is done. A panic of it goes on here, where the
/// body's own would have.
#[cold]
fn finish(scope: &Scope, cx: &mut Context<'_>) -> bool {
    let mut panicked = None;
    let done = {
        let _scope = current::enter_scope(NonNull::from(scope));
        scope.poll_deferred(cx, &mut |payload| panicked = Some(payload))
    };
    if let Some(payload) = panicked {
        resume_unwind(payload);
    }
    done
}
