//! Which outcome of a task ends a gathering at once, and what the gathering gives.

use crate::task::{BoxError, JoinError, Panic};
use std::{any::Any, convert::Infallible, error::Error, fmt, marker::PhantomData};

/// What a gathering gives. Implemented by [`FirstFailure`], [`FirstError`] and [`Settle`].
pub trait Rule {
    /// What ends it at once.
    type Error;
    /// What it gives, where `V` are the values of all items.
    type Output<V>;

    #[doc(hidden)]
    fn output<V>(result: Result<V, Self::Error>) -> Self::Output<V>;
}

/// What becomes of one outcome, from a task whose value is a `T`.
pub trait Judge<T>: Rule {
    /// What stands for the item among the values.
    type Value;

    #[doc(hidden)]
    fn judge(outcome: Result<T, JoinError>) -> Result<Self::Value, Self::Error>;
}

/// The rule of [`gather`](super::gather()): a task that was cancelled or panicked ends it.
#[derive(Debug)]
pub enum FirstFailure {}

impl Rule for FirstFailure {
    type Error = JoinError;
    type Output<V> = Result<V, JoinError>;

    fn output<V>(result: Result<V, JoinError>) -> Result<V, JoinError> {
        result
    }
}

impl<T> Judge<T> for FirstFailure {
    type Value = T;

    fn judge(outcome: Result<T, JoinError>) -> Result<T, JoinError> {
        outcome
    }
}

/// The rule of [`try_gather`](super::try_gather): so does an `Err`.
#[derive(Debug)]
pub struct FirstError<E>(Infallible, PhantomData<E>);

impl<E> Rule for FirstError<E> {
    type Error = TaskError<E>;
    type Output<V> = Result<V, TaskError<E>>;

    fn output<V>(result: Result<V, TaskError<E>>) -> Result<V, TaskError<E>> {
        result
    }
}

impl<T, E> Judge<Result<T, E>> for FirstError<E> {
    type Value = T;

    fn judge(outcome: Result<Result<T, E>, JoinError>) -> Result<T, TaskError<E>> {
        outcome?.map_err(TaskError::Failed)
    }
}

/// The rule of [`gather_settled`](super::gather_settled): nothing ends it but the end of all.
#[derive(Debug)]
pub enum Settle {}

impl Rule for Settle {
    type Error = Infallible;
    type Output<V> = V;

    fn output<V>(result: Result<V, Infallible>) -> V {
        match result {
            Ok(values) => values,
            Err(never) => match never {},
        }
    }
}

impl<T> Judge<T> for Settle {
    type Value = Result<T, JoinError>;

    fn judge(outcome: Result<T, JoinError>) -> Result<Result<T, JoinError>, Infallible> {
        Ok(outcome)
    }
}

/// Why a task that gives a `Result<T, E>` has no `T`.
///
/// What asyncio raises out of `await task`: the task's own exception, or `CancelledError`.
///
/// It is an [`Error`] also where `E` is none but a box of one ([`BoxError`]), so that `?` takes it in any case.
#[derive(Clone)]
pub enum TaskError<E> {
    /// The task gave an `Err`, with this.
    Failed(E),
    /// The task was cancelled before it had a value.
    Cancelled,
    /// The task panicked, with this.
    Panicked(Panic),
}

impl<E> From<JoinError> for TaskError<E> {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Cancelled => TaskError::Cancelled,
            JoinError::Panicked(panic) => TaskError::Panicked(panic),
        }
    }
}

impl<E: fmt::Display> fmt::Display for TaskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskError::Failed(error) => write!(f, "the task failed: {error}"),
            TaskError::Cancelled => JoinError::Cancelled.fmt(f),
            TaskError::Panicked(panic) => JoinError::Panicked(panic.clone()).fmt(f),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for TaskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskError::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            TaskError::Cancelled => f.write_str("Cancelled"),
            TaskError::Panicked(panic) => f.debug_tuple("Panicked").field(&panic.message()).finish(),
        }
    }
}

impl<E: fmt::Debug + fmt::Display + 'static> Error for TaskError<E> {
    /// The error in the box, if it is a [`BoxError`]. One of a type of the program's own is in [`Failed`](TaskError::Failed).
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // A `BoxError` is not an `Error` itself, so no bound on `E` lets it in along with types that are.
        match self {
            TaskError::Failed(error) => (error as &dyn Any)
                .downcast_ref::<BoxError>()
                .map(|error| &**error as _),
            TaskError::Cancelled | TaskError::Panicked(_) => None,
        }
    }
}
