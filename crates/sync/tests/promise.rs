//! `Promise`, behaviour by behaviour.

mod common;

use aioli_sync::{Exception, InvalidStateError, Promise, PromiseError, PromiseLoop};
use common::{calls, poll, poll_with};
use futures_lite::future::{block_on, poll_once};
use std::{
    error::Error,
    future::{Future, IntoFuture},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    thread,
};

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

fn write(log: &Log, entry: impl Into<String>) {
    log.lock().unwrap().push(entry.into());
}

fn read(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A callback that logs its name and the result.
fn logs(log: &Log, name: &'static str) -> impl FnOnce(&Promise<u32>) + Send + 'static {
    let log = log.clone();
    move |promise| write(&log, format!("{name} {}", promise.result().unwrap()))
}

/// A loop that runs when it is told to.
#[derive(Default)]
struct ManualLoop {
    soon: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    unread: Mutex<Vec<Exception>>,
}

impl PromiseLoop for ManualLoop {
    fn call_soon(&self, callback: Box<dyn FnOnce() + Send>) {
        self.soon.lock().unwrap().push(callback);
    }

    fn exception_never_retrieved(&self, exception: Exception) {
        self.unread.lock().unwrap().push(exception);
    }
}

impl ManualLoop {
    fn run(&self) {
        let callbacks = std::mem::take(&mut *self.soon.lock().unwrap());
        callbacks.into_iter().for_each(|callback| callback());
    }
}

/// A waker that writes this name.
fn named(name: &'static str, log: &Log) -> Waker {
    let log = log.clone();
    calls(move || write(&log, name))
}

#[test]
fn a_promise_is_pending_then_has_one_outcome_for_good() {
    let (ok, bad, gone) = (Promise::new(), Promise::<u32>::new(), Promise::<u32>::new());
    for pending in [&ok, &bad, &gone] {
        assert!(!pending.is_done() && !pending.is_cancelled());
        assert!(matches!(pending.result(), Err(PromiseError::InvalidState(_))));
        assert!(matches!(pending.exception(), Err(PromiseError::InvalidState(_))));
    }
    ok.set_result(1).unwrap();
    bad.set_exception("broken").unwrap();
    assert!(gone.cancel_with("no longer needed"));
    for done in [&ok, &bad, &gone] {
        assert!(done.is_done());
        assert_eq!(done.set_result(2).unwrap_err().value, 2);
        assert_eq!(done.set_exception("again").unwrap_err().value.to_string(), "again");
        assert!(!done.cancel());
        assert!(!done.cancel_with("again"));
    }
    assert_eq!(ok.result().unwrap(), 1);
    assert!(ok.exception().unwrap().is_none());
    assert_eq!(bad.result().unwrap_err().to_string(), "broken");
    assert_eq!(bad.exception().unwrap().unwrap().to_string(), "broken");
    assert!(matches!(gone.result(), Err(PromiseError::Cancelled)));
    assert!(matches!(gone.exception(), Err(PromiseError::Cancelled)));
    assert_eq!([&ok, &bad, &gone].map(Promise::is_cancelled), [false, false, true]);
    assert_eq!(gone.cancel_reason().as_deref(), Some("no longer needed"));
    assert_eq!(ok.cancel_reason(), None);
}

#[test]
fn a_value_or_an_exception_that_comes_too_late_comes_back() {
    let promise = Promise::new();
    promise.cancel();
    let error = promise.set_result(Box::new(7)).unwrap_err();
    assert_eq!(error.to_string(), "the promise is done already");
    assert_eq!(*error.value, 7);
    let error = promise.set_exception(io::Error::other("late")).unwrap_err();
    assert!(error.value.downcast_ref::<io::Error>().is_some());
}

#[test]
fn an_exception_may_be_any_error_a_box_a_text_or_that_of_another_promise() {
    let first = Promise::<()>::new();
    first.set_exception(io::Error::other("one")).unwrap();
    let second = Promise::<()>::new();
    second.set_exception(first.exception().unwrap().unwrap()).unwrap();
    assert_eq!(second.result().unwrap_err().to_string(), "one");
    let third = Promise::<()>::new();
    third
        .set_exception(Box::<dyn Error + Send + Sync>::from("two"))
        .unwrap();
    assert_eq!(third.result().unwrap_err().to_string(), "two");
}

#[test]
fn the_error_of_a_promise_shows_its_exception_and_that_ones_source() {
    #[derive(Debug)]
    struct Outer(InvalidStateError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let promise = Promise::<()>::new();
    promise.set_exception(Outer(InvalidStateError::new("inner"))).unwrap();
    let error = promise.result().unwrap_err();
    assert_eq!(error.to_string(), "outer");
    assert_eq!(error.source().unwrap().to_string(), "inner");
}

#[test]
fn many_wait_and_each_gets_the_result() {
    let promise = Promise::new();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let promise = promise.clone();
            thread::spawn(move || block_on(promise.into_future()))
        })
        .collect();
    promise.set_result("value".to_owned()).unwrap();
    for thread in threads {
        assert_eq!(thread.join().unwrap().unwrap(), "value");
    }
    block_on(async {
        assert_eq!((&promise).await.unwrap(), "value");
        assert_eq!(promise.await.unwrap(), "value");
    });
}

#[test]
fn those_who_wait_get_the_exception_or_learn_of_the_cancellation() {
    let (bad, gone) = (Promise::<u32>::new(), Promise::<u32>::new());
    let (mut on_bad, mut on_gone) = (pin!(bad.clone().into_future()), pin!(gone.clone().into_future()));
    assert!(block_on(poll_once(&mut on_bad)).is_none());
    assert!(block_on(poll_once(&mut on_gone)).is_none());
    bad.set_exception("broken").unwrap();
    gone.cancel();
    let Err(PromiseError::Exception(exception)) = block_on(on_bad) else {
        panic!("not an exception");
    };
    assert_eq!(exception.to_string(), "broken");
    assert!(matches!(block_on(on_gone), Err(PromiseError::Cancelled)));
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_promise_and_the_others_alone() {
    let promise = Promise::new();
    let log = Log::default();
    let wakers = ["first", "second"].map(|name| named(name, &log));
    let mut waiting = [(); 2].map(|()| Box::pin((&promise).into_future()));
    for (waiting, waker) in waiting.iter_mut().zip(&wakers) {
        assert!(poll_with(waiting.as_mut(), waker).is_none());
    }
    let [first, second] = waiting;
    drop(first);
    assert!(!promise.is_done());
    promise.set_result(1).unwrap();
    assert_eq!(read(&log), ["second"]);
    assert_eq!(block_on(second).unwrap(), 1);
}

#[test]
fn waiters_are_woken_in_the_order_in_which_they_came_and_before_the_callbacks() {
    let promise = Promise::new();
    let log = Log::default();
    promise.add_done_callback(logs(&log, "callback"));
    let wakers = ["one", "two", "three"].map(|name| named(name, &log));
    let mut waiting = wakers.each_ref().map(|_| Box::pin(promise.finished()));
    for (waiting, waker) in waiting.iter_mut().zip(&wakers) {
        assert!(poll_with(waiting.as_mut(), waker).is_none());
    }
    promise.set_result(1).unwrap();
    assert_eq!(read(&log), ["one", "two", "three", "callback 1"]);
}

#[test]
fn however_many_wait_they_are_woken_in_order_and_those_polled_before_their_turn_have_none() {
    const COUNT: usize = 100;
    type Last = Pin<Box<dyn Future<Output = ()> + Send>>;
    let promise = Promise::new();
    let woken = Arc::new(Mutex::new(Vec::new()));
    let last: Arc<Mutex<Last>> = Arc::new(Mutex::new(Box::pin(promise.finished())));
    let mut waiting: Vec<_> = (1..COUNT).map(|_| Box::pin(promise.finished())).collect();
    let waker = |number| {
        let (woken, last) = (woken.clone(), Arc::downgrade(&last));
        calls(move || {
            woken.lock().unwrap().push(number);
            if number == 0 {
                // Not its turn yet, but the promise is done.
                assert!(poll(last.upgrade().unwrap().lock().unwrap().as_mut()).is_some());
            }
        })
    };
    for (number, waiting) in waiting.iter_mut().enumerate() {
        assert!(poll_with(waiting.as_mut(), &waker(number)).is_none());
    }
    assert!(poll_with(last.lock().unwrap().as_mut(), &waker(COUNT)).is_none());
    promise.set_result(1).unwrap();
    assert_eq!(*woken.lock().unwrap(), (0..COUNT - 1).collect::<Vec<_>>());
    assert!(waiting.iter_mut().all(|waiting| poll(waiting.as_mut()).is_some()));
}

#[test]
fn waiting_takes_of_the_budget_of_the_poll() {
    let promise = Promise::new();
    promise.set_result(7).unwrap();
    let log = Log::default();
    let mut waiting = pin!((&promise).into_future());
    let before = aioli_primitives::budget::replace(0);
    let waker = named("woken", &log);
    assert!(poll_with(waiting.as_mut(), &waker).is_none());
    assert_eq!(read(&log), ["woken"]);
    aioli_primitives::budget::replace(before);
    assert_eq!(block_on(waiting).unwrap(), 7);
}

#[test]
fn a_waiter_is_woken_through_the_waker_of_its_last_poll() {
    let promise = Promise::new();
    let log = Log::default();
    let mut waiting = pin!(promise.finished());
    for name in ["old", "new"] {
        let waker = named(name, &log);
        assert!(poll_with(waiting.as_mut(), &waker).is_none());
    }
    promise.set_result(1).unwrap();
    assert_eq!(read(&log), ["new"]);
}

#[test]
fn a_value_that_cannot_be_cloned_goes_to_one_taker() {
    #[derive(Debug, PartialEq)]
    struct Unique(u32);
    let promise = Promise::new();
    let taker = {
        let promise = promise.clone();
        thread::spawn(move || block_on(promise.take()))
    };
    promise.set_result(Unique(7)).unwrap();
    assert_eq!(taker.join().unwrap().unwrap(), Unique(7));
    assert!(promise.is_done());
    assert!(matches!(block_on(promise.take()), Err(PromiseError::InvalidState(_))));
    assert_eq!(promise.set_result(Unique(8)).unwrap_err().value, Unique(8));
}

#[test]
fn what_was_taken_can_be_read_no_more() {
    let promise = Promise::new();
    promise.set_result(7).unwrap();
    assert_eq!(block_on(promise.take()).unwrap(), 7);
    assert!(matches!(promise.result(), Err(PromiseError::InvalidState(_))));
    assert!(promise.exception().unwrap().is_none());
    assert!(matches!(
        block_on(promise.into_future()),
        Err(PromiseError::InvalidState(_))
    ));
}

#[test]
fn a_taker_that_is_dropped_takes_nothing() {
    let promise = Promise::new();
    {
        let mut taker = pin!(promise.take());
        assert!(block_on(poll_once(&mut taker)).is_none());
        promise.set_result(7).unwrap();
    }
    assert_eq!(promise.result().unwrap(), 7);
}

#[test]
fn a_promise_and_its_futures_go_from_thread_to_thread_if_the_value_does() {
    fn check<T: Send + Sync>(_: &T) {}
    fn check_send<T: Send>(_: &T) {}
    // Not `Sync`.
    let promise = Promise::<std::cell::Cell<u32>>::new();
    check(&promise);
    check_send(&promise.take());
    check_send(&promise.finished());
    check_send(&Promise::<u32>::new().into_future());
}

#[test]
fn the_clone_of_the_value_may_use_the_promise() {
    #[derive(Debug)]
    struct Curious(Promise<Curious>);
    impl Clone for Curious {
        fn clone(&self) -> Self {
            assert!(self.0.is_done());
            self.0.add_done_callback(|promise| assert!(promise.is_done()));
            Self(self.0.clone())
        }
    }
    let promise = Promise::new();
    promise.set_result(Curious(promise.clone())).unwrap();
    promise.result().unwrap();
    // Takes the value out of itself, or it would never be freed.
    block_on(promise.take()).unwrap();
}

#[test]
fn callbacks_are_called_once_in_the_order_in_which_they_were_added() {
    let promise = Promise::new();
    let log = Log::default();
    for name in ["one", "two", "three"] {
        promise.add_done_callback(logs(&log, name));
    }
    assert!(read(&log).is_empty());
    promise.set_result(7).unwrap();
    assert_eq!(read(&log), ["one 7", "two 7", "three 7"]);
    assert!(promise.set_result(8).is_err());
    assert!(!promise.cancel());
    assert!(read(&log).is_empty());
}

#[test]
fn a_callback_that_is_added_late_is_called_still() {
    let promise = Promise::new();
    let log = Log::default();
    promise.set_result(7).unwrap();
    promise.add_done_callback(logs(&log, "late"));
    assert_eq!(read(&log), ["late 7"]);
    promise.add_done_callback(logs(&log, "later"));
    assert_eq!(read(&log), ["later 7"]);
}

#[test]
fn callbacks_are_called_after_an_exception_and_after_a_cancellation() {
    let log = Log::default();
    let [bad, gone] = [(); 2].map(|()| {
        let promise = Promise::<u32>::new();
        let log = log.clone();
        promise.add_done_callback(move |promise| write(&log, promise.result().unwrap_err().to_string()));
        promise
    });
    bad.set_exception("broken").unwrap();
    gone.cancel();
    assert_eq!(read(&log), ["broken", "the promise was cancelled"]);
}

#[test]
fn a_callback_that_was_removed_is_not_called_and_is_dropped() {
    let promise = Promise::new();
    let log = Log::default();
    let held = Arc::new(());
    promise.add_done_callback(logs(&log, "one"));
    let removed = promise.add_done_callback({
        let held = held.clone();
        move |_| drop(held)
    });
    let two = promise.add_done_callback(logs(&log, "two"));
    assert!(promise.remove_done_callback(removed));
    assert!(!promise.remove_done_callback(removed));
    assert_eq!(Arc::strong_count(&held), 1);
    promise.set_result(7).unwrap();
    assert_eq!(read(&log), ["one 7", "two 7"]);
    assert!(!promise.remove_done_callback(two));
}

#[test]
fn a_callback_may_add_and_remove_callbacks_and_they_keep_their_order() {
    let promise = Promise::new();
    let log = Log::default();
    let doomed = Arc::new(Mutex::new(None));
    promise.add_done_callback({
        let (log, doomed) = (log.clone(), doomed.clone());
        move |promise| {
            write(&log, "first begins");
            promise.add_done_callback(logs(&log, "third"));
            assert!(promise.remove_done_callback(doomed.lock().unwrap().take().unwrap()));
            write(&log, "first ends");
        }
    });
    *doomed.lock().unwrap() = Some(promise.add_done_callback(logs(&log, "doomed")));
    promise.add_done_callback(logs(&log, "second"));
    promise.set_result(7).unwrap();
    assert_eq!(read(&log), ["first begins", "first ends", "second 7", "third 7"]);
}

#[test]
fn a_callback_that_is_added_while_another_thread_calls_waits_for_its_turn() {
    let promise = Promise::new();
    let log = Log::default();
    let (called, added) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    promise.add_done_callback({
        let (log, called, added) = (log.clone(), called.clone(), added.clone());
        move |_| {
            called.wait();
            added.wait();
            write(&log, "one");
        }
    });
    promise.add_done_callback(logs(&log, "two"));
    let completer = {
        let promise = promise.clone();
        thread::spawn(move || promise.set_result(7).unwrap())
    };
    called.wait();
    promise.add_done_callback(logs(&log, "three"));
    assert!(read(&log).is_empty());
    added.wait();
    completer.join().unwrap();
    assert_eq!(read(&log), ["one", "two 7", "three 7"]);
}

#[test]
fn callbacks_of_many_threads_are_called_once_each_and_in_each_threads_order() {
    const EACH: usize = 50;
    let promise = Promise::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let start = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let (promise, calls, start) = (promise.clone(), calls.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                for number in 0..EACH {
                    let calls = calls.clone();
                    promise.add_done_callback(move |_| calls.lock().unwrap().push((thread, number)));
                }
            })
        })
        .collect();
    start.wait();
    promise.set_result(()).unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    let calls = calls.lock().unwrap();
    for thread in 0..3 {
        let of_thread: Vec<_> = calls.iter().filter(|(by, _)| *by == thread).map(|(_, n)| *n).collect();
        assert_eq!(of_thread, (0..EACH).collect::<Vec<_>>());
    }
}

