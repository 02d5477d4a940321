//! The task cell: its state word, its handle and its waker, under every interleaving of the threads that may touch them.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

use aioli_executor::task::{JoinError, Reason, Runnable, Schedule, Task, TaskPtr, Unhandled, create};
use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::*},
    },
    thread,
};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::Location,
    pin::{Pin, pin},
    task::{Context, Poll, Wake, Waker},
};

/// A queue for tasks. Each task holds a clone, so the count of the queue's references tells whether a cell was freed.
#[derive(Clone)]
struct Queue(Arc<Mutex<VecDeque<Runnable>>>);

impl Queue {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(VecDeque::new())))
    }

    fn spawn<F: Future + Send + 'static>(&self, future: F) -> Task<F::Output> {
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { create(future, self.clone(), Location::caller()) };
        self.0.lock().unwrap().push_back(runnable);
        task
    }

    /// What a worker does: runs tasks while there are any.
    fn work(&self) {
        loop {
            // Not in the `while`'s head, where the guard would live as long as the turn.
            let next = self.0.lock().unwrap().pop_front();
            match next {
                Some(task) => task.run(),
                None => return,
            }
        }
    }

    /// Cells that have not been freed.
    fn cells(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Schedule for Queue {
    const BOUND_AT_BIRTH: bool = false;

    fn schedule(&self, task: Runnable, _: Reason) {
        // A copy: the task, and this in it, may be gone as soon as it is in the queue.
        let queue = self.clone();
        queue.0.lock().unwrap().push_back(task);
    }

    fn bind(&self, _: TaskPtr) {}

    fn release(&self, _: TaskPtr) {}

    fn unhandled(&self) -> Unhandled {
        Unhandled::new(|panic| panic!("{panic}"))
    }
}

/// A waker that says whether it was called.
struct Flag(AtomicBool);

impl Flag {
    fn new() -> (std::sync::Arc<Self>, Waker) {
        let flag = std::sync::Arc::new(Self(AtomicBool::new(false)));
        (flag.clone(), flag.into())
    }

    fn is_set(&self) -> bool {
        self.0.load(Acquire)
    }
}

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Release);
    }
}

/// Lets another thread have the waker of a task.
#[derive(Clone)]
struct Slot(Arc<Mutex<Option<Waker>>>);

impl Slot {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn put(&self, cx: &Context<'_>) {
        let old = self.0.lock().unwrap().replace(cx.waker().clone());
        drop(old);
    }

    fn take(&self) -> Option<Waker> {
        self.0.lock().unwrap().take()
    }
}

fn outcome<T>(task: Task<T>) -> Result<T, JoinError> {
    match pin!(task.join()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the task is not over"),
    }
}

fn poll<T>(task: &mut Task<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    let join = std::future::IntoFuture::into_future(task);
    pin!(join).poll(&mut Context::from_waker(waker))
}

