//! Queues: items from any number of those who put to any number of those who get.
//!
//! What all three kinds share is in [`shared`], with its protocol; a [store](store) knows in which order items come.

mod closed;
mod error;
mod shared;
mod store;
mod stream;
mod waiting;
mod word;

pub use error::{GetNowaitError, PutNowaitError, QueueShutDown};
pub use store::{Fifo, Lifo, Order, Priority};
pub use stream::QueueStream;

use crate::{InvalidStateError, block_on::block_on};
use aioli_primitives::sync::Arc;
use shared::Shared;
use std::{fmt, future::Future, ops::Deref};
use waiting::{Get, Put};

/// A queue of items, first in, first out. As `asyncio.Queue`.
///
/// This is a handle: clones are the same queue, and any number of tasks and threads may put and get. So it is also a channel,
/// for many producers and many consumers, without two ends: nobody notices that all others have dropped their handles. Who is done
/// says so with [`shutdown`](Self::shutdown).
///
/// [`LifoQueue`] and [`PriorityQueue`] are queues with another order; all methods but `new` and `bounded` are these.
///
/// ```
/// # use aioli_sync as aioli;
/// use aioli::Queue;
///
/// # futures_lite::future::block_on(async {
/// let queue = Queue::bounded(2);
/// let producer = async {
///     for n in 1..=5 {
///         queue.put(n).await.unwrap();
///     }
///     queue.shutdown(false);
/// };
/// let consumer = async {
///     let mut sum = 0;
///     while let Ok(n) = queue.get().await {
///         sum += n;
///     }
///     sum
/// };
/// let ((), sum) = futures_lite::future::zip(producer, consumer).await;
/// assert_eq!(sum, 15);
/// # });
/// ```
///
/// # Waiting in line
///
/// Who waits is served first come, first served, getters and putters alike, and nobody who comes later is faster. An item that is
/// put while somebody waits for one is *promised* to the first of those, and out of reach for everyone else: it does not count in
/// [`len`](Self::len), and [`get_nowait`](Self::get_nowait) does not see it, but it takes up room until it is got. The same goes for
/// room, the other way round.
///
/// So a future that waits must be polled or dropped: one that is kept, and not polled, keeps what is promised to it.
///
/// # Differences from asyncio
///
/// * In asyncio, an item that was put for somebody who waits can be snatched by who comes first, and who waited stands in line again,
///   at its end. Here it is theirs.
/// * An item that cannot be put comes back in the error.
/// * There is no `maxsize=0`: a queue without a bound is made by [`new`](Self::new).
///
/// # What it costs
///
/// To put and to get without waiting takes one atomic operation on the queue, and one store to the item's slot; no lock. A queue whose bound is
/// at most 1024 allocates when it is made; others double their slots when they run out of them, and keep them. `LifoQueue` and
/// `PriorityQueue` have a lock around their items.
#[doc(alias = "channel")]
pub struct Queue<T, O: Order<T> = Fifo>(Arc<Shared<T, O>>);

/// A [`Queue`] that gives the newest item first. As `asyncio.LifoQueue`.
///
/// It dereferences to a [`Queue`], whose methods are its methods.
///
/// ```
/// # use aioli_sync as aioli;
/// let stack = aioli::LifoQueue::new();
/// stack.put_nowait("first").unwrap();
/// stack.put_nowait("second").unwrap();
/// assert_eq!(stack.get_nowait(), Ok("second"));
/// ```
pub struct LifoQueue<T>(Queue<T, Lifo>);

/// A [`Queue`] that gives the smallest item first, and of equal ones the one that was put first. As `asyncio.PriorityQueue`.
///
/// It dereferences to a [`Queue`], whose methods are its methods. For the greatest first, put [`Reverse`](std::cmp::Reverse)s. Items are
/// compared with a lock held: their `Ord` must not use the queue. If it panics, who puts or gets hears of it: what was to be put has been put
/// then, and what was to be got is lost, and not done.
///
/// ```
/// # use aioli_sync as aioli;
/// let todo = aioli::PriorityQueue::new();
/// todo.put_nowait((2, "then that")).unwrap();
/// todo.put_nowait((1, "first this")).unwrap();
/// assert_eq!(todo.get_nowait(), Ok((1, "first this")));
/// ```
pub struct PriorityQueue<T: Ord>(Queue<T, Priority>);

