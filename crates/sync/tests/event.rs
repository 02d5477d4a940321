//! `Event`, behaviour by behaviour.

use aioli_sync::Event;
use futures_lite::future::{block_on, poll_once};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
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
    struct Name(usize, Arc<Mutex<Vec<usize>>>);
    impl Wake for Name {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let event = Event::new();
    let woken = Arc::new(Mutex::new(Vec::new()));
    let mut waiting: Vec<_> = (0..5).map(|_| Some(Box::pin(event.wait()))).collect();
    let poll = |waiting: &mut Option<std::pin::Pin<Box<aioli_sync::EventWait<'_>>>>, name| {
        let waker = Waker::from(Arc::new(Name(name, woken.clone())));
        let waiting = waiting.as_mut().unwrap().as_mut();
        assert!(waiting.poll(&mut Context::from_waker(&waker)).is_pending());
    };
    for (name, waiting) in waiting.iter_mut().enumerate() {
        poll(waiting, name);
    }
    // One leaves, and the next to come takes its memory, but not its turn.
    waiting[1] = None;
    let mut late = Some(Box::pin(event.wait()));
    poll(&mut late, 5);
    event.set();
    assert_eq!(*woken.lock().unwrap(), [0, 2, 3, 4, 5]);
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
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
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
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    drop(waiting);
    assert_eq!(Arc::strong_count(&second), 1);
    event.set();
    assert_eq!(second.wakes.load(SeqCst), 0);
}
