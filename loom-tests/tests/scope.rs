//! Scopes: a request and those that may take it, a join and the tree around it, and futures that leave the task in whose
//! tree they are, under every interleaving of the threads that take part.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

use aioli_executor::{
    CancelledError, catch_cancelled, defer,
    task::{JoinError, Reason, Runnable, Schedule, Task, TaskPtr, TaskRef, Unhandled, create},
};
use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::*},
    },
    thread,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::VecDeque,
    future::{Future, pending, poll_fn},
    hint::black_box,
    panic::Location,
    pin::{Pin, pin},
    sync::{Arc as StdArc, Mutex as StdMutex},
    task::{Context, Poll, Waker, ready},
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
struct Queue {
    tasks: Arc<Mutex<VecDeque<Runnable>>>,
    /// Which task has to be over before any of these is. No lock of the model: it is set once, before there are threads.
    first: StdArc<StdMutex<Option<TaskRef>>>,
}

impl Queue {
    fn new() -> Self {
        Self {
            tasks: Arc::new(Mutex::new(VecDeque::new())),
            first: StdArc::default(),
        }
    }

    fn spawn<F: Future + Send + 'static>(&self, future: F) -> Task<F::Output> {
        // SAFETY: the future is `Send` and borrows nothing.
        let (runnable, task) = unsafe { create(future, self.clone(), Location::caller()) };
        self.tasks.lock().unwrap().push_back(runnable);
        task
    }

    /// What a worker does: runs tasks while there are any.
    fn work(&self) {
        while self.turn() {}
    }

    /// Runs one task, if there is one, for one turn.
    fn turn(&self) -> bool {
        let next = self.tasks.lock().unwrap().pop_front();
        next.map(Runnable::run).is_some()
    }

    /// Cells that have not been freed.
    fn cells(&self) -> usize {
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
struct Signal(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Signal {
    fn new() -> Self {
        Self(Arc::new((AtomicBool::new(false), Mutex::new(None))))
    }

    fn set(&self) {
        let (is_set, waker) = &*self.0;
        is_set.store(true, Relaxed);
        let waker = waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(self) {
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
type Parcel<T> = Arc<Mutex<Option<T>>>;

fn parcel<T>() -> Parcel<T> {
    Arc::new(Mutex::new(None))
}

fn take<T>(parcel: &Parcel<T>) -> Option<T> {
    parcel.lock().unwrap().take()
}

/// Polls a future once, with a task's waker, and sends it away half done.
async fn poll_and_send<F: Future<Output: Sized> + Unpin>(mut future: F, to: Parcel<F>) {
    poll_fn(|cx| {
        assert!(Pin::new(&mut future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    *to.lock().unwrap() = Some(future);
}

/// Pending once.
async fn once() {
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

fn outcome<T>(task: Task<T>) -> Result<T, JoinError> {
    match pin!(task.join()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the task is not over"),
    }
}

/// Runs a model with at most so many preemptions, with which all the mutations that it names were found; without a bound some
/// would run for hours.
fn model_with(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

fn bounded_model(model: impl Fn() + Send + Sync + 'static) {
    model_with(3, model);
}

/// A task that waits in a catcher is cancelled while another thread gives it what it waits for. Wherever the request meets it, one
/// catcher takes it, once, and the task ends.
///
/// Fails when the runner does not take the request out of the state word (it is caught again), when `request` does not
/// set `SCHEDULED`, when `pend` ignores it (the request is lost), and when the runner does not ask the tree who takes it.
#[test]
fn cancel_x_catch() {
    bounded_model(|| {
        let queue = Queue::new();
        let signal = Signal::new();
        let task = queue.spawn({
            let signal = signal.clone();
            async move {
                let first = catch_cancelled(signal.wait()).await;
                let there_in_time = first.is_ok();
                let caught = match first {
                    Ok(()) => catch_cancelled(pending::<()>()).await.unwrap_err(),
                    Err(caught) => caught,
                };
                caught.swallow();
                catch_cancelled(once()).await.expect("one request is caught once");
                there_in_time
            }
        });
        queue.work();
        let signalling = thread::spawn(move || signal.set());
        let cancelling = {
            let name = task.task_ref();
            thread::spawn(move || assert!(name.cancel()))
        };
        queue.work();
        signalling.join().unwrap();
        cancelling.join().unwrap();
        queue.work();
        assert_eq!(task.cancelling(), 1);
        outcome(task).unwrap();
        assert_eq!(queue.cells(), 0);
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Child {
    Ends,
    Swallows,
}

/// A parent awaits a child, which completes on one thread while the parent is cancelled on another. The parent has the child's
/// value, or is cancelled, and is not over before the child is.
fn cancel_x_complete_x_join(kind: Child, grown: bool) {
    bounded_model(move || {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(async move {
            match kind {
                Child::Ends => once().await,
                Child::Swallows => catch_cancelled(once()).await.unwrap_or_else(CancelledError::swallow),
            }
        });
        let child_name = child.task_ref();
        *parents.first.lock().unwrap() = Some(child_name.clone());
        let parent = parents.spawn(async move { child.await.unwrap() });
        if grown {
            parent.set_name("parent");
        }
        parents.work();
        if kind == Child::Swallows {
            // So far that its catcher is open.
            children.turn();
        }
        let completing = {
            let children = children.clone();
            thread::spawn(move || children.work())
        };
        let cancelling = {
            let name = parent.task_ref();
            thread::spawn(move || name.cancel())
        };
        parents.work();
        completing.join().unwrap();
        let accepted = cancelling.join().unwrap();
        children.work();
        parents.work();
        match outcome(parent) {
            Ok(()) => assert!(!child_name.is_cancelled()),
            Err(JoinError::Cancelled) => {
                assert!(accepted, "nobody else cancels it");
                assert_eq!(
                    child_name.is_cancelled(),
                    child_name.cancelling() == 1 && kind == Child::Ends
                );
                assert!(
                    kind == Child::Ends || child_name.cancelling() == 0,
                    "it was passed on, and swallowed"
                );
            }
            Err(error) => panic!("{error}"),
        }
        drop((child_name, parents.first.lock().unwrap().take()));
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// Fails when a join forgets what it has passed on (the parent goes on with the error), when a join's node is not freed, and
/// when it is freed where it is still planted.
#[test]
fn cancel_x_complete_x_join_in_a_sole_tree() {
    cancel_x_complete_x_join(Child::Ends, false);
}

/// Fails when a join forgets what it has passed on.
#[test]
fn cancel_x_complete_x_join_in_a_grown_tree() {
    cancel_x_complete_x_join(Child::Ends, true);
}

/// Fails when the runner does not ask the tree who takes the request, and when the tree that grows for it does not inherit
/// the node that was planted (both: the parent is cancelled, though its child has swallowed the request).
#[test]
fn cancel_x_swallow_x_join() {
    cancel_x_complete_x_join(Child::Swallows, false);
}

/// A join opens and closes, as the only thing in its task's tree, while another thread gives the task a name and so has the tree
/// grow, and a third one completes what is joined.
///
/// Fails when `extras_or_new` tries again with what it saw first, when it does not release or `tree` does not acquire, when a
/// join's node is not freed, and when it is freed where it is still planted.
#[test]
fn join_opens_x_tree_grows() {
    bounded_model(|| {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(once());
        let parent = parents.spawn(async move {
            child.await.unwrap();
            // A node of the next tree is where that of the one before was.
            once().await;
        });
        let naming = {
            let name = parent.task_ref();
            thread::spawn(move || name.set_name("parent"))
        };
        let completing = {
            let children = children.clone();
            thread::spawn(move || children.work())
        };
        parents.work();
        naming.join().unwrap();
        completing.join().unwrap();
        parents.work();
        assert_eq!(*parent.name(), *"parent");
        outcome(parent).unwrap();
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// A join that is pending, and the only thing in its task's tree, is dropped while another thread gives the task a name and so has
/// the tree grow.
///
/// Fails when `unlink` takes a failed `unplant` for success, and when `extras_or_new` tries again with what it saw first (both: a
/// node that was freed is used).
#[test]
fn join_is_dropped_x_tree_grows() {
    bounded_model(|| {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(pending::<()>());
        let parent = parents.spawn(async move {
            let mut join = child.join();
            poll_fn(|cx| {
                assert!(Pin::new(&mut join).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        });
        let naming = {
            let name = parent.task_ref();
            thread::spawn(move || name.set_name("parent"))
        };
        parents.work();
        naming.join().unwrap();
        children.work();
        parents.work();
        assert_eq!(*parent.name(), *"parent");
        outcome(parent).unwrap();
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// A task is cancelled, and cancelled again, while work that it deferred is pending and being woken. The work is finished in peace
/// before the task is over.
///
/// Fails when a turn ends the task although work is left, when a request gives the work up, when `request` does not
/// set `SCHEDULED`, and when `pend` ignores it.
#[test]
fn cancel_x_deferred_work() {
    /// Must not be dropped before the work is done.
    struct Done(StdArc<StdMutex<bool>>);
    impl Drop for Done {
        fn drop(&mut self) {
            assert!(*self.0.lock().unwrap(), "the work was interrupted");
        }
    }
    bounded_model(|| {
        let queue = Queue::new();
        let signal = Signal::new();
        let done = StdArc::new(StdMutex::new(false));
        let task = queue.spawn({
            let (signal, done) = (signal.clone(), Done(done.clone()));
            async move {
                drop(defer(async move {
                    signal.wait().await;
                    *done.0.lock().unwrap() = true;
                }));
                pending::<()>().await;
            }
        });
        queue.work();
        let signalling = thread::spawn(move || signal.set());
        let cancelling = {
            let name = task.task_ref();
            thread::spawn(move || {
                assert!(name.cancel());
                // Of no use, or too late; it is over when the first one has been seen to.
                name.cancel();
            })
        };
        queue.work();
        signalling.join().unwrap();
        cancelling.join().unwrap();
        queue.work();
        assert!(*done.lock().unwrap());
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}

type Catch = Pin<Box<dyn Future<Output = Result<(), CancelledError>> + Send>>;

/// A catcher that a task has polled is sent away and dropped on another thread while the task is cancelled: the request finds the
/// catcher, or goes on without it, and the task ends.
///
/// Fails when the future wakes the task before its node is `GONE`, or not at all, when it does not say that it has left, when that is
/// said or heard with a `Relaxed` ordering, when what came to the node does not go on (all: the task sleeps for ever), and
/// when the node is not freed.
#[test]
fn moved_catch_is_dropped_x_cancel() {
    bounded_model(|| {
        let queue = Queue::new();
        let moved = parcel::<Catch>();
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send::<Catch>(Box::pin(catch_cancelled(pending())), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        assert!(task.cancel());
        queue.work();
        dropping.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}

/// A catcher that a task has polled is sent away and dropped on another thread while the task ends and, as nobody has a handle to
/// it, is freed.
///
/// Fails when the future refers to the task after its node is `GONE` and not while it is `BUSY`, when the tree leaves the
/// node as `HOMELESS` without a look at whether it is `GONE`, when either side does not free it, and when `disengage`
/// does not release.
#[test]
fn moved_catch_is_dropped_x_end() {
    bounded_model(|| {
        let queue = Queue::new();
        let (moved, go) = (parcel::<Catch>(), Signal::new());
        let task = queue.spawn({
            let (moved, go) = (moved.clone(), go.clone());
            async move {
                poll_and_send::<Catch>(Box::pin(catch_cancelled(pending())), moved).await;
                go.wait().await;
            }
        });
        queue.work();
        task.detach();
        let dropping = thread::spawn(move || drop(take(&moved)));
        go.set();
        queue.work();
        dropping.join().unwrap();
        queue.work();
        assert_eq!(queue.cells(), 0);
    });
}

/// A catcher that a task has polled goes on in another one, and both are cancelled: the first one ends, whether the request found the
/// catcher or not; the other one catches its own request, once.
///
/// Fails when the future wakes the task before its node is `GONE`, when that it has left is said or heard with a `Relaxed`
/// ordering, when what came to the node does not go on, and when the node is not freed.
#[test]
fn moved_catch_is_polled_x_cancel() {
    bounded_model(|| {
        let (queue, elsewhere) = (Queue::new(), Queue::new());
        let moved = parcel::<Catch>();
        let first = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send::<Catch>(Box::pin(catch_cancelled(pending())), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let moved = take(&moved).unwrap();
        let second = elsewhere.spawn(async move { moved.await.unwrap_err().swallow() });
        let polling = {
            let elsewhere = elsewhere.clone();
            thread::spawn(move || elsewhere.work())
        };
        assert!(first.cancel());
        queue.work();
        polling.join().unwrap();
        queue.work();
        assert!(outcome(first).unwrap_err().is_cancelled());
        assert!(second.cancel());
        elsewhere.work();
        outcome(second).unwrap();
        assert_eq!(queue.cells() + elsewhere.cells(), 0);
    });
}

/// A join that a task has polled is sent away and dropped on another thread while the task is cancelled: either of the two cancels
/// the one that is joined, and all of them end.
///
/// Fails when the future wakes the task before its node is `GONE`, or not at all, when it does not say that it has left, when `disengage`
/// does not release (all: the task sleeps for ever), when the tree leaves the node as `HOMELESS` without a look at whether
/// it is `GONE`, and when it does not free it.
#[test]
fn moved_join_is_dropped_x_cancel() {
    bounded_model(|| {
        let (queue, children) = (Queue::new(), Queue::new());
        let moved = parcel();
        let child = children.spawn(pending::<()>());
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send(child.join(), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        assert!(task.cancel());
        queue.work();
        dropping.join().unwrap();
        children.work();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// As before, but the task that is joined has its turn before the one that polled the join.
///
/// Fails when the join lets go of the task before it leaves the tree, when the tree looks at the task without making the node `BUSY`
/// (both: a task that was freed is used), when the tree leaves the node as `HOMELESS` without a look at whether it is
/// `GONE`, when `disengage` does not release, and when the node is not freed.
#[test]
fn moved_join_is_dropped_x_complete_x_cancel() {
    bounded_model(|| {
        let (queue, children) = (Queue::new(), Queue::new());
        let moved = parcel();
        let child = children.spawn(async {});
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send(child.join(), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        assert!(task.cancel());
        children.work();
        queue.work();
        dropping.join().unwrap();
        children.work();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// A join that a task has polled gives its outcome on another thread, which has run the task that it waited for and frees it, while
/// the one that polled it first is cancelled.
///
/// Fails when the join lets go of the task before it leaves the tree, when the tree looks at the task, or cancels it, without
/// making the node `BUSY` (all: a task that was freed is used), when `disengage` does not release, and when the node is not freed.
#[test]
fn moved_join_is_ready_x_cancel() {
    model_with(1, || {
        let (queue, children) = (Queue::new(), Queue::new());
        let moved = parcel();
        let child = children.spawn(async {});
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send(child.join(), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let mut moved = take(&moved).unwrap();
        let polling = {
            let children = children.clone();
            thread::spawn(move || {
                children.turn();
                let polled = Pin::new(&mut moved).poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_ready());
            })
        };
        assert!(task.cancel());
        queue.turn();
        polling.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// Two catchers of one task have taken a request. One has sent its token to another thread, where it is let go, while the other
/// one resumes: the task ends after both, and sees what was done before the token was let go.
fn token_elsewhere_x_unwind(let_go: fn(CancelledError)) {
    bounded_model(move || {
        /// Looks, as the task is dropped, at what was done elsewhere.
        struct Look(Arc<AtomicBool>);
        impl Drop for Look {
            fn drop(&mut self) {
                // Relaxed: only the token may order it.
                assert!(self.0.load(Relaxed));
            }
        }
        let queue = Queue::new();
        let (signal, sent) = (Signal::new(), parcel());
        let cleaned = Arc::new(AtomicBool::new(false));
        let task = queue.spawn({
            let (signal, sent, look) = (signal.clone(), sent.clone(), Look(cleaned.clone()));
            async move {
                let _look = look;
                let mut sends = pin!(async {
                    let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                    *sent.lock().unwrap() = Some(token);
                    pending::<()>().await;
                });
                let mut resumes = pin!(async {
                    let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                    signal.wait().await;
                    token.resume().await;
                });
                poll_fn(|cx| {
                    let _ = sends.as_mut().poll(cx);
                    ready!(resumes.as_mut().poll(cx));
                    Poll::Ready(())
                })
                .await;
            }
        });
        queue.work();
        assert!(task.cancel());
        queue.work();
        let token = take(&sent).unwrap();
        let elsewhere = thread::spawn(move || {
            cleaned.store(true, Relaxed);
            let_go(token);
        });
        signal.set();
        queue.work();
        elsewhere.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}

/// Fails when a token is let go without a wake, or with the waker that was there before, when a token does not hold the scope or does
/// not release it, when the scope does not look whether it is held, and when the release or the look is `Relaxed`.
#[test]
fn token_dropped_elsewhere_x_unwind() {
    token_elsewhere_x_unwind(drop);
}

/// Fails when a token is let go without a wake, or with the waker that was there before, when it does not release the scope or does so
/// with a `Relaxed` ordering, and when the scope does not look whether it is held.
#[test]
fn token_swallowed_elsewhere_x_unwind() {
    token_elsewhere_x_unwind(CancelledError::swallow);
}
