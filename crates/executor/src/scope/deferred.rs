//! Async work that a dropped future leaves behind, and the scope around it finishes.
//!
//! A future that is being dropped cannot await. It may *defer* work instead: hand a future to the innermost scope around
//! it. The scope runs what was deferred, in the order in which it was, at once and alongside what else of the scope goes on;
//! nothing cancels it, and the scope ends only when it is done. When a scope is itself dropped from outside, its work
//! moves to the scope around it.

use super::{inner::Scope, tree::Kind};
use crate::{context::Context as Variables, current, task};
use pin_project_lite::pin_project;
use std::{
    any::Any,
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
};

pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The deferred work of one scope.
pub(super) struct Queue(RefCell<VecDeque<Work>>);

impl Queue {
    pub(super) fn new() -> Self {
        Self(RefCell::new(VecDeque::new()))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn push(&self, work: Work) {
        self.0.borrow_mut().push_back(work);
    }

    fn pop(&self) -> Option<Work> {
        self.0.borrow_mut().pop_front()
    }

    /// Runs the work as far as it goes, with its scope current. `true`: all of it is done. Panics are reported.
    #[cold]
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> bool {
        loop {
            // Taken out while it runs, because it may defer more.
            let Some(mut work) = self.pop() else {
                return true;
            };
            match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(Poll::Pending) => {
                    self.0.borrow_mut().push_front(work);
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

    /// Gives the work up.
    pub(super) fn clear(&self) {
        while let Some(work) = self.pop() {
            drop_caught(work);
        }
    }
}

/// The work of a scope that is dropped from outside goes to the scope around.
pub(super) fn hand_on(queue: &Queue) {
    while let Some(work) = queue.pop() {
        // With no loop anywhere, there is nobody to run it: it is dropped.
        drop(defer_now(work));
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

pin_project! {
    /// Deferred work in a scope that lets no request in.
    struct Island<F> {
        scope: Scope,
        // That of the one who deferred it. `None`: no variable was ever set.
        context: Option<Variables>,
        #[pin]
        work: Option<F>,
    }

    impl<F> PinnedDrop for Island<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.work.is_some() {
                let _scope = this.scope.enter();
                this.work.set(None);
            }
        }
    }
}

impl<F: Future<Output = ()>> Future for Island<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let _scope = this.scope.enter();
        match this.work.as_pin_mut() {
            Some(work) => match this.context {
                Some(context) => context.run(|| work.poll(cx)),
                None => work.poll(cx),
            },
            None => Poll::Ready(()),
        }
    }
}

fn island<F: Future<Output = ()> + Send + 'static>(work: F) -> Work {
    island_in(Variables::capture(), work)
}

fn island_in<F: Future<Output = ()> + Send + 'static>(context: Option<Variables>, work: F) -> Work {
    Box::pin(Island {
        scope: Scope::new(Kind::Island),
        context,
        work: Some(work),
    })
}

/// Hands `work` to the innermost scope of the current task, which finishes it before it ends. Outside any task it goes
/// to the running loop as a task of its own; where there is no loop either, it comes back.
fn defer_now(work: Work) -> Result<(), Work> {
    let mut scope = current::scope();
    // Work that deferred work defers is its scope's.
    // SAFETY: `current` names a scope only while somebody up the stack polls or drops it, and then those around it, too.
    while let Some(island) = scope.filter(|scope| !unsafe { scope.as_ref() }.keeps_work()) {
        // SAFETY: as above.
        scope = unsafe { island.as_ref() }.outer();
    }
    if let Some(scope) = scope {
        // SAFETY: as above.
        unsafe { scope.as_ref() }.deferred.push(work);
    } else if let Some(task) = current::task() {
        // SAFETY: `current` names a task only while its runner is up the stack.
        unsafe { task.as_ref() }.extras_or_new().root.deferred.push(work);
    } else {
        return crate::here::spawn_detached(work, |work| Homeless(Some(work)));
    }
    Ok(())
}

/// Work that was deferred outside any task, as a task of its own: as deferred work of that task, which nothing cancels.
struct Homeless(Option<Work>);

impl Future for Homeless {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.take().into_iter().for_each(|work| drop(defer_now(work)));
        Poll::Ready(())
    }
}

impl Drop for Homeless {
    fn drop(&mut self) {
        // Also if the task is cancelled before its first turn.
        self.0.take().into_iter().for_each(|work| drop(defer_now(work)));
    }
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
            drop(defer_now(island(work)));
        }
    }
}

