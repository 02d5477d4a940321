//! The allocation of a task, and the few functions that know its types.
//!
//! ```text
//! Cell<F, S> = Header   list links, state word, vtable, birthplace, joiner's waker, extras   (64 bytes)
//!            | S        where the task goes when it wants to run                             (a pointer)
//!            | Stage    the future, and later, in its place, the outcome
//! ```
//!
//! Everything outside this file sees a `NonNull<Header>`. Which half of the stage is alive follows from the state
//! word: the future until the runner stores an outcome, the outcome from then on until its owner takes or drops it (see
//! `state`). The cell has the alignment of its fields and no more: over-aligned allocations are slow.

use super::{
    Unhandled,
    extras::Extras,
    outcome::{Failure, Outcome, UnhandledError},
    state::State,
    task_ref::TaskRef,
};
use crate::scope::{CancelCause, Node};
use aioli_primitives::{
    cell::UnsafeCell,
    sync::atomic::{AtomicPtr, Ordering},
};
use std::{
    fmt,
    future::Future,
    mem::{ManuallyDrop, offset_of},
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    ptr::{self, NonNull},
    task::{Context, Poll, Waker},
};

/// Where tasks go when they want to run, and who keeps track of the live ones. Lives inside each task.
pub trait Schedule: Send + Sync + 'static {
    /// Whether [`create`](super::create) is called where the task can be put into the set of live tasks at once.
    /// Otherwise its first runner calls [`bind`](Self::bind).
    const BOUND_AT_BIRTH: bool;

    /// Whether it is one of the program's tasks, and listed among them.
    const LISTED: bool = true;

    /// Puts the task into a queue from which it will be run.
    fn schedule(&self, task: Runnable, reason: Reason);

    /// Puts the task into the set of live tasks.
    fn bind(&self, task: TaskPtr);

    /// The task is complete: takes it out of the set of live tasks.
    fn release(&self, task: TaskPtr);

    /// Whom to tell of a panic that nobody looks at.
    fn unhandled(&self) -> Unhandled;
}

/// Why a task is being scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Something it waits for happened, or it is to be cancelled.
    Woken,
    /// It asked to go on while it was running; others come first.
    Yielded,
}

/// A place in the doubly linked list of live tasks. The list's lock guards it.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) prev: *mut Links,
    pub(crate) next: *mut Links,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self {
            prev: ptr::null_mut(),
            next: ptr::null_mut(),
        }
    }
}

/// What all tasks have in common. `links` comes first, so that a link is also a pointer to its task.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) links: std::cell::UnsafeCell<Links>,
    pub(super) state: State,
    pub(super) vtable: &'static Vtable,
    pub(crate) location: &'static Location<'static>,
    pub(super) join_waker: UnsafeCell<Option<Waker>>,
    extras: AtomicPtr<Extras>,
}

const _: () = assert!(offset_of!(Header, links) == 0);

/// What of a task's scope tree there is.
pub(crate) enum Tree<'a> {
    /// Nothing.
    Empty,
    /// One node, of a join right under the root: by far the most frequent tree, and so without an allocation for the root.
    Sole(NonNull<Node>),
    /// All of it.
    Grown(&'a Extras),
}

/// Marks a pointer to a sole node among those to extras.
const SOLE: usize = 1;

impl Header {
    /// Whether the task is over.
    pub(crate) fn is_complete(&self) -> bool {
        self.state.load().is_complete()
    }

