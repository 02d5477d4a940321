//! Context variables: values that follow the flow of a program from task to task.
//!
//! Every task has a context of its own, which begins as a copy of the one where the task was created. Copies are cheap: they
//! share what is in them until one side sets a variable. In a program that sets none, creating a task costs one look at a
//! flag.

use crate::{
    current,
    task::{Header, current_task},
};
use std::{
    any::Any,
    cell::RefCell,
    fmt,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Whether any variable was ever set in this process. Relaxed: who is to inherit a value was created by one who has set it, or
/// by one who came after that.
static USED: AtomicBool = AtomicBool::new(false);

type Value = Arc<dyn Any + Send + Sync>;

/// The values of all [`ContextVar`]s that are set. The counterpart of `contextvars.Context`.
#[derive(Clone, Default)]
pub struct Context {
    /// By the variable's address. There are few, and mostly none.
    values: Option<Arc<Vec<(usize, Value)>>>,
}

impl Context {
    /// A copy of the current context. As `contextvars.copy_context()`.
    pub fn copy() -> Self {
        match USED.load(Relaxed) {
            true => with_current(|context| context.clone()),
            false => Self::default(),
        }
    }

    /// A copy of the current context, if there is any need of one: if a variable was ever set.
    pub(crate) fn capture() -> Option<Self> {
        USED.load(Relaxed).then(Self::copy)
    }

    /// Calls `f` with this as the current context; what `f` sets is set in here, and tasks that it creates begin with a copy. As
    /// `Context.run()`.
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        /// Even if `f` panics.
        struct Back<'a>(&'a mut Context, RefCell<Context>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                *self.0 = self.1.take();
            }
        }
        let cell = RefCell::new(std::mem::take(self));
        let back = Back(self, cell);
        let _current = current::enter_context(NonNull::from(&back.1));
        f()
    }

    fn get(&self, var: usize) -> Option<&Value> {
        let found = self.values.as_ref()?.iter().find(|&&(key, _)| key == var);
        found.map(|(_, value)| value)
    }

    /// Sets a value, or removes it, and gives the one before.
    fn put(&mut self, var: usize, value: Option<Value>) -> Option<Value> {
        let values = Arc::make_mut(self.values.get_or_insert_default());
        let at = values.iter().position(|&(key, _)| key == var);
        match (at, value) {
            (Some(at), Some(value)) => Some(std::mem::replace(&mut values[at].1, value)),
            (Some(at), None) => Some(values.swap_remove(at).1),
            (None, Some(value)) => {
                values.push((var, value));
                None
            }
            (None, None) => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_none()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("variables", &self.values.as_ref().map_or(0, |values| values.len()))
            .finish()
    }
}

thread_local! {
    /// For code that runs in no task and in no [`Context::run`].
    static OF_THREAD: RefCell<Context> = const { RefCell::new(Context { values: None }) };
}

/// Lends the current context: that of the innermost [`Context::run`] inside the current task, else the task's, else the
/// thread's.
fn with_current<R>(f: impl FnOnce(&mut Context) -> R) -> R {
    if let Some(context) = current::context() {
        // SAFETY: `current` names a context only while its `run` is up the stack.
        return f(&mut unsafe { context.as_ref() }.borrow_mut());
    }
    match current_task() {
        Some(task) => task.with_context(f),
        None => OF_THREAD.with(|context| f(&mut context.borrow_mut())),
    }
}

/// A new task begins with a copy of the current context.
#[inline]
pub(crate) fn inherit(task: NonNull<Header>) {
    if USED.load(Relaxed) {
        let context = Context::copy();
        if !context.is_empty() {
            // SAFETY: the caller has just made the task, and nobody runs it yet.
            unsafe { task.as_ref() }.extras_or_new().set_context(context);
        }
    }
}

/// A variable whose value follows the flow of a program: a task begins with a copy of the values where it was created, what
/// it sets is seen by itself and by the tasks that it creates from then on, and by nobody else. Callbacks and
/// `to_thread` calls carry a copy, too.
///
/// The counterpart of `contextvars.ContextVar`. It is a `static`; each variable is its own key.
///
/// ```
/// # use aioli_executor as aioli;
/// use aioli::ContextVar;
///
/// static REQUEST: ContextVar<u64> = ContextVar::new(|| 0);
///
/// let token = REQUEST.set(7);
/// assert_eq!(REQUEST.get(), 7);
/// REQUEST.reset(token);
/// assert_eq!(REQUEST.get(), 0);
/// ```
pub struct ContextVar<T: 'static> {
    default: fn() -> T,
}

impl<T: Clone + Send + Sync + 'static> ContextVar<T> {
    /// A variable that has the value `default()` wherever it is not set. Use an `Option` for one that may have none.
    pub const fn new(default: fn() -> T) -> Self {
        Self { default }
    }

    fn key(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// A clone of the value in the current context. As `ContextVar.get()`.
    pub fn get(&'static self) -> T {
        let value = with_current(|context| context.get(self.key()).cloned());
        match value.as_ref().and_then(|value| value.downcast_ref::<T>()) {
            Some(value) => value.clone(),
            None => (self.default)(),
        }
    }

    /// Sets the value in the current context. As `ContextVar.set()`: the token remembers what there was before.
    pub fn set(&'static self, value: T) -> ContextToken<T> {
        USED.store(true, Relaxed);
        let before = with_current(|context| context.put(self.key(), Some(Arc::new(value))));
        ContextToken { var: self, before }
    }

    /// Sets the value in the current context back to what it was before the `set` that gave `token`. As
    /// `ContextVar.reset()`.
    ///
    /// # Panics
    ///
    /// If the token is another variable's.
    pub fn reset(&'static self, token: ContextToken<T>) {
        assert!(
            std::ptr::eq(self, token.var),
            "this token is another variable's: reset the variable that was set"
        );
        let old = with_current(|context| context.put(self.key(), token.before));
        drop(old);
    }
}

impl<T: Clone + Send + Sync + fmt::Debug> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextVar").finish_non_exhaustive()
    }
}

/// What a [`ContextVar`] was before it was set. As `contextvars.Token`.
pub struct ContextToken<T: 'static> {
    var: &'static ContextVar<T>,
    before: Option<Value>,
}

impl<T> fmt::Debug for ContextToken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextToken").finish_non_exhaustive()
    }
}
