//! The worker of this thread, and what is done through it: creating tasks, and the short way into its queue.

use crate::{
    driver::Driver,
    home::{Anywhere, Kind, Newcomer, Pinned, Service},
    scope::CancelCause,
    shared::Shared,
    task::{Reason, Runnable, Task},
    worker::Worker,
};
use aioli_primitives::thread_local;
use std::{cell::Cell, future::Future, panic::Location, ptr::NonNull};

thread_local! {
    static WORKER: Cell<Option<NonNull<Worker>>> = Cell::new(None);
}

/// Makes `worker` the one of this thread, and counts it as there, until the guard is dropped. If another one was, it is again
/// after that.
pub(crate) fn enter(worker: &Worker) -> Enter<'_> {
    worker.shared.idle.come_back();
    Enter {
        worker,
        before: WORKER.with(|current| current.replace(Some(NonNull::from(worker)))),
    }
}

/// See [`enter`].
pub(crate) struct Enter<'a> {
    worker: &'a Worker,
    before: Option<NonNull<Worker>>,
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        WORKER.with(|current| current.set(self.before));
        self.worker.shared.idle.go_away();
    }
}

/// # Panics
///
/// If this thread is a worker.
#[track_caller]
pub(crate) fn assert_none() {
    assert!(
        WORKER.with(Cell::get).is_none(),
        "an event loop runs on this thread already: `.await` the future instead, or run another loop in another thread"
    );
}

/// Lends the worker of this thread.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    // SAFETY: `Enter` keeps the worker for as long as it is set.
    f(WORKER.with(Cell::get).map(|worker| unsafe { worker.as_ref() }))
}

/// The worker of this thread, of whatever runtime.
///
/// # Panics
///
/// Where there is none.
#[track_caller]
pub(crate) fn expect<'a>() -> &'a Worker {
    match WORKER.with(Cell::get) {
        // SAFETY: `Enter` keeps the worker for as long as it is set, which is longer than any call that it makes; the
        // callers use it for the length of one.
        Some(worker) => unsafe { worker.as_ref() },
        None => no_loop(),
    }
}

/// What is said to those who need a loop and have none.
#[cold]
#[track_caller]
pub fn no_loop() -> ! {
    panic!("no event loop runs on this thread: call this from inside `run`, or use an `EventLoop` handle")
}

/// Lends the driver of this thread's runtime, and the number of the worker, if this thread is one.
#[inline]
pub fn with_driver<R>(f: impl FnOnce(Option<(&dyn Driver, usize)>) -> R) -> R {
    with(|worker| f(worker.map(|worker| (&*worker.shared.driver, worker.index))))
}

/// The number of the worker that runs on this thread, from 0.
pub fn worker_index() -> Option<usize> {
    with(|worker| worker.map(|worker| worker.index))
}

/// Creates a task on this thread's runtime; any of its workers may run it.
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let location = Location::caller();
    expect().spawn::<Anywhere, F>(future, location)
}

/// Creates a task on the runtime `shared`, by the short way if this thread is one of its workers.
pub(crate) fn spawn_on<F>(shared: &Shared, future: F, location: &'static Location<'static>) -> Task<F::Output>
where
    F: Future + Send + 'static,
{
    spawn_as::<Anywhere, Newcomer, F>(shared, future, location)
}

/// As [`spawn_on`], of a task that serves the program, and is not listed among its tasks.
pub(crate) fn spawn_service_on<F>(shared: &Shared, future: F, location: &'static Location<'static>) -> Task<F::Output>
where
    F: Future + Send + 'static,
{
    spawn_as::<Service<Anywhere>, Service<Newcomer>, F>(shared, future, location)
}

fn spawn_as<Inside: Kind, Outside: Kind, F>(
    shared: &Shared,
    future: F,
    location: &'static Location<'static>,
) -> Task<F::Output>
where
    F: Future + Send + 'static,
{
    with(|worker| match worker {
        Some(worker) if std::ptr::eq(&*worker.shared, shared) => worker.spawn::<Inside, F>(future, location),
        _ => shared.spawn_from_outside::<Outside, F>(future, location),
    })
}

/// Creates a task that stays on this thread, and so need not be `Send`.
///
/// # Panics
///
/// If no event loop runs on this thread.
#[track_caller]
pub fn spawn_local<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let location = Location::caller();
    // SAFETY: the future borrows nothing.
    unsafe { expect().spawn_pinned::<Pinned, F>(future, location) }
}

/// Runs deferred work that belongs to no task, if a loop runs here.
pub(crate) fn spawn_detached<W, F>(work: W, task: impl FnOnce(W) -> F) -> Result<(), W>
where
    F: Future<Output = ()> + Send + 'static,
{
    with(|worker| match worker {
        Some(worker) => {
            worker.spawn::<Anywhere, F>(task(work), Location::caller()).detach();
            Ok(())
        }
        None => Err(work),
    })
}

/// That for which the runtime of this thread cancels what is left, if it does.
pub(crate) fn closing_cause() -> Option<CancelCause> {
    with(|worker| worker?.shared.closing_cause())
}

/// The number of this thread's worker if it belongs to the runtime `shared`.
pub(crate) fn index_on(shared: &Shared) -> Option<usize> {
    with(|worker| {
        worker
            .filter(|worker| std::ptr::eq(&*worker.shared, shared))
            .map(|worker| worker.index)
    })
}

/// Puts the task into the queue of this thread's worker if it belongs to the runtime `shared`.
#[inline]
pub(crate) fn push_if_current(shared: &Shared, task: Runnable, reason: Reason) -> Result<(), Runnable> {
    with(|worker| match worker {
        Some(worker) if std::ptr::eq(&*worker.shared, shared) => {
            worker.push(task, reason);
            Ok(())
        }
        _ => Err(task),
    })
}

/// As `push_if_current`, for a task that is pinned to the worker `index`.
pub(crate) fn push_pinned_if_current(shared: &Shared, index: usize, task: Runnable) -> Result<(), Runnable> {
    with(|worker| match worker {
        Some(worker) if std::ptr::eq(&*worker.shared, shared) && worker.index == index => {
            worker.queue.push_pinned(task);
            Ok(())
        }
        _ => Err(task),
    })
}