#[test]
fn a_callback_that_panics_leaves_the_others_their_calls_and_goes_on() {
    let promise = Promise::new();
    let log = Log::default();
    promise.add_done_callback(logs(&log, "one"));
    promise.add_done_callback(|_| panic!("first panic"));
    promise.add_done_callback(logs(&log, "two"));
    promise.add_done_callback(|_| panic!("second panic"));
    promise.add_done_callback(logs(&log, "three"));
    let waiting = promise.finished();
    let payload = catch_unwind(AssertUnwindSafe(|| promise.set_result(7))).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "first panic");
    assert_eq!(read(&log), ["one 7", "two 7", "three 7"]);
    block_on(waiting);
    let payload = catch_unwind(AssertUnwindSafe(|| promise.add_done_callback(|_| panic!("late")))).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "late");
    promise.add_done_callback(logs(&log, "in order"));
    assert_eq!(read(&log), ["in order 7"]);
}

#[test]
fn a_panic_whose_payload_panics_when_it_is_dropped_leaves_the_others_their_calls() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("a bomb");
            }
        }
    }
    let promise = Promise::new();
    let log = Log::default();
    promise.add_done_callback(|_| panic!("first panic"));
    promise.add_done_callback(|_| std::panic::panic_any(Bomb));
    promise.add_done_callback(logs(&log, "one"));
    let payload = catch_unwind(AssertUnwindSafe(|| promise.set_result(7))).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "first panic");
    assert_eq!(read(&log), ["one 7"]);
}

