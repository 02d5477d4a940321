//! What `Timers` promises beyond its wheel: who is woken, when, and that nobody else's code can get in its way.

use aioli_timers::{Entry, Timers};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

const TICK: u64 = 1 << 16;

/// A log of who was woken, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

struct Named(&'static str, Log);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push(self.0);
        if self.0.starts_with("panics") {
            panic!("{}", self.0);
        }
    }
}

impl Log {
    fn waker(&self, name: &'static str) -> Waker {
        Arc::new(Named(name, self.clone())).into()
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A waker that runs a closure when it is dropped or woken, whichever comes first.
struct Calls<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn() + Send + Sync> Drop for Calls<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn poll(timers: &Timers, entry: &mut Entry, deadline: u64, waker: &Waker) -> Poll<()> {
    timers.poll(entry, deadline, &mut Context::from_waker(waker))
}

#[test]
fn an_entry_registers_at_its_first_poll() {
    let timers = Timers::new();
    let mut entry = Entry::new();
    assert!(!entry.is_registered());
    assert_eq!((timers.len(), timers.next_expiry()), (0, None));
    assert_eq!(poll(&timers, &mut entry, 3 * TICK, Waker::noop()), Poll::Pending);
    assert!(entry.is_registered());
    assert_eq!((timers.len(), timers.next_expiry()), (1, Some(3 * TICK)));
}

#[test]
fn a_timer_is_pending_until_fired_and_ready_ever_after() {
    let (timers, log) = (Timers::new(), Log::default());
    let (mut entry, waker) = (Entry::new(), log.waker("task"));
    assert_eq!(poll(&timers, &mut entry, 3 * TICK, &waker), Poll::Pending);
    assert_eq!(timers.fire(3 * TICK - 1), 0);
    assert_eq!(poll(&timers, &mut entry, 3 * TICK, &waker), Poll::Pending);
    assert_eq!(log.take(), [""; 0]);

    assert_eq!(timers.fire(3 * TICK), 1);
    assert_eq!(log.take(), ["task"]);
    for _ in 0..2 {
        assert_eq!(poll(&timers, &mut entry, 3 * TICK, &waker), Poll::Ready(()));
    }
    assert_eq!(
        (timers.fire(u64::MAX), timers.next_expiry(), timers.is_empty()),
        (0, None, true)
    );
}

#[test]
fn a_past_deadline_waits_for_the_next_fire_and_no_longer() {
    let (timers, log) = (Timers::new(), Log::default());
    let mut first = Entry::new();
    let _ = poll(&timers, &mut first, 9 * TICK, &log.waker("first"));
    timers.fire(9 * TICK);
    let mut past = Entry::new();
    assert_eq!(poll(&timers, &mut past, TICK, &log.waker("past")), Poll::Pending);
    assert_eq!(timers.fire(9 * TICK), 1);
    assert_eq!(poll(&timers, &mut past, TICK, Waker::noop()), Poll::Ready(()));
    assert_eq!(log.take(), ["first", "past"]);
}

#[test]
fn tasks_wake_in_order_of_deadline_then_of_registration() {
    let (timers, log) = (Timers::new(), Log::default());
    let mut entries = [const { Entry::new() }; 4];
    let order = [(5 * TICK, "c"), (TICK, "a"), (5 * TICK, "d"), (4 * TICK, "b")];
    for (entry, (deadline, name)) in entries.iter_mut().zip(order) {
        let _ = poll(&timers, entry, deadline, &log.waker(name));
    }
    assert_eq!(timers.fire(5 * TICK), 4);
    assert_eq!(log.take(), ["a", "b", "c", "d"]);
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let (timers, log) = (Timers::new(), Log::default());
    let mut entry = Entry::new();
    let _ = poll(&timers, &mut entry, TICK, &log.waker("old"));
    let _ = poll(&timers, &mut entry, TICK, &log.waker("new"));
    timers.fire(TICK);
    assert_eq!(log.take(), ["new"]);
}

#[test]
fn a_waker_of_the_same_task_is_not_cloned_again() {
    let timers = Timers::new();
    let task = Arc::new(Named("task", Log::default()));
    let waker = Waker::from(task.clone());
    let mut entry = Entry::new();
    let _ = poll(&timers, &mut entry, TICK, &waker);
    let stored = waker.clone();
    let count = Arc::strong_count(&task);
    let _ = poll(&timers, &mut entry, TICK, &stored);
    assert_eq!(Arc::strong_count(&task), count);
}

#[test]
fn a_cancelled_timer_wakes_nobody_and_its_entry_is_as_new() {
    let (timers, log) = (Timers::new(), Log::default());
    let (mut entry, waker) = (Entry::new(), log.waker("task"));
    assert!(!timers.cancel(&mut entry), "never registered");
    let _ = poll(&timers, &mut entry, TICK, &waker);
    assert!(timers.cancel(&mut entry));
    assert_eq!((timers.len(), timers.next_expiry()), (0, None));
    assert!(!timers.cancel(&mut entry), "cancelled before");
    assert_eq!(timers.fire(TICK), 0);
    assert_eq!(log.take(), [""; 0]);

    assert_eq!(poll(&timers, &mut entry, 7 * TICK, &waker), Poll::Pending);
    assert_eq!(timers.next_expiry(), Some(7 * TICK));
    assert_eq!(timers.fire(7 * TICK), 1);
    assert!(!timers.cancel(&mut entry), "fired before");
    assert_eq!(log.take(), ["task"]);
}

#[test]
fn cancelling_the_earliest_moves_the_next_expiry_on() {
    let timers = Timers::new();
    let (mut early, mut late) = (Entry::new(), Entry::new());
    let _ = poll(&timers, &mut late, 9 * TICK, Waker::noop());
    let _ = poll(&timers, &mut early, 2 * TICK, Waker::noop());
    assert_eq!(timers.next_expiry(), Some(2 * TICK));
    timers.cancel(&mut early);
    assert_eq!(timers.next_expiry(), Some(9 * TICK));
}

#[test]
fn wakers_that_panic_take_no_wake_up_from_the_others() {
    let (timers, log) = (Timers::new(), Log::default());
    let names = ["a", "panics first", "b", "panics second", "c"];
    let mut entries = names.map(|_| Entry::new());
    for (entry, name) in entries.iter_mut().zip(names) {
        let _ = poll(&timers, entry, TICK, &log.waker(name));
    }
    let panic = catch_unwind(AssertUnwindSafe(|| timers.fire(TICK))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "panics first");
    assert_eq!(log.take(), names);

    let _ = poll(&timers, &mut Entry::new(), TICK, &log.waker("later"));
    assert_eq!(timers.fire(TICK), 1);
    assert_eq!(log.take(), ["later"]);
}

#[test]
fn wakers_may_use_the_timers_while_they_are_woken_or_dropped() {
    let timers = Arc::new(Timers::new());
    let calls = Log::default();
    let waker = |name: &'static str| {
        let (timers, calls) = (timers.clone(), calls.clone());
        Waker::from(Arc::new(Calls(move || {
            let mut entry = Entry::new();
            let _ = poll(&timers, &mut entry, 9 * TICK, Waker::noop());
            timers.fire(2 * TICK);
            assert!(timers.cancel(&mut entry));
            calls.0.lock().unwrap().push(name);
        })))
    };
    let (mut replaced, mut cancelled) = (Entry::new(), Entry::new());
    let _ = poll(&timers, &mut cancelled, 3 * TICK, &waker("cancelled"));
    timers.cancel(&mut cancelled);
    assert_eq!(calls.take(), ["cancelled"]);

    let _ = poll(&timers, &mut replaced, 3 * TICK, &waker("replaced"));
    let _ = poll(&timers, &mut replaced, 3 * TICK, &waker("fired"));
    assert_eq!(calls.take(), ["replaced"]);
    timers.fire(3 * TICK);
    assert_eq!(calls.take(), ["fired"]);
}

#[test]
fn a_sleep_until_the_end_of_time_never_wakes() {
    let (timers, log) = (Timers::new(), Log::default());
    let mut entry = Entry::new();
    let _ = poll(&timers, &mut entry, u64::MAX, &log.waker("never"));
    assert_eq!((timers.next_expiry(), timers.fire(u64::MAX)), (None, 0));
    assert!(timers.cancel(&mut entry));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn an_entry_takes_twelve_bytes_at_most() {
    assert!(size_of::<Entry>() <= 12);
}
