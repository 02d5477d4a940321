//! What the workers of one runtime share, and where a task goes when it wants to run.
//!
//! | the task is woken | it goes to |
//! |---|---|
//! | by a task or the driver, on a worker of its runtime | that worker's own queue |
//! | from any other thread | the injector, which any worker empties |
//! | and is pinned to a worker, elsewhere | that worker's inbox |
//!
//! # How long it lives
//!
//! Tasks point to their home without counting it: counting would be two contended operations for each task. That is
//! sound because a runtime is freed only when none of its tasks is left, and a task that is being scheduled is one: it cannot
//! end before it has run again. The one gap is the time *after* the task was put into a queue, while the waker's thread
//! still looks for somebody to wake; there, and only on foreign threads, the runtime is counted.
//!
//! # The gate
//!
//! Tasks that other threads create are in no set of live tasks until their first turn. The gate counts them, so that
//! a closing runtime knows of them, and refuses new ones once it is closed.

use crate::{
    blocking::Pool,
    driver::Driver,
    here,
    idle::Idle,
    live::LiveSet,
    parker::Parker,
    task::{self, Reason, Runnable, Schedule, Task, TaskPtr, TaskRef, Unhandled},
    watch::Watch,
};
use aioli_primitives::{
    CachePadded,
    deque::{Injector, Stealer},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::*, fence},
    },
};
use std::{future::Future, panic::Location, ptr::NonNull};

const CLOSED: usize = 1;
const NEWCOMER: usize = 2;

pub(crate) struct Shared {
    pub(crate) homes: Box<[CachePadded<Home>]>,
    pub(crate) injector: Injector<Runnable>,
    pub(crate) idle: Idle,
    pub(crate) watch: Watch,
    pub(crate) driver: Arc<dyn Driver>,
    /// Whoever holds it waits in the driver or polls it.
    pub(crate) driving: Mutex<()>,
    /// How often somebody has slept in the driver.
    pub(crate) drives: AtomicUsize,
    /// Tasks from other threads that have not had their first turn, and whether more are let in.
    gate: CachePadded<AtomicUsize>,
    /// The runtime is closing: every task that ends tells worker 0.
    closing: AtomicBool,
    /// Workers other than 0 are to return.
    stop: AtomicBool,
    unhandled: Arc<Mutex<Unhandled>>,
    /// Where the next newcomer's home is.
    next_home: AtomicUsize,
    pub(crate) pool: Arc<Pool>,
}

/// What others may touch of a worker.
pub(crate) struct Home {
    index: usize,
    /// Set once, before there is any task.
    shared: AtomicPtr<Shared>,
    /// `None` with one worker.
    pub(crate) stealer: Option<Stealer<Runnable>>,
    /// Pinned tasks that were woken elsewhere.
    pub(crate) inbox: Injector<Runnable>,
    pub(crate) parker: Parker,
    live: Mutex<LiveSet>,
}

impl Shared {
    pub(crate) fn new(
        stealers: Vec<Option<Stealer<Runnable>>>,
        driver: Arc<dyn Driver>,
        unhandled: Arc<Mutex<Unhandled>>,
        pool: Arc<Pool>,
    ) -> Arc<Self> {
        let workers = stealers.len();
        let home = |(index, stealer)| {
            CachePadded::new(Home {
                index,
                shared: AtomicPtr::new(std::ptr::null_mut()),
                stealer,
                inbox: Injector::new(),
                parker: Parker::new(),
                live: Mutex::new(LiveSet::new()),
            })
        };
        let shared = Arc::new(Self {
            homes: stealers.into_iter().enumerate().map(home).collect(),
            injector: Injector::new(),
            idle: Idle::new(workers),
            watch: Watch::new(),
            driver,
            driving: Mutex::new(()),
            drives: AtomicUsize::new(0),
            gate: CachePadded::new(AtomicUsize::new(0)),
            closing: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            unhandled,
            next_home: AtomicUsize::new(0),
            pool,
        });
        for home in &shared.homes {
            // Its worker has not come yet.
            shared.idle.go_away();
            home.shared.store(Arc::as_ptr(&shared).cast_mut(), Relaxed);
        }
        shared
    }