    /// Whether the task is over, and ended as cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.load().is_cancelled()
    }

    /// The scope tree. What is in it belongs to the runner, as does the change from [`Tree::Empty`] to [`Tree::Sole`] and back;
    /// any thread may have it grow, and then it stays so.
    #[inline]
    pub(crate) fn tree(&self) -> Tree<'_> {
        // Acquires what `extras_or_new` released: the contents.
        let pointer = self.extras.load(Ordering::Acquire);
        if pointer.is_null() {
            return Tree::Empty;
        }
        match pointer.addr() & SOLE {
            // SAFETY: once set, the pointer stays valid until the cell is freed, and `self` keeps the cell.
            0 => Tree::Grown(unsafe { &*pointer }),
            _ => Tree::Sole(sole(pointer)),
        }
    }

    /// What few tasks have, if this one has it.
    #[inline]
    pub(crate) fn extras(&self) -> Option<&Extras> {
        match self.tree() {
            Tree::Grown(extras) => Some(extras),
            _ => None,
        }
    }

    /// The runner plants a node in an empty tree. `false`: it is not empty. Relaxed: nobody but the runner follows the pointer.
    pub(crate) fn plant(&self, node: NonNull<Node>) -> bool {
        let planted = node.as_ptr().cast::<Extras>().map_addr(|addr| addr | SOLE);
        let change = self
            .extras
            .compare_exchange(ptr::null_mut(), planted, Ordering::Relaxed, Ordering::Relaxed);
        change.is_ok()
    }

    /// The runner takes a sole node out. `false`: the tree has grown meanwhile.
    pub(crate) fn unplant(&self, node: NonNull<Node>) -> bool {
        let planted = node.as_ptr().cast::<Extras>().map_addr(|addr| addr | SOLE);
        let change = self
            .extras
            .compare_exchange(planted, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed);
        change.is_ok()
    }

    /// What few tasks have; made now if need be, by any thread.
    pub(crate) fn extras_or_new(&self) -> &Extras {
        let mut new: Option<Box<Extras>> = None;
        loop {
            let found = match self.tree() {
                Tree::Grown(extras) => return extras,
                Tree::Sole(node) => Some(node),
                Tree::Empty => None,
            };
            let extras = Box::into_raw(new.take().unwrap_or_else(|| Box::new(Extras::new())));
            // SAFETY: made above, or taken back below: nobody else has it.
            unsafe { (*extras).root.inherit(found) };
            let expected = found.map_or(ptr::null_mut(), |node| {
                node.as_ptr().cast::<Extras>().map_addr(|addr| addr | SOLE)
            });
            match self
                .extras
                .compare_exchange(expected, extras, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: as in `tree`.
                Ok(_) => return unsafe { &*extras },
                // SAFETY: nobody else has it.
                Err(_) => new = Some(unsafe { Box::from_raw(extras) }),
            }
        }
    }
}

/// The node behind a marked pointer.
fn sole(pointer: *mut Extras) -> NonNull<Node> {
    let node = pointer.map_addr(|addr| addr & !SOLE).cast::<Node>();
    NonNull::new(node).expect("a marked pointer is none to nothing")
}

/// The functions that know the types of a task. All take a pointer to a live cell of theirs.
pub(super) struct Vtable {
    /// [`Schedule::LISTED`].
    pub(super) is_listed: bool,
    /// The runner polls the future. `true`: it is gone and the outcome is stored. Never unwinds.
    pub(super) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// The runner drops the future and stores `Cancelled` as the outcome, or the panic of a destructor. Never unwinds.
    pub(super) cancel: unsafe fn(NonNull<Header>),
    pub(super) schedule: unsafe fn(NonNull<Header>, Reason),
    pub(super) bind: unsafe fn(NonNull<Header>),
    pub(super) release: unsafe fn(NonNull<Header>),
    /// Whom to tell of panics; only before the task is complete.
    pub(super) unhandled: unsafe fn(NonNull<Header>) -> Unhandled,
    /// The owner of the outcome moves it to where the pointer points: room for an `Outcome<F::Output>`.
    pub(super) take_outcome: unsafe fn(NonNull<Header>, *mut ()),
    /// Where the outcome is: an `Outcome<F::Output>`, alive once the task is complete and until its owner takes it.
    pub(super) peek_outcome: fn(NonNull<Header>) -> *const (),
    /// The owner of the outcome drops it. May unwind.
    pub(super) drop_outcome: unsafe fn(NonNull<Header>),
    /// Frees the cell. Nobody has a reference any more; the stage is empty.
    pub(super) deallocate: unsafe fn(NonNull<Header>),
}

union Stage<F: Future> {
    future: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<F::Output>>,
}

#[repr(C)]
struct Cell<F: Future, S> {
    header: Header,
    scheduler: S,
    stage: UnsafeCell<Stage<F>>,
}

