//! The pool of threads for calls that block.
//!
//! A call is a task whose scheduler is the pool: its one turn, on a thread of the pool, makes the call. So a call that
//! is cancelled while it is queued is never made, a panic is an outcome, and the one who waits is woken like any joiner. Whoever
//! has its number can take it back out of the queue.
//!
//! # How many threads
//!
//! A thread is *coming* from the moment it is woken or started until it takes the lock. While one is coming nobody else is
//! woken or started; whoever takes a job and leaves others behind sees to it that one is. So a burst of short calls is done
//! by the threads that are awake, at a queue operation each, and a burst of long ones gets its threads one by one. A thread
//! that has had nothing to do for the time that the builder gave leaves.
//!
//! # Calls and a virtual clock
//!
//! A virtual clock stands still while there are calls of its runtime to be made or being made, on whatever pool. When the last one is
//! over, and whom it wakes is in a queue, the driver is unparked: whoever sleeps there looks again whether everybody is at rest.

use crate::{
    current,
    driver::Driver,
    task::{self, Reason, Runnable, Schedule, Task, TaskPtr, Unhandled},
};
use aioli_primitives::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    io,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    thread::{self, JoinHandle, ThreadId},
    time::Duration,
};

/// What one thread of a runtime does first and last.
pub type ThreadHook = std::sync::Arc<dyn Fn() + Send + Sync>;

/// How threads of a runtime are made.
#[derive(Clone)]
pub struct ThreadConfig {
    /// The name of each thread.
    pub name: String,
    /// Called by each thread when it starts.
    pub on_start: Option<ThreadHook>,
    /// Called by each thread when it stops.
    pub on_stop: Option<ThreadHook>,
}

impl ThreadConfig {
    /// Starts a thread that does `work` between the hooks.
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
        let config = self.clone();
        thread::Builder::new().name(self.name.clone()).spawn(move || {
            let call = |hook: &Option<ThreadHook>| {
                if let Some(hook) = hook {
                    // A hook that panics has said so; the thread has its work to do all the same.
                    let _ = catch_unwind(AssertUnwindSafe(|| hook()));
                }
            };
            call(&config.on_start);
            work();
            call(&config.on_stop);
        })
    }
}

/// On whose behalf calls are made: a runtime.
pub(crate) struct Caller {
    /// The runtime's.
    unhandled: Arc<Mutex<Unhandled>>,
    /// How many of its calls are to be made, or being made.
    calls: AtomicUsize,
    /// Who is unparked when there is none any more.
    when_idle: Option<std::sync::Arc<dyn Driver>>,
}

impl Caller {
    pub(crate) fn new(unhandled: Arc<Mutex<Unhandled>>, when_idle: Option<std::sync::Arc<dyn Driver>>) -> Arc<Self> {
        Arc::new(Self {
            unhandled,
            calls: AtomicUsize::new(0),
            when_idle,
        })
    }

    /// Whether none of its calls is to be made or being made.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.load(SeqCst) == 0
    }
}

/// A call counts until this is dropped.
struct Counted(Arc<Caller>);

impl Counted {
    fn new(caller: Arc<Caller>) -> Self {
        caller.calls.fetch_add(1, SeqCst);
        Self(caller)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.calls.fetch_sub(1, SeqCst) == 1 {
            if let Some(driver) = &self.0.when_idle {
                driver.unpark();
            }
        }
    }
}

/// A call in the queue.
struct Job {
    call: Runnable,
    counted: Counted,
}

impl Job {
    fn run(self) {
        self.call.run();
        // Only now: whom the call wakes is in a queue.
        drop(self.counted);
    }

    fn abandon(self) {
        self.call.abandon();
        drop(self.counted);
    }
}

pub(crate) struct Pool {
    state: Mutex<State>,
    wake: Condvar,
    /// A thread has ended, or waits for the others to; or was joined.
    ended: Condvar,
    threads: ThreadConfig,
    most_threads: usize,
    keep_alive: Duration,
}

#[derive(Default)]
struct State {
    /// By their numbers, which are in the order of their coming.
    queue: BTreeMap<u64, Job>,
    next_number: u64,
    /// Those that nobody has begun to join.
    threads: HashMap<ThreadId, JoinHandle<()>>,
    /// Those that take jobs, and whether each waits for the others to end.
    working: HashMap<ThreadId, bool>,
    /// How many join others.
    joining: usize,
    /// The thread that left last. It has joined the one before it, so that whoever joins it has joined all.
    left: Option<JoinHandle<()>>,
    /// Threads that wait for a job.
    idle: usize,
    /// A thread has been woken or started and has not taken the lock yet.
    coming: bool,
    stopping: bool,
}