impl<T> Queue<T> {
    /// An empty queue without a bound: [`put`](Self::put) never waits. As `asyncio.Queue()`.
    ///
    /// (No queue holds more than 2<sup>30</sup> items; one that does is full.)
    pub fn new() -> Self {
        Self(Arc::new(Shared::new(None)))
    }

    /// An empty queue that holds up to `maxsize` items. As `asyncio.Queue(maxsize)`.
    ///
    /// ```
    /// # mod aioli { pub use aioli_sync::{self as sync, *}; }
    /// let queue = aioli::Queue::bounded(1);
    /// queue.put_nowait(1).unwrap();
    /// assert!(queue.is_full());
    /// assert_eq!(queue.put_nowait(2), Err(aioli::sync::PutNowaitError::QueueFull(2)));
    /// ```
    ///
    /// # Panics
    ///
    /// If `maxsize` is zero, which in asyncio means that there is no bound, or more than 2<sup>30</sup>.
    #[track_caller]
    pub fn bounded(maxsize: usize) -> Self {
        Self(Arc::new(Shared::new(Some(checked(maxsize)))))
    }
}

impl<T> LifoQueue<T> {
    /// An empty queue without a bound. As `asyncio.LifoQueue()`, and [`Queue::new`].
    pub fn new() -> Self {
        Self(Queue(Arc::new(Shared::new(None))))
    }

    /// An empty queue that holds up to `maxsize` items. As `asyncio.LifoQueue(maxsize)`, and [`Queue::bounded`].
    ///
    /// # Panics
    ///
    /// As `Queue::bounded`.
    #[track_caller]
    pub fn bounded(maxsize: usize) -> Self {
        Self(Queue(Arc::new(Shared::new(Some(checked(maxsize))))))
    }
}

impl<T: Ord> PriorityQueue<T> {
    /// An empty queue without a bound. As `asyncio.PriorityQueue()`, and [`Queue::new`].
    pub fn new() -> Self {
        Self(Queue(Arc::new(Shared::new(None))))
    }

    /// An empty queue that holds up to `maxsize` items. As `asyncio.PriorityQueue(maxsize)`, and [`Queue::bounded`].
    ///
    /// # Panics
    ///
    /// As `Queue::bounded`.
    #[track_caller]
    pub fn bounded(maxsize: usize) -> Self {
        Self(Queue(Arc::new(Shared::new(Some(checked(maxsize))))))
    }
}

#[track_caller]
fn checked(maxsize: usize) -> u32 {
    assert!(
        maxsize != 0,
        "a queue with room for nothing passes no items on; one without a bound is made by `new`"
    );
    match u32::try_from(maxsize) {
        Ok(most) if most <= word::MOST => most,
        _ => panic!(
            "a queue holds at most {} items, and not {maxsize}; one without a bound is made by `new`",
            word::MOST
        ),
    }
}

impl<T, O: Order<T>> Queue<T, O> {
    /// Puts an item, and waits for room if there is none. As `Queue.put()` in asyncio.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`], with the item, if the queue is shut down, or is while this waits.
    ///
    /// # Panics
    ///
    /// With the panic of a foreign waker, after the item was put.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is done, nothing was put, and the item is dropped with it. Room that was promised to it goes to the next in
    /// line.
    pub fn put(&self, item: T) -> impl Future<Output = Result<(), QueueShutDown<T>>> {
        Put::new(&self.0, item)
    }

