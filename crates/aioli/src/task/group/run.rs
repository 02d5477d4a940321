//! The owner of a group at work: runs the body, cancels everybody when something fails or when it is cancelled itself, and
//! waits until all have ended.

use super::{GroupError, Members, TaskGroup, child::cancel, ending::Ending};
use crate::task::{CancelledError, Resume, TaskError};
use aioli_executor::Scoped;
use pin_project_lite::pin_project;
use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A group with its body. Made by [`TaskGroup::scope`] and [`TaskGroup::join`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct GroupScope<F>
    where
        F: Future,
        F::Output: BodyOutput,
    {
        // Dropped midway, the body goes first, and then the group, which defers waiting for its end.
        #[pin]
        body: Scoped<Caught<F>>,
        came: Came<Value<F>>,
        group: TaskGroup<Failure<F>>,
        ending: Ending<Failure<F>>,
        // The cancellations that came from outside, until all have ended.
        taken: Vec<CancelledError>,
        // They go on, and there is no more to say.
        resume: Option<Resume>,
    }
}

type Value<F> = <<F as Future>::Output as BodyOutput>::Value;
type Failure<F> = <<F as Future>::Output as BodyOutput>::Error;

/// What the body of a group gives: a `Result`.
///
/// A trait without bounds, and not `F: Future<Output = Result<V, E>>` on [`GroupScope`], so that a task with a group in it is seen
/// to be `Send`: when the compiler looks at that, it has forgotten the lifetime of a `dyn Error`, and can prove neither that it
/// is `'static` nor that two of them are of one type.
pub trait BodyOutput {
    /// What the body gives when it does not fail.
    type Value;
    /// The error of its group.
    type Error;

    /// What it is.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<V, E> BodyOutput for Result<V, E> {
    type Value = V;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// What came of the body.
enum Came<V> {
    /// Nothing yet.
    Going,
    Value(V),
    Panicked(Box<dyn Any + Send>),
    /// It was cancelled, or failed: then the group has the error.
    Nothing,
}

impl<F> GroupScope<F>
where
    F: Future,
    F::Output: BodyOutput,
{
    pub(super) fn new(group: TaskGroup<Failure<F>>, body: F) -> Self {
        group.owner.handle.0.begin_body();
        Self {
            body: Scoped::new(Caught { future: body }),
            came: Came::Going,
            ending: Ending::new(group.owner.handle.0.clone()),
            group,
            taken: Vec::new(),
            resume: None,
        }
    }
}

impl<F> Future for GroupScope<F>
where
    F: Future,
    F::Output: BodyOutput,
{
    type Output = Result<Value<F>, GroupError<Failure<F>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.resume.is_some() {
            return Poll::Pending;
        }
        let members = this.group.owner.handle.0.clone();
        let errors = loop {
            if matches!(this.came, Came::Going) {
                if let Some(doomed) = members.take_doomed() {
                    this.body.as_mut().cancel_once(cx, members.cause());
                    doomed.into_iter().for_each(cancel(members.cause()));
                    if !this.body.is_gone() {
                        // The children have the next turn, as in asyncio.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                if let Poll::Ready(outcome) = this.body.as_mut().poll(cx) {
                    *this.came = settle(outcome, &members);
                }
            }
            if matches!(this.came, Came::Going) {
                if !members.register(cx) {
                    continue;
                }
            } else if let Poll::Ready(errors) = Pin::new(&mut *this.ending).poll(cx) {
                break errors;
            }
            this.body.as_mut().catch_requests(cx);
            // One may have come just now.
            let Some(cancelled) = this.body.take() else {
                return Poll::Pending;
            };
            let cause = cancelled.cause();
            this.taken.push(cancelled);
            this.body.as_mut().drop_body(&cause);
            members.end_body().each(cancel(&cause));
            members.end().each(cancel(&cause));
        };
        this.body.as_mut().close_frame();
        match std::mem::replace(this.came, Came::Nothing) {
            // Cancellations, if there are any, come at the next await.
            Came::Panicked(payload) => {
                this.taken.clear();
                (this.group.owner.report)(errors);
                resume_unwind(payload)
            }
            _ if !errors.is_empty() => {
                this.taken.clear();
                Poll::Ready(Err(GroupError::new(errors)))
            }
            came => match (this.taken.pop(), came) {
                (Some(cancelled), _) => {
                    this.taken.clear();
                    let resume = this.resume.insert(cancelled.resume());
                    Pin::new(resume).poll(cx).map(|never| match never {})
                }
                (None, Came::Value(value)) => Poll::Ready(Ok(value)),
                (None, _) => Poll::Ready(Err(GroupError::new(errors))),
            },
        }
    }
}

impl<F> fmt::Debug for GroupScope<F>
where
    F: Future,
    F::Output: BodyOutput,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupScope").field(&self.group).finish()
    }
}

/// The body has ended, and this came of it; it was dropped if that is `None`.
fn settle<O>(outcome: Option<Result<O, Box<dyn Any + Send>>>, members: &Members<O::Error>) -> Came<O::Value>
where
    O: BodyOutput,
{
    members.end_body().each(cancel(members.cause()));
    match outcome {
        Some(Ok(output)) => match output.into_result() {
            Ok(value) => Came::Value(value),
            Err(error) => {
                members.fail(TaskError::Failed(error)).each(cancel(members.cause()));
                Came::Nothing
            }
        },
        Some(Err(payload)) => {
            members.end().each(cancel(members.cause()));
            Came::Panicked(payload)
        }
        None => Came::Nothing,
    }
}

pin_project! {
    /// Gives a panic as a value.
    struct Caught<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.project().future.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}
