//! Polls by hand, wakers that do what a test says or write down who was woken, threads, and dice.

// Each target uses some of it.
#![allow(dead_code)]

use std::{
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
    thread,
};

/// Calls a function when it is woken.
struct Calls<F>(F);

impl<F: Fn() + Send + Sync> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// A waker that calls `f`, and drops what that owns when the last clone goes.
pub fn calls(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Calls(f)))
}

/// A waker that counts how often it is woken.
pub fn counts(count: &Arc<AtomicUsize>) -> Waker {
    let count = count.clone();
    calls(move || {
        count.fetch_add(1, SeqCst);
    })
}

/// A waker that panics.
pub fn panicking() -> Waker {
    calls(|| panic!("a foreign waker"))
}

/// Who was woken, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    pub fn write(&self, number: usize) {
        self.0.lock().unwrap().push(number);
    }

    /// A waker that writes this number.
    pub fn waker(&self, number: usize) -> Waker {
        let log = self.clone();
        calls(move || log.write(number))
    }

    /// What was written since the last time.
    pub fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Polls a future with `waker`.
pub fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Polls a future with a waker that wakes nobody.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    poll_with(future, Waker::noop())
}

/// A future that has been polled, and waits.
pub fn waiting<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(poll(future.as_mut()).is_none(), "it waits");
    future
}

/// Runs this on so many threads at a time, each with its number. All are joined by their handles: that is an order which the thread
/// sanitizer sees, and the end of a scope is not.
pub fn on_threads(count: usize, run: impl Fn(usize) + Sync) {
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// The message of a panic.
pub fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a message")).to_owned(),
    }
}

/// An answer that changes with each call, and is the same in each run.
pub struct Dice(pub u64);

impl Dice {
    /// True once in so many calls.
    pub fn once_in(&mut self, so_many: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % so_many == 0
    }
}

/// What a [`hooked`] waker calls.
struct Hooks {
    on_clone: Box<dyn Fn() + Send + Sync>,
    on_drop: Box<dyn Fn() + Send + Sync>,
}

static HOOKED: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: `data` is a reference that this waker holds.
        let hooks = ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Hooks>()) });
        (hooks.on_clone)();
        RawWaker::new(Arc::into_raw(Arc::clone(&hooks)).cast(), &HOOKED)
    },
    drop_hooked,
    |_| {},
    drop_hooked,
);

fn drop_hooked(data: *const ()) {
    // SAFETY: `data` is a reference that this waker holds, and gives up.
    let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
    (hooks.on_drop)();
}

/// A waker that wakes nobody, and calls these whenever it is cloned or dropped.
pub fn hooked(on_clone: impl Fn() + Send + Sync + 'static, on_drop: impl Fn() + Send + Sync + 'static) -> Waker {
    let hooks = Arc::new(Hooks {
        on_clone: Box::new(on_clone),
        on_drop: Box::new(on_drop),
    });
    // SAFETY: the functions of the table treat the pointer as the reference that it is, and `Hooks` is `Send` and `Sync`.
    unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(hooks).cast(), &HOOKED)) }
}
