//! `Event`, behaviour by behaviour.

mod common;

use aioli_sync::{Event, EventWait};
use common::{Log, calls, poll, poll_with};
use futures_lite::future::{block_on, poll_once};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    thread,
};

#[test]
fn waiting_for_an_event_that_is_set_takes_no_time() {
    let event = Event::new();
    event.set();
    assert!(block_on(poll_once(event.wait())).is_some());
}

#[test]
fn a_clear_after_a_set_does_not_take_the_wake_up_back() {
    let event = Event::new();
    let mut waiting = pin!(event.wait());
    assert!(block_on(poll_once(&mut waiting)).is_none());
    event.set();
    event.clear();
    assert!(block_on(poll_once(&mut waiting)).is_some());
    assert!(!event.is_set());
    assert!(block_on(poll_once(event.wait())).is_none());
}

#[test]
fn what_comes_between_the_call_and_the_first_poll_wakes() {
    let event = Event::new();
    let (pulsed, cleared) = (event.wait(), event.wait());
    event.pulse();
    block_on(pulsed);
    event.set();
    event.clear();
    block_on(cleared);
    block_on(async { assert!(poll_once(event.wait()).await.is_none()) });
}

#[test]
fn waiters_are_woken_in_the_order_in_which_they_came() {
    let (event, log) = (Event::new(), Log::default());
    let wait = |number| {
        let mut waiting = Box::pin(event.wait());
        assert!(poll_with(waiting.as_mut(), &log.waker(number)).is_none());
        Some(waiting)
    };
    let mut waiting: Vec<_> = (0..100).map(wait).collect();
    // Some leave, and the next to come may have their memory, but not their turn.
    for gone in [0, 41, 42, 99] {
        waiting[gone] = None;
    }
    waiting.push(wait(100));
    event.set();
    let expected: Vec<_> = (0..=100).filter(|number| ![0, 41, 42, 99].contains(number)).collect();
    assert_eq!(log.take(), expected);
    for mut waiting in waiting.into_iter().flatten() {
        assert!(poll(waiting.as_mut()).is_some());
    }
    event.set();
    assert!(log.take().is_empty());
}

#[test]
fn whoever_comes_after_the_set_is_not_woken_by_it() {
    const COUNT: usize = 100;
    let (event, log) = (Arc::new(Event::new()), Log::default());
    // Each waits again as soon as it is woken; so those who come while it goes on could keep it going for ever.
    type Again = Pin<Box<dyn Future<Output = ()> + Send>>;
    let again: Arc<Mutex<Vec<Again>>> = Arc::default();
    let waker = |number| {
        let (event, log, again) = (event.clone(), log.clone(), Arc::downgrade(&again));
        calls(move || {
            log.write(number);
            let event = event.clone();
            let mut waiting: Again = Box::pin(async move { event.wait().await });
            assert!(poll_with(waiting.as_mut(), &log.waker(COUNT)).is_none());
            again.upgrade().unwrap().lock().unwrap().push(waiting);
        })
    };
    let mut waiting: Vec<_> = (0..COUNT).map(|_| Box::pin(event.wait())).collect();
    for (number, waiting) in waiting.iter_mut().enumerate() {
        assert!(poll_with(waiting.as_mut(), &waker(number)).is_none());
    }
    event.pulse();
    assert_eq!(log.take(), (0..COUNT).collect::<Vec<_>>());
    let again = std::mem::take(&mut *again.lock().unwrap());
    assert_eq!(again.len(), COUNT);
    assert_eq!(format!("{event:?}"), "Event { set: false, waiters: 100 }");
    event.set();
    assert_eq!(log.take(), [COUNT; COUNT]);
}

#[test]
fn a_waiter_that_is_polled_before_its_turn_is_done_and_has_no_turn() {
    let (event, log) = (Arc::new(Event::new()), Log::default());
    let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(event.wait())).collect();
    let last: Arc<Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>> = {
        let event = event.clone();
        Arc::new(Mutex::new(Box::pin(async move { event.wait().await })))
    };
    let polls_last = {
        let (log, last) = (log.clone(), Arc::downgrade(&last));
        calls(move || {
            let last = last.upgrade().unwrap();
            assert!(poll(last.lock().unwrap().as_mut()).is_some());
            log.write(100);
        })
    };
    for (number, waiting) in waiting.iter_mut().enumerate() {
        let waker = if number == 0 {
            polls_last.clone()
        } else {
            log.waker(number)
        };
        assert!(poll_with(waiting.as_mut(), &waker).is_none());
    }
    assert!(poll_with(last.lock().unwrap().as_mut(), &log.waker(7)).is_none());
    event.pulse();
    let expected: Vec<_> = [100].into_iter().chain(1..100).collect();
    assert_eq!(log.take(), expected);
    assert_eq!(format!("{event:?}"), "Event { set: false, waiters: 0 }");
}

#[test]
fn wakers_may_use_the_event() {
    /// Uses it also when it is dropped.
    struct Uses(Arc<Event>);
    impl Wake for Uses {
        fn wake(self: Arc<Self>) {
            assert!(self.0.is_set());
            self.0.clear();
            assert!(poll(pin!(self.0.wait())).is_none());
            self.0.pulse();
            self.0.set();
        }
    }
    impl Drop for Uses {
        fn drop(&mut self) {
            self.0.pulse();
        }
    }
    let event = Arc::new(Event::new());
    let waker = || Waker::from(Arc::new(Uses(event.clone())));
    let mut goes = Box::pin(event.wait());
    assert!(poll_with(goes.as_mut(), &waker()).is_none());
    drop(goes);
    let mut waiting = [(); 2].map(|()| Box::pin(event.wait()));
    for waiting in &mut waiting {
        assert!(poll_with(waiting.as_mut(), &waker()).is_none());
    }
    event.set();
    assert!(event.is_set());
    for waiting in &mut waiting {
        assert!(poll(waiting.as_mut()).is_some());
    }
}

