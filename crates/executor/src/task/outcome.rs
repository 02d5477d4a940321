//! How a task ended, and what becomes of a panic that nobody looks at.

use super::{cell::Header, handle::TaskRef};
use std::{
    any::Any,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    ptr::NonNull,
    sync::Arc,
};

/// What the cell stores in the end.
pub(super) type Outcome<T> = Result<T, Failure>;

/// A failure in the cell. Dropped there, a panic goes to the handler: nobody has looked at it.
pub(super) enum Failure {
    Cancelled,
    Panicked(Box<Panicked>),
}

pub(super) struct Panicked {
    /// Taken by whoever looks at the panic, or by the handler.
    payload: Option<Box<dyn Any + Send>>,
    name: Arc<str>,
    location: &'static Location<'static>,
    unhandled: Unhandled,
}

impl Failure {
    #[cold]
    pub(super) fn panicked(payload: Box<dyn Any + Send>, task: NonNull<Header>, unhandled: Unhandled) -> Self {
        let task = TaskRef::new(task);
        Failure::Panicked(Box::new(Panicked {
            payload: Some(payload),
            name: task.name(),
            location: task.location(),
            unhandled,
        }))
    }

    /// Somebody looks at it.
    pub(super) fn into_join_error(self) -> JoinError {
        match self {
            Failure::Cancelled => JoinError::Cancelled,
            Failure::Panicked(mut panicked) => {
                let payload = panicked.payload.take();
                JoinError::Panicked(Panic(
                    payload.expect("a panic has a payload until somebody looks at it"),
                ))
            }
        }
    }
}

impl Drop for Panicked {
    fn drop(&mut self) {
        if let Some(payload) = self.payload.take() {
            let panic = UnhandledPanic {
                task: Some((self.name.clone(), self.location)),
                payload,
            };
            self.unhandled.report(panic);
        }
    }
}

/// Why a task has no value.
///
/// asyncio raises `CancelledError`, or the task's own exception, out of `await task`. A Rust task's own errors are part of
/// its value; what is left is being cancelled and panicking.
pub enum JoinError {
    /// The task was cancelled before it had a value.
    Cancelled,
    /// The task panicked, with this.
    Panicked(Panic),
}

/// What a panic carried.
pub struct Panic(Box<dyn Any + Send>);

// SAFETY: a shared reference gives nothing of the payload but a text, if it is one, and texts are `Sync`.
unsafe impl Sync for Panic {}

impl Panic {
    /// The panic's message, where it has one.
    pub fn message(&self) -> &str {
        message(&*self.0)
    }

    /// The payload, for [`std::panic::resume_unwind`] or to be downcast.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0
    }

    /// Lets the panic go on here, as if it had happened here, without another message.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.0)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

impl JoinError {
    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JoinError::Cancelled)
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }
}

/// The text of a panic, where it has one.
fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled => f.write_str("the task was cancelled"),
            JoinError::Panicked(panic) => write!(f, "the task panicked: {}", panic.message()),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled => f.write_str("Cancelled"),
            JoinError::Panicked(panic) => f.debug_tuple("Panicked").field(&panic.message()).finish(),
        }
    }
}

impl Error for JoinError {}

/// A panic that ended a task, or happened while one cleaned up or was woken, and that nobody looked at.
pub struct UnhandledPanic {
    /// The name of the task, and where it was created.
    task: Option<(Arc<str>, &'static Location<'static>)>,
    payload: Box<dyn Any + Send>,
}

impl UnhandledPanic {
    pub(super) fn new(task: &TaskRef, payload: Box<dyn Any + Send>) -> Self {
        Self {
            task: Some((task.name(), task.location())),
            payload,
        }
    }

    /// A waker, of somebody else's making, panicked when it was called.
    pub(crate) fn of_waker(payload: Box<dyn Any + Send>) -> Self {
        Self { task: None, payload }
    }

    /// The name of the task; `None` if it was a waker that panicked, which is no task's.
    pub fn task_name(&self) -> Option<&str> {
        self.task.as_ref().map(|(name, _)| &**name)
    }

    /// Where the task was created.
    pub fn task_location(&self) -> Option<&'static Location<'static>> {
        self.task.as_ref().map(|&(_, location)| location)
    }

    /// The panic's message, where it has one.
    pub fn message(&self) -> &str {
        message(&*self.payload)
    }

    /// What the panic carried.
    pub fn payload(&self) -> &(dyn Any + Send) {
        &*self.payload
    }
}

impl fmt::Display for UnhandledPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some((name, location)) => write!(f, "task '{name}' (created at {location}) panicked: {}", self.message()),
            None => write!(f, "a waker panicked: {}", self.message()),
        }
    }
}

impl fmt::Debug for UnhandledPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who is told of panics that nobody looks at. By default, one line on stderr.
#[derive(Clone)]
pub struct Unhandled(Arc<dyn Fn(&UnhandledPanic) + Send + Sync>);

impl Unhandled {
    /// Tells `handler`.
    pub fn new(handler: impl Fn(&UnhandledPanic) + Send + Sync + 'static) -> Self {
        Self(Arc::new(handler))
    }

    /// Never unwinds: this is called by workers, which outlive every task, and by destructors.
    pub(crate) fn report(&self, panic: UnhandledPanic) {
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| (self.0)(&panic))) {
            print_to_stderr(&panic);
            drop_payload(another);
        }
        drop_payload(panic.payload);
    }
}

/// Drops a panic's payload, whose destructor may panic in turn.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // It may be of the same kind.
        std::mem::forget(another);
    }
}

impl Default for Unhandled {
    fn default() -> Self {
        Self::new(print_to_stderr)
    }
}

impl fmt::Debug for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unhandled(..)")
    }
}

fn print_to_stderr(panic: &UnhandledPanic) {
    use std::io::Write;
    // Not `eprintln!`, which panics where stderr is closed; and in one piece, whoever else writes.
    let _ = std::io::stderr().write_all(format!("aioli: {panic}\n").as_bytes());
}
