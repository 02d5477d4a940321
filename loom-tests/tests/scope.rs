//! Scopes: a request and those that may take it, work that is done all the same, and tokens that are let go elsewhere, under every
//! interleaving of the threads that take part.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_executor::{CancelledError, Scoped, catch_cancelled, defer};
use common::{Parcel, Queue, Signal, bounded_model, model_with, once, outcome, parcel, take};
use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};
use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::{Arc as StdArc, Mutex as StdMutex},
    task::{Context, Poll, Wake, Waker, ready},
};

/// A task that waits in a catcher is cancelled while another thread gives it what it waits for. Wherever the request meets it, one
/// catcher takes it, once, and the task ends.
///
/// Fails when the runner does not take the request out of the state word (it is caught again), when `request` does not
/// set `SCHEDULED`, when `pend` ignores it (the request is lost), and when the runner does not ask the tree who takes it.
#[test]
fn cancel_x_catch() {
    bounded_model(|| {
        let queue = Queue::new();
        let signal = Signal::new();
        let task = queue.spawn({
            let signal = signal.clone();
            async move {
                let first = catch_cancelled(signal.wait()).await;
                let there_in_time = first.is_ok();
                let caught = match first {
                    Ok(()) => catch_cancelled(pending::<()>()).await.unwrap_err(),
                    Err(caught) => caught,
                };
                caught.swallow();
                catch_cancelled(once()).await.expect("one request is caught once");
                there_in_time
            }
        });
        queue.work();
        let signalling = thread::spawn(move || signal.set());
        let cancelling = {
            let name = task.task_ref();
            thread::spawn(move || assert!(name.cancel()))
        };
        queue.work();
        signalling.join().unwrap();
        cancelling.join().unwrap();
        queue.work();
        assert_eq!(task.cancelling(), 1);
        outcome(task).unwrap();
        assert_eq!(queue.cells(), 0);
    });
}