/// Runs a model of three busy threads with at most three preemptions, which is where all the mutations named below were found;
/// without a bound it would run for hours.
fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Two threads wake a task while a worker runs it. It is ready when it has seen what both did before they woke it.
///
/// Fails when `State::wake_by_ref` returns without writing the word for a task that is queued already: the second wake is
/// then not ordered before the poll, which misses what it announced. Also fails when `pend` ignores `SCHEDULED`.
#[test]
fn wake_x_wake_x_poll() {
    bounded_model(|| {
        let queue = Queue::new();
        let seen = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let slot = Slot::new();
        let task = {
            let (seen, slot) = (seen.clone(), slot.clone());
            queue.spawn(poll_fn(move |cx| {
                slot.put(cx);
                // Relaxed: only the wake-up may order these.
                if seen.iter().all(|flag| flag.load(Relaxed)) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        };
        queue.work();
        let waker = slot.take().unwrap();
        let threads = [(0, waker.clone()), (1, waker)].map(|(index, waker)| {
            let seen = seen.clone();
            thread::spawn(move || {
                seen[index].store(true, Relaxed);
                waker.wake_by_ref();
                drop(waker);
            })
        });
        queue.work();
        // Before joining, which would order everything by itself, the worker is done with what it has found.
        for thread in threads {
            thread.join().unwrap();
        }
        queue.work();
        outcome(task).unwrap();
        drop(slot.take());
        assert_eq!(queue.cells(), 0);
    });
}

/// A thread wakes and drops a waker while the task completes and its handle is dropped: the cell is freed once, and by the
/// last.
///
/// Fails when `wake_by_value` gives no reference back, and when it does so twice.
#[test]
fn wake_x_complete_x_drop() {
    bounded_model(|| {
        let queue = Queue::new();
        let slot = Slot::new();
        let polls = Arc::new(AtomicUsize::new(0));
        let task = {
            let (slot, polls) = (slot.clone(), polls.clone());
            queue.spawn(poll_fn(move |cx| {
                if polls.fetch_add(1, Relaxed) == 0 {
                    slot.put(cx);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            }))
        };
        let waker = {
            let slot = slot.clone();
            thread::spawn(move || {
                if let Some(waker) = slot.take() {
                    waker.wake();
                }
            })
        };
        let handle = thread::spawn(move || drop(task));
        queue.work();
        waker.join().unwrap();
        handle.join().unwrap();
        queue.work();
        drop(slot.take());
        assert!(polls.load(Relaxed) == 2);
        assert_eq!(queue.cells(), 0);
    });
}

/// A joiner registers, changes its waker and drops or awaits while the task completes: it gets the value, or is woken to
/// get it; the value is dropped once.
///
/// Fails when `set_join_waker` does not look whether the task has completed, and when `unset_join_waker` takes the slot
/// back from a completed task (loom sees two accesses to the slot).
#[test]
fn join_x_complete() {
    loom::model(|| {
        let queue = Queue::new();
        let value = Arc::new(());
        let mut task = queue.spawn({
            let value = value.clone();
            async move { value }
        });
        let worker = {
            let queue = queue.clone();
            thread::spawn(move || queue.work())
        };
        let (first, first_waker) = Flag::new();
        let (second, second_waker) = Flag::new();
        let mut got = poll(&mut task, &first_waker);
        let changed = got.is_pending();
        if changed {
            got = poll(&mut task, &second_waker);
        }
        let pending = got.is_pending();
        worker.join().unwrap();
        if pending {
            assert!(
                second.is_set() || !changed && first.is_set(),
                "a joiner that waits is woken"
            );
            got = poll(&mut task, &second_waker);
        }
        let Poll::Ready(Ok(got)) = got else {
            panic!("the task is over")
        };
        assert_eq!(Arc::strong_count(&value), 2);
        drop((got, task));
        assert_eq!(Arc::strong_count(&value), 1);
        assert_eq!(queue.cells(), 0);
    });
}

/// A join that has registered its waker is dropped while the task completes: nobody takes the value, and it is dropped once.
///
/// Fails when `drop_handle` gives the reference back although the slot is full, when `discard` does not look whether the task has
/// completed, and when `complete` does not look at `DISCARD`.
#[test]
fn join_x_complete_x_drop() {
    loom::model(|| {
        let queue = Queue::new();
        let value = Arc::new(());
        let task = queue.spawn({
            let value = value.clone();
            async move { value }
        });
        let worker = {
            let queue = queue.clone();
            thread::spawn(move || queue.work())
        };
        let (_flag, waker) = Flag::new();
        let mut join = Box::pin(task.join());
        let got = Pin::new(&mut join).poll(&mut Context::from_waker(&waker));
        drop(join);
        drop(got);
        worker.join().unwrap();
        // The join has cancelled the task if it was not over.
        queue.work();
        assert_eq!(Arc::strong_count(&value), 1);
        assert_eq!(queue.cells(), 0);
    });
}

/// A handle is dropped while the task completes.
///
/// Fails when `complete` leaves the outcome to a handle that is gone, and when `drop_handle` leaves `JOIN` set.
#[test]
fn detach_x_complete() {
    loom::model(|| {
        let queue = Queue::new();
        let value = Arc::new(());
        let task = queue.spawn({
            let value = value.clone();
            async move { value }
        });
        let worker = {
            let queue = queue.clone();
            thread::spawn(move || queue.work())
        };
        task.detach();
        worker.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
        assert_eq!(queue.cells(), 0);
    });
}

/// A task is cancelled and woken while a worker runs it. It ends once, with its value or as cancelled; a cancel that
/// was refused means a value; its future is dropped by a worker.
///
/// Fails when `request` does not set `SCHEDULED` (an idle task is never dropped), when it returns `Schedule` for a running
/// task (it is queued twice), and when it accepts a task that is complete.
#[test]
fn cancel_x_wake_x_complete() {
    /// Says on which thread it was dropped.
    struct OnDrop(Arc<Mutex<Vec<thread::ThreadId>>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(thread::current().id());
        }
    }
    bounded_model(|| {
        let queue = Queue::new();
        let slot = Slot::new();
        let ready = Arc::new(AtomicBool::new(false));
        let dropped = Arc::new(Mutex::new(Vec::new()));
        let task = {
            let (slot, ready, on_drop) = (slot.clone(), ready.clone(), OnDrop(dropped.clone()));
            queue.spawn(poll_fn(move |cx| {
                let _ = &on_drop;
                slot.put(cx);
                if ready.load(Relaxed) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        };
        queue.work();
        let waker = slot.take().unwrap();
        let waking = {
            let ready = ready.clone();
            thread::spawn(move || {
                ready.store(true, Relaxed);
                waker.wake();
            })
        };
        let cancelling = {
            let name = task.task_ref();
            thread::spawn(move || name.cancel())
        };
        queue.work();
        waking.join().unwrap();
        let accepted = cancelling.join().unwrap();
        queue.work();
        assert!(!task.cancel(), "the task is over");
        match outcome(task) {
            Ok(()) => {}
            Err(JoinError::Cancelled) => assert!(accepted, "nobody else cancels it"),
            Err(error) => panic!("{error}"),
        }
        drop(slot.take());
        assert_eq!(
            *dropped.lock().unwrap(),
            [thread::current().id()],
            "dropped once, by the worker"
        );
        assert_eq!(queue.cells(), 0);
    });
}

/// A task that would wait for ever is cancelled around its first turn: it ends.
///
/// Fails when `run` does not look at the request before it polls, and when `pend` ignores `SCHEDULED`.
#[test]
fn cancel_x_first_poll() {
    loom::model(|| {
        let queue = Queue::new();
        let task = queue.spawn(std::future::pending::<()>());
        let worker = {
            let queue = queue.clone();
            thread::spawn(move || queue.work())
        };
        assert!(task.cancel());
        worker.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}