impl Pool {
    pub(crate) fn new(threads: ThreadConfig, most_threads: usize, keep_alive: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            ended: Condvar::new(),
            threads,
            most_threads,
            keep_alive,
        })
    }

    pub(crate) fn most_threads(&self) -> usize {
        self.most_threads
    }

    /// Makes the call on a thread of the pool. On a stopped pool it is cancelled instead. Gives its number, too.
    pub(crate) fn spawn<F, T>(
        pool: &Arc<Self>,
        caller: &Arc<Caller>,
        call: F,
        location: &'static Location<'static>,
    ) -> (Task<T>, u64)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (pooled, caller) = (Pooled(pool.clone(), caller.clone()), caller.clone());
        // SAFETY: the call is `Send` and borrows nothing.
        let (call, task) = unsafe { task::create(Call(Some(call)), pooled, location) };
        let counted = Counted::new(caller);
        (task, Self::submit(pool, Job { call, counted }))
    }

    fn submit(pool: &Arc<Self>, job: Job) -> u64 {
        let mut state = pool.state.lock();
        let number = state.next_number;
        if state.stopping {
            drop(state);
            job.abandon();
            return number;
        }
        state.next_number += 1;
        state.queue.insert(number, job);
        if let Err(error) = Self::call_for_a_thread(pool, &mut state) {
            let job = state.queue.remove(&number);
            // Abandoning runs destructors and wakers, which may want the lock.
            drop(state);
            job.into_iter().for_each(Job::abandon);
            panic!("cannot start a thread for blocking calls: {error}");
        }
        number
    }

    /// Takes a call back out of the queue, and cancels it. `false`: it is not there.
    pub(crate) fn take_back(&self, number: u64) -> bool {
        let job = self.state.lock().queue.remove(&number);
        let found = job.is_some();
        // Not under the lock.
        job.into_iter().for_each(Job::abandon);
        found
    }

    /// Somebody has to come for the jobs in the queue. An error: nobody ever would.
    fn call_for_a_thread(pool: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> io::Result<()> {
        if state.coming {
        } else if state.idle > 0 {
            state.coming = true;
            pool.wake.notify_one();
        } else if state.working.len() < pool.most_threads {
            let this = pool.clone();
            match pool.threads.spawn(move || Self::work(&this)) {
                Ok(thread) => {
                    state.coming = true;
                    let id = thread.thread().id();
                    state.working.insert(id, false);
                    state.threads.insert(id, thread);
                }
                Err(error) if state.working.is_empty() => return Err(error),
                // The system has no more threads: those that are there will do.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn work(pool: &Arc<Self>) {
        let this = thread::current().id();
        let mut state = pool.state.lock();
        state.coming = false;
        loop {
            if let Some((_, job)) = state.queue.pop_first() {
                if !state.queue.is_empty() {
                    // It cannot fail: this thread is there.
                    let _ = Self::call_for_a_thread(pool, &mut state);
                }
                drop(state);
                job.run();
                state = pool.state.lock();
                continue;
            }
            if state.stopping {
                state.working.remove(&this);
                pool.ended.notify_all();
                return;
            }
            state.idle += 1;
            let waited = pool.wake.wait_for(&mut state, pool.keep_alive);
            state.idle -= 1;
            // Whoever comes is the one who was coming, or as good.
            state.coming = false;
            if waited.timed_out() && state.queue.is_empty() && !state.stopping {
                state.working.remove(&this);
                let this = state.threads.remove(&this);
                let before = std::mem::replace(&mut state.left, this);
                drop(state);
                before.into_iter().for_each(join);
                return;
            }
        }
    }

    /// Takes no more calls. The threads end when they have made those that were submitted.
    pub(crate) fn dismiss(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_all();
    }

    /// Waits until all calls that were submitted have returned, and for the threads to end. If this is one of them, it waits for the
    /// others, but for those that wait here as well.
    pub(crate) fn stop(&self) {
        self.dismiss();
        let mut state = self.state.lock();
        if let Some(waits) = state.working.get_mut(&thread::current().id()) {
            *waits = true;
            self.ended.notify_all();
            while !state.working.values().all(|waits| *waits) {
                self.ended.wait(&mut state);
            }
            return;
        }
        loop {
            // As long as there are calls, there may be new threads to make them.
            let mut threads: Vec<_> = state.threads.drain().map(|(_, thread)| thread).collect();
            threads.extend(state.left.take());
            if !threads.is_empty() {
                state.joining += 1;
                drop(state);
                threads.into_iter().for_each(join);
                state = self.state.lock();
                state.joining -= 1;
                self.ended.notify_all();
            } else if state.joining > 0 {
                // Somebody else does it.
                self.ended.wait(&mut state);
            } else {
                return;
            }
        }
    }
}

fn join(thread: JoinHandle<()>) {
    // Calls and hooks are caught, so there is no panic to pass on.
    let _ = thread.join();
}

/// A call, as a future that is ready when it is polled first.
struct Call<F>(Option<F>);

impl<F> Unpin for Call<F> {}

impl<F: FnOnce() -> T, T> Future for Call<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let call = self.0.take().expect("a call is made once");
        // What is called is nobody's poll: it has no current task, and no budget to keep.
        let _outside = current::leave();
        Poll::Ready(call())
    }
}

/// Schedules calls. They are in no set of live tasks: the pool waits for its threads.
struct Pooled(Arc<Pool>, Arc<Caller>);

impl Schedule for Pooled {
    const BOUND_AT_BIRTH: bool = false;

    fn schedule(&self, task: Runnable, _: Reason) {
        // Copies: the task, and this in it, may be gone as soon as it is in the queue.
        let (pool, counted) = (self.0.clone(), Counted::new(self.1.clone()));
        Pool::submit(&pool, Job { call: task, counted });
    }

    fn bind(&self, _: TaskPtr) {}

    fn release(&self, _: TaskPtr) {}

    fn unhandled(&self) -> Unhandled {
        self.1.unhandled.lock().clone()
    }
}