    /// Puts an item if there is room at once. As `Queue.put_nowait()` in asyncio.
    ///
    /// ```
    /// # mod aioli { pub use aioli_sync::{self as sync, *}; }
    /// use aioli::{Queue, sync::PutNowaitError};
    ///
    /// let queue = Queue::bounded(1);
    /// assert_eq!(queue.put_nowait('a'), Ok(()));
    /// assert_eq!(queue.put_nowait('b'), Err(PutNowaitError::QueueFull('b')));
    /// queue.shutdown(false);
    /// assert_eq!(queue.put_nowait('c'), Err(PutNowaitError::QueueShutDown('c')));
    /// ```
    ///
    /// # Errors
    ///
    /// [`QueueFull`](PutNowaitError::QueueFull) if there is no room that is not promised to somebody who waits, and
    /// [`QueueShutDown`](PutNowaitError::QueueShutDown) if the queue is shut down: both with the item.
    ///
    /// # Panics
    ///
    /// As [`put`](Self::put).
    #[doc(alias("try_put", "try_send"))]
    pub fn put_nowait(&self, item: T) -> Result<(), PutNowaitError<T>> {
        self.0.put_nowait(item)
    }

    /// Puts an item, and stops the thread while there is no room: for threads that run no tasks. It stands in the same line as
    /// [`put`](Self::put). asyncio has no counterpart.
    ///
    /// # Errors
    ///
    /// As `put`.
    ///
    /// # Panics
    ///
    /// As `put`; and in a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_put(&self, item: T) -> Result<(), QueueShutDown<T>> {
        block_on("put()", self.put(item))
    }

    /// Gets the next item, and waits for one if there is none. As `Queue.get()` in asyncio.
    ///
    /// A panic of a foreign waker, of somebody who waits for room, ends here.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`] if the queue is shut down and empty, or is while this waits.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is done, no item is lost: one that was promised to it goes to the next in line, or is in the queue, where it
    /// was.
    pub fn get(&self) -> impl Future<Output = Result<T, QueueShutDown>> {
        Get::new(&*self.0)
    }

    /// Gets the next item if there is one at once. As `Queue.get_nowait()` in asyncio.
    ///
    /// ```
    /// # mod aioli { pub use aioli_sync::{self as sync, *}; }
    /// use aioli::{Queue, sync::GetNowaitError};
    ///
    /// let queue = Queue::new();
    /// assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueEmpty));
    /// queue.put_nowait('a').unwrap();
    /// queue.shutdown(false);
    /// assert_eq!(queue.get_nowait(), Ok('a'));
    /// assert_eq!(queue.get_nowait(), Err(GetNowaitError::QueueShutDown));
    /// ```
    ///
    /// # Errors
    ///
    /// [`QueueEmpty`](GetNowaitError::QueueEmpty) if there is no item that is not promised to somebody who waits, and
    /// [`QueueShutDown`](GetNowaitError::QueueShutDown) if there will be none any more.
    #[doc(alias("try_get", "try_recv"))]
    pub fn get_nowait(&self) -> Result<T, GetNowaitError> {
        self.0.get_nowait()
    }

    /// Gets the next item, and stops the thread while there is none: for threads that run no tasks. It stands in the same line as
    /// [`get`](Self::get). asyncio has no counterpart.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// let queue = aioli::Queue::new();
    /// let thread = std::thread::spawn({
    ///     let queue = queue.clone();
    ///     move || queue.blocking_get()
    /// });
    /// queue.put_nowait(7).unwrap();
    /// assert_eq!(thread.join().unwrap(), Ok(7));
    /// ```
    ///
    /// # Errors
    ///
    /// As `get`.
    ///
    /// # Panics
    ///
    /// In a task of aioli's runtime, which has to await instead.
    #[track_caller]
    pub fn blocking_get(&self) -> Result<T, QueueShutDown> {
        block_on("get()", self.get())
    }

    /// The items as a stream, which ends when the queue is shut down and empty. It has a handle of its own. asyncio has no
    /// counterpart.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// use futures_lite::StreamExt;
    ///
    /// # futures_lite::future::block_on(async {
    /// let queue = aioli::Queue::new();
    /// for n in 1..=3 {
    ///     queue.put(n).await.unwrap();
    /// }
    /// queue.shutdown(false);
    /// let doubled: Vec<_> = queue.stream().map(|n| n * 2).collect().await;
    /// assert_eq!(doubled, [2, 4, 6]);
    /// # });
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub fn stream(&self) -> QueueStream<T, O> {
        QueueStream::new(self)
    }

    /// Says that an item that was got is dealt with: who gets calls it once for each item, if somebody [`join`](Self::join)s. As
    /// `Queue.task_done()` in asyncio.
    ///
    /// A queue that is to be joined has fewer than 2<sup>31</sup> unfinished items at a time: one through which more than that go without a
    /// `task_done` has lost count.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError`] if that was said for all items that were put already: `ValueError` in asyncio.
    ///
    /// # Panics
    ///
    /// With the panic of a foreign waker of somebody who joins, after all have been woken.
    pub fn task_done(&self) -> Result<(), InvalidStateError> {
        self.0.task_done()
    }

    /// Waits until every item that was put has been reported done with [`task_done`](Self::task_done), also those that are
    /// put while it waits; it is done when once there is none left. Not the same as an empty queue: an item that was got
    /// may still be worked on. As `Queue.join()` in asyncio.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let queue = aioli::Queue::new();
    /// queue.put("work").await.unwrap();
    /// let worker = async {
    ///     queue.get().await.unwrap();
    ///     queue.task_done().unwrap();
    /// };
    /// futures_lite::future::zip(queue.join(), worker).await;
    /// assert_eq!(queue.task_done().unwrap_err().to_string(), "task_done was called more often than items were put");
    /// # });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn join(&self) -> impl Future<Output = ()> {
        self.0.join()
    }

    /// Shuts the queue down, for good: nothing can be put any more, and who waits for room gets
    /// [`QueueShutDown`] with the item. What is in the queue can be got; after the last item, getters get `QueueShutDown`, too. With
    /// `immediate`, what is in the queue is dropped and counts as done, also what was promised to who waits. As `Queue.shutdown()`
    /// in asyncio.
    ///
    /// Once is enough, from any handle; it may be called again, with `immediate`, to drop what is left.
    ///
    /// ```
    /// # use aioli_sync as aioli;
    /// # futures_lite::future::block_on(async {
    /// let queue = aioli::Queue::new();
    /// queue.put("unheard").await.unwrap();
    /// queue.shutdown(true);
    /// assert!(queue.get().await.is_err());
    /// queue.join().await;
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// With the first panic of a foreign waker, or of an item that is dropped, after all have been woken.
    pub fn shutdown(&self, immediate: bool) {
        self.0.shut_down(immediate);
    }

    /// Whether the queue is shut down.
    pub fn is_shut_down(&self) -> bool {
        self.0.is_shut_down()
    }

    /// How many items can be got at once: those that are promised to somebody who waits do not count. As `Queue.qsize()` in asyncio,
    /// where those count. With several threads it may be past when it is returned.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing that can be got at once. As `Queue.empty()` in asyncio; see [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room for an item, but what is promised to somebody who waits. As `Queue.full()` in asyncio; see
    /// [`len`](Self::len).
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// The bound, if there is one. As `Queue.maxsize` in asyncio, where `0` says that there is none.
    pub fn maxsize(&self) -> Option<usize> {
        self.0.bound().map(|bound| bound as usize)
    }
}

impl<T> Deref for LifoQueue<T> {
    type Target = Queue<T, Lifo>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Ord> Deref for PriorityQueue<T> {
    type Target = Queue<T, Priority>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T, O: Order<T>> Clone for Queue<T, O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for LifoQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Ord> Clone for PriorityQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Default for LifoQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord> Default for PriorityQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, O: Order<T>> fmt::Debug for Queue<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(f, "Queue")
    }
}

impl<T> fmt::Debug for LifoQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.debug(f, "LifoQueue")
    }
}

impl<T: Ord> fmt::Debug for PriorityQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.debug(f, "PriorityQueue")
    }
}
