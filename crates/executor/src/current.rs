//! What this thread is polling: the task and the innermost scope. With it goes the poll's budget.
//!
//! It is found through a thread-local and not through the waker, because combinators replace wakers, and not through
//! arguments, because signatures are the user's. Set around each poll and each drop of a future; nobody else writes.

use crate::{context::Context, scope::Scope, task::Header};
use aioli_primitives::{budget, thread_local};
use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
};

/// How many operations a poll may complete before it has to yield.
const BUDGET: u32 = 128;

type EnteredContext = (NonNull<RefCell<Context>>, Option<NonNull<Header>>);

struct Current {
    task: Cell<Option<NonNull<Header>>>,
    /// `None`: the task's root scope.
    scope: Cell<Option<NonNull<Scope>>>,
    /// That of the innermost [`Context::run`](crate::Context::run), and the task that was current when it began.
    context: Cell<Option<EnteredContext>>,
}

thread_local! {
    static CURRENT: Current =
        Current { task: Cell::new(None), scope: Cell::new(None), context: Cell::new(None) };
}

/// The task that this thread is polling.
#[inline]
pub(crate) fn task() -> Option<NonNull<Header>> {
    CURRENT.with(|current| current.task.get())
}

/// The scope inside the current task that is being polled or dropped; `None`: the root scope, or no task.
#[inline]
pub(crate) fn scope() -> Option<NonNull<Scope>> {
    CURRENT.with(|current| current.scope.get())
}

/// The task that this thread is polling, and whether its root scope is the innermost. One look for both.
#[inline]
pub(crate) fn task_in_root() -> Option<(NonNull<Header>, bool)> {
    CURRENT.with(|current| Some((current.task.get()?, current.scope.get().is_none())))
}

/// The context that was entered inside the current task, and not around it.
pub(crate) fn context() -> Option<NonNull<RefCell<Context>>> {
    CURRENT.with(|current| {
        let entered = current.context.get();
        let here = entered.filter(|&(_, task)| task == current.task.get());
        here.map(|(context, _)| context)
    })
}

/// Restores what was current before.
pub(crate) struct Restore {
    task: Option<NonNull<Header>>,
    scope: Option<NonNull<Scope>>,
    /// `None`: what is polled inside takes from the budget of the poll around it.
    budget: Option<u32>,
}

impl Restore {
    /// The scope that was the innermost before.
    pub(crate) fn scope(&self) -> Option<NonNull<Scope>> {
        self.scope
    }
}

impl Drop for Restore {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.task.set(self.task);
            current.scope.set(self.scope);
        });
        if let Some(left) = self.budget {
            budget::replace(left);
        }
    }
}

/// Makes `task` current, with a full budget, until the guard is dropped.
#[inline]
pub(crate) fn enter(task: NonNull<Header>) -> Restore {
    CURRENT.with(|current| Restore {
        task: current.task.replace(Some(task)),
        scope: current.scope.take(),
        budget: Some(budget::replace(BUDGET)),
    })
}

/// Makes no task current until the guard is dropped: for code that does not act on behalf of one.
pub(crate) fn leave() -> Restore {
    CURRENT.with(|current| Restore {
        task: current.task.take(),
        scope: current.scope.take(),
        budget: Some(budget::replace(budget::UNLIMITED)),
    })
}

/// Makes `scope` the innermost scope of the current task until the guard is dropped.
#[inline]
pub(crate) fn enter_scope(scope: NonNull<Scope>) -> Restore {
    CURRENT.with(|current| Restore {
        task: current.task.get(),
        scope: current.scope.replace(Some(scope)),
        budget: None,
    })
}

/// Makes `context` the current one until the guard is dropped.
pub(crate) fn enter_context(context: NonNull<RefCell<Context>>) -> RestoreContext {
    CURRENT.with(|current| {
        let entered = (context, current.task.get());
        RestoreContext(current.context.replace(Some(entered)))
    })
}

/// Restores the context that was current before.
pub(crate) struct RestoreContext(Option<EnteredContext>);

impl Drop for RestoreContext {
    fn drop(&mut self) {
        CURRENT.with(|current| current.context.set(self.0));
    }
}
