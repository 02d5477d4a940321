//! The line of those who wait, first come first served: the one list under all primitives.
//!
//! The list is intrusive: what it links are the [`Waiter`]s inside the futures that wait, so that waiting allocates
//! nothing. A future holds a [`Place`], which takes its waiter into the list and sees to it that it is off the list
//! before its memory goes away.
//!
//! # Protocol
//!
//! A list belongs to a [`Line`], whose lock guards it. Each waiter has an atomic word that says whose it is:
//!
//! | word | the waiter is | who moves it on |
//! |---|---|---|
//! | `OUT` | in no list: its owner's | the owner, to `WAITING`, with the lock |
//! | `WAITING` | in the list: all but the word belongs to whoever has the lock | the owner with the lock, to `OUT`; who serves it with the lock, to `SERVED` |
//! | `SERVED` or more | taken off: its owner's again, with a number that is for it | the owner, to `OUT`, without the lock |
//!
//! The store of `SERVED` is the last access to a waiter by somebody else: after it, the owner may free it without having
//! had the lock. So it is a Release, after the waiter was unlinked and its waker moved out; the owner, who looks without the
//! lock, reads with Acquire. It also hands over whatever was done before the waiter was served: who serves has
//! acquired what its grant consists of. Everything else is ordered by the lock, or is the owner's own.
//!
//! # Wakers
//!
//! A waker may be anybody's code: to clone, to wake or to drop it. So nothing here does any of that with the lock held.
//! A waker goes in as a clone that was made before, and comes out by value; [`Wakers`] collects those that are to be
//! woken when the lock has been released. One that is not needed any more is [`Spare`]: it is dropped when nothing can be lost by what its
//! destructor does.