/// Makes the cell of a new task: scheduled, and with a handle.
pub(super) fn allocate<F: Future, S: Schedule>(
    future: F,
    scheduler: S,
    location: &'static Location<'static>,
) -> NonNull<Header> {
    let cell = Box::new(Cell {
        header: Header {
            links: std::cell::UnsafeCell::new(Links::new()),
            state: State::new(S::BOUND_AT_BIRTH),
            vtable: Cell::<F, S>::VTABLE,
            location,
            join_waker: UnsafeCell::new(None),
            extras: AtomicPtr::new(ptr::null_mut()),
        },
        scheduler,
        stage: UnsafeCell::new(Stage {
            future: ManuallyDrop::new(future),
        }),
    });
    let header = NonNull::from(Box::leak(cell)).cast();
    if S::BOUND_AT_BIRTH {
        // SAFETY: the cell is alive and of this type.
        unsafe { Cell::<F, S>::bind(header) };
    }
    header
}

impl<F: Future, S: Schedule> Cell<F, S> {
    const VTABLE: &'static Vtable = &Vtable {
        is_listed: S::LISTED,
        poll: Self::poll,
        cancel: Self::cancel,
        schedule: Self::schedule,
        bind: Self::bind,
        release: Self::release,
        unhandled: Self::unhandled,
        take_outcome: Self::take_outcome,
        peek_outcome: Self::peek_outcome,
        drop_outcome: Self::drop_outcome,
        deallocate: Self::deallocate,
    };

    /// # Safety
    ///
    /// `header` points to a live cell of this type; here and below.
    unsafe fn of<'a>(header: NonNull<Header>) -> &'a Self {
        // SAFETY: the header is the first field of a `repr(C)` struct.
        unsafe { header.cast().as_ref() }
    }

    /// # Safety
    ///
    /// The caller is the runner, and the future is alive.
    unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: by the contract of this function.
        let cell = unsafe { Self::of(header) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: only the runner touches the stage of a task that is not complete, and the future is alive. It
            // is never moved: it lives in the heap and is dropped in place.
            cell.stage
                .with_mut(|stage| unsafe { Pin::new_unchecked(&mut *(*stage).future).poll(cx) })
        }));
        let outcome = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(payload),
        };
        // SAFETY: as above.
        unsafe { Self::finish(header, outcome.map_err(Some)) };
        true
    }

    /// # Safety
    ///
    /// As `poll`.
    unsafe fn cancel(header: NonNull<Header>) {
        // SAFETY: by the contract of this function.
        unsafe { Self::finish(header, Err(None)) };
    }

    /// Drops the future and stores what came of the task: a value, a panic, or, for `Err(None)`, a cancellation. A
    /// panic of the future's destructor takes the place of a cancellation, as it would in a call stack; it is
    /// reported and nothing more where the task has a value or a panic already.
    ///
    /// # Safety
    ///
    /// As `poll`.
    unsafe fn finish(header: NonNull<Header>, ended: Result<F::Output, Option<Box<dyn std::any::Any + Send>>>) {
        // SAFETY: by the contract of this function.
        let cell = unsafe { Self::of(header) };
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: only the runner touches the stage of a task that is not complete; the future is alive and not
            // touched again.
            cell.stage
                .with_mut(|stage| unsafe { ManuallyDrop::drop(&mut (*stage).future) });
        }));
        let failure = |payload| Failure::panicked(payload, header, cell.scheduler.unhandled());
        let outcome = match (ended, dropped) {
            (Err(None), Ok(())) => Err(Failure::Cancelled),
            (Err(None), Err(payload)) => Err(failure(payload)),
            (ended, dropped) => {
                if let Err(payload) = dropped {
                    drop(failure(payload));
                }
                ended.map_err(|payload| payload.map_or(Failure::Cancelled, failure))
            }
        };
        match &outcome {
            Ok(_) => {}
            Err(Failure::Cancelled) => cell.header.state.end_cancelled(),
            Err(Failure::Panicked(_)) => cell.header.state.end_failed(),
        }
        // SAFETY: the stage is empty, and only the runner touches it.
        cell.stage
            .with_mut(|stage| unsafe { (*stage).outcome = ManuallyDrop::new(outcome) });
    }

    unsafe fn schedule(header: NonNull<Header>, reason: Reason) {
        // SAFETY: by the contract of this function; the caller hands over the right to run.
        unsafe { Self::of(header).scheduler.schedule(Runnable::from_raw(header), reason) };
    }

    unsafe fn bind(header: NonNull<Header>) {
        // SAFETY: by the contract of this function.
        unsafe { Self::of(header).scheduler.bind(TaskPtr(header)) };
    }

    unsafe fn release(header: NonNull<Header>) {
        // SAFETY: by the contract of this function.
        unsafe { Self::of(header).scheduler.release(TaskPtr(header)) };
    }

    unsafe fn unhandled(header: NonNull<Header>) -> Unhandled {
        // SAFETY: by the contract of this function.
        unsafe { Self::of(header).scheduler.unhandled() }
    }

    unsafe fn take_outcome(header: NonNull<Header>, into: *mut ()) {
        // SAFETY: the caller owns the outcome, does not touch it in the cell again, and gives room for it.
        unsafe {
            Self::of(header).stage.with(|stage| {
                let outcome = (&raw const (*stage).outcome).cast::<Outcome<F::Output>>();
                ptr::copy_nonoverlapping(outcome, into.cast(), 1);
            });
        }
    }

    fn peek_outcome(header: NonNull<Header>) -> *const () {
        // SAFETY: the caller's reference keeps the cell, which is of this type.
        let stage = &unsafe { Self::of(header) }.stage;
        // SAFETY: the pointer is good, and nothing is read.
        stage.with(|stage| unsafe { (&raw const (*stage).outcome).cast() })
    }

    unsafe fn drop_outcome(header: NonNull<Header>) {
        // SAFETY: by the contract of this function.
        let task = unsafe { header.as_ref() };
        if task.state.load().has_failed() {
            let failure = task.extras().and_then(Extras::take_failure);
            if let Some((text, unhandled)) = failure {
                unhandled.report(UnhandledError::error_of(&TaskRef::new(header), text));
            }
        }
        // SAFETY: the caller owns the outcome and does not touch it again.
        unsafe {
            Self::of(header)
                .stage
                .with_mut(|stage| ManuallyDrop::drop(&mut (*stage).outcome))
        };
    }

    unsafe fn deallocate(header: NonNull<Header>) {
        // SAFETY: the cell was made by `Box::new`, and this was the last reference. The stage does not drop itself.
        unsafe {
            if header.as_ref().extras().is_some() {
                drop(Box::from_raw(header.as_ref().extras.load(Ordering::Acquire)));
            }
            drop(Box::from_raw(header.cast::<Self>().as_ptr()));
        }
    }
}

