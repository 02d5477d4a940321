//! A child of a group: what it may give, and the future around it that tells the group how it went.

use super::{BoxError, ChildFailed, Members};
use crate::task::{CancelCause, Panic, TaskError, TaskRef};
use aioli_executor::{mark_failed, roster::Seat};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

mod sealed {
    pub trait Sealed {}
    impl<T, E> Sealed for Result<T, E> {}
    impl Sealed for () {}
    impl Sealed for super::Never {}

    /// A way to say `!` that is stable. The executor's is of no use here: an alias of another crate is not seen to be `!` where
    /// the compiler looks for implementations that overlap.
    pub trait Returns {
        type Output;
    }

    impl<T> Returns for fn() -> T {
        type Output = T;
    }
}

/// What a child gives that goes on for ever.
type Never = <fn() -> ! as sealed::Returns>::Output;

/// What a child of a group gives: a `Result` with the group's error; or nothing, if it cannot fail; or it goes on for ever.
#[diagnostic::on_unimplemented(
    message = "a child of this group gives `Result<_, {E}>` or `()`, and not `{Self}`",
    note = "to convert another error: `async {{ Ok(child.await?) }}`; to give a value and no error: `async {{ Ok(child.await) }}`",
    note = "a boxed error has to be `Box<dyn Error + Send + Sync>`: a `Box<dyn Error>` cannot go from one thread to another",
    note = "for another type of error: `TaskGroup::<MyError>::typed_scope(async |group| ..)`"
)]
pub trait ChildOutput<E = BoxError>: sealed::Sealed {
    /// What the child gives when it does not fail.
    type Value: Send + 'static;

    /// The value, or the error, which the group gets.
    fn into_result(self) -> Result<Self::Value, E>;
}

impl<T: Send + 'static, E> ChildOutput<E> for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Self {
        self
    }
}

impl<E> ChildOutput<E> for () {
    type Value = ();

    fn into_result(self) -> Result<(), E> {
        Ok(())
    }
}

impl<E> ChildOutput<E> for Never {
    type Value = Never;

    fn into_result(self) -> Result<Never, E> {
        self
    }
}

pin_project! {
    /// The future of a child's task.
    pub(super) struct Child<F, E> {
        // `None` once it has ended.
        #[pin]
        future: Option<F>,
        // `None` once the group knows that it has.
        membership: Option<Membership<E>>,
    }

    impl<F, E> PinnedDrop for Child<F, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(membership) = this.membership.take() {
                // Cancelled. What the future defers goes to the task, and the group waits for that, too.
                let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
                membership.leave(dropped.err().map(|payload| TaskError::Panicked(Panic::new(payload))));
            }
        }
    }
}

/// A seat in a group, to be left once.
pub(super) struct Membership<E> {
    pub(super) members: Arc<Members<E>>,
    pub(super) seat: Seat,
}

impl<E> Membership<E> {
    fn leave(self, error: Option<TaskError<E>>) {
        self.members.leave(self.seat, error).each(cancel(self.members.cause()));
    }
}

/// Cancels tasks, each of them once for that cause.
pub(super) fn cancel(cause: &CancelCause) -> impl Fn(TaskRef) {
    move |task| {
        task.cancel_once(cause);
    }
}

impl<F, E> Child<F, E> {
    pub(super) fn new(future: F, membership: Membership<E>) -> Self {
        Self {
            future: Some(future),
            membership: Some(membership),
        }
    }
}

impl<F, E> Future for Child<F, E>
where
    F: Future,
    F::Output: ChildOutput<E>,
{
    type Output = Result<<F::Output as ChildOutput<E>>::Value, ChildFailed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = this.future.as_mut().as_pin_mut().expect("polled after it had ended");
            let polled = future.poll(cx);
            if polled.is_ready() {
                // Its destructors are still its own doing.
                this.future.set(None);
            }
            polled
        }));
        let (outcome, error) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => match output.into_result() {
                Ok(value) => (Ok(value), None),
                Err(error) => (Err(ChildFailed), Some(TaskError::Failed(error))),
            },
            Err(payload) => {
                // Whatever is left of it may panic again; what is known of it is enough.
                if let Err(another) = catch_unwind(AssertUnwindSafe(|| this.future.set(None))) {
                    drop(Panic::new(another));
                }
                (Err(ChildFailed), Some(TaskError::Panicked(Panic::new(payload))))
            }
        };
        if error.is_some() {
            mark_failed();
        }
        let membership = this.membership.take().expect("left when it ends");
        membership.leave(error);
        Poll::Ready(outcome)
    }
}
