//! Where a task goes when it wants to run: what lives in it and points to its home.
//!
//! | the task is woken | it goes to |
//! |---|---|
//! | by a task or the driver, on a worker of its runtime | that worker's own queue |
//! | from any other thread | the injector, which any worker empties |
//! | and is pinned to a worker, elsewhere | that worker's inbox |
//!
//! # How long a home lives
//!
//! Tasks point to their home without counting it: counting would be two contended operations for each task. That is
//! sound because a runtime is freed only when none of its tasks is left, and a task that is being scheduled is one: it cannot
//! end before it has run again. (Tickets for calls that are left in a queue are ended by the one who drops the queue.) The one gap is the time *after* the task was put into a queue, while the waker's thread
//! still looks for somebody to wake; there, and only on foreign threads, the runtime is counted.

use crate::{
    here,
    shared::{Home, Shared},
    task::{Reason, Runnable, Schedule, TaskPtr, Unhandled},
};
use aioli_primitives::sync::{
    Arc,
    atomic::{Ordering::*, fence},
};
use std::{marker::PhantomData, ptr::NonNull};

/// An uncounted pointer from a task to its home; see the head of this file.
#[derive(Clone, Copy)]
pub(crate) struct HomePtr(NonNull<Home>);

// SAFETY: a home is shared by all threads.
unsafe impl Send for HomePtr {}
// SAFETY: as above.
unsafe impl Sync for HomePtr {}

impl HomePtr {
    /// # Safety
    ///
    /// The caller knows of a task of this runtime that is not complete, or is a worker of it, for as long as it uses the
    /// reference.
    unsafe fn get<'a>(self) -> &'a Home {
        // SAFETY: a runtime outlives its tasks and its workers.
        unsafe { self.0.as_ref() }
    }

    /// # Safety
    ///
    /// As `get`.
    unsafe fn shared<'a>(self) -> &'a Shared {
        // SAFETY: as above; the pointer was set before there was any task.
        unsafe { &*self.get().shared.load(Relaxed) }
    }

    /// # Safety
    ///
    /// As `get`, for this call.
    unsafe fn count(self) -> Arc<Shared> {
        // SAFETY: the pointer came from `Arc::as_ptr`, and the runtime is alive for this call.
        unsafe {
            let shared = self.get().shared.load(Relaxed).cast_const();
            Arc::increment_strong_count(shared);
            Arc::from_raw(shared)
        }
    }
}

/// A kind of task.
pub(crate) trait Kind: Send + Sync + 'static {
    /// See [`Schedule::BOUND_AT_BIRTH`].
    const BOUND_AT_BIRTH: bool;

    /// Whether it is in a set of live tasks: the runtime waits for its end, cancels it at its own, and lists it.
    const LIVES: bool = true;

    /// See [`Schedule::LISTED`].
    const LISTED: bool = true;

    /// See [`Schedule::schedule`]. `home` is a copy: the task, and what lives in it, may be gone as soon as it is in a queue.
    fn schedule(home: HomePtr, task: Runnable, reason: Reason);
}

/// Created by a worker; any may run it.
pub(crate) struct Anywhere;

impl Kind for Anywhere {
    const BOUND_AT_BIRTH: bool = true;

    #[inline]
    fn schedule(home: HomePtr, task: Runnable, reason: Reason) {
        // SAFETY: the task is not complete until it has run.
        let shared = unsafe { home.shared() };
        if let Err(task) = here::push_if_current(shared, task, reason) {
            // SAFETY: as above. From here on the task may run, so the runtime is counted.
            let shared = unsafe { home.count() };
            shared.inject(task);
        }
    }
}

/// Created by some other thread; any worker may run it.
pub(crate) struct Newcomer;

impl Kind for Newcomer {
    const BOUND_AT_BIRTH: bool = false;

    #[inline]
    fn schedule(home: HomePtr, task: Runnable, reason: Reason) {
        Anywhere::schedule(home, task, reason);
    }
}

/// A turn for a call that was posted. It is over after one turn, and nobody knows that it is a task.
pub(crate) struct Ticket;

impl Kind for Ticket {
    const BOUND_AT_BIRTH: bool = true;
    const LIVES: bool = false;

    fn schedule(home: HomePtr, task: Runnable, reason: Reason) {
        Anywhere::schedule(home, task, reason);
    }
}

/// Not `Send`: only its home may run it, and creates it.
pub(crate) struct Pinned;

impl Kind for Pinned {
    const BOUND_AT_BIRTH: bool = true;

    fn schedule(home: HomePtr, task: Runnable, _: Reason) {
        // SAFETY: the task is not complete until it has run.
        let (shared, index) = unsafe { (home.shared(), home.get().index) };
        if let Err(task) = here::push_pinned_if_current(shared, index, task) {
            // SAFETY: as above. From here on the task may run, so the runtime is counted.
            let shared = unsafe { home.count() };
            shared.homes[index].inbox.push(task);
            // As a producer of the sleep protocol: the worker looks into its inbox after its fence, or is asleep now.
            fence(SeqCst);
            shared.unpark(index);
        }
    }
}

/// As [`Pinned`], and none of the program's: nobody lists it, and nobody but who created it cancels it or waits for it.
pub(crate) struct Unlisted;

impl Kind for Unlisted {
    const BOUND_AT_BIRTH: bool = true;
    const LIVES: bool = false;

    fn schedule(home: HomePtr, task: Runnable, reason: Reason) {
        Pinned::schedule(home, task, reason);
    }
}

/// As that kind, for a task that serves the program and is none of its own: it is not listed. The end of the runtime cancels it and
/// waits for it, as for any other.
pub(crate) struct Service<K>(PhantomData<K>);

impl<K: Kind> Kind for Service<K> {
    const BOUND_AT_BIRTH: bool = K::BOUND_AT_BIRTH;
    const LISTED: bool = false;

    fn schedule(home: HomePtr, task: Runnable, reason: Reason) {
        K::schedule(home, task, reason);
    }
}

/// The scheduler of a task of that kind.
pub(crate) struct Homed<K>(HomePtr, PhantomData<K>);

impl<K> Homed<K> {
    pub(crate) fn new(home: &Home) -> Self {
        Self(HomePtr(NonNull::from(home)), PhantomData)
    }
}

impl<K: Kind> Schedule for Homed<K> {
    const BOUND_AT_BIRTH: bool = K::BOUND_AT_BIRTH;
    const LISTED: bool = K::LISTED;

    #[inline]
    fn schedule(&self, task: Runnable, reason: Reason) {
        K::schedule(self.0, task, reason);
    }

    fn bind(&self, task: TaskPtr) {
        // SAFETY: the task is not complete.
        let (home, shared) = unsafe { (self.0.get(), self.0.shared()) };
        if K::LIVES {
            home.live.lock().insert(task);
        }
        if !K::BOUND_AT_BIRTH {
            shared.has_arrived();
        }
    }

    fn release(&self, task: TaskPtr) {
        if K::LIVES {
            // SAFETY: the one who releases a task that is in a set is a worker.
            let (home, shared) = unsafe { (self.0.get(), self.0.shared()) };
            home.live.lock().remove(task);
            shared.has_left();
        }
    }

    fn unhandled(&self) -> Unhandled {
        // SAFETY: the task that asks is not complete.
        unsafe { self.0.shared() }.unhandled()
    }
}