/// Promises that `work` will be done: it begins when the returned guard is dropped, however that comes about (at the end of the
/// block, by `?`, or because the task was cancelled), and the scope around does not end before the work has.
///
/// *The scope around* is the innermost of: the task; what is in a `timeout` or `wait_for`; a branch of a `race`; the body of a
/// `TaskGroup`; what is in a `catch_cancelled`, an `uncancellable`, or the body of a `finally`; and deferred work, for what is
/// deferred in there. Its deferred work runs one after the other, in the order in which the guards were dropped (in a block the
/// last one first), alongside what else the scope still does, and nothing cancels it.
///
/// The counterpart of `finally: await ...` in asyncio, but for this: after a block that ends normally, what follows does
/// not wait for the work. Where it has to, await the work itself: `guard.disarm().await`. A cancellation stops that as it does any
/// await; put it into an [`uncancellable`](super::uncancellable) if it must not.
///
/// Outside any task the work becomes a task of the running loop; without a loop it is dropped.
///
/// The work has a copy of the [context](crate::Context) in which the guard was dropped.
///
/// A panic of the work is reported to the exception handler.
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::defer;
/// use std::num::ParseIntError;
///
/// # async fn say(text: &str) {}
/// async fn converse(question: &str) -> Result<u32, ParseIntError> {
///     let goodbye = defer(async { say("goodbye").await });
///     // Where this fails, or where the task is cancelled, it says goodbye all the same.
///     let answer = question.parse()?;
///     say("thank you").await;
///     // Now, and what follows waits for it.
///     goodbye.disarm().await;
///     Ok(answer)
/// }
/// # use std::{future::Future, pin::pin, task::{Context, Waker}};
/// # assert!(pin!(converse("42")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
/// ```
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

/// Owns a resource, and promises that it is closed: `close` is called with it when this guard is dropped, and what it gives is
/// [`defer`]red.
///
/// As `contextlib.aclosing()`, and what `async with` is for. The guard derefs to the resource.
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::closing;
///
/// # struct Connection; impl Connection { async fn close(self) {} fn send(&mut self, _: &str) {} }
/// async fn talk(connection: Connection) {
///     let mut connection = closing(connection, |connection| connection.close());
///     connection.send("hello");
///     // However this ends, the connection is closed before the task is over.
/// }
/// ```
///
/// As with [`defer`], what follows a block that ends normally does not wait: the closing goes on alongside, and it is the scope
/// around that ends only when it is done. To have it closed before what follows, [`close`](Closing::close) it; or, to have
/// that also where the block is left by `?`, put a scope around the block, as the body of a [`finally`](super::finally) is:
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::{closing, finally};
///
/// # struct Connection;
/// # impl Connection {
/// #     async fn close(self) {}
/// #     async fn send(&mut self, _: &str) -> std::io::Result<()> { Ok(()) }
/// # }
/// async fn talk(connection: Connection) -> std::io::Result<()> {
///     let talk = async {
///         let mut connection = closing(connection, |connection| connection.close());
///         connection.send("hello").await?;
///         connection.send("goodbye").await
///     };
///     finally(talk, async {}).await?;
///     // Here it is closed.
///     Ok(())
/// }
/// ```
pub fn closing<R, C, F>(resource: R, close: C) -> Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    Closing {
        held: Some((resource, close)),
    }
}

/// Owns a resource that is closed when this is dropped. Made by [`closing`].
#[must_use = "the resource is closed at once if the guard is not kept"]
pub struct Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    /// `None` once the resource has been given back.
    held: Option<(R, C)>,
}

impl<R, C, F> Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    /// Closes the resource now, and waits until that is done.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway, what is left of the closing is deferred.
    pub async fn close(mut self) {
        if let Some((resource, close)) = self.held.take() {
            // As deferred work, which a cancellation does not enter: dropped midway, the rest of it is.
            // In place, and so in the context that is current here.
            let mut closing = defer(island_in(None, close(resource)));
            poll_fn(|cx| {
                // Taken out meanwhile: if it panics it is not to be polled again.
                let mut work = closing.work.take().expect("put back below");
                let polled = work.as_mut().poll(cx);
                closing.work = Some(work);
                polled
            })
            .await;
            drop(closing.disarm());
        }
    }

    /// Gives the resource back unclosed.
    pub fn into_inner(mut self) -> R {
        self.held.take().expect("taken only here, in close and in drop").0
    }
}

impl<R, C, F> Deref for Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    type Target = R;

    fn deref(&self) -> &R {
        &self.held.as_ref().expect("held until it is dropped").0
    }
}

impl<R, C, F> DerefMut for Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    fn deref_mut(&mut self) -> &mut R {
        &mut self.held.as_mut().expect("held until it is dropped").0
    }
}

impl<R, C, F> Drop for Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some((resource, close)) = self.held.take() {
            drop(defer(close(resource)));
        }
    }
}

impl<R: fmt::Debug, C, F> fmt::Debug for Closing<R, C, F>
where
    C: FnOnce(R) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closing")
            .field(&self.held.as_ref().map(|held| &held.0))
            .finish()
    }
}