/// Counts, and panics.
struct Panicking(AtomicUsize);

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
        panic!("a foreign waker");
    }
}

#[test]
fn a_waker_that_panics_takes_neither_wake_ups_nor_callbacks_with_it() {
    let promise = Promise::new();
    let log = Log::default();
    let foreign = Arc::new(Panicking(AtomicUsize::new(0)));
    let wakers = [Waker::from(foreign.clone()), named("woken", &log)];
    let mut waiting = wakers.each_ref().map(|_| Box::pin(promise.finished()));
    for (waiting, waker) in waiting.iter_mut().zip(&wakers) {
        assert!(poll_with(waiting.as_mut(), waker).is_none());
    }
    promise.add_done_callback(logs(&log, "callback"));
    let payload = catch_unwind(AssertUnwindSafe(|| promise.set_result(7))).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "a foreign waker");
    assert_eq!(foreign.0.load(SeqCst), 1);
    assert_eq!(read(&log), ["woken", "callback 7"]);
    assert_eq!(promise.result().unwrap(), 7);
}

#[test]
fn wakers_and_callbacks_may_use_the_promise() {
    struct Looks(Promise<u32>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0.result().unwrap(), 7);
        }
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.is_done();
        }
    }
    let promise = Promise::new();
    let waker = || Waker::from(Arc::new(Looks(promise.clone())));
    let (mut stays, mut goes) = (pin!(promise.finished()), Box::pin(promise.finished()));
    for _ in 0..2 {
        assert!(poll_with(stays.as_mut(), &waker()).is_none());
    }
    assert!(poll_with(goes.as_mut(), &waker()).is_none());
    drop(goes);
    let looks = Looks(promise.clone());
    let id = promise.add_done_callback(move |_| drop(looks));
    assert!(promise.remove_done_callback(id));
    promise.add_done_callback(|promise| assert!(promise.set_result(8).is_err()));
    promise.set_result(7).unwrap();
    assert!(poll_with(stays.as_mut(), &waker()).is_some());
}

