//! Watches: callbacks that are called as long as a foreign descriptor is ready.
//!
//! # One watch
//!
//! A watch is for one direction of one descriptor, of which it has a [duplicate](Descriptor) of its own: one that was made for an earlier
//! watch may stand for what had the number then. It takes *turns*, each a callback of the loop's. In its turn it asks the kernel
//! whether the descriptor is ready at that moment. If it is, the function is called, and the watch gets another turn, behind what is
//! ready by then; if it is not, what reports the next event gets it a turn. So there is one turn at a time, on its way or being
//! taken, and the watch is level-triggered although the reactor is not.
//!
//! # Who keeps it
//!
//! The loop's table does, and nobody else: turns and wakers name it weakly. So it is gone, and its duplicate with it, when it is removed or replaced, when its descriptor turns out to have been closed, and when the loop ends.

mod descriptor;

use super::{event_loop::EventLoop, repeated::Repeated};
use crate::task::UnhandledError;
use aioli_primitives::sync::Mutex;
use aioli_reactor::Direction;
use descriptor::Descriptor;
use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker},
};

/// The watches of one loop.
#[derive(Default)]
pub(super) struct Watches(Mutex<Table>);

#[derive(Default)]
struct Table {
    watches: HashMap<(RawFd, Direction), Arc<Watch>>,
    closed: bool,
}

impl Watches {
    /// Those of that number.
    fn of(&self, number: RawFd) -> Vec<Arc<Watch>> {
        let table = self.0.lock();
        let watches = Direction::BOTH.map(|direction| table.watches.get(&(number, direction)).cloned());
        watches.into_iter().flatten().collect()
    }

    /// Gives the one that it replaces.
    fn add(&self, number: RawFd, watch: Arc<Watch>) -> io::Result<Option<Arc<Watch>>> {
        let mut table = self.0.lock();
        if table.closed {
            return Err(io::Error::other("cannot watch a descriptor: the event loop has ended"));
        }
        Ok(table.watches.insert((number, watch.direction), watch))
    }

    fn remove(&self, number: RawFd, direction: Direction) -> Option<Arc<Watch>> {
        self.0.lock().watches.remove(&(number, direction))
    }

    /// Takes out this one; `false` if it is not there any more.
    fn take_out(&self, watch: &Arc<Watch>) -> bool {
        let key = (watch.descriptor.number(), watch.direction);
        let mut table = self.0.lock();
        let is_there = table.watches.get(&key).is_some_and(|there| Arc::ptr_eq(there, watch));
        // The caller has it, too, so that nothing is dropped under the lock.
        is_there && table.watches.remove(&key).is_some()
    }

    /// Removes them all, and refuses more.
    pub(super) fn close(&self) {
        let watches = {
            let mut table = self.0.lock();
            table.closed = true;
            std::mem::take(&mut table.watches)
        };
        for watch in watches.into_values() {
            // Destructors are the user's, and may panic; whoever closes goes on.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| watch.function.remove())) {
                std::mem::forget(payload);
            }
        }
    }
}

struct Watch {
    descriptor: Descriptor,
    direction: Direction,
    function: Repeated,
}

impl Watch {
    /// Gets the watch a turn, unless it is gone by then.
    fn post(watch: Weak<Self>, event_loop: &EventLoop) {
        event_loop.0.post(move || {
            // Callbacks are called by workers of their loop.
            if let Some((watch, event_loop)) = watch.upgrade().zip(EventLoop::try_current()) {
                watch.take_turn(event_loop);
            }
        });
    }

    fn take_turn(self: Arc<Self>, event_loop: EventLoop) {
        if self.function.is_removed() {
            return;
        }
        let this = Arc::downgrade(&self);
        let waker = Waker::from(Arc::new(Ready(this.clone())));
        match self
            .descriptor
            .poll_ready(&mut Context::from_waker(&waker), self.direction)
        {
            Poll::Pending => return,
            Poll::Ready(Err(error)) => {
                let number = self.descriptor.number();
                let error = io::Error::other(format!("file descriptor {number} is not watched any more: {error}"));
                return event_loop.end_watches(vec![self], &error);
            }
            Poll::Ready(Ok(())) => {}
        }
        if self.descriptor.is_stale() {
            return event_loop.end_stale_watches(self.descriptor.number(), Some(&self));
        }
        // Even if the function panics.
        let _again = Again(this, &event_loop);
        self.function.call();
    }
}

/// Gets a watch another turn when it is dropped.
struct Again<'a>(Weak<Watch>, &'a EventLoop);

impl Drop for Again<'_> {
    fn drop(&mut self) {
        Watch::post(self.0.clone(), self.1);
    }
}

/// What an event wakes.
struct Ready(Weak<Watch>);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        // Events are passed on by workers of their loop.
        if let Some(event_loop) = EventLoop::try_current() {
            Watch::post(self.0.clone(), &event_loop);
        }
    }
}

