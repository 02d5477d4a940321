//! Timers: who takes a waker out of the wheel, and whether it is woken, when a fire, a cancel and a poll race.
#![cfg(loom)]

use aioli_primitives::sync::Arc;
use aioli_primitives::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use aioli_primitives::thread;
use aioli_timers::{Alarm, Entry, Timers};
use std::task::{Context, Poll, Wake, Waker};

const TICK: u64 = 1 << 16;

/// A task that counts its wake-ups.
struct Task(AtomicUsize);

impl Task {
    fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(AtomicUsize::new(0)))
    }

    fn wake_ups(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Task {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Polls as the task would.
fn poll(timers: &Timers, entry: &mut Entry, deadline: u64, task: &std::sync::Arc<Task>) -> Poll<()> {
    timers.poll(entry, deadline, &mut Context::from_waker(&Waker::from(task.clone())))
}

/// Fires on another thread.
fn spawn_fire(timers: &Arc<Timers>, now: u64) -> thread::JoinHandle<usize> {
    let timers = timers.clone();
    thread::spawn(move || timers.fire(now))
}

/// Either the fire gets the waker and wakes it, once, or the cancel does, says so, and nobody wakes it.
///
/// Fails if `cancel` first looks whether the timer waits, and takes the lock a second time to remove it: the fire comes
/// in between, and the task is woken by a timer that was said to be cancelled.
#[test]
fn fire_x_cancel() {
    loom::model(|| {
        let (timers, task) = (Arc::new(Timers::new()), Task::new());
        let mut entry = Entry::new();
        assert!(poll(&timers, &mut entry, TICK, &task).is_pending());

        let fire = spawn_fire(&timers, TICK);
        let cancelled = timers.cancel(&mut entry);
        let fired = fire.join().unwrap();

        assert_eq!(
            fired,
            usize::from(!cancelled),
            "the waker was taken out twice, or not at all"
        );
        assert_eq!(task.wake_ups(), fired);
        assert_eq!((timers.len(), timers.next_expiry()), (0, None));
    });
}

/// A task that moves on with a new waker while its timer fires hears of it: from the poll, or by the new waker.
///
/// Fails if `replace_waker` does not look again whether the timer has fired since `poll` let go of the lock, and says
/// `Pending` all the same.
#[test]
fn fire_x_poll_with_a_new_waker() {
    loom::model(|| {
        let (timers, old, new) = (Arc::new(Timers::new()), Task::new(), Task::new());
        let mut entry = Entry::new();
        assert!(poll(&timers, &mut entry, TICK, &old).is_pending());

        let fire = spawn_fire(&timers, TICK);
        let polled = poll(&timers, &mut entry, TICK, &new);
        assert_eq!(fire.join().unwrap(), 1);

        assert_eq!(old.wake_ups() + new.wake_ups(), 1);
        assert!(
            polled.is_ready() || new.wake_ups() == 1,
            "the wake-up went to a waker that is out of date"
        );
        assert!(poll(&timers, &mut entry, TICK, &new).is_ready());
    });
}

/// Two threads that fire the same timers wake each task once, and leave nothing to do.
///
/// Fails if the next expiry is published after the lock was let go: the fire that saw less then has the last word, with
/// an expiry that is over. Fails, too, if the wakers are left in the spare vector for a second visit to the lock, and
/// `keep` does not look at what it replaces: it drops the other thread's.
#[test]
fn fire_x_fire() {
    loom::model(|| {
        let (timers, tasks) = (Arc::new(Timers::new()), [Task::new(), Task::new()]);
        let mut entries = [Entry::new(), Entry::new()];
        for ((entry, task), deadline) in entries.iter_mut().zip(&tasks).zip([TICK, 2 * TICK]) {
            assert!(poll(&timers, entry, deadline, task).is_pending());
        }

        let fire = spawn_fire(&timers, TICK);
        let fired = timers.fire(2 * TICK) + fire.join().unwrap();

        assert_eq!(fired, 2);
        assert_eq!(tasks.each_ref().map(|task| task.wake_ups()), [1, 1]);
        assert_eq!((timers.len(), timers.next_expiry()), (0, None));
    });
}

/// The owner registers a timer while another thread fires an earlier one: the owner then knows how long it may sleep.
///
/// Fails if the next expiry is published after the lock was let go: the fire's older answer, that nothing is left,
/// overwrites that of the registration, and the owner sleeps for ever.
#[test]
fn fire_x_register() {
    loom::model(|| {
        let (timers, early, late) = (Arc::new(Timers::new()), Task::new(), Task::new());
        let mut entries = [Entry::new(), Entry::new()];
        assert!(poll(&timers, &mut entries[0], TICK, &early).is_pending());

        let fire = spawn_fire(&timers, TICK);
        assert!(poll(&timers, &mut entries[1], 9 * TICK, &late).is_pending());
        let sleep_until = timers.next_expiry();
        assert!(
            sleep_until.is_some_and(|expiry| expiry <= 9 * TICK),
            "overslept: {sleep_until:?}"
        );
        assert_eq!(fire.join().unwrap(), 1);

        assert_eq!(timers.next_expiry(), Some(9 * TICK));
        assert_eq!(timers.fire(9 * TICK), 1);
        assert_eq!((early.wake_ups(), late.wake_ups()), (1, 1));
    });
}

/// One who waits for the timers of another sets its alarm, while the other cancels its timer, files a later one, and asks whether
/// that is covered. If it is told so, the alarm goes off in time for it.
///
/// Fails without the fence in `set`, without the one in `covers`, and when the alarm is set to what the second look finds, although
/// more was promised.
#[test]
fn file_x_sleep() {
    const NEVER: u64 = u64::MAX;
    loom::model(|| {
        let alarm = Arc::new(Alarm::new());
        let next = Arc::new(AtomicU64::new(10));
        let sleeper = {
            let (alarm, next) = (alarm.clone(), next.clone());
            thread::spawn(move || {
                let look = || Some(next.load(Ordering::Relaxed)).filter(|&next| next != NEVER);
                // Once before, so that there is something old to be read.
                drop(alarm.set(look));
                let set = alarm.set(look);
                let expiry = set.expiry();
                // It sleeps for as long as the model runs.
                std::mem::forget(set);
                expiry
            })
        };
        next.store(NEVER, Ordering::Relaxed);
        next.store(20, Ordering::Relaxed);
        let covered = alarm.covers(20);
        let expiry = sleeper.join().unwrap();
        if covered == Some(true) {
            assert!(expiry.is_some_and(|expiry| expiry <= 20), "sleeps until {expiry:?}");
        }
    });
}
