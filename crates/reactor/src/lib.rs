//! Readiness of file descriptors, for async runtimes on Unix.
//!
//! A [`Reactor`] waits for events; a [`Source`] is an I/O object registered with it, once, for both directions. An
//! operation on a source makes its system call first, while the source is believed ready; only a call that would block
//! makes the task wait. No timers, no tasks, no threads: whoever has nothing else to do calls [`Reactor::wait`].
//!
//! ```
//! use aioli_reactor::Reactor;
//! use std::{
//!     io::Write,
//!     os::unix::net::UnixStream,
//!     sync::{
//!         Arc,
//!         atomic::{AtomicBool, Ordering},
//!     },
//!     task::{Context, Poll, Wake, Waker},
//!     thread::{self, Thread},
//! };
//!
//! struct Unpark(Thread);
//!
//! impl Wake for Unpark {
//!     fn wake(self: Arc<Self>) {
//!         self.0.unpark();
//!     }
//! }
//!
//! let reactor = Reactor::new()?;
//! let (near, mut far) = UnixStream::pair()?;
//! near.set_nonblocking(true)?;
//! let source = reactor.register(near)?;
//!
//! // One thread waits for events, until it is told to stop.
//! let stop = Arc::new(AtomicBool::new(false));
//! let driver = thread::spawn({
//!     let (reactor, stop) = (reactor.clone(), stop.clone());
//!     move || {
//!         while !stop.load(Ordering::Relaxed) {
//!             reactor.wait(None).unwrap();
//!         }
//!     }
//! });
//!
//! // This one waits for bytes, and finds none at first.
//! let waker = Waker::from(Arc::new(Unpark(thread::current())));
//! let mut cx = Context::from_waker(&waker);
//! let mut buf = [0; 16];
//! assert!(source.poll_read(&mut cx, &mut buf).is_pending());
//! far.write_all(b"hello")?;
//! let count = loop {
//!     match source.poll_read(&mut cx, &mut buf) {
//!         Poll::Ready(count) => break count?,
//!         Poll::Pending => thread::park(),
//!     }
//! };
//! assert_eq!(&buf[..count], b"hello");
//!
//! stop.store(true, Ordering::Relaxed);
//! reactor.notify();
//! driver.join().unwrap();
//! # std::io::Result::Ok(())
//! ```
//!
//! # What it costs
//!
//! On Linux, registering a source is one system call and so is removing it, a wait is one, a [`Reactor::notify`] is one or
//! none, and nothing is re-armed. A read or write that moves fewer bytes than asked counts as "drained" or "full" without
//! the extra call that would find so out. Elsewhere it is what [`polling`] makes of it, edge-triggered where the
//! system can.
//!
//! # Where to read on
//!
//! [`readiness`] says why no edge is lost, [`registration`] why no wake-up is, [`registry`] why late events do no harm.

mod backend;
mod reactor;
#[doc(hidden)]
pub mod readiness;
#[doc(hidden)]
pub mod registration;
#[doc(hidden)]
pub mod registry;
mod source;
mod stream;

#[doc(hidden)]
pub use backend::BackendKind;
pub use reactor::Reactor;
pub use readiness::Direction;
pub use source::Source;
