//! A worker: takes tasks from where there are any, runs them, looks at the driver now and then, and sleeps.
//!
//! Where it looks, in this order: its own queue; what came from outside (its inbox, the injector); the others' queues.
//! Every so often what came from outside comes first, so that a busy worker does not keep it waiting.
//!
//! # Looking up from the work
//!
//! Reading the clock costs as much as a small task, and asking the system for events ten times that. So the worker looks at
//! the clock after a number of turns that it adjusts, to do so about every [`GLANCE`], whether its turns take nanoseconds or
//! milliseconds. At each glance it fires the timers that are due; it asks for events at a glance if it has not done so for
//! [`MANY_TURNS`], or for [`PATIENCE`].

use crate::{
    driver::Driver,
    here,
    home::{Homed, Kind},
    queue::Queue,
    shared::Shared,
    task::{self, Reason, Runnable, Task, UnhandledError},
    watch::Look,
};
use aioli_primitives::{deque::Steal, sync::Arc};
use std::{
    cell::Cell,
    future::Future,
    io,
    marker::PhantomData,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    time::{Duration, Instant},
};

/// How often a busy worker looks up, about.
const GLANCE: Duration = Duration::from_micros(100);

/// How long events may wait for a busy worker, about, unless its turns are long.
const PATIENCE: Duration = Duration::from_millis(1);

/// How many turns go to the tasks that are there before it is asked for events.
const MANY_TURNS: u32 = 64;

/// The most turns between two looks at the clock.
const MOST_TURNS: u32 = 256;

/// The most tasks taken from outside at once, so that they mix with the worker's own.
const BATCH: usize = 64;

pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) queue: Queue,
    /// It counts as a searcher of the sleep protocol.
    searching: Cell<bool>,
    /// It has searched, slept or been away since it last ran a task.
    resting: Cell<bool>,
    /// As much as it knows of [`Watch`](crate::watch::Watch).
    starts_seen: Cell<usize>,
    /// What this worker, on watch, saw of the driver when it looked last.
    drives_seen: Cell<Option<usize>>,
    /// It is inside the driver: what it wakes there it does not race through the slot, nor wake others for one by one.
    in_driver: Cell<bool>,
    /// Turns until the next look at the clock, and between two.
    turns_left: Cell<u32>,
    turns: Cell<u32>,
    last_glance: Cell<Instant>,
    /// It has slept since it last looked at the clock.
    rested: Cell<bool>,
    /// When it was in the driver last, and how many turns it has had since.
    driven: Cell<(Instant, u32)>,
    /// Where the next search begins.
    victim: Cell<usize>,
    /// Pinned tasks make a worker's thread part of it.
    not_send: PhantomData<*const ()>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, index: usize, queue: Queue) -> Self {
        let now = Instant::now();
        Self {
            shared,
            index,
            queue,
            searching: Cell::new(false),
            resting: Cell::new(false),
            starts_seen: Cell::new(0),
            drives_seen: Cell::new(None),
            in_driver: Cell::new(false),
            turns_left: Cell::new(1),
            turns: Cell::new(1),
            last_glance: Cell::new(now),
            rested: Cell::new(false),
            driven: Cell::new((now, 0)),
            victim: Cell::new(index + 1),
            not_send: PhantomData,
        }
    }

    /// Works on this thread until `done`, which is asked after every turn. A worker whose turn this is inside stands still
    /// meanwhile.
    pub(crate) fn run_until(&self, done: impl Fn() -> bool) {
        let _here = here::enter(self);
        // It was away, which is a rest: the others may all have gone to sleep.
        self.resting.set(true);
        while !done() {
            if self.turns_left.replace(self.turns_left.get().wrapping_sub(1)) == 0 {
                self.look_up();
            }
            match self.queue.pop().or_else(|| self.find()) {
                Some(task) => {
                    if self.resting.get() {
                        self.begin_to_work();
                    }
                    task.run();
                }
                None => self.sleep(),
            }
        }
        self.begin_to_work();
    }

    /// The worker's own queue is empty.
    fn find(&self) -> Option<Runnable> {
        if self.take_from_outside() {
            self.queue.pop()
        } else {
            self.steal()
        }
    }

    /// Ends the search, and sees to it that somebody watches.
    fn begin_to_work(&self) {
        self.resting.set(false);
        self.drives_seen.set(None);
        let shared = &*self.shared;
        if shared.workers() == 1 {
            return;
        }
        if self.searching.take() {
            let has_work = || shared.has_work_for(self.index);
            shared.idle.stop_search(has_work, |worker| shared.unpark(worker));
        }
        if shared.watch.work_begins() {
            shared.wake_one();
        }
    }

    /// Moves tasks from the inbox and the injector into the own queue. `true`: there were some.
    fn take_from_outside(&self) -> bool {
        let mut some = false;
        let inbox = &self.shared.homes[self.index].inbox;
        while !inbox.is_empty() {
            if let Steal::Success(task) = inbox.steal() {
                self.queue.push_pinned(task);
                some = true;
            }
        }
        let injector = &self.shared.injector;
        match &self.queue {
            Queue::Single(queue) => {
                for _ in 0..BATCH {
                    if injector.is_empty() {
                        break;
                    }
                    if let Steal::Success(task) = injector.steal() {
                        queue.borrow_mut().push_back(task);
                        some = true;
                    }
                }
            }
            Queue::Stealing(queue) => {
                while !injector.is_empty() {
                    match injector.steal_batch_and_pop(&queue.deque) {
                        Steal::Success(task) => {
                            queue.deque.push(task);
                            return true;
                        }
                        Steal::Empty => break,
                        Steal::Retry => {}
                    }
                }
            }
        }
        some
    }

    /// Takes half of somebody's tasks.
    fn steal(&self) -> Option<Runnable> {
        let Queue::Stealing(queue) = &self.queue else {
            return None;
        };
        if !self.searching.get() {
            if !self.shared.idle.start_search() {
                return None;
            }
            self.searching.set(true);
            self.resting.set(true);
        }
        let workers = self.shared.workers();
        let first = self.victim.get();
        for victim in (first..first + workers)
            .map(|index| index % workers)
            .filter(|&victim| victim != self.index)
        {
            let Some(stealer) = &self.shared.homes[victim].stealer else {
                continue;
            };
            loop {
                match stealer.steal_batch_and_pop(&queue.deque) {
                    Steal::Success(task) => {
                        self.victim.set(victim);
                        return Some(task);
                    }
                    Steal::Empty => break,
                    Steal::Retry => {}
                }
            }
        }
        self.take_from_outside().then(|| self.queue.pop()).flatten()
    }

    /// Looks at the clock, at what came from outside, at the timers and, if it is time, at the events.
    #[cold]
    fn look_up(&self) {
        let now = Instant::now();
        let since = now - self.last_glance.replace(now);
        let mut turns = self.turns.get();
        if self.rested.take() {
            // It came straight from the driver, and the time that it slept says nothing of its turns.
            self.driven.set((now, 0));
        } else {
            let (when, before) = self.driven.get();
            self.driven.set((when, before.saturating_add(turns)));
            if since > GLANCE {
                turns /= 2;
            } else if since < GLANCE / 2 {
                turns *= 2;
            }
            turns = turns.clamp(1, MOST_TURNS);
        }
        if self.shared.driver.is_virtual() {
            // What has no time to look at does not depend on it: with one worker, every run is the same.
            turns = MANY_TURNS;
        }
        self.turns.set(turns);
        self.turns_left.set(turns);
        self.take_from_outside();
        self.in_driver.set(true);
        let (when, turns) = self.driven.get();
        let late = now - when;
        let driving = (late >= PATIENCE || late >= GLANCE && turns >= MANY_TURNS)
            .then(|| self.shared.driving.try_lock())
            .flatten();
        match driving {
            Some(_driving) => {
                self.driven.set((now, 0));
                self.ask_driver(|driver| driver.poll());
            }
            None => self.fire_timers(),
        }
        self.leave_driver();
    }

    /// Nothing to do: sleeps until there may be.
    fn sleep(&self) {
        let shared = &*self.shared;
        self.in_driver.set(true);
        if shared.driver.is_virtual() {
            // So that no timer is due when everybody is at rest.
            self.fire_timers();
            if self.queue.len() > 0 {
                self.leave_driver();
                return;
            }
        }
        let mut timed = false;
        if shared.workers() == 1 {
            if shared.driver.can_advance() && !shared.has_left_over() {
                self.advance();
            } else {
                timed = self.park(None, true);
            }
        } else {
            let has_work = || shared.has_work_for(self.index);
            let searching = self.searching.take();
            let woken = shared.idle.sleep(self.index, searching, has_work, || {
                let at_rest = || shared.idle.wake_at_rest(self.index, || shared.has_left_over());
                if shared.driver.can_advance() && at_rest() {
                    self.advance();
                } else {
                    timed = self.park_or_watch();
                }
            });
            self.searching.set(woken);
        }
        if timed {
            // Now that it counts as awake: what it wakes may go where nobody else sees it.
            self.fire_timers();
        }
        if self.index == 0 {
            shared.follow_summons();
        }
        self.resting.set(true);
        self.rested.set(true);
        self.leave_driver();
    }

    /// `true`: timers may be due.
    fn park_or_watch(&self) -> bool {
        let shared = &*self.shared;
        let all_asleep = shared.idle.all_asleep();
        let mut seen = self.starts_seen.get();
        let on_watch = shared.watch.take(&mut seen, all_asleep);
        self.starts_seen.set(seen);
        if !on_watch {
            return self.park(None, true);
        }
        // The driver is left to those who work, unless none of them has been there for a whole watch: changing places with
        // one who is back in no time would cost two wake-ups. The last to fall asleep always takes it.
        let mut seen = self.drives_seen.take();
        let look = shared.watch.look(&mut seen);
        self.drives_seen.set(seen);
        self.park(Some(shared.watch.limit(look)), all_asleep || look == Look::Deserted);
        shared.watch.give_up();
        true
    }

    /// Waits in the driver if nobody does and the worker may, and in its own bed otherwise. `true`: timers may be due.
    fn park(&self, limit: Option<Duration>, may_drive: bool) -> bool {
        let shared = &*self.shared;
        let parker = &shared.homes[self.index].parker;
        match may_drive.then(|| shared.driving.try_lock()).flatten() {
            Some(_driving) => {
                shared.watch.driver_changes();
                parker.drive(|| self.ask_driver(|driver| driver.park(limit)));
                shared.watch.driver_changes();
                false
            }
            None => {
                let timer = shared.driver.sleep_limit(self.index);
                parker.park(limit.into_iter().chain(timer).min());
                timer.is_some()
            }
        }
    }

    fn advance(&self) {
        self.ask_driver(|driver| {
            driver.advance();
            Ok(())
        });
    }

    fn fire_timers(&self) {
        self.ask_driver(|driver| {
            driver.fire_timers();
            Ok(())
        });
    }

    /// Calls the driver. The wakers that it calls may be anybody's, and may panic; the worker goes on.
    fn ask_driver(&self, call: impl FnOnce(&dyn Driver) -> io::Result<()>) {
        match catch_unwind(AssertUnwindSafe(|| call(&*self.shared.driver))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => abort_on_unwind(|| {
                // Nothing that a program does makes epoll or kqueue fail; somebody closed a descriptor that is not theirs.
                panic!("waiting for events failed, as if the event loop's own descriptor had been closed: {error}")
            }),
            Err(payload) => self.shared.unhandled().report(UnhandledError::of_nobody(payload)),
        }
    }

    fn leave_driver(&self) {
        self.in_driver.set(false);
        self.call_for_help(1);
    }

    /// Wakes somebody for the tasks in the deque, but for the `own` that this worker is about to run, if they are worth it:
    /// if running them would take longer than waking somebody does. That is some tens of microseconds, and about as many turns
    /// as this worker has between two glances say how long its turns are: for long ones a single task is enough, for tiny ones
    /// it takes a hundred.
    #[inline]
    fn call_for_help(&self, own: usize) {
        // Without the fence of the sleep protocol: this worker is awake and runs the tasks if nobody else does; and if it
        // is stuck, the one on watch finds them.
        let Queue::Stealing(queue) = &self.queue else {
            return;
        };
        if self.shared.idle.wants_waking() && queue.deque.len() > own + (self.turns.get() / 2) as usize {
            self.shared.wake_one();
        }
    }

    #[inline]
    pub(crate) fn push(&self, task: Runnable, reason: Reason) {
        let in_driver = self.in_driver.get();
        if self.queue.push(task, reason, !in_driver) && !in_driver {
            self.call_for_help(0);
        }
    }

    /// The kind is [`Anywhere`](crate::home::Anywhere), or its service.
    pub(crate) fn spawn<K: Kind, F>(&self, future: F, location: &'static Location<'static>) -> Task<F::Output>
    where
        F: Future + Send + 'static,
    {
        let home = &self.shared.homes[self.index];
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { task::create(future, Homed::<K>::new(home), location) };
        self.push(runnable, Reason::Woken);
        task
    }

    /// Of the kinds that stay on their worker: [`Pinned`] or [`Unlisted`](crate::home::Unlisted).
    ///
    /// # Safety
    ///
    /// The task must be complete before what the future borrows is gone, and the kind must be one of these.
    pub(crate) unsafe fn spawn_pinned<K: Kind, F: Future>(
        &self,
        future: F,
        location: &'static Location<'static>,
    ) -> Task<F::Output> {
        let home = &self.shared.homes[self.index];
        // SAFETY: the kind keeps the task on this thread; the caller answers for borrows.
        let (runnable, task) = unsafe { task::create(future, Homed::<K>::new(home), location) };
        self.queue.push_pinned(runnable);
        task
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // No task is left: these are tickets for calls that are made no more.
        while let Some(ticket) = self.queue.pop() {
            ticket.abandon();
        }
    }
}

/// Does something that must not be left by a panic, because others have been promised that it ends in order. If it
/// panics, the process is aborted, after the panic's message.
pub(crate) fn abort_on_unwind<R>(f: impl FnOnce() -> R) -> R {
    struct Abort;
    impl Drop for Abort {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    let abort = Abort;
    let result = f();
    std::mem::forget(abort);
    result
}
