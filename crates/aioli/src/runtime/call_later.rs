//! Callbacks for which a time is set.
//!
//! A loop knows of each such callback from the moment it is handed over until its time comes, it is cancelled, or the loop ends.
//! Its timer is in the wheel of the worker that it was handed over on; one from another thread asks a worker, by a callback,
//! to set it. When the timer fires, on a worker of the loop, the callback goes into the queue behind what is ready, as a task
//! that slept would.

use super::{
    callbacks::{Callback, callback},
    driver::with_driver,
    event_loop::EventLoop,
    state::LoopState,
};
use aioli_primitives::sync::Mutex;
use aioli_timers::{Entry, Timers};
use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

/// The callbacks whose time has not come.
#[derive(Default)]
pub(super) struct Pending(Mutex<Timed>);

#[derive(Default)]
struct Timed {
    callbacks: HashMap<u64, TimedCallback>,
    next_id: u64,
    closed: bool,
}

struct TimedCallback {
    callback: Arc<dyn Callback>,
    /// `None`: never.
    when: Option<Instant>,
    /// Its timer, once it is set.
    timer: Option<(Arc<Timers>, Entry)>,
}

impl Pending {
    /// The callback's number; `None`: it is too late.
    fn add(&self, callback: Arc<dyn Callback>, when: Option<Instant>) -> Option<u64> {
        let mut timed = self.0.lock();
        if timed.closed {
            return None;
        }
        let id = timed.next_id;
        timed.next_id += 1;
        let timer = None;
        timed.callbacks.insert(id, TimedCallback { callback, when, timer });
        Some(id)
    }

    /// Sets the timer of a callback that is still there, in the wheel of this thread's worker.
    fn set_timer(&self, id: u64) {
        // The wheel wakes outside its lock, so it never waits for this one.
        let mut timed = self.0.lock();
        let Some(TimedCallback { when, timer, .. }) = timed.callbacks.get_mut(&id) else {
            return;
        };
        if let Some(when) = *when {
            with_driver(|driver, worker| {
                let (wheel, mut entry) = (driver.wheel(worker).clone(), Entry::new());
                let waker = Waker::from(Arc::new(TimeHasCome(id)));
                // A timer that is set is pending, however early its deadline is.
                let _ = wheel.poll(&mut entry, driver.count(when), &mut Context::from_waker(&waker));
                *timer = Some((wheel, entry));
            });
        }
    }

    /// Its time has come, or never will.
    fn remove(&self, id: u64) -> Option<TimedCallback> {
        self.0.lock().callbacks.remove(&id)
    }

    /// Cancels them all, and refuses more.
    pub(super) fn close(&self) {
        let callbacks = {
            let mut timed = self.0.lock();
            timed.closed = true;
            std::mem::take(&mut timed.callbacks)
        };
        for timed in callbacks.into_values() {
            // Destructors are the user's, and may panic; whoever closes goes on.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| timed.cancel())) {
                std::mem::forget(payload);
            }
        }
    }
}

impl TimedCallback {
    fn cancel(self) {
        if let Some((wheel, mut entry)) = self.timer {
            wheel.cancel(&mut entry);
        }
        self.callback.cancel();
    }
}

/// What a wheel wakes for a callback.
struct TimeHasCome(u64);

impl Wake for TimeHasCome {
    fn wake(self: Arc<Self>) {
        // Timers fire on workers of their loop.
        if let Some(event_loop) = EventLoop::try_current() {
            if let Some(timed) = event_loop.1.pending.remove(self.0) {
                event_loop.post(timed.callback);
            }
        }
    }
}

impl EventLoop {
    /// Calls `function` after `delay`, by the loop's clock. From any thread; otherwise as [`call_soon`](Self::call_soon).
    ///
    /// As `loop.call_later()`. With a delay of zero it is called soon, but behind those whose time has come before.
    ///
    /// ```
    /// use aioli::EventLoop;
    /// use std::{sync::mpsc::channel, time::Duration};
    ///
    /// let (sender, receiver) = channel();
    /// aioli::run(async move {
    ///     let event_loop = EventLoop::current();
    ///     let later = sender.clone();
    ///     event_loop.call_later(Duration::from_millis(20), move || later.send("later").unwrap());
    ///     event_loop.call_later(Duration::from_millis(5), move || sender.send("sooner").unwrap());
    ///     event_loop.call_later(Duration::from_millis(10), || unreachable!()).cancel();
    ///     aioli::to_thread(move || assert_eq!(receiver.iter().collect::<Vec<_>>(), ["sooner", "later"])).await.unwrap();
    /// });
    /// ```
    pub fn call_later(&self, delay: Duration, function: impl FnOnce() + Send + 'static) -> TimerHandle {
        self.call_when(self.time().checked_add(delay), function)
    }

    /// Calls `function` at `when`, by the loop's clock ([`time`](Self::time)). From any thread; otherwise as
    /// [`call_soon`](Self::call_soon).
    ///
    /// As `loop.call_at()`. Callbacks are called in the order of their times; those whose times are the same, in the order in
    /// which they were handed over on one worker.
    pub fn call_at(&self, when: Instant, function: impl FnOnce() + Send + 'static) -> TimerHandle {
        self.call_when(Some(when), function)
    }

    fn call_when(&self, when: Option<Instant>, function: impl FnOnce() + Send + 'static) -> TimerHandle {
        let callback = callback(function);
        let id = self.1.pending.add(callback.clone(), when);
        match id {
            Some(id) if Self::try_current().as_ref() == Some(self) => self.1.pending.set_timer(id),
            Some(id) => {
                let state = self.1.clone();
                self.0.post(move || state.pending.set_timer(id));
            }
            None => callback.cancel(),
        }
        let state = Arc::downgrade(&self.1);
        TimerHandle {
            callback,
            id,
            when,
            state,
        }
    }
}

/// Takes back what [`EventLoop::call_later`] or [`EventLoop::call_at`] is to call. Dropping it takes nothing back.
///
/// As asyncio's `TimerHandle`.
#[derive(Clone)]
pub struct TimerHandle {
    callback: Arc<dyn Callback>,
    /// `None`: it was refused.
    id: Option<u64>,
    when: Option<Instant>,
    state: Weak<LoopState>,
}

impl TimerHandle {
    /// Takes the function back and drops it, if it was not called before. From any thread.
    pub fn cancel(&self) {
        self.callback.cancel();
        let state = self.id.zip(self.state.upgrade());
        if let Some(timed) = state.and_then(|(id, state)| state.pending.remove(id)) {
            timed.cancel();
        }
    }

    /// Whether it was taken back, or dropped by a loop that had ended, and so was never called.
    pub fn is_cancelled(&self) -> bool {
        self.callback.is_cancelled()
    }

    /// For what time it is set; `None`: for one that is after the clock's end, which is never.
    pub fn when(&self) -> Option<Instant> {
        self.when
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle")
            .field("when", &self.when)
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
