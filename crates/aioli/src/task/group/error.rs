//! What a group says when it fails, and when it takes no more children.

use crate::task::{JoinError, Panic, TaskError};
use std::{
    any::Any,
    error::Error,
    fmt::{self, Display},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

/// The error of a child, or of a body, where nothing more is known of it: anything that `?` takes.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What went wrong in a [`TaskGroup`](super::TaskGroup): all of it, in the order in which it happened.
///
/// As the `ExceptionGroup` that asyncio's group raises. It has no errors if the group was ended by
/// [`cancel`](super::GroupHandle::cancel) before its body had a value: then there is nothing to give.
///
/// A group in a group fails with one error of the outer one, which has all those of the inner one in it.
pub struct GroupError<E = BoxError> {
    errors: Vec<TaskError<E>>,
}

impl<E> GroupError<E> {
    pub(super) fn new(errors: Vec<TaskError<E>>) -> Self {
        Self { errors }
    }

    /// Errors and panics of the body and of the children, in the order in which they happened.
    pub fn errors(&self) -> &[TaskError<E>] {
        &self.errors
    }

    /// As [`errors`](Self::errors), to be kept.
    pub fn into_errors(self) -> Vec<TaskError<E>> {
        self.errors
    }

    /// Those who gave an `Err`: with what.
    pub fn failures(&self) -> impl Iterator<Item = &E> {
        self.errors.iter().filter_map(|error| match error {
            TaskError::Failed(error) => Some(error),
            _ => None,
        })
    }

    /// Those who panicked.
    pub fn panics(&self) -> impl Iterator<Item = &Panic> {
        self.errors.iter().filter_map(|error| match error {
            TaskError::Panicked(panic) => Some(panic),
            _ => None,
        })
    }

    /// Whether nothing went wrong: the group was ended by [`cancel`](super::GroupHandle::cancel), and its body with it.
    pub fn is_cancelled(&self) -> bool {
        self.errors.is_empty()
    }
}

impl<E: Display> Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            0 => return f.write_str("the group was cancelled before its body had a value"),
            1 => f.write_str("the group failed: ")?,
            n => write!(f, "the group failed with {n} errors: ")?,
        }
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            match error {
                TaskError::Failed(error) => write!(f, "{error}")?,
                TaskError::Panicked(panic) => write!(f, "a task panicked: {}", panic.message())?,
                TaskError::Cancelled => f.write_str("a task was cancelled")?,
            }
        }
        Ok(())
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupError").field(&self.errors).finish()
    }
}

impl<E: fmt::Debug + Display + 'static> Error for GroupError<E> {
    /// The first error that is boxed. Errors of a type of the program's own are in [`failures`](Self::failures).
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.iter().find_map(Error::source)
    }
}

/// A child has no value, because it failed or panicked. With what is its group's to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChildFailed;

impl Display for ChildFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task failed, and its group has the error")
    }
}

impl Error for ChildFailed {}

/// The group takes no more children: it is ending, or has ended. The future comes back in it.
///
/// As the `RuntimeError` that asyncio raises, which closes the coroutine.
pub struct GroupClosed<F>(
    /// In a box, so that the rare case is not as large as the future; under a lock, so that the error is `Sync` whatever the
    /// future is.
    Box<Mutex<F>>,
);

impl<F> GroupClosed<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Box::new(Mutex::new(future)))
    }

    /// The future that was to be a child. It was not polled.
    pub fn into_future(self) -> F {
        match self.0.into_inner() {
            Ok(future) => future,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

impl<F> Display for GroupClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the group is ending or has ended, and takes no more tasks")
    }
}

impl<F> fmt::Debug for GroupClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupClosed")
    }
}

impl<F> Error for GroupClosed<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&NoMore)
    }
}

/// What every `GroupClosed` can be known by, whatever its future is.
#[derive(Debug)]
struct NoMore;

impl Display for NoMore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no child can be added to a group that does not go on")
    }
}

impl Error for NoMore {}

/// Whether an error says only that another one of the group has failed, or was cancelled, or that the group takes no more.
///
/// An error whose `source()` panics is no echo, and counts: it says nothing that the group knows.
pub(super) fn is_echo<E: 'static>(error: &TaskError<E>) -> bool {
    let TaskError::Failed(error) = error else { return false };
    let Some(error) = (error as &dyn Any).downcast_ref::<BoxError>() else {
        return false;
    };
    error.is::<ChildFailed>()
        || error.downcast_ref::<JoinError>().is_some_and(JoinError::is_cancelled)
        || catch_unwind(AssertUnwindSafe(|| {
            error.source().is_some_and(|source| source.is::<NoMore>())
        }))
        .unwrap_or_else(|payload| {
            drop(Panic::new(payload));
            false
        })
}
