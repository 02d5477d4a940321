//! What the tests of the executor share: a driver without events, and small tools to line tasks and threads up.
//!
//! Tests wait for conditions, never for time.

// Each test binary uses some of it.
#![allow(dead_code)]

use aioli_executor::{Config, Driver, Executor, Unhandled, worker_index};
// And not the standard library's, whose code the thread sanitizer does not see.
use aioli_primitives::sync::{Condvar, Mutex};
use std::{
    any::Any,
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread, ThreadId},
    time::Duration,
};

/// The numbers of workers that behaviour must not depend on.
pub const WORKERS: [usize; 3] = [1, 2, 4];

/// A driver without events: it sleeps until it is woken.
#[derive(Default)]
pub struct Bed {
    woken: Mutex<bool>,
    bell: Condvar,
    parks: AtomicUsize,
}

impl Bed {
    /// How often somebody has gone to sleep here.
    pub fn parks(&self) -> usize {
        self.parks.load(SeqCst)
    }
}

impl Driver for Bed {
    fn park(&self, limit: Option<Duration>) -> io::Result<()> {
        self.parks.fetch_add(1, SeqCst);
        let mut woken = self.woken.lock();
        match limit {
            None => self.bell.wait_while(&mut woken, |woken| !*woken),
            Some(limit) => drop(self.bell.wait_while_for(&mut woken, |woken| !*woken, limit)),
        }
        *woken = false;
        Ok(())
    }

    fn poll(&self) -> io::Result<()> {
        Ok(())
    }

    fn unpark(&self) {
        *self.woken.lock() = true;
        self.bell.notify_one();
    }

    fn sleep_limit(&self, _: usize) -> Option<Duration> {
        None
    }

    fn fire_timers(&self) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An executor that sleeps in a bed.
pub fn executor(workers: usize) -> Executor {
    build(Config::new(workers))
}

pub fn build(config: Config) -> Executor {
    Executor::new(config, Arc::new(Bed::default())).unwrap()
}

/// Runs `main` on an executor of its own, and ends that.
pub fn run<F: Future>(workers: usize, main: F) -> F::Output {
    executor(workers).run(main).unwrap()
}

/// What the unhandled-panic handler was told: names and messages.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<Vec<(String, String)>>>);

impl Reports {
    pub fn handler(&self) -> Unhandled {
        let reports = self.0.clone();
        Unhandled::new(move |panic| {
            let report = (panic.task_name().unwrap().to_owned(), panic.message().to_owned());
            reports.lock().push(report);
        })
    }

    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().clone()
    }

    pub fn messages(&self) -> Vec<String> {
        self.all().into_iter().map(|(_, message)| message).collect()
    }
}

/// An executor whose unhandled panics are collected.
pub fn reporting(workers: usize) -> (Executor, Reports) {
    let reports = Reports::default();
    let mut config = Config::new(workers);
    config.unhandled = reports.handler();
    (build(config), reports)
}

/// Something that happens once, for tasks and for threads.
#[derive(Clone, Default)]
pub struct Signal(Arc<SignalState>);

#[derive(Default)]
struct SignalState {
    set: Mutex<(bool, Vec<Waker>)>,
    bell: Condvar,
}

impl Signal {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn set(&self) {
        let wakers = {
            let mut state = self.0.set.lock();
            state.0 = true;
            self.0.bell.notify_all();
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub fn is_set(&self) -> bool {
        self.0.set.lock().0
    }

    pub async fn wait(&self) {
        poll_fn(|cx| {
            let mut state = self.0.set.lock();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub fn block(&self) {
        self.0.bell.wait_while(&mut self.0.set.lock(), |state| !state.0);
    }
}

/// Gives way once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Gives way until `condition` holds.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// Polls once, with the waker of the current task.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Does something when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Counts how many of its guards there were, and how many are gone.
#[derive(Clone, Default)]
pub struct Census(Arc<(AtomicUsize, AtomicUsize)>);

impl Census {
    pub fn guard(&self) -> CensusGuard {
        self.0.0.fetch_add(1, SeqCst);
        CensusGuard(self.clone())
    }

    pub fn made(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    pub fn gone(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

pub struct CensusGuard(Census);

impl Drop for CensusGuard {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, SeqCst);
    }
}

/// Lines in the order in which they were written.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// Where a destructor ran.
#[derive(Clone, Default)]
pub struct Place(Arc<Mutex<Vec<(ThreadId, bool)>>>);

impl Place {
    pub fn guard(&self) -> OnDrop<impl FnMut() + Send + use<>> {
        let place = self.clone();
        OnDrop(move || {
            let here = (thread::current().id(), worker_index().is_some());
            place.0.lock().push(here);
        })
    }

    /// The thread of the one destructor that ran, which was a worker's.
    #[track_caller]
    pub fn worker(&self) -> ThreadId {
        let dropped = self.0.lock();
        assert_eq!(dropped.len(), 1, "dropped so many times");
        assert!(dropped[0].1, "dropped on a thread that is no worker");
        dropped[0].0
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on a thread without an executor.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// A queue to another thread, which ends when it is closed and empty. In place of the standard library's channels; see the locks.
pub struct Mailbox<T>(Arc<MailboxState<T>>);

struct MailboxState<T> {
    /// What was sent and not handled, and whether it is closed.
    items: Mutex<(VecDeque<T>, bool)>,
    bell: Condvar,
}

impl<T> Mailbox<T> {
    pub fn new() -> Self {
        Self(Arc::new(MailboxState {
            items: Mutex::new((VecDeque::new(), false)),
            bell: Condvar::new(),
        }))
    }

    pub fn send(&self, item: T) {
        self.0.items.lock().0.push_back(item);
        self.0.bell.notify_one();
    }

    pub fn close(&self) {
        self.0.items.lock().1 = true;
        self.0.bell.notify_all();
    }

    /// Handles what is sent, on the calling thread, until the mailbox is closed and empty.
    pub fn serve(&self, mut handle: impl FnMut(T)) {
        loop {
            let item = {
                let mut state = self.0.items.lock();
                self.0
                    .bell
                    .wait_while(&mut state, |(items, closed)| items.is_empty() && !*closed);
                state.0.pop_front()
            };
            match item {
                Some(item) => handle(item),
                None => return,
            }
        }
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
