//! Signal handlers that are callbacks of the loop.
//!
//! A handler's doorbell is rung by the signal. What its ringing wakes hands the handler over as a callback, and that one answers
//! the bell, in its turn, before it calls the function: so a signal that comes during the call rings again.

use super::{event_loop::EventLoop, repeated::Repeated};
use crate::signal::{Doorbell, Listening, SignalKind};
use aioli_primitives::sync::Mutex;
use aioli_reactor::Reactor;
use std::{
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    task::{Context, Wake, Waker},
};

/// The handlers of one loop.
#[derive(Default)]
pub(super) struct SignalHandlers(Mutex<Table>);

#[derive(Default)]
struct Table {
    handlers: HashMap<SignalKind, Arc<Handler>>,
    closed: bool,
}

impl SignalHandlers {
    /// Gives the one that is replaced, which is to be removed.
    fn add(&self, kind: SignalKind, handler: Arc<Handler>) -> io::Result<Option<Arc<Handler>>> {
        let mut table = self.0.lock();
        if table.closed {
            drop(table);
            return Err(io::Error::other(
                "cannot add a signal handler: the event loop has ended",
            ));
        }
        Ok(table.handlers.insert(kind, handler))
    }

    fn remove(&self, kind: SignalKind) -> bool {
        let removed = self.0.lock().handlers.remove(&kind);
        if let Some(removed) = &removed {
            removed.function.remove();
        }
        removed.is_some()
    }

    /// Removes them all, and refuses more.
    pub(super) fn close(&self) {
        let handlers = {
            let mut table = self.0.lock();
            table.closed = true;
            std::mem::take(&mut table.handlers)
        };
        for handler in handlers.into_values() {
            // Destructors are the user's, and may panic; whoever closes goes on.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| handler.function.remove())) {
                std::mem::forget(payload);
            }
        }
    }
}

struct Handler {
    /// Before the doorbell, so that nobody presses a button without one.
    _listening: Listening,
    doorbell: Doorbell,
    function: Repeated,
}

impl Handler {
    fn new(reactor: &Reactor, kind: SignalKind, function: Repeated) -> io::Result<Self> {
        let doorbell = Doorbell::new(reactor)?;
        let button = doorbell.button();
        Ok(Self {
            // SAFETY: to press the button may be done in a signal handler.
            _listening: unsafe { Listening::new(kind, move || button.press())? },
            doorbell,
            function,
        })
    }

    /// Has the handler answer the bell in its turn, unless it is gone by then.
    fn post(handler: Weak<Self>, event_loop: &EventLoop) {
        event_loop.0.post(move || {
            if let Some(handler) = handler.upgrade() {
                handler.answer();
            }
        });
    }

    fn answer(self: Arc<Self>) {
        let waker = Waker::from(Arc::new(Rung(Arc::downgrade(&self))));
        if self.doorbell.poll_rung(&mut Context::from_waker(&waker)).is_ready() {
            self.function.call();
        }
    }
}

/// What the bell wakes. It does not keep the handler: the bell, which is the handler's, keeps it.
struct Rung(Weak<Handler>);

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        // Events are passed on by workers of their loop.
        if let Some(event_loop) = EventLoop::try_current() {
            Handler::post(self.0.clone(), &event_loop);
        }
    }
}

impl EventLoop {
    /// Has `callback` called on each signal of this kind: as a callback of the loop's, in its turn and never two at once, as with
    /// [`call_soon`](Self::call_soon), so that it may do anything. From any thread.
    ///
    /// As `loop.add_signal_handler()`, which may be called on the main thread only. There is one handler for each kind of signal on a
    /// loop; a new one replaces the old one. Several signals that come before the callback has had its turn are as one. A panic in
    /// it goes to the [exception handler](Self::set_exception_handler), and the next signal calls it again. Handlers are removed
    /// when the loop ends. What a signal does meanwhile, and afterwards, is said in the module [`signal`](mod@crate::signal).
    ///
    /// ```
    /// use aioli::{EventLoop, signal::SignalKind};
    ///
    /// let mut runner = aioli::Builder::new().build()?;
    /// let event_loop = runner.event_loop();
    /// let stopper = event_loop.clone();
    /// event_loop.add_signal_handler(SignalKind::terminate(), move || stopper.stop())?;
    /// # rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)?;
    /// runner.run_forever();
    /// assert!(event_loop.remove_signal_handler(SignalKind::terminate()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`InvalidInput`](io::ErrorKind::InvalidInput): there is no such signal, or no program can handle it;
    /// * those of the system, for want of descriptors;
    /// * if the loop has ended.
    pub fn add_signal_handler(&self, kind: SignalKind, callback: impl FnMut() + Send + 'static) -> io::Result<()> {
        let handler = Arc::new(Handler::new(&self.1.reactor, kind, Repeated::new(callback))?);
        let first = Arc::downgrade(&handler);
        let replaced = self.1.signal_handlers.add(kind, handler)?;
        Handler::post(first, self);
        if let Some(replaced) = replaced {
            // At last: the destructor of what it captures may panic.
            replaced.function.remove();
        }
        Ok(())
    }

    /// Removes the handler of this kind of signal, and gives whether there was one. It may be called from the handler. If the handler
    /// is being called by another thread at the time, that call goes on.
    ///
    /// As `loop.remove_signal_handler()`.
    pub fn remove_signal_handler(&self, kind: SignalKind) -> bool {
        self.1.signal_handlers.remove(kind)
    }
}
