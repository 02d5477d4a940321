//! Who sleeps, who searches, and whom to wake: the sleep protocol of several workers.
//!
//! # The problem
//!
//! A task that is put into a shared queue while all workers fall asleep must not lie there. Waking somebody for each task
//! would be safe, and would cost more than the tasks.
//!
//! # The protocol
//!
//! A worker *works*, *searches* (it has nothing, and looks into all queues) or *sleeps*. One word counts searchers and
//! sleepers.
//!
//! * **Producer**: puts the task into a queue; `fence(SeqCst)`; reads the word; wakes a sleeper only if there is one and
//!   nobody searches. The woken worker counts as a searcher from that moment, so the next producer wakes nobody.
//! * **Sleeper**: enters itself in the list, is counted as sleeping (and no longer as searching), `fence(SeqCst)`, looks into
//!   all queues once more, unless it sees a searcher, and only then parks. If it finds something it takes itself out and
//!   works.
//! * **Searcher**: stops being one when it has found a task. If it was the last one, and there is still something in any
//!   queue, it wakes the next: a producer may have relied on it.
//!
//! # Why no wake-up is lost
//!
//! The two fences are ordered. If the sleeper's comes first, the producer reads a word that counts it as a sleeper: it
//! wakes somebody, or sees a searcher. If the producer's comes first, the sleeper's last look sees the task, or the sleeper
//! saw a searcher and did not look.
//!
//! So all rests on a searcher that somebody saw. It ends its search in one of two ways, and both take it out of the word
//! and then make a fence. That fence is later than the fence of the one who saw it (the other way round, the count would
//! have been gone), and so later than the producer's. If it ended by going to sleep, the same argument applies to it in
//! turn, and the last of them sees no other searcher and looks. If it ended because it had found a task, and was the
//! last, it looks into all queues and wakes somebody if there is anything.
//!
//! At most half of the workers search at a time, so that a burst does not set all of them on the same queues.
//!
//! # Everybody at rest
//!
//! A virtual clock may move on only when nothing is left to do. That all workers are in the list does not say so: one of them
//! may have been unparked by name, for its inbox, and not have got up yet; and between two glances at the list one may get up,
//! do something, and lie down again. So every lying down is counted. The sleeper who asks finds everybody in the list, looks into all
//! queues and inboxes, and finds everybody in the list again, at the same count: then nobody was up in between, so nothing
//! was taken out, and nothing was put in after it was looked at, for only workers put something in (and those for whom `left_over`
//! answers besides). In the moment in which it finds that out, it takes itself out of the list, as a producer would have: two who
//! ask at the same time cannot both move the clock.
//!
//! Nor does everybody wait for somebody else to ask: whoever comes into the list as the last one does. If it does not
//! find everybody at rest, then somebody is up again, or about to be, and the last one of these to lie down asks again.

use aioli_primitives::{
    CachePadded,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst, fence},
    },
};

const SLEEPER: usize = 1;
const SEARCHER: usize = 1 << 16;

fn sleepers(word: usize) -> usize {
    word % SEARCHER
}

fn searchers(word: usize) -> usize {
    word / SEARCHER
}

/// The word and the list.
pub struct Idle {
    word: CachePadded<AtomicUsize>,
    /// Written with the word, under this lock.
    asleep: Mutex<Asleep>,
    workers: usize,
}

struct Asleep {
    /// The last to fall asleep is the first to be woken, its caches being the warmest.
    list: Vec<usize>,
    /// How often anybody fell asleep.
    naps: usize,
}

impl Idle {
    /// Nobody sleeps or searches.
    pub fn new(workers: usize) -> Self {
        Self {
            word: CachePadded::new(AtomicUsize::new(0)),
            asleep: Mutex::new(Asleep {
                list: Vec::with_capacity(workers),
                naps: 0,
            }),
            workers,
        }
    }