#[test]
fn with_a_loop_callbacks_run_soon_and_never_inline() {
    let event_loop = Arc::new(ManualLoop::default());
    let promise = Promise::with_loop(event_loop.clone());
    let log = Log::default();
    promise.add_done_callback(logs(&log, "one"));
    promise.add_done_callback(logs(&log, "two"));
    promise.set_result(7).unwrap();
    assert!(read(&log).is_empty());
    promise.add_done_callback(logs(&log, "late"));
    assert!(read(&log).is_empty());
    event_loop.run();
    assert_eq!(read(&log), ["one 7", "two 7", "late 7"]);
    promise.add_done_callback(logs(&log, "later"));
    assert!(read(&log).is_empty());
    event_loop.run();
    assert_eq!(read(&log), ["later 7"]);
}

#[test]
fn a_loop_that_refuses_a_callback_by_panicking_is_still_asked_to_run_the_others() {
    struct Refusing(AtomicUsize);
    impl PromiseLoop for Refusing {
        fn call_soon(&self, callback: Box<dyn FnOnce() + Send>) {
            assert!(self.0.fetch_add(1, SeqCst) != 0, "the loop is closed");
            callback();
        }
    }
    let promise = Promise::with_loop(Arc::new(Refusing(AtomicUsize::new(0))));
    let log = Log::default();
    promise.add_done_callback(logs(&log, "one"));
    promise.add_done_callback(logs(&log, "two"));
    let payload = catch_unwind(AssertUnwindSafe(|| promise.set_result(7))).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "the loop is closed");
    assert_eq!(read(&log), ["two 7"]);
}