use crate::panics::{FirstPanic, swallow};
use aioli_primitives::{
    cell::UnsafeCell,
    sync::{
        Mutex, MutexGuard,
        atomic::{
            AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};
use arrayvec::ArrayVec;
use std::{
    marker::PhantomPinned,
    mem::{self, MaybeUninit},
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll, Waker},
};

const OUT: usize = 0;
const WAITING: usize = 1;
/// The least word of a waiter that was served; what is above it is the number that was for it.
const SERVED: usize = 2;

/// One who waits, or may yet.
struct Waiter {
    word: AtomicUsize,
    /// Nothing is in it before it first waits: most never do, and a link that is written when the future is made, and moved with it,
    /// costs more than a lock that is free.
    link: UnsafeCell<MaybeUninit<Link>>,
    /// Others have its address: it must not move, and a unique reference to what is around it promises nothing.
    _pinned: PhantomPinned,
}

struct Link {
    previous: Option<NonNull<Waiter>>,
    next: Option<NonNull<Waiter>>,
    /// There while it waits.
    waker: Option<Waker>,
    /// What it waits for, in the primitive's own terms.
    wants: usize,
}

impl Waiter {
    fn new() -> Self {
        Self {
            word: AtomicUsize::new(OUT),
            link: UnsafeCell::new(MaybeUninit::uninit()),
            _pinned: PhantomPinned,
        }
    }

    /// Lends its link.
    ///
    /// # Safety
    ///
    /// It has waited, and nobody else touches its link meanwhile: it is in a list whose lock the caller has, or was taken off that by the
    /// caller, or is the caller's.
    #[inline]
    unsafe fn with_link<R>(&self, f: impl FnOnce(&mut Link) -> R) -> R {
        // SAFETY: it was written when it began to wait, and is the caller's.
        self.link.with_mut(|link| f(unsafe { (*link).assume_init_mut() }))
    }
}

/// Those who wait, in the order in which they came. Dropping it drops nobody: they have all left by then.
pub(crate) struct WaitList {
    first: Option<NonNull<Waiter>>,
    last: Option<NonNull<Waiter>>,
}

// SAFETY: it is a pair of pointers to waiters, which are reached by whoever has the lock around the list, one at a time; a
// waker may be moved and dropped on any thread.
unsafe impl Send for WaitList {}

impl WaitList {
    pub(crate) const fn new() -> Self {
        Self {
            first: None,
            last: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// How many wait. Walks the list.
    pub(crate) fn len(&self) -> usize {
        let mut next = self.first;
        std::iter::from_fn(|| {
            let waiter = next?;
            // SAFETY: it is in the list, whose lock the caller has: nobody else touches its link, and it lives.
            next = unsafe { waiter.as_ref().with_link(|link| link.next) };
            Some(())
        })
        .count()
    }

    /// What the first of them wants.
    pub(crate) fn first_wants(&self) -> Option<usize> {
        // SAFETY: it is in the list, whose lock the caller has: nobody else touches its link, and it lives.
        self.first
            .map(|first| unsafe { first.as_ref().with_link(|link| link.wants) })
    }

    /// Takes the first off the list, and leaves it `number`. The waker that comes back is to be woken with the lock released.
    #[must_use]
    pub(crate) fn serve(&mut self, number: usize) -> Option<Waker> {
        let first = self.first?;
        self.unlink(first);
        // SAFETY: it was in the list, whose lock the caller has, so it lives, also until the store below.
        let waiter = unsafe { first.as_ref() };
        // SAFETY: until that store, nobody else touches its link.
        let waker = unsafe { waiter.with_link(|link| link.waker.take()) };
        waiter.word.store(SERVED + number, Release);
        waker
    }

    /// Serves one after the other, up to the first for whom `number` has none when it sees what they want, and no more than
    /// `wakers` has room for.
    pub(crate) fn serve_while(&mut self, wakers: &mut Wakers, mut number: impl FnMut(usize) -> Option<usize>) {
        while !wakers.are_full() {
            match self.first_wants().and_then(&mut number) {
                Some(number) => wakers.add(self.serve(number)),
                None => break,
            }
        }
    }

    /// Puts a waiter at the end.
    ///
    /// # Safety
    ///
    /// The waiter is `OUT`, stays where it is, and is unlinked before it is dropped.
    unsafe fn push(&mut self, waiter: &Waiter, wants: usize, waker: Option<Waker>) {
        let this = NonNull::from(waiter);
        waiter.link.with_mut(|link| {
            // SAFETY: it is `OUT`, so its link is its owner's, which is the caller.
            unsafe { &mut *link }.write(Link {
                previous: self.last,
                next: None,
                waker,
                wants,
            });
        });
        match self.last.replace(this) {
            // SAFETY: it is in the list, whose lock the caller has.
            Some(last) => unsafe { last.as_ref().with_link(|link| link.next = Some(this)) },
            None => self.first = Some(this),
        }
        // Relaxed: who finds it in the list has the lock, and the owner reads its own store.
        waiter.word.store(WAITING, Relaxed);
    }

    fn unlink(&mut self, waiter: NonNull<Waiter>) {
        // SAFETY: the waiter and its neighbours are in the list, whose lock the caller has: they live, and nobody else touches
        // their links.
        unsafe {
            let (previous, next) = waiter
                .as_ref()
                .with_link(|link| (link.previous.take(), link.next.take()));
            match previous {
                Some(previous) => previous.as_ref().with_link(|link| link.next = next),
                None => self.first = next,
            }
            match next {
                Some(next) => next.as_ref().with_link(|link| link.previous = previous),
                None => self.last = previous,
            }
        }
    }
}

/// What has a list of waiters: a reference to a primitive, which may have several.
///
/// # Safety
///
/// `state` gives the same lock each time, and `waiters` the same list in it.
pub(crate) unsafe trait Line {
    /// What the lock guards.
    type State;

    /// The lock.
    fn state(&self) -> &Mutex<Self::State>;

    /// The list in it.
    fn waiters(state: &mut Self::State) -> &mut WaitList;

    /// Somebody has gone without having looked again: they had waited, and are off the list now; or, with `served`, they
    /// had been served, and whatever that number stands for has to go to somebody else.
    fn left(&self, state: MutexGuard<'_, Self::State>, served: Option<usize>);
}

/// What [`Place::poll_enter`] is told by who has looked.
pub(crate) enum Look<T> {
    /// There is no need to wait.
    Ready(T),
    /// It has to wait. With what it wants, which [`WaitList::first_wants`] says.
    Wait(usize),
}

/// A place in a line, for a future that waits. Gives it up when it is dropped.
pub(crate) struct Place<L: Line> {
    line: L,
    waiter: Waiter,
}

// SAFETY: the waiter is its owner's or the lock's, by the protocol above; a waker may be moved and dropped on any thread.
unsafe impl<L: Line + Send> Send for Place<L> {}
// SAFETY: a shared reference to it gives the line, and the word, which is atomic.
unsafe impl<L: Line + Sync> Sync for Place<L> {}

impl<L: Line> Place<L> {
    /// No place yet.
    pub(crate) fn new(line: L) -> Self {
        Self {
            line,
            waiter: Waiter::new(),
        }
    }

    pub(crate) fn line(&self) -> &L {
        &self.line
    }

    /// Whether it waits, or was served and has not looked.
    pub(crate) fn is_taken(&self) -> bool {
        // Relaxed: only the owner moves it from or to `OUT`.
        self.waiter.word.load(Relaxed) != OUT
    }

    /// Whether it was served, and what with. Then it is no place any more.
    #[inline]
    fn take_served(&self) -> Option<usize> {
        // Acquire: with the store that served it.
        let served = self.waiter.word.load(Acquire).checked_sub(SERVED)?;
        self.waiter.word.store(OUT, Relaxed);
        Some(served)
    }

    /// Takes a place if `look`, which is called with the lock held, says that there is need to wait. There must be no place yet.
    ///
    /// What it found otherwise comes with a waker that is to be kept until that has been used.
    pub(crate) fn poll_enter<T>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl FnOnce(&L, &mut L::State) -> Look<T>,
    ) -> Poll<(T, Spare)> {
        debug_assert!(!self.is_taken(), "a future has one place");
        let mut waker = Spare(Some(cx.waker().clone()));
        let this = self.into_ref().get_ref();
        let mut state = this.line.state().lock();
        match look(&this.line, &mut state) {
            Look::Ready(value) => {
                drop(state);
                Poll::Ready((value, waker))
            }
            Look::Wait(wants) => {
                // SAFETY: it is `OUT`, it is pinned, and its destructor takes it off the list.
                unsafe { L::waiters(&mut state).push(&this.waiter, wants, waker.0.take()) };
                Poll::Pending
            }
        }
    }

    /// Waits in the place that was taken, until it is served: gives the number.
    pub(crate) fn poll_served(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = self.into_ref().get_ref();
        debug_assert!(this.is_taken(), "it waits");
        let mut renewed = Spare(None);
        loop {
            if let Some(served) = this.take_served() {
                return Poll::Ready(served);
            }
            let state = this.line.state().lock();
            if this.waiter.word.load(Relaxed) != WAITING {
                // Served while nobody had the lock.
                continue;
            }
            let renew = |link: &mut Link| match &mut link.waker {
                Some(known) if known.will_wake(cx.waker()) => true,
                known => {
                    let is_cloned = renewed.0.is_some();
                    if is_cloned {
                        mem::swap(known, &mut renewed.0);
                    }
                    is_cloned
                }
            };
            // SAFETY: it waits, so its link belongs to who has the lock, as this does.
            let is_known = unsafe { this.waiter.with_link(renew) };
            drop(state);
            if is_known {
                return Poll::Pending;
            }
            renewed.0 = Some(cx.waker().clone());
        }
    }

    /// Gives the place up.
    pub(crate) fn leave(self: Pin<&mut Self>) {
        self.into_ref().get_ref().give_up();
    }

    fn give_up(&self) {
        if !self.is_taken() {
            return;
        }
        let mut state = self.line.state().lock();
        if let Some(served) = self.take_served() {
            return self.line.left(state, Some(served));
        }
        L::waiters(&mut state).unlink(NonNull::from(&self.waiter));
        // SAFETY: it is off the list, and the lock is held: nobody else has it.
        let _spare = Spare(unsafe { self.waiter.with_link(|link| link.waker.take()) });
        self.waiter.word.store(OUT, Relaxed);
        self.line.left(state, None);
    }
}

impl<L: Line> Drop for Place<L> {
    fn drop(&mut self) {
        if self.is_taken() {
            // Whoever is served instead may have a waker that panics; who goes has nothing to do with that.
            swallow(|| self.give_up());
        }
        // Nothing happens here; but loom sees that what others did with the link came before the memory goes away.
        self.waiter.link.with_mut(drop);
    }
}

/// A waker that is not needed any more. A panic of its destructor, which nobody could do anything about, ends here.
pub(crate) struct Spare(Option<Waker>);

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            swallow(|| drop(waker));
        }
    }
}

/// How many are woken between two critical sections, when many are: enough that the lock costs little, and few enough for
/// the stack.
const BATCH: usize = 32;

/// Wakers that are to be woken when no lock is held, in their order.
#[derive(Default)]
pub(crate) struct Wakers(ArrayVec<Waker, BATCH>);

impl Wakers {
    pub(crate) fn are_full(&self) -> bool {
        self.0.is_full()
    }

    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    /// Wakes each in its turn, also when the waker of another panics, and is empty then.
    pub(crate) fn wake(&mut self, panics: &mut FirstPanic) {
        for waker in self.0.drain(..) {
            panics.catch(|| waker.wake());
        }
    }
}
