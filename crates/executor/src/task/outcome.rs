//! How a task ended, and what becomes of a panic or an error that nobody looks at.

use super::{cell::Header, task_ref::TaskRef};
use aioli_primitives::sync::Mutex;
use std::{
    any::Any,
    error::Error,
    fmt, io,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// What the cell stores in the end.
pub(super) type Outcome<T> = Result<T, Failure>;

/// A failure in the cell. Dropped there, a panic goes to the handler: nobody has looked at it.
pub(super) enum Failure {
    Cancelled,
    Panicked(Box<Panicked>),
}

pub(super) struct Panicked {
    panic: Panic,
    /// Somebody has looked at it. Relaxed: whoever drops the outcome owns it, and so comes after all who looked.
    seen: AtomicBool,
    task: TaskName,
    unhandled: Unhandled,
}

impl Failure {
    #[cold]
    pub(super) fn panicked(payload: Box<dyn Any + Send>, task: NonNull<Header>, unhandled: Unhandled) -> Self {
        Failure::Panicked(Box::new(Panicked {
            panic: Panic::new(payload),
            seen: AtomicBool::new(false),
            task: TaskName::of(&TaskRef::new(task)),
            unhandled,
        }))
    }

    /// Somebody looks at it.
    pub(super) fn to_join_error(&self) -> JoinError {
        match self {
            Failure::Cancelled => JoinError::Cancelled,
            Failure::Panicked(panicked) => {
                panicked.seen.store(true, Relaxed);
                JoinError::Panicked(panicked.panic.clone())
            }
        }
    }

    /// Somebody takes it.
    pub(super) fn into_join_error(self) -> JoinError {
        self.to_join_error()
    }
}

impl Drop for Panicked {
    fn drop(&mut self) {
        if !*self.seen.get_mut() {
            self.unhandled.report(UnhandledError {
                task: Some(self.task.clone()),
                kind: UnhandledKind::Panic(self.panic.clone()),
            });
        }
    }
}

/// Why a task has no value.
///
/// asyncio raises `CancelledError`, or the task's own exception, out of `await task`. A Rust task's own errors are part of
/// its value; what is left is being cancelled and panicking.
///
/// It is an error like any other: `?` and `unwrap` take it, and it cancels nobody. To have a child's panic go on in the parent as
/// if it had happened there, resume it:
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::{JoinError, Task};
///
/// async fn value_of<T>(child: Task<T>) -> Option<T> {
///     match child.await {
///         Ok(value) => Some(value),
///         Err(JoinError::Cancelled) => None,
///         Err(JoinError::Panicked(panic)) => panic.resume(),
///     }
/// }
/// ```
#[derive(Clone)]
pub enum JoinError {
    /// The task was cancelled before it had a value.
    Cancelled,
    /// The task panicked, with this.
    Panicked(Panic),
}

/// What a panic carried. Clones share it.
#[derive(Clone)]
pub struct Panic(Arc<Carried>);

struct Carried {
    message: Option<String>,
    /// Taken by the first who wants it whole.
    payload: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Panic {
    /// Wraps what [`std::panic::catch_unwind`] gave.
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self(Arc::new(Carried {
            message: text.or_else(|| payload.downcast_ref::<String>().cloned()),
            payload: Mutex::new(Some(payload)),
        }))
    }

    /// The panic's message, where it has one.
    pub fn message(&self) -> &str {
        self.0.message.as_deref().unwrap_or("a panic without a message")
    }

    /// The payload, for [`std::panic::resume_unwind`] or to be downcast. If a clone has given it away before, this is a
    /// `String` with the message.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        let payload = self.0.payload.lock().take();
        payload.unwrap_or_else(|| Box::new(self.message().to_owned()))
    }

    /// Lets the panic go on here, as if it had happened here, without another message.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.into_payload())
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // Never unwinds: workers and destructors drop panics.
        let payload = self.payload.lock().take();
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // It may be of the same kind.
            std::mem::forget(another);
        }
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

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        io::Error::other(error)
    }
}

/// Which task it was.
#[derive(Clone)]
struct TaskName {
    name: Arc<str>,
    location: &'static Location<'static>,
}

impl TaskName {
    fn of(task: &TaskRef) -> Self {
        Self {
            name: task.name(),
            location: task.location(),
        }
    }
}

/// Something that went wrong and that nobody looked at. What the exception handler is told.
#[derive(Clone)]
pub struct UnhandledError {
    task: Option<TaskName>,
    kind: UnhandledKind,
}