/// A task is cancelled, and cancelled again, while work that it deferred is pending and being woken. The work is finished in peace
/// before the task is over.
///
/// Fails when a turn ends the task although work is left, when a request gives the work up, when `request` does not
/// set `SCHEDULED`, and when `pend` ignores it.
#[test]
fn cancel_x_deferred_work() {
    /// Must not be dropped before the work is done.
    struct Done(StdArc<StdMutex<bool>>);
    impl Drop for Done {
        fn drop(&mut self) {
            assert!(*self.0.lock().unwrap(), "the work was interrupted");
        }
    }
    bounded_model(|| {
        let queue = Queue::new();
        let signal = Signal::new();
        let done = StdArc::new(StdMutex::new(false));
        let task = queue.spawn({
            let (signal, done) = (signal.clone(), Done(done.clone()));
            async move {
                drop(defer(async move {
                    signal.wait().await;
                    *done.0.lock().unwrap() = true;
                }));
                pending::<()>().await;
            }
        });
        queue.work();
        let signalling = thread::spawn(move || signal.set());
        let cancelling = {
            let name = task.task_ref();
            thread::spawn(move || {
                assert!(name.cancel());
                // Of no use, or too late; it is over when the first one has been seen to.
                name.cancel();
            })
        };
        queue.work();
        signalling.join().unwrap();
        cancelling.join().unwrap();
        queue.work();
        assert!(*done.lock().unwrap());
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}

/// Two catchers of one task have taken a request. One has sent its token to another thread, where it is let go, while the other
/// one resumes: the task ends after both, and sees what was done before the token was let go.
fn token_elsewhere_x_unwind(let_go: fn(CancelledError)) {
    bounded_model(move || {
        /// Looks, as the task is dropped, at what was done elsewhere.
        struct Look(Arc<AtomicBool>);
        impl Drop for Look {
            fn drop(&mut self) {
                // Relaxed: only the token may order it.
                assert!(self.0.load(Relaxed));
            }
        }
        let queue = Queue::new();
        let (signal, sent) = (Signal::new(), parcel());
        let cleaned = Arc::new(AtomicBool::new(false));
        let task = queue.spawn({
            let (signal, sent, look) = (signal.clone(), sent.clone(), Look(cleaned.clone()));
            async move {
                let _look = look;
                let mut sends = pin!(async {
                    let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                    *sent.lock().unwrap() = Some(token);
                    pending::<()>().await;
                });
                let mut resumes = pin!(async {
                    let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                    signal.wait().await;
                    token.resume().await;
                });
                poll_fn(|cx| {
                    let _ = sends.as_mut().poll(cx);
                    ready!(resumes.as_mut().poll(cx));
                    Poll::Ready(())
                })
                .await;
            }
        });
        queue.work();
        assert!(task.cancel());
        queue.work();
        let token = take(&sent).unwrap();
        let elsewhere = thread::spawn(move || {
            cleaned.store(true, Relaxed);
            let_go(token);
        });
        signal.set();
        queue.work();
        elsewhere.join().unwrap();
        queue.work();
        assert!(outcome(task).unwrap_err().is_cancelled());
        assert_eq!(queue.cells(), 0);
    });
}

/// Fails when neither the token nor its place in the tree wakes anybody, when a token does not hold the scope or does not release it,
/// when the scope does not look whether it is held, and when the release or the look is `Relaxed`.
#[test]
fn token_dropped_elsewhere_x_unwind() {
    token_elsewhere_x_unwind(drop);
}

/// Fails when neither the token nor its place in the tree wakes anybody, when a token does not hold the scope or does not release it,
/// when the scope does not look whether it is held, and when the release or the look is `Relaxed`.
#[test]
fn token_swallowed_elsewhere_x_unwind() {
    token_elsewhere_x_unwind(CancelledError::swallow);
}

/// A scope that has been cancelled has moved to another task, and the task where its token was taken is over. The token is dropped on
/// another thread while the scope is polled: it unwinds.
///
/// Fails when a token is let go without a wake, or with the waker that was there before, and when it does not release the scope. (In the
/// models above its place in the tree wakes the task as well.)
#[test]
fn token_dropped_elsewhere_x_scope_moved() {
    bounded_model(|| {
        let queue = Queue::new();
        let sent = parcel();
        let moved: Parcel<Pin<Box<dyn Future<Output = Option<()>> + Send>>> = parcel();
        let first = queue.spawn({
            let (sent, moved) = (sent.clone(), moved.clone());
            async move {
                let mut scope = Box::pin(Scoped::new(async move {
                    let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                    *sent.lock().unwrap() = Some(token);
                    pending::<()>().await;
                }));
                poll_fn(|cx| {
                    assert!(scope.as_mut().poll(cx).is_pending());
                    scope.as_mut().cancel(cx);
                    assert!(scope.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                *moved.lock().unwrap() = Some(scope);
            }
        });
        queue.work();
        outcome(first).unwrap();
        let (token, scope) = (take(&sent).unwrap(), take(&moved).unwrap());
        let second = queue.spawn(scope);
        let elsewhere = thread::spawn(move || drop(token));
        queue.work();
        elsewhere.join().unwrap();
        queue.work();
        assert_eq!(outcome(second).unwrap(), None);
        assert_eq!(queue.cells(), 0);
    });
}

/// Polls a future only when that future was woken, as combinators do that know who woke them.
async fn only_when_woken<F: Future>(future: F) -> F::Output {
    struct Woken(AtomicBool, Mutex<Option<Waker>>);
    impl Wake for Woken {
        fn wake(self: StdArc<Self>) {
            // Relaxed: the task's own waker orders it.
            self.0.store(true, Relaxed);
            let task = self.1.lock().unwrap().clone();
            task.expect("it was polled before").wake();
        }
    }
    let woken = StdArc::new(Woken(AtomicBool::new(true), Mutex::new(None)));
    let waker = Waker::from(woken.clone());
    let mut future = pin!(future);
    poll_fn(|cx| {
        *woken.1.lock().unwrap() = Some(cx.waker().clone());
        if woken.0.swap(false, Relaxed) {
            future.as_mut().poll(&mut Context::from_waker(&waker))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Of two catchers inside another one, the first has resumed, and the token of the second one is let go by another thread while the
/// task runs: the outer catcher acts after that, although nobody polls it who is not told to.
///
/// Fails when the outer one does not wait for tokens, when a token that leaves its place elsewhere does not say so to the tree, when the
/// tree that buries its place does not wake those around, and when the runner does not look for places that were left.
#[test]
fn token_swallowed_elsewhere_x_outer_catcher() {
    model_with(2, || {
        let queue = Queue::new();
        let (signal, sent) = (Signal::new(), parcel());
        let let_go = Arc::new(AtomicBool::new(false));
        let task = queue.spawn({
            let (signal, sent, let_go) = (signal.clone(), sent.clone(), let_go.clone());
            async move {
                let both = async {
                    let mut sends = pin!(async {
                        let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                        *sent.lock().unwrap() = Some(token);
                        pending::<()>().await;
                    });
                    let mut resumes = pin!(async {
                        let token = catch_cancelled(pending::<()>()).await.unwrap_err();
                        signal.wait().await;
                        token.resume().await
                    });
                    poll_fn(|cx| {
                        let _ = sends.as_mut().poll(cx);
                        resumes.as_mut().poll(cx)
                    })
                    .await
                };
                let outer = only_when_woken(catch_cancelled(both)).await.unwrap_err();
                // Relaxed: the place of the token orders it.
                assert!(let_go.load(Relaxed), "the outer catcher did not wait");
                outer.swallow();
            }
        });
        queue.work();
        assert!(task.cancel());
        queue.work();
        let token = take(&sent).unwrap();
        let elsewhere = thread::spawn(move || {
            let_go.store(true, Relaxed);
            token.swallow();
        });
        signal.set();
        queue.work();
        elsewhere.join().unwrap();
        queue.work();
        outcome(task).unwrap();
        assert_eq!(queue.cells(), 0);
    });
}