/// Names a task for its [`Schedule`], which keeps it in a set of live tasks between `bind` and `release`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskPtr(pub(crate) NonNull<Header>);

impl TaskPtr {
    /// Requests that the task be cancelled, at the end of its runtime. The caller keeps it.
    pub(crate) fn cancel(self, cause: &CancelCause) {
        // SAFETY: the caller keeps the task.
        unsafe { super::raw::cancel_at_end(self.0, cause) };
    }

    /// Ends the task by force. The caller keeps it.
    pub(crate) fn kill(self) {
        // SAFETY: the caller keeps the task.
        unsafe { super::raw::kill(self.0) };
    }
}

/// The right to run a task, once. What queues hold.
#[must_use = "a task that is not run is leaked"]
pub struct Runnable(NonNull<Header>);

// SAFETY: it is a `NonNull` to a cell that threads share by its state word; `create`'s contract keeps tasks that are not
// `Send` on their thread.
unsafe impl Send for Runnable {}

impl Runnable {
    /// # Safety
    ///
    /// The caller holds the right to run and gives it up.
    pub(super) unsafe fn from_raw(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// Runs the task for one turn: polls its future, or drops it if the task is cancelled. If it is not done it will be
    /// scheduled again when it is woken, or has been already.
    #[inline]
    pub fn run(self) {
        // SAFETY: `self` is the right to run.
        unsafe { super::run::run(self.0) };
    }

    /// Ends the task as cancelled, without regard to deferred work: for queues that go away with tasks in them.
    pub fn abandon(self) {
        // SAFETY: `self` is the right to run.
        unsafe { super::run::abandon(self.0) };
    }
}

impl fmt::Debug for Runnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runnable").field(&self.0).finish()
    }
}
