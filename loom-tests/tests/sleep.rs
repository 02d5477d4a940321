//! Falling asleep and being woken: the parker of one worker, and the protocol of several.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

use aioli_executor::{Driver, idle::Idle, parker::Parker, watch::Watch};
use loom::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::*, fence},
    },
    thread,
};
use std::{any::Any, io, time::Duration};

/// A driver that sleeps until it is woken, as an eventfd does: a wake-up before the sleep counts.
struct Eventfd {
    written: Mutex<bool>,
    condvar: Condvar,
}

impl Eventfd {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            written: Mutex::new(false),
            condvar: Condvar::new(),
        })
    }
}

impl Driver for Eventfd {
    fn park(&self, _: Option<Duration>) -> io::Result<()> {
        let mut written = self.written.lock().unwrap();
        while !*written {
            written = self.condvar.wait(written).unwrap();
        }
        *written = false;
        Ok(())
    }

    fn poll(&self) -> io::Result<()> {
        Ok(())
    }

    fn unpark(&self) {
        *self.written.lock().unwrap() = true;
        self.condvar.notify_one();
    }

    fn sleep_limit(&self, _: usize) -> Option<Duration> {
        None
    }

    fn fire_timers(&self) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Runs a model of three busy threads with at most three preemptions, which is where all the mutations named below were found;
/// without a bound it would run for hours.
fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A worker parks until there is work; two threads bring some and unpark it. If a wake-up were lost, the worker would sleep
/// for ever, which loom reports.
fn park_x_unpark(park: fn(&Parker, &Eventfd)) {
    bounded_model(move || {
        let driver = Eventfd::new();
        let parker = Arc::new(Parker::new());
        let work = Arc::new(AtomicUsize::new(0));
        let threads = [(); 2].map(|()| {
            let (driver, parker, work) = (driver.clone(), parker.clone(), work.clone());
            thread::spawn(move || {
                // Relaxed: the parker has to order it.
                work.fetch_add(1, Relaxed);
                parker.unpark(&*driver);
            })
        });
        while work.load(Relaxed) < 2 {
            park(&parker, &driver);
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Fails when `unpark` does not take the lock before it notifies, and when `park` stores `ASLEEP` instead of
/// exchanging it for `EMPTY`.
#[test]
fn park_x_unpark_asleep() {
    park_x_unpark(|parker, _| parker.park(None));
}

/// Fails when `unpark` leaves a worker in the driver alone, and when `drive` goes into the driver without having been able
/// to exchange `EMPTY`.
#[test]
fn park_x_unpark_driving() {
    park_x_unpark(|parker, driver| parker.drive(|| driver.park(None).unwrap()));
}

/// What the model's workers share. There are as many tasks as workers, and each task waits for all of them to have been
/// taken, as a long poll might: so each worker has to get one.
struct Workers {
    idle: Idle,
    parkers: [Parker; 2],
    /// A queue as weakly ordered as queues are: who adds releases, who takes acquires, and a look may be stale.
    tasks: AtomicUsize,
    missing: Mutex<usize>,
    none_missing: Condvar,
    driver: Arc<Eventfd>,
}

impl Workers {
    fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(2),
            parkers: [Parker::new(), Parker::new()],
            tasks: AtomicUsize::new(0),
            missing: Mutex::new(workers),
            none_missing: Condvar::new(),
            driver: Eventfd::new(),
        })
    }

    fn unpark(&self, worker: usize) {
        self.parkers[worker].unpark(&*self.driver);
    }

    /// What a producer does.
    fn inject(&self) {
        self.tasks.fetch_add(1, Release);
        self.idle.wake_one(|worker| self.unpark(worker));
    }

    fn take(&self) -> bool {
        let one_less = |tasks: usize| tasks.checked_sub(1);
        self.tasks.fetch_update(Acquire, Relaxed, one_less).is_ok()
    }

    fn has_work(&self) -> bool {
        self.tasks.load(Acquire) > 0
    }

    /// What a worker does, in the order in which it does it, until it has run a task: search, run, sleep.
    fn work(&self, worker: usize) {
        let mut searching = false;
        loop {
            searching = searching || self.idle.start_search();
            if searching && self.take() {
                self.idle.stop_search(|| self.has_work(), |worker| self.unpark(worker));
                return self.run();
            }
            let park = || self.parkers[worker].park(None);
            searching = self.idle.sleep(worker, searching, || self.has_work(), park);
        }
    }

    fn run(&self) {
        let mut missing = self.missing.lock().unwrap();
        *missing -= 1;
        self.none_missing.notify_all();
        while *missing > 0 {
            missing = self.none_missing.wait(missing).unwrap();
        }
    }
}

/// A producer adds a task while the only worker falls asleep.
///
/// Fails without the fence in `wake_one`, without the one in `sleep`, and without the last look in `sleep`.
#[test]
fn inject_x_sleep() {
    loom::model(|| {
        let workers = Workers::new(1);
        let producer = {
            let workers = workers.clone();
            thread::spawn(move || workers.inject())
        };
        workers.work(0);
        producer.join().unwrap();
    });
}

/// Two workers fall asleep while a producer adds two tasks: each of them gets one, whoever relied on whose search.
///
/// Fails when `stop_search` does not look for more, when it looks before it has made its fence, and when a producer wakes nobody
/// unless two sleep.
#[test]
fn inject_x_search_x_sleep() {
    bounded_model(|| {
        let workers = Workers::new(2);
        let other = {
            let workers = workers.clone();
            thread::spawn(move || workers.work(1))
        };
        let producer = {
            let workers = workers.clone();
            thread::spawn(move || {
                workers.inject();
                workers.inject();
            })
        };
        workers.work(0);
        producer.join().unwrap();
        other.join().unwrap();
    });
}

/// A worker begins to work while the one on watch, who saw nobody work, gives the watch up: the first asks for somebody to
/// watch it, or the second takes the watch again.
///
/// Fails without the fence in `work_begins`, without the one in `take`, and when `take` does not look at the count.
#[test]
fn work_begins_x_watch_ends() {
    loom::model(|| {
        let watch = Arc::new(Watch::new());
        let mut seen = 1;
        assert!(watch.take(&mut seen, true), "there was work that it had not seen");
        let worker = {
            let watch = watch.clone();
            thread::spawn(move || watch.work_begins())
        };
        watch.give_up();
        let on_watch = watch.take(&mut seen, true);
        let requested = worker.join().unwrap();
        assert!(requested || on_watch, "nobody watches");
    });
}

/// Two workers who hand a task to and fro, each to the other's inbox, with a virtual clock that may move only once, when the last
/// hand-over is done.
struct Resting {
    idle: Idle,
    parkers: [Parker; 2],
    inboxes: [AtomicUsize; 2],
    driver: Arc<Eventfd>,
    done: AtomicUsize,
    moved: AtomicBool,
}

const HAND_OVERS: usize = 3;

impl Resting {
    fn unpark(&self, worker: usize) {
        self.parkers[worker].unpark(&*self.driver);
    }

    fn take(&self, worker: usize) -> bool {
        let one_less = |tasks: usize| tasks.checked_sub(1);
        self.inboxes[worker].fetch_update(Acquire, Relaxed, one_less).is_ok()
    }

    fn left_over(&self) -> bool {
        self.inboxes.iter().any(|inbox| inbox.load(Acquire) > 0)
    }

    /// What a worker does, until the clock has moved.
    fn work(&self, worker: usize) {
        while !self.moved.load(Acquire) {
            if self.take(worker) {
                if self.done.fetch_add(1, Relaxed) + 1 < HAND_OVERS {
                    self.inboxes[1 - worker].fetch_add(1, Release);
                    fence(SeqCst);
                    self.unpark(1 - worker);
                }
                continue;
            }
            let has_work = || self.inboxes[worker].load(Acquire) > 0;
            let _ = self.idle.sleep(worker, false, has_work, || {
                if self.idle.wake_at_rest(worker, || self.left_over()) {
                    assert_eq!(self.done.load(Relaxed), HAND_OVERS, "somebody was up");
                    assert!(!self.moved.swap(true, AcqRel), "it moved twice");
                    self.unpark(1 - worker);
                } else {
                    self.parkers[worker].park(None);
                }
            });
        }
    }
}

/// The clock moves when the last hand-over is done, not before, and not twice; and it does move.
///
/// Fails when `wake_at_rest` does not look at the count, when it does not look at the list again, when it looks into no inbox,
/// and when it leaves the worker in the list (then both move the clock).
#[test]
fn rest_x_hand_over() {
    bounded_model(|| {
        let workers = Arc::new(Resting {
            idle: Idle::new(2),
            parkers: [Parker::new(), Parker::new()],
            inboxes: [AtomicUsize::new(1), AtomicUsize::new(0)],
            driver: Eventfd::new(),
            done: AtomicUsize::new(0),
            moved: AtomicBool::new(false),
        });
        let other = {
            let workers = workers.clone();
            thread::spawn(move || workers.work(1))
        };
        workers.work(0);
        other.join().unwrap();
    });
}