/// What went wrong.
#[derive(Clone)]
#[non_exhaustive]
pub enum UnhandledKind {
    /// A task panicked, or something that ran on its behalf did: deferred work, a destructor, a callback, a waker.
    Panic(Panic),
    /// A task that was created by [`spawn_fallible`](crate::spawn_fallible) gave an `Err`, or a promise was given one. This
    /// is its text.
    Error(Arc<str>),
    /// The end of the runtime did not wait for the task any longer: its cleanup was cut off.
    CutOff,
}

impl UnhandledError {
    pub(super) fn panic(task: &TaskRef, payload: Box<dyn Any + Send>) -> Self {
        Self {
            task: Some(TaskName::of(task)),
            kind: UnhandledKind::Panic(Panic::new(payload)),
        }
    }

    /// Something of nobody's panicked: a waker of somebody else's making, a callback.
    pub fn of_nobody(payload: Box<dyn Any + Send>) -> Self {
        Self {
            task: None,
            kind: UnhandledKind::Panic(Panic::new(payload)),
        }
    }

    /// An error that nobody looked at, of no task. It is asked for its text at once, here; this does not unwind if it panics at
    /// that.
    pub fn error(error: impl fmt::Display) -> Self {
        Self {
            task: None,
            kind: UnhandledKind::Error(Self::text_of(&error)),
        }
    }

    /// What an error says of itself. Its `Display` is anybody's code, and who asks may be a destructor: so this never unwinds.
    pub(crate) fn text_of(error: &dyn fmt::Display) -> Arc<str> {
        let text = catch_unwind(AssertUnwindSafe(|| error.to_string()));
        let text = text.unwrap_or_else(|payload| {
            let panic = Panic::new(payload);
            format!("an error whose `Display` panicked: {}", panic.message())
        });
        text.into()
    }

    pub(super) fn error_of(task: &TaskRef, text: Arc<str>) -> Self {
        Self {
            task: Some(TaskName::of(task)),
            kind: UnhandledKind::Error(text),
        }
    }

    pub(super) fn cut_off(task: &TaskRef) -> Self {
        Self {
            task: Some(TaskName::of(task)),
            kind: UnhandledKind::CutOff,
        }
    }

    /// The name of the task; `None` if it was no task's: a callback, or a waker.
    pub fn task_name(&self) -> Option<&str> {
        self.task.as_ref().map(|task| &*task.name)
    }

    /// Where the task was created.
    pub fn task_location(&self) -> Option<&'static Location<'static>> {
        self.task.as_ref().map(|task| task.location)
    }

    /// What went wrong.
    pub fn kind(&self) -> &UnhandledKind {
        &self.kind
    }

    /// The message of the panic or of the error, where it has one.
    pub fn message(&self) -> &str {
        match &self.kind {
            UnhandledKind::Panic(panic) => panic.message(),
            UnhandledKind::Error(text) => text,
            UnhandledKind::CutOff => "its cleanup took too long and was cut off",
        }
    }
}

impl fmt::Display for UnhandledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.task, &self.kind) {
            (Some(task), _) => write!(f, "task '{}' (created at {})", task.name, task.location)?,
            // It says itself what it is.
            (None, UnhandledKind::Error(text)) => return f.write_str(text),
            (None, _) => f.write_str("a callback or waker")?,
        }
        match &self.kind {
            UnhandledKind::Panic(panic) => write!(f, " panicked: {}", panic.message()),
            UnhandledKind::Error(text) => write!(f, " failed: {text}"),
            UnhandledKind::CutOff => f.write_str(": its cleanup took too long and was cut off"),
        }
    }
}

impl fmt::Debug for UnhandledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who is told of what nobody looks at. By default, one line on stderr.
#[derive(Clone)]
pub struct Unhandled {
    handler: Arc<dyn Fn(&UnhandledError) + Send + Sync>,
    is_default: bool,
}

impl Unhandled {
    /// Tells `handler`.
    pub fn new(handler: impl Fn(&UnhandledError) + Send + Sync + 'static) -> Self {
        Self {
            handler: Arc::new(handler),
            is_default: false,
        }
    }

    /// Whether it is the one that writes to stderr.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// Never unwinds: this is called by workers, which outlive every task, and by destructors.
    pub fn report(&self, error: UnhandledError) {
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| (self.handler)(&error))) {
            print_to_stderr(&error);
            drop(Panic::new(another));
        }
    }
}

impl Default for Unhandled {
    fn default() -> Self {
        Self {
            handler: Arc::new(print_to_stderr),
            is_default: true,
        }
    }
}

impl fmt::Debug for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unhandled(..)")
    }
}

fn print_to_stderr(error: &UnhandledError) {
    use std::io::Write;
    // Not `eprintln!`, which panics where stderr is closed; and in one piece, whoever else writes.
    let _ = std::io::stderr().write_all(format!("aioli: {error}\n").as_bytes());
}
