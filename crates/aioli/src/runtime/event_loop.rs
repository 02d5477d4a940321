//! The handle to a loop, and how code finds the loop that it runs on.

use super::{driver::try_with_driver, state::LoopState};
use crate::{
    net::Resolver,
    task::{Task, TaskRef},
};
use aioli_executor::{Context, Handle, Unhandled, UnhandledError, no_loop};
use aioli_sync::{Exception, Promise, PromiseLoop};
use std::{fmt, future::Future, mem, sync::Arc, time::Instant};

/// A handle to an event loop: cloneable, and good from any thread.
///
/// The counterpart of the loop object that `asyncio.get_running_loop()` gives. Most programs never need it: the free
/// functions of this crate act on the loop that they are called on. It is for other threads.
///
/// ```
/// use aioli::EventLoop;
///
/// let answer = aioli::run(async {
///     let event_loop = EventLoop::current();
///     let thread = std::thread::spawn(move || event_loop.create_task(async { 6 * 7 }));
///     let task = aioli::to_thread(move || thread.join().unwrap()).await.unwrap();
///     task.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[derive(Clone)]
pub struct EventLoop(pub(crate) Handle, pub(super) Arc<LoopState>);

impl EventLoop {
    /// The loop that runs on this thread. As `asyncio.get_running_loop()`.
    ///
    /// # Panics
    ///
    /// If none does: outside [`run`](crate::run), and in functions called by [`to_thread`](crate::to_thread).
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Some(event_loop) => event_loop,
            None => no_loop(),
        }
    }

    /// The loop that runs on this thread, if one does.
    pub fn try_current() -> Option<Self> {
        let state = try_with_driver(|driver, _| driver.state().clone())?;
        Handle::current().map(|handle| Self(handle, state))
    }

    /// What time it is by the loop's clock: as [`Instant::now`], unless the loop was built with
    /// [virtual time](crate::Builder::virtual_time). [`sleep_until`](crate::sleep_until) and its like count by this clock.
    ///
    /// As `loop.time()`.
    pub fn time(&self) -> Instant {
        self.1.clock.now()
    }

    /// Creates a task, from any thread; see [`create_task`](crate::create_task). On a loop that is closing or closed, the
    /// task is over at once, as cancelled.
    ///
    /// As `asyncio.run_coroutine_threadsafe()`, with a task for a result.
    #[track_caller]
    pub fn create_task<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    /// Creates a task that serves the program and is none of its own: [`all_tasks`](Self::all_tasks) does not list it.
    #[track_caller]
    pub(crate) fn create_service<F>(&self, future: F) -> Task<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn_service(future)
    }

    /// All tasks of the loop that are not over, in the order of their creation on each worker. Tasks that other threads
    /// have created are among them from their first turn on.
    ///
    /// As `asyncio.all_tasks()`. What the loop does of itself, such as accepting for a server or sending what was written, is not in it.
    pub fn all_tasks(&self) -> Vec<TaskRef> {
        self.0.live_tasks()
    }

    /// How many workers the loop has.
    pub fn workers(&self) -> usize {
        self.0.workers()
    }

    /// Whether the loop is closing or closed, so that it takes no more tasks from outside.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Has `handler` called with every panic that nobody looks at: of a task whose handle was dropped, or of work done
    /// while cleaning up. The default writes a line to stderr. The handler may be called on any thread; if it panics
    /// itself, the line is written after all.
    ///
    /// As `loop.set_exception_handler()`.
    pub fn set_exception_handler(&self, handler: impl Fn(&UnhandledError) + Send + Sync + 'static) {
        self.0.set_unhandled(Unhandled::new(handler));
    }

    /// The exception handler, if one was set: `None` is the default. As `loop.get_exception_handler()`.
    pub fn exception_handler(&self) -> Option<ExceptionHandler> {
        Some(ExceptionHandler(self.0.unhandled())).filter(|handler| !handler.0.is_default())
    }

    /// Tells the exception handler of something. As `loop.call_exception_handler()`.
    pub fn call_exception_handler(&self, error: UnhandledError) {
        self.0.report(error);
    }

    /// Has `resolver` find the addresses of names, for look-ups that begin from now on.
    pub fn set_resolver(&self, resolver: impl Resolver) {
        let mut current: Arc<dyn Resolver> = Arc::new(resolver);
        mem::swap(&mut *self.1.resolver.lock(), &mut current);
        // The old one, which is somebody else's code, is dropped here, without the lock.
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        self.1.resolver.lock().clone()
    }

    /// A promise whose callbacks are called soon, by this loop, and whose exception goes to the
    /// [exception handler](Self::set_exception_handler) if nobody ever looks at it.
    ///
    /// As `loop.create_future()`.
    ///
    /// ```
    /// use aioli::EventLoop;
    ///
    /// aioli::run(async {
    ///     let promise = EventLoop::current().create_promise();
    ///     let theirs = promise.clone();
    ///     aioli::create_task(async move { theirs.set_result(42).unwrap() });
    ///     assert_eq!(promise.await.unwrap(), 42);
    /// });
    /// ```
    pub fn create_promise<T: Send + 'static>(&self) -> Promise<T> {
        Promise::with_loop(Arc::new(self.clone()))
    }
}

/// Who is told of what nobody looks at. Given by [`EventLoop::exception_handler`].
#[derive(Clone, Debug)]
pub struct ExceptionHandler(Unhandled);

impl ExceptionHandler {
    /// Tells it of something.
    pub fn call(&self, error: UnhandledError) {
        self.0.report(error);
    }
}

impl PromiseLoop for EventLoop {
    fn call_soon(&self, callback: Box<dyn FnOnce() + Send>) {
        EventLoop::call_soon(self, callback);
    }

    fn capture(&self) -> Box<dyn FnOnce(&mut dyn FnMut()) + Send> {
        let mut context = Context::copy();
        Box::new(move |call| context.run(call))
    }

    fn exception_never_retrieved(&self, exception: Exception) {
        let text = format_args!("a promise's exception was never looked at: {exception}");
        self.0.report(UnhandledError::error(text));
    }
}

impl PartialEq for EventLoop {
    /// Whether both are handles to the same loop.
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

impl Eq for EventLoop {}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("workers", &self.workers())
            .field("closed", &self.is_closed())
            .finish()
    }
}