#[test]
fn waiting_takes_of_the_budget_of_the_poll() {
    let (event, log) = (Event::new(), Log::default());
    event.set();
    let mut waiting = pin!(event.wait());
    let before = aioli_primitives::budget::replace(0);
    assert!(poll_with(waiting.as_mut(), &log.waker(1)).is_none());
    assert_eq!(log.take(), [1]);
    aioli_primitives::budget::replace(before);
    assert!(poll(waiting).is_some());
}

#[test]
fn it_is_shared_among_threads_and_shown() {
    fn check<T: Send + Sync>(_: &T) {}
    static EVENT: Event = Event::new();
    check(&EVENT);
    let mut waiting = Box::pin(EVENT.wait());
    check(&waiting);
    let shown = |waiting: &EventWait<'_>| format!("{waiting:?}");
    assert_eq!(shown(&waiting), "EventWait { waiting: false, .. }");
    assert!(poll(waiting.as_mut()).is_none());
    assert_eq!(shown(&waiting), "EventWait { waiting: true, .. }");
    assert_eq!(format!("{EVENT:?}"), "Event { set: false, waiters: 1 }");
    drop(waiting);
    assert_eq!(format!("{EVENT:?}"), "Event { set: false, waiters: 0 }");
}

#[test]
fn a_waiter_that_is_dropped_after_the_set_leaves_the_others_alone() {
    let event = Event::new();
    let mut first = Box::pin(event.wait());
    assert!(block_on(poll_once(&mut first)).is_none());
    event.set();
    event.clear();
    let mut second = pin!(event.wait());
    assert!(block_on(poll_once(&mut second)).is_none());
    drop(first);
    event.set();
    assert!(block_on(poll_once(&mut second)).is_some());
}

#[test]
fn threads_wake_one_another() {
    let event = Arc::new(Event::new());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let event = event.clone();
            thread::spawn(move || block_on(event.wait()))
        })
        .collect();
    event.set();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Counts, and panics or does not.
struct Counted {
    wakes: AtomicUsize,
    panics: bool,
}

impl Counted {
    fn new(panics: bool) -> Arc<Self> {
        Arc::new(Self {
            wakes: AtomicUsize::new(0),
            panics,
        })
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        assert!(!self.panics, "a foreign waker");
    }
}

#[test]
fn a_waker_that_panics_does_not_take_the_wake_ups_of_others_with_it() {
    let event = Event::new();
    let wakers = [true, false, true, false].map(Counted::new);
    let mut waiting: Vec<_> = wakers.iter().map(|_| Box::pin(event.wait())).collect();
    for (waiting, waker) in waiting.iter_mut().zip(&wakers) {
        let waker = Waker::from(waker.clone());
        assert!(poll_with(waiting.as_mut(), &waker).is_none());
    }
    let payload = catch_unwind(AssertUnwindSafe(|| event.set())).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "a foreign waker");
    assert_eq!(wakers.each_ref().map(|waker| waker.wakes.load(SeqCst)), [1; 4]);
    // All is in order.
    assert!(event.is_set());
    for waiting in waiting {
        assert!(block_on(poll_once(waiting)).is_some());
    }
    event.clear();
    assert!(block_on(poll_once(event.wait())).is_none());
}

#[test]
fn the_waker_of_a_waiter_that_is_dropped_or_woken_by_another_is_given_back() {
    let event = Event::new();
    let [first, second] = [Counted::new(false), Counted::new(false)];
    let mut waiting = Box::pin(event.wait());
    for counted in [&first, &second] {
        let waker = Waker::from(counted.clone());
        assert!(poll_with(waiting.as_mut(), &waker).is_none());
    }
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    drop(waiting);
    assert_eq!(Arc::strong_count(&second), 1);
    event.set();
    assert_eq!(second.wakes.load(SeqCst), 0);
}

#[test]
fn who_has_called_while_it_was_set_is_done_though_it_is_cleared_before_the_first_look() {
    let event = Event::new();
    event.set();
    let called = event.wait();
    event.clear();
    assert!(poll(Box::pin(called).as_mut()).is_some());
    event.set();
    let called = event.wait();
    event.set();
    event.clear();
    assert!(poll(Box::pin(called).as_mut()).is_some());
    event.clear();
    assert!(poll(Box::pin(event.wait()).as_mut()).is_none());
}

#[test]
fn who_blocks_leaves_a_wake_up_of_the_thread_for_whom_it_was_meant() {
    // Several times: the thread may be on its way from the first look to its sleep when the event is set.
    for _ in 0..50 {
        let event = Arc::new(Event::new());
        let blocked = thread::spawn({
            let event = event.clone();
            move || {
                thread::current().unpark();
                event.blocking_wait();
                // For ever, if the wake-up is gone.
                thread::park();
            }
        });
        while !format!("{event:?}").contains("waiters: 1") {
            thread::yield_now();
        }
        event.set();
        blocked.join().unwrap();
    }
}