#[test]
fn a_callback_that_is_never_called_is_dropped_with_the_promise() {
    let held = Arc::new(());
    let promise = Promise::<u32>::new();
    promise.add_done_callback({
        let held = held.clone();
        move |_| drop(held)
    });
    drop(promise);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn an_exception_that_nobody_read_is_reported_when_the_last_handle_goes() {
    let event_loop = Arc::new(ManualLoop::default());
    let unread = || -> Vec<String> {
        let unread = std::mem::take(&mut *event_loop.unread.lock().unwrap());
        unread.iter().map(ToString::to_string).collect()
    };
    let failed = || {
        let promise = Promise::<u32>::with_loop(event_loop.clone());
        promise.set_exception("unread").unwrap();
        promise
    };
    let promise = failed();
    let another = promise.clone();
    promise.add_done_callback(|promise| assert!(promise.is_done()));
    block_on(promise.finished());
    drop(promise);
    event_loop.run();
    assert!(unread().is_empty());
    drop(another);
    assert_eq!(unread(), ["unread"]);
    // Each of these is a reader.
    failed().result().unwrap_err();
    failed().exception().unwrap().unwrap();
    block_on(failed().into_future()).unwrap_err();
    block_on(failed().take()).unwrap_err();
    assert!(unread().is_empty());
    // There is nothing to report here.
    Promise::with_loop(event_loop.clone()).set_result(7).unwrap();
    Promise::<u32>::with_loop(event_loop.clone()).cancel();
    drop(Promise::<u32>::with_loop(event_loop.clone()));
    assert!(unread().is_empty());
}

#[test]
fn of_many_who_complete_it_one_succeeds() {
    let promise = Promise::new();
    let start = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (promise, start) = (promise.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                match number {
                    0 => promise.cancel(),
                    1 => promise.set_exception("broken").is_ok(),
                    _ => promise.set_result(number).is_ok(),
                }
            })
        })
        .collect();
    let outcome = block_on((&promise).into_future());
    let winners: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let winner = match outcome {
        Ok(number) => number,
        Err(PromiseError::Cancelled) => 0,
        Err(PromiseError::Exception(_)) => 1,
        Err(PromiseError::InvalidState(error)) => panic!("{error}"),
    };
    assert_eq!(winners.iter().filter(|won| **won).count(), 1);
    assert!(winners[winner]);
}