    pub(crate) fn workers(&self) -> usize {
        self.homes.len()
    }

    /// Creates a task from a thread that is none of this runtime's workers. On a closed runtime the task is over at
    /// once, as cancelled.
    pub(crate) fn spawn_from_outside<F>(&self, future: F, location: &'static Location<'static>) -> Task<F::Output>
    where
        F: Future + Send + 'static,
    {
        let home = &self.homes[self.next_home.fetch_add(1, Relaxed) % self.workers()];
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { task::create(future, Newcomer(home.ptr()), location) };
        let enter = |gate| (gate & CLOSED == 0).then_some(gate + NEWCOMER);
        match self.gate.fetch_update(AcqRel, Acquire, enter) {
            Ok(_) => self.inject(runnable),
            // It was never counted, so the end does not wait for it.
            Err(_) => runnable.abandon(),
        }
        task
    }

    /// Puts a task where any worker finds it.
    fn inject(&self, task: Runnable) {
        self.injector.push(task);
        self.wake_one();
    }

    /// After something was put into a queue that all workers look into.
    pub(crate) fn wake_one(&self) {
        if self.workers() == 1 {
            self.unpark(0);
        } else {
            self.idle.wake_one(|worker| self.unpark(worker));
        }
    }

    pub(crate) fn unpark(&self, worker: usize) {
        self.homes[worker].parker.unpark(&*self.driver);
    }

    /// Whether any queue that a worker may take from has something, as seen by `worker`.
    pub(crate) fn has_work_for(&self, worker: usize) -> bool {
        !self.injector.is_empty()
            || !self.homes[worker].inbox.is_empty()
            || self
                .homes
                .iter()
                .any(|home| home.stealer.as_ref().is_some_and(|stealer| !stealer.is_empty()))
    }

    pub(crate) fn unhandled(&self) -> Unhandled {
        self.unhandled.lock().clone()
    }

    pub(crate) fn set_unhandled(&self, unhandled: Unhandled) {
        *self.unhandled.lock() = unhandled;
    }

    /// All tasks that are not over, home by home, oldest first. Tasks that other threads have created are in it from
    /// their first turn on.
    pub(crate) fn live_tasks(&self) -> Vec<TaskRef> {
        self.homes.iter().flat_map(|home| home.live.lock().tasks()).collect()
    }

    /// Lets no task in from outside any more, and has worker 0 told of every task that ends.
    pub(crate) fn close_gate(&self) {
        self.gate.fetch_or(CLOSED, AcqRel);
        self.closing.store(true, SeqCst);
    }

    /// Whether the gate is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.gate.load(Acquire) & CLOSED != 0
    }

    /// Whether every task that was let in from outside has had its first turn, and is in a set.
    pub(crate) fn all_have_arrived(&self) -> bool {
        self.gate.load(Acquire) < NEWCOMER
    }

    /// Whether no task is left.
    pub(crate) fn is_empty(&self) -> bool {
        // In this order: a newcomer enters a set before it leaves the gate. And all sets at once: a task of one home
        // may create one in another while it ends, and looked at one by one each could be empty in its moment.
        self.all_have_arrived() && {
            let sets: Vec<_> = self.homes.iter().map(|home| home.live.lock()).collect();
            sets.iter().all(|live| live.is_empty())
        }
    }

    /// Cancels all tasks that are in a set. `false`: there was none.
    pub(crate) fn doom(&self) -> bool {
        let doom = |home: &CachePadded<Home>| home.live.lock().doom(|task| task.cancel());
        // Each of them, and not only until the first that had some.
        self.homes.iter().filter(|&home| doom(home)).count() > 0
    }

    /// Whether all tasks that [`doom`](Self::doom) has cancelled are over.
    pub(crate) fn doomed_are_over(&self) -> bool {
        self.homes.iter().all(|home| home.live.lock().doomed_are_over())
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, SeqCst);
        for worker in 1..self.workers() {
            self.unpark(worker);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }
}

