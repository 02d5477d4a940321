//! What the workers of one runtime share.
//!
//! # The gate
//!
//! Tasks that other threads create are in no set of live tasks until their first turn. The gate counts them, so that
//! a closing runtime knows of them, and refuses new ones once it is closed.

mod calls;

use crate::{
    blocking::{Caller, Pool},
    driver::Driver,
    home::{Homed, Kind},
    idle::Idle,
    live::LiveSet,
    parker::Parker,
    scope::CancelCause,
    task::{self, Runnable, Task, TaskRef, Unhandled},
    watch::Watch,
};
use aioli_primitives::{
    CachePadded,
    deque::{Injector, Steal, Stealer},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::*},
    },
};
use calls::Calls;
use std::{future::Future, panic::Location};

const CLOSED: usize = 1;
const NEWCOMER: usize = 2;

pub(crate) struct Shared {
    pub(crate) homes: Box<[CachePadded<Home>]>,
    pub(crate) injector: Injector<Runnable>,
    pub(crate) idle: Idle,
    pub(crate) watch: Watch,
    calls: Calls,
    pub(crate) driver: std::sync::Arc<dyn Driver>,
    /// Whoever holds it waits in the driver or polls it.
    pub(crate) driving: Mutex<()>,
    /// Tasks from other threads that have not had their first turn, and whether more are let in.
    gate: CachePadded<AtomicUsize>,
    /// The runtime is closing: every task that ends tells worker 0.
    closing: AtomicBool,
    /// That for which it cancels what is left.
    closing_cause: CancelCause,
    /// Worker 0 is to see whether what it works for is done, and has not got up yet.
    summoned: AtomicBool,
    /// Workers other than 0 are to return.
    stop: AtomicBool,
    unhandled: Arc<Mutex<Unhandled>>,
    /// Where the next newcomer's home is.
    next_home: AtomicUsize,
    pub(crate) pool: Arc<Pool>,
    /// For whom the pool, and others, make calls: this runtime.
    pub(crate) caller: Arc<Caller>,
}

/// What others may touch of a worker.
pub(crate) struct Home {
    pub(crate) index: usize,
    /// Set once, before there is any task.
    pub(crate) shared: AtomicPtr<Shared>,
    /// `None` with one worker.
    pub(crate) stealer: Option<Stealer<Runnable>>,
    /// Pinned tasks that were woken elsewhere.
    pub(crate) inbox: Injector<Runnable>,
    pub(crate) parker: Parker,
    pub(crate) live: Mutex<LiveSet>,
}