#[test]
fn debug_shows_the_state_and_who_waits() {
    let promise = Promise::<u32>::new();
    let mut waiting = pin!(promise.finished());
    assert!(poll_with(waiting.as_mut(), Waker::noop()).is_none());
    promise.add_done_callback(|_| ());
    assert_eq!(
        format!("{promise:?}"),
        "Promise { state: pending, waiters: 1, callbacks: 1 }"
    );
    promise.cancel();
    assert_eq!(
        format!("{promise:?}"),
        "Promise { state: cancelled, waiters: 0, callbacks: 0 }"
    );
}

#[test]
fn a_callback_that_a_waker_adds_is_called_when_all_who_wait_have_been_woken() {
    let promise = Promise::<u32>::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (mut first, mut second) = (Box::pin(promise.finished()), Box::pin(promise.finished()));
    let adding = common::calls({
        let (promise, order) = (promise.clone(), order.clone());
        move || {
            let order = order.clone();
            promise.add_done_callback(move |_| order.lock().unwrap().push("callback"));
        }
    });
    let noting = common::calls({
        let order = order.clone();
        move || order.lock().unwrap().push("second waker")
    });
    assert!(common::poll_with(first.as_mut(), &adding).is_none());
    assert!(common::poll_with(second.as_mut(), &noting).is_none());
    promise.set_result(1).unwrap();
    assert_eq!(*order.lock().unwrap(), ["second waker", "callback"]);
}
