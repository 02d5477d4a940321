//! What all handles of a queue share: who may put and get when, and who waits.
//!
//! # Protocol
//!
//! The [word](super::word) holds two positions. To get is to take the position at the head, to put is to take the one at the
//! tail, each in one step of the word; the item of a position is the [store](super::store)'s affair. Two flags say who has to
//! take the lock first.
//!
//! *With no flag in the way*, a call takes its position without the lock: it finds in one step that its flag is not set, that
//! there is an item or room, and takes it.
//!
//! *With the lock* the queue is closed first: both flags are set, and what the word was then is what it stays, because nobody
//! takes a position past a flag. So whoever has closed it may read the word, decide, and write it as if it were alone. What it
//! writes at the end are also the flags that are needed from then on ([`Closed`]):
//!
//! | flag | set while |
//! |---|---|
//! | both | somebody waits, or the queue is shut down |
//! | `SLOW_GET` | an item is promised |
//! | `SLOW_PUT` | room is promised |
//!
//! Nobody waits for an item while there is one, nor for room while there is room, but for what is *promised*: who puts
//! while somebody waits for an item promises it to the first of those, and who gets promises the room to the first of those
//! who wait for that. What is promised is counted, and out of reach for everyone else, until the one to whom it was promised
//! comes with the lock and takes it; or goes, and it is promised to the next one, or is there for all again. So all are
//! served in the order in which they came, and an item stays in its place until it is taken: a getter that goes loses none.
//!
//! Shutting down dismisses all who wait for room, and those who wait for an item when the last item is taken: they could yet
//! get one that was promised to one who goes. What was promised before counts, but for putters, who fail however far they
//! have come; and for what is dropped when it is done at once, after which no promise is good.
//!
//! # Orderings
//!
//! Items are handed over by the store, so the positions need no order for them. What the word does hand over is the store
//! itself, which is replaced while the queue is closed: who takes a position acquires the word that was written when it was opened.
//!
//! # What is unfinished
//!
//! The tail counts what was put, modulo the number of positions, and `done` what was reported done. What is unfinished is the difference
//! modulo that number. `done` is read before the word, so that what is compared was at some moment true: the tail is never behind.
//!
//! Who reports the last item done finds that, and tells who joins. Between the two somebody may put, and join: so `emptied` says *when*
//! nothing was unfinished, by how much was done then, and who joins believes only a time that is not before its own, when less was done
//! than had been put.

