//! The synchronization primitives that are compared: what each runtime's own documentation recommends for the purpose.
//!
//! A peer brings its own types; here are the operations that the workloads need of them. None of them fails in a workload.

use std::future::Future;
use std::ops::DerefMut;

use super::Peer;

/// A runtime with locks, semaphores, queues, events and barriers.
pub trait SyncPeer: Peer {
    /// A lock around a number.
    type Lock: Send + Sync + 'static;
    /// A semaphore.
    type Semaphore: Send + Sync + 'static;
    /// Where numbers are put into a bounded queue.
    type Sender: Clone + Send + Sync + 'static;
    /// Where they are got from it.
    type Receiver: Send + 'static;
    /// What wakes all who wait for it.
    type Event: Send + Sync + 'static;
    /// Where tasks wait until all have come.
    type Barrier: Send + Sync + 'static;

    /// A lock around zero.
    fn new_lock() -> Self::Lock;

    /// Locks, until what this gives is dropped.
    fn lock(lock: &Self::Lock) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send;

    /// A semaphore with so many permits.
    fn new_semaphore(permits: usize) -> Self::Semaphore;

    /// Takes a permit, until what this gives is dropped.
    fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output: Send> + Send;

    /// A queue that holds so many numbers.
    fn new_queue(capacity: usize) -> (Self::Sender, Self::Receiver);

    /// Puts a number into the queue, once there is room.
    fn send(sender: &Self::Sender, number: usize) -> impl Future<Output = ()> + Send;

    /// Gets a number out of the queue, once there is one.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = usize> + Send;

    /// An event.
    fn new_event() -> Self::Event;

    /// Waits for a broadcast. Calls `in_line` when none will be missed from then on.
    fn wait(event: &Self::Event, in_line: impl FnOnce() + Send) -> impl Future<Output = ()> + Send;

    /// Wakes all who wait.
    fn broadcast(event: &Self::Event);

    /// A barrier for so many tasks.
    fn new_barrier(parties: usize) -> Self::Barrier;

    /// Waits until all have come.
    fn arrive(barrier: &Self::Barrier) -> impl Future<Output = ()> + Send;
}
