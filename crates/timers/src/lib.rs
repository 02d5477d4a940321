//! Timers without a clock: a hierarchical timing wheel, and the wakers that wait in it.
//!
//! * [`Wheel`] is the data structure: single-threaded, safe, constant-time insert and cancel.
//! * [`Timers`] is a wheel of [`Waker`](std::task::Waker)s behind a lock: futures register in it with
//!   [`poll`](Timers::poll), its owner calls [`fire`](Timers::fire), any thread may [`cancel`](Timers::cancel).
//!
//! The caller brings the time: nanoseconds since an origin of its choosing, the same for deadlines and for the present.
//! That leaves it free to read the clock once for many timers, to share one reading between threads, or to make time
//! up, as the tests do.
//!
//! A timer **never fires early**, and up to one tick (65.536 us) late: the wheel rounds deadlines up and the present
//! down to whole ticks.
//!
//! ```
//! use aioli_timers::{Entry, Timers};
//! use std::future::{Future, poll_fn};
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//!
//! const MILLISECOND: u64 = 1_000_000;
//! let timers = Timers::new();
//!
//! // A future that sleeps until 5 ms after the origin. A real one cancels its entry when it is dropped.
//! let mut entry = Entry::new();
//! let mut sleep = pin!(poll_fn(|cx| timers.poll(&mut entry, 5 * MILLISECOND, cx)));
//!
//! // A real runtime's waker schedules the task; this one does nothing, because the loop below polls anyway.
//! let mut cx = Context::from_waker(Waker::noop());
//!
//! // The loop of a worker: poll what is ready, then sleep until the next timer and fire what is due.
//! let mut now = 0;
//! while sleep.as_mut().poll(&mut cx).is_pending() {
//!     now = timers.next_expiry().expect("somebody sleeps"); // instead of really waiting
//!     timers.fire(now);
//! }
//! assert!((5 * MILLISECOND..6 * MILLISECOND).contains(&now));
//! assert!(timers.is_empty());
//! ```

mod alarm;
mod slab;
mod timers;
mod wheel;

pub use alarm::{Alarm, Set};
pub use slab::Key;
pub use timers::{Entry, Timers};
pub use wheel::Wheel;