use super::{
    closed::{Closed, Opened, Taken},
    error::{GetNowaitError, PutNowaitError, QueueShutDown},
    store::{Order, Store},
    word::{MOST, POSITIONS, SLOW_GET, SLOW_PUT, Word},
};
use crate::{
    Event, InvalidStateError,
    panics::FirstPanic,
    wait_list::{Look, WaitList},
};
use aioli_primitives::sync::{
    Mutex, MutexGuard,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// What a waiter is served with: the promise of an item, or of room for one.
pub(super) const PROMISED: usize = 1;
/// What a waiter is served with: there is nothing to be had any more.
pub(super) const DISMISSED: usize = 0;

pub(super) struct Shared<T, O: Order<T>> {
    pub(super) word: AtomicU64,
    /// How many items there may be until the store has to grow, or at all.
    pub(super) limit: AtomicU32,
    /// How many items there may be at all.
    pub(super) most: u32,
    pub(super) store: O::Store,
    pub(super) waiting: Mutex<Waiting>,
    /// How many items were reported done.
    done: AtomicU64,
    /// What `done` was when nothing was unfinished last, as far as that was noticed.
    emptied: AtomicU64,
    /// Pulsed when `emptied` has moved on.
    finished: Event,
}

/// What the lock guards.
pub(super) struct Waiting {
    pub(super) getters: WaitList,
    pub(super) putters: WaitList,
    /// How many items are promised to getters.
    pub(super) items_promised: u32,
    /// For how many items room is promised to putters.
    pub(super) room_promised: u32,
    pub(super) shut_down: bool,
    /// What was in the queue has been dropped, promised or not.
    dropped: bool,
}

/// Whether a call got a position without the lock.
enum Fast {
    Taken(u32),
    /// It found none to take, and nobody who waits: so the queue is not shut down.
    None,
    /// It has to take the lock.
    Slow,
}

impl<T, O: Order<T>> Shared<T, O> {
    /// With a bound, or without.
    pub(super) fn new(bound: Option<u32>) -> Self {
        let most = bound.unwrap_or(MOST);
        let store = O::Store::new(most);
        Self {
            word: AtomicU64::new(Word::START.0),
            limit: AtomicU32::new(most.min(store.room())),
            most,
            store,
            waiting: Mutex::new(Waiting {
                getters: WaitList::new(),
                putters: WaitList::new(),
                items_promised: 0,
                room_promised: 0,
                shut_down: false,
                dropped: false,
            }),
            done: AtomicU64::new(0),
            emptied: AtomicU64::new(0),
            finished: Event::new(),
        }
    }

    /// The bound, if there is one.
    pub(super) fn bound(&self) -> Option<u32> {
        (self.most != MOST).then_some(self.most)
    }

    #[inline]
    fn fast_put(&self) -> Fast {
        // Relaxed, here and for the limit: the step below finds out whether it was true.
        let mut word = Word(self.word.load(Relaxed));
        loop {
            if word.has(SLOW_PUT) {
                return Fast::Slow;
            }
            if word.len() >= self.limit.load(Relaxed) {
                return if word.len() < self.most { Fast::Slow } else { Fast::None };
            }
            match self
                .word
                .compare_exchange_weak(word.0, word.tail_taken().0, Acquire, Relaxed)
            {
                Ok(_) => return Fast::Taken(word.tail()),
                Err(now) => word = Word(now),
            }
        }
    }

    #[inline]
    fn fast_get(&self) -> Fast {
        let mut word = Word(self.word.load(Relaxed));
        loop {
            if word.has(SLOW_GET) {
                return Fast::Slow;
            }
            if word.len() == 0 {
                return Fast::None;
            }
            match self
                .word
                .compare_exchange_weak(word.0, word.head_taken().0, Acquire, Relaxed)
            {
                Ok(_) => return Fast::Taken(word.head()),
                Err(now) => word = Word(now),
            }
        }
    }

    /// Puts an item if that takes no lock; gives it back otherwise.
    #[inline]
    pub(super) fn put_fast(&self, item: T) -> Result<(), T> {
        match self.fast_put() {
            Fast::Taken(position) => {
                // SAFETY: the position was just given to this call.
                unsafe { self.store.put(position, item) };
                Ok(())
            }
            Fast::None | Fast::Slow => Err(item),
        }
    }

    /// Gets an item if that takes no lock.
    #[inline]
    pub(super) fn get_fast(&self) -> Option<T> {
        match self.fast_get() {
            // SAFETY: the position was just given to this call.
            Fast::Taken(position) => Some(unsafe { self.store.take(position) }),
            Fast::None | Fast::Slow => None,
        }
    }

    pub(super) fn put_nowait(&self, item: T) -> Result<(), PutNowaitError<T>> {
        match self.fast_put() {
            Fast::Taken(position) => {
                // SAFETY: the position was just given to this call.
                unsafe { self.store.put(position, item) };
                Ok(())
            }
            Fast::None => Err(PutNowaitError::QueueFull(item)),
            Fast::Slow => {
                let mut waiting = self.waiting.lock();
                match self.put_or_wait(&mut waiting) {
                    Look::Ready(Ok(taken)) => {
                        drop(waiting);
                        self.put_taken(taken, item);
                        Ok(())
                    }
                    Look::Ready(Err(QueueShutDown(()))) => Err(PutNowaitError::QueueShutDown(item)),
                    Look::Wait(_) => {
                        Closed::new(self, &mut waiting).restore();
                        Err(PutNowaitError::QueueFull(item))
                    }
                }
            }
        }
    }

    pub(super) fn get_nowait(&self) -> Result<T, GetNowaitError> {
        match self.fast_get() {
            // SAFETY: the position was just given to this call.
            Fast::Taken(position) => Ok(unsafe { self.store.take(position) }),
            Fast::None => Err(GetNowaitError::QueueEmpty),
            Fast::Slow => {
                let mut waiting = self.waiting.lock();
                match self.get_or_wait(&mut waiting) {
                    Look::Ready(Ok(taken)) => {
                        drop(waiting);
                        Ok(self.get_taken(taken))
                    }
                    Look::Ready(Err(QueueShutDown(()))) => Err(GetNowaitError::QueueShutDown),
                    Look::Wait(_) => {
                        Closed::new(self, &mut waiting).restore();
                        Err(GetNowaitError::QueueEmpty)
                    }
                }
            }
        }
    }

    /// With the lock: takes a position to put at, unless there is none to be had. If the answer is to wait, the queue stays closed.
    pub(super) fn put_or_wait(&self, waiting: &mut Waiting) -> Look<Result<Taken, QueueShutDown>> {
        let closed = Closed::new(self, waiting);
        if closed.waiting.shut_down {
            closed.restore();
            return Look::Ready(Err(QueueShutDown(())));
        }
        if closed.room() == 0 {
            return Look::Wait(0);
        }
        Look::Ready(Ok(closed.take_tail()))
    }

    /// With the lock: takes a position to get from, unless there is none to be had. If the answer is to wait, the queue stays
    /// closed.
    pub(super) fn get_or_wait(&self, waiting: &mut Waiting) -> Look<Result<Taken, QueueShutDown>> {
        let closed = Closed::new(self, waiting);
        if closed.word.len() == 0 && closed.waiting.shut_down {
            closed.restore();
            return Look::Ready(Err(QueueShutDown(())));
        }
        if closed.available() == 0 {
            return Look::Wait(0);
        }
        Look::Ready(Ok(closed.take_head()))
    }

    /// Puts at a position that was taken with the lock, which is released.
    ///
    /// # Panics
    ///
    /// With the first panic, of the store or a foreign waker, when all have been woken.
    pub(super) fn put_taken(&self, taken: Taken, item: T) {
        let mut panics = FirstPanic::default();
        // SAFETY: a `Taken` is made once for a position, and used once.
        panics.catch(|| unsafe { self.store.put(taken.position, item) });
        self.wake(taken.opened, &mut panics);
        panics.resume();
    }

    /// Gets from a position that was taken with the lock, which is released. The panic of a foreign waker ends here, or the item
    /// would go down with it.
    ///
    /// # Panics
    ///
    /// With a panic of the store, when all have been woken.
    pub(super) fn get_taken(&self, taken: Taken) -> T {
        // SAFETY: a `Taken` is made once for a position, and used once.
        let item = catch_unwind(AssertUnwindSafe(|| unsafe { self.store.take(taken.position) }));
        let mut foreign = FirstPanic::default();
        self.wake(taken.opened, &mut foreign);
        foreign.swallow();
        item.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// For a putter that was served: puts its item, if what was promised is still good.
    pub(super) fn put_served(&self, served: usize, item: T) -> Result<(), QueueShutDown<T>> {
        if served == DISMISSED {
            return Err(QueueShutDown(item));
        }
        let mut waiting = self.waiting.lock();
        let closed = Closed::new(self, &mut waiting);
        closed.waiting.room_promised -= 1;
        if closed.waiting.shut_down {
            closed.restore();
            return Err(QueueShutDown(item));
        }
        let taken = closed.take_tail();
        drop(waiting);
        self.put_taken(taken, item);
        Ok(())
    }

    /// For a getter that was served: gets its item, if what was promised is still good.
    pub(super) fn get_served(&self, served: usize) -> Result<T, QueueShutDown> {
        if served == DISMISSED {
            return Err(QueueShutDown(()));
        }
        let mut waiting = self.waiting.lock();
        let closed = Closed::new(self, &mut waiting);
        if closed.waiting.dropped {
            closed.restore();
            return Err(QueueShutDown(()));
        }
        closed.waiting.items_promised -= 1;
        let taken = closed.take_head();
        drop(waiting);
        Ok(self.get_taken(taken))
    }

    /// A putter has gone that waited, or, if it was served, has not put.
    pub(super) fn putter_left(&self, mut waiting: MutexGuard<'_, Waiting>, served: Option<usize>) {
        if served == Some(PROMISED) {
            waiting.room_promised -= 1;
        }
        self.open_again(waiting);
    }

    /// A getter has gone that waited, or, if it was served, has not got.
    pub(super) fn getter_left(&self, mut waiting: MutexGuard<'_, Waiting>, served: Option<usize>) {
        if served == Some(PROMISED) && !waiting.dropped {
            waiting.items_promised -= 1;
        }
        self.open_again(waiting);
    }

    /// Promises again what there is to promise, and lets the others in.
    fn open_again(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let opened = Closed::new(self, &mut waiting).open();
        drop(waiting);
        let mut panics = FirstPanic::default();
        self.wake(opened, &mut panics);
        panics.resume();
    }

    /// Wakes who was served, and serves those who are left.
    fn wake(&self, mut opened: Opened, panics: &mut FirstPanic) {
        while let Some(waker) = opened.waker.take() {
            panics.catch(|| waker.wake());
            if opened.more {
                opened = Closed::new(self, &mut self.waiting.lock()).open();
            }
        }
    }

    pub(super) fn shut_down(&self, immediate: bool) {
        let mut waiting = self.waiting.lock();
        let mut closed = Closed::new(self, &mut waiting);
        closed.waiting.shut_down = true;
        let word = closed.word;
        if immediate {
            closed.waiting.dropped = true;
            closed.waiting.items_promised = 0;
            closed.word = word.all_taken();
        }
        let opened = closed.open();
        drop(waiting);
        let mut panics = FirstPanic::default();
        self.wake(opened, &mut panics);
        if immediate && word.len() != 0 {
            // SAFETY: all positions from the head to the tail were given to this call when it closed the queue.
            let dropped = unsafe { self.store.take_all(word.head(), word.len()) };
            panics.catch(|| self.all_done(dropped.len() as u32));
            panics.catch(|| drop(dropped));
        }
        panics.resume();
    }

    /// Counts as done what was dropped, but for what was reported done already, though it had not been got. Nothing is put any more.
    fn all_done(&self, dropped: u32) {
        let mut done = self.done.load(Acquire);
        loop {
            let counted = done + u64::from(dropped.min(self.unfinished_of(done)));
            match self.done.compare_exchange_weak(done, counted, AcqRel, Acquire) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        self.announce_if_finished();
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.waiting.lock().shut_down
    }

    /// How many items are not promised to anybody.
    pub(super) fn len(&self) -> usize {
        let word = Word(self.word.load(Acquire));
        if !word.has(SLOW_GET) {
            return word.len() as usize;
        }
        let waiting = self.waiting.lock();
        // Those that are promised are in the queue, so there are at least as many: nobody takes them but with the lock.
        (Word(self.word.load(Acquire)).len() - waiting.items_promised) as usize
    }

    /// Whether there is no room that is not promised to anybody.
    pub(super) fn is_full(&self) -> bool {
        let word = Word(self.word.load(Acquire));
        if !word.has(SLOW_PUT) {
            return word.len() == self.most;
        }
        let waiting = self.waiting.lock();
        Word(self.word.load(Acquire)).len() + waiting.room_promised == self.most
    }

    pub(super) fn debug(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        f.debug_struct(name)
            .field("len", &self.len())
            .field("maxsize", &self.bound())
            .field("unfinished", &self.unfinished())
            .field("shut_down", &self.is_shut_down())
            .finish()
    }

    /// How many items were put and not reported done.
    pub(super) fn unfinished(&self) -> u32 {
        self.unfinished_of(self.done.load(Acquire))
    }

    /// The same, when so many were reported done: `done` is read before this, so the tail is not behind.
    fn unfinished_of(&self, done: u64) -> u32 {
        Word(self.word.load(Acquire)).tail().wrapping_sub(done as u32) & POSITIONS
    }

    pub(super) fn task_done(&self) -> Result<(), InvalidStateError> {
        let mut done = self.done.load(Acquire);
        loop {
            if self.unfinished_of(done) == 0 {
                return Err(InvalidStateError::new(
                    "task_done was called more often than items were put",
                ));
            }
            // AcqRel: what each of them did happens before what the last of them announces.
            match self.done.compare_exchange_weak(done, done + 1, AcqRel, Acquire) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        self.announce_if_finished();
        Ok(())
    }

    /// Tells who joins, if nothing is unfinished.
    fn announce_if_finished(&self) {
        let done = self.done.load(Acquire);
        if self.unfinished_of(done) != 0 {
            return;
        }
        // AcqRel: with the work that was done by then, also when somebody has noticed a later time before.
        self.emptied.fetch_max(done, AcqRel);
        self.finished.pulse();
    }

    pub(super) async fn join(&self) {
        // Each wait counts from before the look that follows, so that what comes after the look ends it.
        let mut finished = self.finished.wait();
        let done = self.done.load(Acquire);
        let unfinished = self.unfinished_of(done);
        if unfinished == 0 {
            return;
        }
        let put = done + u64::from(unfinished);
        loop {
            finished.await;
            finished = self.finished.wait();
            if self.emptied.load(Acquire) >= put {
                return;
            }
        }
    }
}

// SAFETY: what does not follow from the types is the store, and each of those that an `Order` can name may be sent and shared where its
// items may be sent.
unsafe impl<T: Send, O: Order<T>> Send for Shared<T, O> {}
// SAFETY: as above.
unsafe impl<T: Send, O: Order<T>> Sync for Shared<T, O> {}

impl<T, O: Order<T>> Drop for Shared<T, O> {
    fn drop(&mut self) {
        let word = Word(self.word.load(Acquire));
        // SAFETY: nobody else is left, and all who were given a position have used it.
        drop(unsafe { self.store.take_all(word.head(), word.len()) });
    }
}
