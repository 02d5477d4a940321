//! What the models of scopes share: a queue that stands in for an executor, signals and parcels between tasks and threads, and
//! an allocator that shows the use of what was freed.

// Each target uses some of it.
#![allow(dead_code)]

pub mod block_on;

use aioli_executor::task::{JoinError, Reason, Runnable, Schedule, Task, TaskPtr, TaskRef, Unhandled, create};
use loom::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::*},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::VecDeque,
    future::{Future, poll_fn},
    hint::black_box,
    panic::Location,
    pin::pin,
    sync::{Arc as StdArc, Mutex as StdMutex},
    task::{Context, Poll, Waker},
};

/// Spoils memory as it is freed: loom does not notice who uses it afterwards, but stumbles over what it finds there.
struct Spoil;

// SAFETY: it is the system's allocator, and what is spoilt is nobody's any more.
unsafe impl GlobalAlloc for Spoil {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the contract of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by the contract of this function.
        unsafe {
            memory.write_bytes(0xdf, layout.size());
            // Or the compiler would see that nobody is to read this.
            System.dealloc(black_box(memory), layout);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Spoil = Spoil;

/// A queue for tasks. Each task holds a clone, so the count of the queue's references tells whether a cell was freed.
#[derive(Clone)]
pub struct Queue {
    tasks: Arc<Mutex<VecDeque<Runnable>>>,
    /// Which task has to be over before any of these is. No lock of the model: it is set once, before there are threads.
    pub first: StdArc<StdMutex<Option<TaskRef>>>,
}

impl Queue {
    pub fn new() -> Self {
        Self {
            tasks: Arc::new(Mutex::new(VecDeque::new())),
            first: StdArc::default(),
        }
    }

    pub fn spawn<F: Future + Send + 'static>(&self, future: F) -> Task<F::Output> {
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { create(future, self.clone(), Location::caller()) };
        self.tasks.lock().unwrap().push_back(runnable);
        task
    }

    /// What a worker does: runs tasks while there are any.
    pub fn work(&self) {
        while self.turn() {}
    }

    /// Runs one task, if there is one, for one turn.
    pub fn turn(&self) -> bool {
        let next = self.tasks.lock().unwrap().pop_front();
        next.map(Runnable::run).is_some()
    }

    /// Cells that have not been freed.
    pub fn cells(&self) -> usize {
        Arc::strong_count(&self.tasks) - 1
    }
}

impl Schedule for Queue {
    const BOUND_AT_BIRTH: bool = false;

    fn schedule(&self, task: Runnable, _: Reason) {
        // A copy: the task, and this in it, may be gone as soon as it is in the queue.
        let queue = self.clone();
        queue.tasks.lock().unwrap().push_back(task);
    }

    fn bind(&self, _: TaskPtr) {}

    fn release(&self, _: TaskPtr) {
        let first = self.first.lock().unwrap();
        assert!(
            first.as_ref().is_none_or(TaskRef::is_finished),
            "what the task waits for is over before it"
        );
    }

    fn unhandled(&self) -> Unhandled {
        Unhandled::new(|panic| panic!("{panic}"))
    }
}

/// Something that one thread announces and a task waits for.
#[derive(Clone)]
pub struct Signal(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Signal {
    pub fn new() -> Self {
        Self(Arc::new((AtomicBool::new(false), Mutex::new(None))))
    }

    pub fn set(&self) {
        let (is_set, waker) = &*self.0;
        is_set.store(true, Relaxed);
        let waker = waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub async fn wait(self) {
        poll_fn(|cx| {
            let (is_set, waker) = &*self.0;
            let old = waker.lock().unwrap().replace(cx.waker().clone());
            drop(old);
            // Relaxed: the lock, or the wake-up, orders it.
            if is_set.load(Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let old = self.0.1.lock().unwrap().take();
        drop(old);
    }
}

/// Takes something from a task to another thread.
pub type Parcel<T> = Arc<Mutex<Option<T>>>;

pub fn parcel<T>() -> Parcel<T> {
    Arc::new(Mutex::new(None))
}

pub fn take<T>(parcel: &Parcel<T>) -> Option<T> {
    parcel.lock().unwrap().take()
}

/// Pending once.
pub async fn once() {
    let mut been = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut been, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What became of a task that is over.
pub fn outcome<T>(task: Task<T>) -> Result<T, JoinError> {
    match pin!(task.join()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the task is not over"),
    }
}

/// Runs a model with at most so many preemptions, with which all the mutations that it names were found; without a bound some
/// would run for hours.
pub fn model_with(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// With three preemptions, which is what most models need.
pub fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    model_with(3, model);
}