impl EventLoop {
    /// Has `callback` called whenever `fd` is ready for reading: there are bytes, the end, a client to accept, or an error. From any
    /// thread.
    ///
    /// As `loop.add_reader()`. It is called as a callback of the loop's, in its turn and never two at once, as with
    /// [`call_soon`](Self::call_soon), again and again as long as the descriptor is ready: it should read something, without
    /// blocking. There is one reader for each descriptor, by its number; a new one replaces the old one. A panic in it goes to the
    /// [exception handler](Self::set_exception_handler), and it is called again. Readers and writers are removed when the loop ends.
    ///
    /// **Remove it before you close the descriptor.** The loop watches a duplicate, which keeps what it stands for open. A
    /// descriptor that was closed all the same, and whose number perhaps stands for something else by now, is noticed before the
    /// callback would be called the next time: then its reader and writer are removed, and the exception handler is told. (Before Linux
    /// 6.10, and where `kcmp(2)` is forbidden, an eventfd, a timerfd or the like that got the number of another of them is not noticed.)
    ///
    /// ```
    /// use aioli::EventLoop;
    /// use std::{io::{Read, Write}, os::unix::net::UnixStream};
    ///
    /// # aioli::run(async {
    /// let event_loop = EventLoop::current();
    /// let (mut near, mut far) = UnixStream::pair()?;
    /// near.set_nonblocking(true)?;
    /// let promise = event_loop.create_promise();
    /// let (fd, greeting) = (near.try_clone()?, promise.clone());
    /// let reader = move || {
    ///     let mut buf = [0; 64];
    ///     let count = near.read(&mut buf).unwrap();
    ///     greeting.set_result(String::from_utf8_lossy(&buf[..count]).into_owned()).unwrap();
    /// };
    /// event_loop.add_reader(&fd, reader)?;
    /// far.write_all(b"hello")?;
    /// assert_eq!(promise.await.unwrap(), "hello");
    /// assert!(event_loop.remove_reader(&fd));
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// * [`PermissionDenied`](io::ErrorKind::PermissionDenied): it cannot be waited for; it is a regular file;
    /// * those of the system, for want of descriptors;
    /// * if the loop has ended.
    pub fn add_reader(&self, fd: impl AsFd, callback: impl FnMut() + Send + 'static) -> io::Result<()> {
        self.add_watch(fd, Direction::Read, callback)
    }

    /// Has `callback` called whenever `fd` is ready for writing, which most descriptors are most of the time, or has failed;
    /// otherwise as [`add_reader`](Self::add_reader).
    ///
    /// As `loop.add_writer()`.
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Self::add_reader).
    pub fn add_writer(&self, fd: impl AsFd, callback: impl FnMut() + Send + 'static) -> io::Result<()> {
        self.add_watch(fd, Direction::Write, callback)
    }

    /// Removes the reader of the descriptor of this number, and gives whether there was one. The reader itself may call it. If
    /// another thread calls the reader at the time, that call goes on.
    ///
    /// The number itself will do, too, of a descriptor that has been closed: `remove_reader(&number)`.
    ///
    /// As `loop.remove_reader()`.
    pub fn remove_reader(&self, fd: &impl AsRawFd) -> bool {
        self.remove_watch(fd, Direction::Read)
    }

    /// Removes the writer of the descriptor of this number, and gives whether there was one; otherwise as
    /// [`remove_reader`](Self::remove_reader).
    ///
    /// As `loop.remove_writer()`.
    pub fn remove_writer(&self, fd: &impl AsRawFd) -> bool {
        self.remove_watch(fd, Direction::Write)
    }

    fn add_watch(
        &self,
        fd: impl AsFd,
        direction: Direction,
        callback: impl FnMut() + Send + 'static,
    ) -> io::Result<()> {
        let fd = fd.as_fd();
        self.end_stale_watches(fd.as_raw_fd(), None);
        let descriptor = Descriptor::new(&self.1.reactor, fd)?;
        let watch = Arc::new(Watch {
            descriptor,
            direction,
            function: Repeated::new(callback),
        });
        let first = Arc::downgrade(&watch);
        let replaced = self.1.watches.add(fd.as_raw_fd(), watch)?;
        Watch::post(first, self);
        // Last, as its destructors are the user's, and may panic.
        if let Some(replaced) = replaced {
            replaced.function.remove();
        }
        Ok(())
    }

    fn remove_watch(&self, fd: &impl AsRawFd, direction: Direction) -> bool {
        let removed = self.1.watches.remove(fd.as_raw_fd(), direction);
        if let Some(removed) = &removed {
            removed.function.remove();
        }
        removed.is_some()
    }

    /// Ends the watches of that number that were made for something that it does not stand for any more; `one` is known to be such.
    fn end_stale_watches(&self, number: RawFd, one: Option<&Arc<Watch>>) {
        let mut stale = self.1.watches.of(number);
        stale.retain(|watch| one.is_some_and(|one| Arc::ptr_eq(one, watch)) || watch.descriptor.is_stale());
        self.end_watches(stale, &descriptor::closed(number));
    }

    /// What they watch cannot be watched any longer.
    fn end_watches(&self, mut ended: Vec<Arc<Watch>>, error: &io::Error) {
        ended.retain(|watch| self.1.watches.take_out(watch));
        if !ended.is_empty() {
            self.call_exception_handler(UnhandledError::error(error));
        }
        for watch in ended {
            watch.function.remove();
        }
    }
}