    /// The producer's part, after a task was put into a shared queue: calls `unpark` for the worker to be woken, if one has
    /// to be.
    pub fn wake_one(&self, unpark: impl FnOnce(usize)) {
        fence(SeqCst);
        if !self.wants_waking() {
            return;
        }
        let woken = {
            let mut asleep = self.asleep.lock();
            // Another producer may have been here meanwhile.
            if !self.wants_waking() {
                return;
            }
            let woken = asleep.list.pop();
            if woken.is_some() {
                self.word.fetch_add(SEARCHER - SLEEPER, SeqCst);
            }
            woken
        };
        if let Some(worker) = woken {
            unpark(worker);
        }
    }

    /// Whether somebody sleeps and nobody searches: all that a producer needs who would run the task himself if nobody
    /// else did, and for whom a stale answer is no harm.
    pub fn wants_waking(&self) -> bool {
        let word = self.word.load(SeqCst);
        sleepers(word) > 0 && searchers(word) == 0
    }

    /// A worker leaves: it counts as a sleeper whom nobody can wake.
    pub fn go_away(&self) {
        self.word.fetch_add(SLEEPER, SeqCst);
    }

    /// A worker that had gone away is back.
    pub fn come_back(&self) {
        self.word.fetch_sub(SLEEPER, SeqCst);
    }

    /// Whether everybody is asleep, or away.
    pub fn all_asleep(&self) -> bool {
        sleepers(self.word.load(SeqCst)) == self.workers
    }

    /// A worker begins to search; `false`: enough do.
    #[must_use]
    pub fn start_search(&self) -> bool {
        if 2 * searchers(self.word.load(SeqCst)) >= self.workers {
            return false;
        }
        self.word.fetch_add(SEARCHER, SeqCst);
        true
    }

    /// A searcher has found something. `has_work` looks into all queues.
    pub fn stop_search(&self, has_work: impl FnOnce() -> bool, unpark: impl FnOnce(usize)) {
        let last = searchers(self.word.fetch_sub(SEARCHER, SeqCst)) == 1;
        fence(SeqCst);
        if last && has_work() {
            self.wake_one(unpark);
        }
    }

    /// The sleeper's part: `has_work` looks into all queues, and `park` sleeps until the worker is unparked. `true`: a
    /// producer woke the worker, and it counts as a searcher.
    #[must_use]
    pub fn sleep(&self, worker: usize, searching: bool, has_work: impl FnOnce() -> bool, park: impl FnOnce()) -> bool {
        {
            let mut asleep = self.asleep.lock();
            asleep.list.push(worker);
            asleep.naps = asleep.naps.wrapping_add(1);
            let searcher = if searching { SEARCHER } else { 0 };
            self.word.fetch_add(SLEEPER.wrapping_sub(searcher), SeqCst);
        }
        fence(SeqCst);
        // A searcher that is seen here looks for us, and later.
        let covered = searchers(self.word.load(SeqCst)) > 0;
        if covered || !has_work() {
            park();
        }
        let mut asleep = self.asleep.lock();
        match asleep.list.iter().rposition(|&sleeper| sleeper == worker) {
            Some(place) => {
                asleep.list.remove(place);
                self.word.fetch_sub(SLEEPER, SeqCst);
                false
            }
            None => true,
        }
    }

    /// Wakes `worker`, a sleeper, as a producer would, if all workers are there, asleep, and `left_over` finds nothing to do in
    /// any queue or inbox, nor anything on its way there.
    #[must_use]
    pub fn wake_at_rest(&self, worker: usize, left_over: impl FnOnce() -> bool) -> bool {
        let naps = {
            let asleep = self.asleep.lock();
            if asleep.list.len() < self.workers {
                return false;
            }
            asleep.naps
        };
        if left_over() {
            return false;
        }
        let mut asleep = self.asleep.lock();
        if asleep.list.len() < self.workers || asleep.naps != naps {
            return false;
        }
        asleep.list.retain(|&sleeper| sleeper != worker);
        self.word.fetch_add(SEARCHER - SLEEPER, SeqCst);
        true
    }
}
