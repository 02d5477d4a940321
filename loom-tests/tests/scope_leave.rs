//! Futures that leave the task in whose tree of scopes they are, to be dropped or polled elsewhere, under every interleaving of
//! the threads that take part.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_executor::{CancelledError, catch_cancelled};
use common::{Parcel, Queue, Signal, bounded_model, model_with, outcome, parcel, take};
use loom::thread;
use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Polls a future once, with a task's waker, and sends it away half done.
async fn poll_and_send<F: Future<Output: Sized> + Unpin>(mut future: F, to: Parcel<F>) {
    poll_fn(|cx| {
        assert!(Pin::new(&mut future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    *to.lock().unwrap() = Some(future);
}

type Catch = Pin<Box<dyn Future<Output = Result<(), CancelledError>> + Send>>;

/// A catcher that a task has polled is sent away and dropped on another thread while the task is cancelled: the request finds the
/// catcher, or goes on without it, and the task ends.
///
/// Fails when the future wakes the task before its node is `GONE`, or not at all, when it does not say that it has left, when that is
/// said or heard with a `Relaxed` ordering, when what came to the node does not go on (all: the task sleeps for ever), and
/// when the node is not freed.
#[test]
fn moved_catch_is_dropped_x_cancel() {
    bounded_model(|| {
        let queue = Queue::new();
        let moved = parcel::<Catch>();
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send::<Catch>(Box::pin(catch_cancelled(pending())), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        assert!(task.cancel());
        queue.work();
        dropping.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}

/// A catcher that a task has polled is sent away and dropped on another thread while the task ends and, as nobody has a handle to
/// it, is freed.
///
/// Fails when the future refers to the task after its node is `GONE` and not while it is `BUSY`, when the tree leaves the
/// node as `HOMELESS` without a look at whether it is `GONE`, when either side does not free it, and when `disengage`
/// does not release.
#[test]
fn moved_catch_is_dropped_x_end() {
    bounded_model(|| {
        let queue = Queue::new();
        let (moved, go) = (parcel::<Catch>(), Signal::new());
        let task = queue.spawn({
            let (moved, go) = (moved.clone(), go.clone());
            async move {
                poll_and_send::<Catch>(Box::pin(catch_cancelled(pending())), moved).await;
                go.wait().await;
            }
        });
        queue.work();
        task.detach();
        let dropping = thread::spawn(move || drop(take(&moved)));
        go.set();
        queue.work();
        dropping.join().unwrap();
        queue.work();
        assert_eq!(queue.cells(), 0);
    });
}

/// A catcher that a task has polled goes on in another one, and both are cancelled: the first one ends, whether the request found the
/// catcher or not; the other one catches its own request, once.
///
/// Fails when the future wakes the task before its node is `GONE`, when that it has left is said or heard with a `Relaxed`
/// ordering, when what came to the node does not go on, and when the node is not freed.
#[test]
fn moved_catch_is_polled_x_cancel() {
    bounded_model(|| {
        let (queue, elsewhere) = (Queue::new(), Queue::new());
        let moved = parcel::<Catch>();
        let first = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send::<Catch>(Box::pin(catch_cancelled(pending())), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let moved = take(&moved).unwrap();
        let second = elsewhere.spawn(async move { moved.await.unwrap_err().swallow() });
        let polling = {
            let elsewhere = elsewhere.clone();
            thread::spawn(move || elsewhere.work())
        };
        assert!(first.cancel());
        queue.work();
        polling.join().unwrap();
        queue.work();
        assert!(outcome(first).unwrap_err().is_cancelled());
        assert!(second.cancel());
        elsewhere.work();
        outcome(second).unwrap();
        assert_eq!(queue.cells() + elsewhere.cells(), 0);
    });
}

/// A join that a task has polled is sent away and dropped on another thread while the task is cancelled: either of the two cancels
/// the one that is joined, and all of them end.
///
/// Fails when the future wakes the task before its node is `GONE`, or not at all, when it does not say that it has left, when `disengage`
/// does not release (all: the task sleeps for ever), when the tree leaves the node as `HOMELESS` without a look at whether
/// it is `GONE`, and when it does not free it.
#[test]
fn moved_join_is_dropped_x_cancel() {
    bounded_model(|| {
        let (queue, children) = (Queue::new(), Queue::new());
        let moved = parcel();
        let child = children.spawn(pending::<()>());
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send(child.join(), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        assert!(task.cancel());
        queue.work();
        dropping.join().unwrap();
        children.work();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// As before, but the task that is joined has its turn before the one that polled the join.
///
/// Fails when the join lets go of the task before it leaves the tree, when the tree looks at the task without making the node `BUSY`
/// (both: a task that was freed is used), when the tree leaves the node as `HOMELESS` without a look at whether it is
/// `GONE`, when `disengage` does not release, and when the node is not freed.
#[test]
fn moved_join_is_dropped_x_complete_x_cancel() {
    bounded_model(|| {
        let (queue, children) = (Queue::new(), Queue::new());
        let moved = parcel();
        let child = children.spawn(async {});
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send(child.join(), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        assert!(task.cancel());
        children.work();
        queue.work();
        dropping.join().unwrap();
        children.work();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// A join that a task has polled gives its outcome on another thread, which has run the task that it waited for and frees it, while
/// the one that polled it first is cancelled.
///
/// Fails when the join lets go of the task before it leaves the tree, when the tree looks at the task, or cancels it, without
/// making the node `BUSY` (all: a task that was freed is used), when `disengage` does not release, and when the node is not freed.
#[test]
fn moved_join_is_ready_x_cancel() {
    model_with(1, || {
        let (queue, children) = (Queue::new(), Queue::new());
        let moved = parcel();
        let child = children.spawn(async {});
        let task = queue.spawn({
            let moved = moved.clone();
            async move {
                poll_and_send(child.join(), moved).await;
                pending::<()>().await;
            }
        });
        queue.work();
        let mut moved = take(&moved).unwrap();
        let polling = {
            let children = children.clone();
            thread::spawn(move || {
                children.turn();
                let polled = Pin::new(&mut moved).poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_ready());
            })
        };
        assert!(task.cancel());
        queue.turn();
        polling.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// A join that a task has polled, and that is the only thing in its tree, is sent away and dropped on another thread while the task
/// ends and, as nobody has a handle to it, is freed.
///
/// Fails when the end of the task takes the node for one that its future has left, without a look (it is freed, and left after that),
/// and when it does not free one that was left.
#[test]
fn moved_join_is_dropped_x_end() {
    bounded_model(|| {
        let (queue, children) = (Queue::new(), Queue::new());
        let (moved, go) = (parcel(), Signal::new());
        let child = children.spawn(async {});
        let task = queue.spawn({
            let (moved, go) = (moved.clone(), go.clone());
            async move {
                poll_and_send(child.join(), moved).await;
                go.wait().await;
            }
        });
        queue.work();
        // Or the child's waker would keep the task until the join is dropped.
        children.work();
        queue.work();
        task.detach();
        let dropping = thread::spawn(move || drop(take(&moved)));
        go.set();
        queue.work();
        dropping.join().unwrap();
        queue.work();
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}

/// A join that a task has polled, and that is the only thing in its tree, is sent away and dropped on another thread while the task
/// opens the next one, which has the node if the first one has left it.
///
/// Fails when the next join takes the node without a look whether the first one has left it (two futures leave it).
#[test]
fn moved_join_is_dropped_x_join_opens() {
    bounded_model(|| {
        let (queue, children) = (Queue::new(), Queue::new());
        let (moved, go) = (parcel(), Signal::new());
        let (child, next) = (children.spawn(pending::<()>()), children.spawn(async {}));
        let task = queue.spawn({
            let (moved, go) = (moved.clone(), go.clone());
            async move {
                poll_and_send(child.join(), moved).await;
                go.wait().await;
                next.await.unwrap();
            }
        });
        queue.work();
        let dropping = thread::spawn(move || drop(take(&moved)));
        go.set();
        queue.work();
        dropping.join().unwrap();
        children.work();
        queue.work();
        outcome(task).unwrap();
        assert_eq!(queue.cells() + children.cells(), 0);
    });
}
