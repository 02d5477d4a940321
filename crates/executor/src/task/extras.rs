//! What few tasks have, in an allocation of its own that is made when it is first needed.

use super::{
    cell::Header,
    outcome::Unhandled,
    task_ref::{TaskId, TaskRef},
};
use crate::{
    context::Context,
    scope::{CancelCause, Origin, Root, Text},
};
use aioli_primitives::sync::Mutex;
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    mem,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

/// How many requests a task knows when they come again.
const ORIGINS: usize = 16;

pub(crate) struct Extras {
    /// 0 until somebody asks: the counter is everybody's.
    id: AtomicU64,
    shared: Mutex<Shared>,
    /// The task's root scope: touched by the runner only.
    pub(crate) root: Root,
    /// The task's context variables: touched by the runner only, and by the creator before.
    context: RefCell<Context>,
}

/// What any thread may ask for or give.
struct Shared {
    name: Option<Arc<str>>,
    /// That of the newest request.
    cause: CancelCause,
    /// Where the newest requests began that were not swallowed, so that none counts twice. The newest first.
    origins: VecDeque<Origin>,
    /// By their numbers, and so in the order in which they came.
    watchers: BTreeMap<u64, Watcher>,
    next_watcher: u64,
    /// The error that the task ended with, and whom to tell if nobody looks at it.
    failure: Option<(Arc<str>, Unhandled)>,
}

/// Names a callback of one task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallbackId(u64);

/// Who is told of a task's end.
pub(super) enum Watcher {
    Call(Box<dyn FnOnce(&TaskRef) + Send>),
    Wake(Waker),
}

impl Watcher {
    fn tell(self, task: NonNull<Header>) {
        match self {
            Watcher::Call(call) => call(&TaskRef::new(task)),
            Watcher::Wake(waker) => waker.wake(),
        }
    }
}

impl Extras {
    pub(super) fn new() -> Self {
        Self {
            id: AtomicU64::new(0),
            shared: Mutex::new(Shared {
                name: None,
                cause: CancelCause::unknown(),
                origins: VecDeque::new(),
                watchers: BTreeMap::new(),
                next_watcher: 0,
                failure: None,
            }),
            root: Root::new(),
            context: RefCell::default(),
        }
    }

    pub(super) fn id(&self) -> TaskId {
        // A counter of the process and not of a model.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let give = |id: u64| (id == 0).then(|| NEXT.fetch_add(1, Relaxed));
        match self.id.fetch_update(Relaxed, Relaxed, give) {
            Ok(_) => TaskId(self.id.load(Relaxed)),
            Err(id) => TaskId(id),
        }
    }

    pub(super) fn name(&self) -> Arc<str> {
        let default = || format!("Task-{}", self.id()).into();
        self.shared.lock().name.get_or_insert_with(default).clone()
    }

    pub(super) fn set_name(&self, name: Arc<str>) {
        self.shared.lock().name = Some(name);
    }

    pub(super) fn note_failure(&self, text: Arc<str>, unhandled: Unhandled) {
        self.shared.lock().failure = Some((text, unhandled));
    }

    /// Somebody looks at the error, or drops it.
    pub(super) fn take_failure(&self) -> Option<(Arc<str>, Unhandled)> {
        self.shared.lock().failure.take()
    }

    pub(crate) fn set_context(&self, context: Context) {
        self.context.replace(context);
    }

    pub(super) fn with_context<R>(&self, f: impl FnOnce(&mut Context) -> R) -> R {
        f(&mut self.context.borrow_mut())
    }

    pub(super) fn reason(&self) -> Option<Text> {
        self.shared.lock().cause.reason.clone()
    }

    pub(super) fn cause(&self) -> CancelCause {
        self.shared.lock().cause.clone()
    }

    /// A request that came from there may come again, and is another one then.
    pub(crate) fn forget_origin(&self, origin: Origin) {
        self.shared.lock().origins.retain(|&known| known != origin);
    }

    /// The task is not being cancelled any more.
    pub(super) fn forget_origins(&self) {
        self.shared.lock().origins.clear();
    }

    /// A request is about to come. `false`: it has come before.
    pub(super) fn note_cause(&self, cause: CancelCause) -> bool {
        let mut shared = self.shared.lock();
        if let Some(origin) = cause.origin {
            if shared.origins.contains(&origin) {
                return false;
            }
            shared.origins.truncate(ORIGINS - 1);
            shared.origins.push_front(origin);
        }
        // The newest one counts, and so does that it gives no reason.
        shared.cause = cause;
        true
    }

    /// Leaves a callback for the end. See `State::watch`, which is to follow.
    pub(super) fn add_watcher(&self, watcher: Watcher) -> CallbackId {
        let mut shared = self.shared.lock();
        let id = shared.next_watcher;
        shared.next_watcher += 1;
        shared.watchers.insert(id, watcher);
        CallbackId(id)
    }

    /// Takes a callback back. `None`: it has been called, or is just being.
    pub(super) fn remove_watcher(&self, CallbackId(id): CallbackId) -> Option<Watcher> {
        self.shared.lock().watchers.remove(&id)
    }

    /// Whom to wake at the end is somebody else from now on. `false`: the end has come.
    pub(super) fn replace_waker(&self, CallbackId(id): CallbackId, waker: &Waker) -> bool {
        let new = Watcher::Wake(waker.clone());
        let mut shared = self.shared.lock();
        let (found, left) = match shared.watchers.get_mut(&id) {
            Some(watcher) => (true, mem::replace(watcher, new)),
            None => (false, new),
        };
        drop(shared);
        // Out here: its destructor may be anybody's.
        drop(left);
        found
    }

    /// The task is complete: calls those who want to know, in the order in which they came, each by `caught`.
    pub(super) fn call_watchers(&self, task: NonNull<Header>, caught: impl Fn(&mut dyn FnMut())) {
        // Taken out of the lock, once: whoever comes later sees that the task is complete.
        let watchers = mem::take(&mut self.shared.lock().watchers);
        for (_, watcher) in watchers {
            let mut watcher = Some(watcher);
            caught(&mut || watcher.take().into_iter().for_each(|watcher| watcher.tell(task)));
        }
    }
}
