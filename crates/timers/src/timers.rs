//! The timers of one worker: a wheel of wakers behind a lock.
//!
//! The worker that owns a [`Timers`] registers in it and fires it; any other thread may do either, and above all may
//! cancel, because a task that sleeps can be dropped or go on elsewhere.
//!
//! **The protocol.** A waker is in the wheel from the first poll of its [`Entry`] until exactly one of two takes it
//! out: a [`fire`](Timers::fire) after its deadline, which wakes it, or a [`cancel`](Timers::cancel), which drops it.
//! Taking it out, and looking whether it is there, happen under the lock. So:
//!
//! * *No wake-up is lost.* A poll that finds the key in the wheel leaves the current waker there, for the fire to come;
//!   a poll that does not find it says `Ready`. Between seeing that a waker is out of date and replacing it, a poll
//!   lets go of the lock, and then looks again.
//! * *No wake-up comes late.* After `cancel` has returned, nobody wakes the waker, unless a fire had taken it before:
//!   that one may still be on its way to `wake`, and `cancel` says so by returning `false`.
//!
//! **No foreign code under the lock.** Cloning, waking and dropping a waker runs code of others, which may poll, cancel
//! or fire here. All three happen outside the lock.
//!
//! **`next`** repeats the wheel's next expiry (`u64::MAX` for none) so that a worker can decide how long to sleep
//! without the lock. It is written under the lock only, hence in the order in which the wheel changed. No data is
//! reached through it, so `Relaxed` is enough: a thread sees its own registrations; it may miss a cancel or a fire
//! elsewhere, and then it wakes up once for nothing. It may miss a registration elsewhere too, so whoever registers in
//! the timers of a worker that may be asleep has to wake that worker, and its parking protocol orders the two.

use crate::{Key, Wheel};
use aioli_primitives::sync::Mutex;
use aioli_primitives::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, Waker};

/// No expiry to come.
const NEVER: u64 = u64::MAX;

/// Timers that wake tasks: what one worker of a runtime owns, and other threads may cancel in.
///
/// Times are nanoseconds since the owner's origin, as in [`Wheel`], which also says what it costs in memory; the
/// room for wakers about to be woken is kept in the same way. The crate's front page has an example.
pub struct Timers {
    shared: Mutex<Shared>,
    next: AtomicU64,
}

/// What the lock guards.
struct Shared {
    wheel: Wheel<Waker>,
    /// An empty vector, kept for its memory: the next fire collects in it.
    spare: Vec<Waker>,
}

/// A timer's place in a [`Timers`]. Empty until the first [`poll`](Timers::poll).
///
/// Whoever holds an entry sees to it that it is used with one `Timers` only from its first poll until it is
/// [cancelled](Timers::cancel), and that it is cancelled when nobody will poll it any more: dropping an entry leaves
/// its waker to wait for the deadline.
#[derive(Debug, Default)]
pub struct Entry {
    /// Stays when the timer fires: a key that the wheel does not know any more is the sign that it did.
    key: Option<Key>,
}

impl Entry {
    /// An entry that is not registered anywhere.
    pub const fn new() -> Self {
        Self { key: None }
    }

    /// Whether the entry was polled, and not cancelled since. It may have fired.
    pub const fn is_registered(&self) -> bool {
        self.key.is_some()
    }
}

impl Timers {
    /// No timers, at time 0.
    pub fn new() -> Self {
        Self {
            shared: Mutex::new(Shared {
                wheel: Wheel::new(),
                spare: Vec::new(),
            }),
            next: AtomicU64::new(NEVER),
        }
    }

    /// Waits for `deadline_ns`: `Ready` once it has fired, and from then on until the entry is cancelled.
    ///
    /// The first poll registers the entry with this deadline, even one that has passed: it is for a
    /// [`fire`](Self::fire) to say so. Later polls have the current task woken instead of the earlier one, and do not
    /// look at the deadline. To move a deadline, [`cancel`](Self::cancel) and poll again.
    ///
    /// A poll on another thread than the owner's that registers may have to wake the owner, so that it sleeps no longer
    /// than [`next_expiry`](Self::next_expiry).
    ///
    /// # Panics
    ///
    /// If 2^32 - 1 timers wait already.
    pub fn poll(&self, entry: &mut Entry, deadline_ns: u64, cx: &mut Context<'_>) -> Poll<()> {
        let Some(key) = entry.key else {
            let waker = cx.waker().clone();
            entry.key = Some(self.change(|shared| shared.wheel.insert(deadline_ns, waker)));
            return Poll::Pending;
        };
        let up_to_date = self
            .shared
            .lock()
            .wheel
            .get_mut(key)
            .map(|waker| waker.will_wake(cx.waker()));
        match up_to_date {
            None => Poll::Ready(()),
            Some(true) => Poll::Pending,
            Some(false) => self.replace_waker(key, cx.waker().clone()),
        }
    }