impl Home {
    pub(crate) fn ptr(&self) -> HomePtr {
        HomePtr(NonNull::from(self))
    }
}

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
    /// The caller knows of a task of this runtime that is not complete, for as long as it uses the reference.
    unsafe fn get<'a>(self) -> &'a Home {
        // SAFETY: a runtime outlives its tasks.
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

    fn bind(self, task: TaskPtr) {
        // SAFETY: the task is not complete.
        unsafe { self.get() }.live.lock().insert(task);
    }

    /// What the runner of `task` does in the end. On a worker, or on a thread that abandons a task of a closed runtime
    /// that it holds.
    fn release(self, task: TaskPtr) {
        // SAFETY: the runner is a worker, whose runtime is alive as long as the worker runs.
        let (home, shared) = unsafe { (self.get(), self.shared()) };
        home.live.lock().remove(task);
        // Relaxed: worker 0 sets the flag before it looks into the set under the lock that this thread has just held.
        if shared.closing.load(Relaxed) {
            shared.unpark(0);
        }
    }

    fn unhandled(self) -> Unhandled {
        // SAFETY: the task that asks is not complete.
        unsafe { self.shared() }.unhandled()
    }

    /// Schedules a task that any worker may run. `self` is a copy: the task, and what lives in it, may be gone as soon
    /// as it is in a queue.
    fn schedule(self, task: Runnable, reason: Reason) {
        // SAFETY: the task is not complete until it has run.
        let shared = unsafe { self.shared() };
        if let Err(task) = here::push_if_current(shared, task, reason) {
            // SAFETY: as above. From here on the task may run, so the runtime is counted.
            let shared = unsafe { self.count() };
            shared.inject(task);
        }
    }
}

/// A task that any worker may run, created by one of them.
pub(crate) struct Anywhere(pub(crate) HomePtr);

impl Schedule for Anywhere {
    const BOUND_AT_BIRTH: bool = true;

    #[inline]
    fn schedule(&self, task: Runnable, reason: Reason) {
        self.0.schedule(task, reason);
    }

    fn bind(&self, task: TaskPtr) {
        self.0.bind(task);
    }

    fn release(&self, task: TaskPtr) {
        self.0.release(task);
    }

    fn unhandled(&self) -> Unhandled {
        self.0.unhandled()
    }
}

/// A task that any worker may run, created by some other thread.
struct Newcomer(HomePtr);

impl Schedule for Newcomer {
    const BOUND_AT_BIRTH: bool = false;

    #[inline]
    fn schedule(&self, task: Runnable, reason: Reason) {
        self.0.schedule(task, reason);
    }

    fn bind(&self, task: TaskPtr) {
        self.0.bind(task);
        // SAFETY: the task is not complete.
        let shared = unsafe { self.0.shared() };
        // After it has entered the set, so that it is seen in one place at least.
        if shared.gate.fetch_sub(NEWCOMER, AcqRel) & CLOSED != 0 {
            // Worker 0 waits for the gate to be empty, or for this task to be in a set.
            shared.unpark(0);
        }
    }

    fn release(&self, task: TaskPtr) {
        self.0.release(task);
    }

    fn unhandled(&self) -> Unhandled {
        self.0.unhandled()
    }
}

/// A task that only its home may run: it is not `Send`.
pub(crate) struct Pinned(pub(crate) HomePtr);

impl Schedule for Pinned {
    const BOUND_AT_BIRTH: bool = true;

    fn schedule(&self, task: Runnable, _: Reason) {
        let home = self.0;
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

    fn bind(&self, task: TaskPtr) {
        self.0.bind(task);
    }

    fn release(&self, task: TaskPtr) {
        self.0.release(task);
    }

    fn unhandled(&self) -> Unhandled {
        self.0.unhandled()
    }
}