impl Shared {
    pub(crate) fn new(
        stealers: Vec<Option<Stealer<Runnable>>>,
        driver: std::sync::Arc<dyn Driver>,
        unhandled: Arc<Mutex<Unhandled>>,
        pool: Arc<Pool>,
    ) -> Arc<Self> {
        let workers = stealers.len();
        let when_idle = driver.is_virtual().then(|| driver.clone());
        let caller = Caller::new(unhandled.clone(), when_idle);
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
            calls: Calls::new(),
            driver,
            driving: Mutex::new(()),
            gate: CachePadded::new(AtomicUsize::new(0)),
            closing: AtomicBool::new(false),
            closing_cause: CancelCause::new(),
            summoned: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            unhandled,
            next_home: AtomicUsize::new(0),
            pool,
            caller,
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
    ///
    /// The kind is [`Newcomer`](crate::home::Newcomer), or its service.
    pub(crate) fn spawn_from_outside<K: Kind, F>(
        &self,
        future: F,
        location: &'static Location<'static>,
    ) -> Task<F::Output>
    where
        F: Future + Send + 'static,
    {
        let home = &self.homes[self.next_home.fetch_add(1, Relaxed) % self.workers()];
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { task::create(future, Homed::<K>::new(home), location) };
        let enter = |gate| (gate & CLOSED == 0).then_some(gate + NEWCOMER);
        match self.gate.fetch_update(AcqRel, Acquire, enter) {
            Ok(_) => self.inject(runnable),
            // It was never counted, so the end does not wait for it.
            Err(_) => runnable.abandon(),
        }
        task
    }

    /// Puts a task where any worker finds it.
    pub(crate) fn inject(&self, task: Runnable) {
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

    /// Whether anything is left to do before the next timer, for the sleeper that is to move a virtual clock. See
    /// [`Idle::wake_at_rest`].
    pub(crate) fn has_left_over(&self) -> bool {
        // The calls first: what they wake is in a queue before they count as over.
        !self.caller.is_idle()
            || !self.injector.is_empty()
            || self
                .homes
                .iter()
                .any(|home| !home.inbox.is_empty() || home.stealer.as_ref().is_some_and(|stealer| !stealer.is_empty()))
            || self.summoned.load(SeqCst)
    }

    /// Has worker 0 see whether what it works for is done. A virtual clock stands still until it does.
    pub(crate) fn summon(&self) {
        self.summoned.store(true, SeqCst);
        self.unpark(0);
    }

    /// Worker 0 is up, and will see.
    pub(crate) fn follow_summons(&self) {
        self.summoned.store(false, SeqCst);
    }

    pub(crate) fn unhandled(&self) -> Unhandled {
        self.unhandled.lock().clone()
    }

    pub(crate) fn set_unhandled(&self, unhandled: Unhandled) {
        // Dropped out here: what the old one has captured may be anybody's, and tell of something itself.
        let old = std::mem::replace(&mut *self.unhandled.lock(), unhandled);
        drop(old);
    }

    /// All tasks that are not over, home by home, oldest first. Tasks that other threads have created are in it from
    /// their first turn on.
    pub(crate) fn live_tasks(&self) -> Vec<TaskRef> {
        let tasks = self.homes.iter().flat_map(|home| home.live.lock().tasks());
        // One that is over tells its joiner before it leaves its set.
        tasks.filter(|task| task.is_listed() && !task.is_finished()).collect()
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

    /// A task that was let in from outside has entered a set: in this order, so that it is seen in one place at least.
    pub(crate) fn has_arrived(&self) {
        if self.gate.fetch_sub(NEWCOMER, AcqRel) & CLOSED != 0 {
            // Worker 0 waits for the gate to be empty, or for this task to be in a set.
            self.summon();
        }
    }

    /// A task has left its set.
    pub(crate) fn has_left(&self) {
        // Relaxed: worker 0 sets the flag before it looks into the set under the lock that this thread has just held.
        if self.closing.load(Relaxed) {
            self.summon();
        }
    }

    /// Cancels all tasks that are in a set. `false`: there was none.
    pub(crate) fn doom(&self) -> bool {
        // Each of them, and not only until the first that had some.
        let some = self.homes.iter().filter(|home| home.live.lock().doom()).count() > 0;
        // Not earlier: what the first ones create when they are cancelled is not to be cancelled before it has begun.
        for home in &self.homes {
            home.live.lock().cancel_doomed(&self.closing_cause);
        }
        some
    }

    /// That for which it cancels what is left, if it does.
    pub(crate) fn closing_cause(&self) -> Option<CancelCause> {
        // Relaxed: who was cancelled for it has been told since.
        self.closing.load(Relaxed).then(|| self.closing_cause.clone())
    }

    /// Ends all tasks that are in a set by force.
    pub(crate) fn kill(&self) {
        for home in &self.homes {
            home.live.lock().kill();
        }
    }

    /// Whether all tasks that [`doom`](Self::doom) has cancelled are over.
    pub(crate) fn doomed_are_over(&self) -> bool {
        self.homes.iter().all(|home| home.live.lock().doomed_are_over())
    }

    /// No task is left: drops the calls that wait, and has the workers other than 0 return.
    pub(crate) fn stop(&self) {
        self.calls.close();
        self.stop.store(true, SeqCst);
        for worker in 1..self.workers() {
            self.unpark(worker);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // No worker is left: these are tickets that came too late for them.
        while !self.injector.is_empty() {
            if let Steal::Success(ticket) = self.injector.steal() {
                ticket.abandon();
            }
        }
    }
}