    /// Has a timer wake somebody else, unless it has fired meanwhile.
    #[cold]
    fn replace_waker(&self, key: Key, waker: Waker) -> Poll<()> {
        // Whichever waker is left over is dropped at the end, outside the lock.
        let (poll, _left_over) = match self.shared.lock().wheel.get_mut(key) {
            Some(place) => (Poll::Pending, mem::replace(place, waker)),
            None => (Poll::Ready(()), waker),
        };
        poll
    }

    /// Takes a timer out, from any thread; the entry is as new.
    ///
    /// Says whether the timer was waiting. Then nobody wakes its task any more on account of this timer. `false` says
    /// that it never was registered, or that a [`fire`](Self::fire) came first: that one has woken the task, or is
    /// about to.
    pub fn cancel(&self, entry: &mut Entry) -> bool {
        let Some(key) = entry.key.take() else { return false };
        let waker = self.change(|shared| shared.wheel.remove(key));
        waker.is_some()
    }

    /// Wakes the tasks of all timers that are due, in order of deadline, equal deadlines in order of registration. Says
    /// how many there were.
    ///
    /// Any thread may do so, several at once too; each timer is fired by one of them. Costs one atomic load if nothing
    /// is due, and allocates nothing once it has found its size.
    ///
    /// # Panics
    ///
    /// If a waker panics, with the first such panic, after all have been woken.
    pub fn fire(&self, now_ns: u64) -> usize {
        if self.next.load(Relaxed) > now_ns {
            return 0;
        }
        let mut due = self.change(|shared| {
            let mut due = mem::take(&mut shared.spare);
            shared.wheel.advance(now_ns, &mut due);
            due
        });
        let fired = due.len();
        let panic = wake_all(&mut due);
        self.keep(due);
        match panic {
            Some(panic) => resume_unwind(panic),
            None => fired,
        }
    }

    /// When [`fire`](Self::fire) next has something to do, in nanoseconds, never later than the next timer is due;
    /// `None` if none ever will be. A single load, without the lock: see [`Wheel::next_expiry`] for the meaning, and
    /// the notes at [`poll`](Self::poll) for timers that other threads register.
    #[inline]
    pub fn next_expiry(&self) -> Option<u64> {
        Some(self.next.load(Relaxed)).filter(|&next| next != NEVER)
    }

    /// How many timers wait.
    pub fn len(&self) -> usize {
        self.shared.lock().wheel.len()
    }

    /// Whether no timer waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes the wheel, and publishes its next expiry before anybody else can change it.
    #[inline]
    fn change<R>(&self, change: impl FnOnce(&mut Shared) -> R) -> R {
        let mut shared = self.shared.lock();
        let result = change(&mut shared);
        self.next.store(shared.wheel.next_expiry().unwrap_or(NEVER), Relaxed);
        result
    }

    /// Keeps a vector's memory for the next fire, unless a fire at the same time has kept more.
    fn keep(&self, empty: Vec<Waker>) {
        debug_assert!(
            empty.is_empty(),
            "a waker would be dropped under the lock, or woken twice"
        );
        let mut shared = self.shared.lock();
        if shared.spare.capacity() < empty.capacity() {
            shared.spare = empty;
        }
    }
}

/// Wakes them all, even if some panic. The first panic is returned.
fn wake_all(wakers: &mut Vec<Waker>) -> Option<Box<dyn Any + Send>> {
    let mut wakers = wakers.drain(..);
    let mut first = None;
    // What panicked was taken out before, so that another round goes on behind it.
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| wakers.by_ref().for_each(Waker::wake))) {
        first.get_or_insert(panic);
    }
    first
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("next_expiry", &self.next_expiry())
            .finish_non_exhaustive()
    }
}
