//! A join and the tree of scopes around it: the task that is joined completes, the one that joins is cancelled, and its tree grows,
//! under every interleaving of the threads that take part.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_executor::{CancelledError, catch_cancelled, task::JoinError};
use common::{Queue, bounded_model, once, outcome};
use loom::thread;
use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::Poll,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Child {
    Ends,
    Swallows,
}

/// A parent awaits a child, which completes on one thread while the parent is cancelled on another. The parent has the child's
/// value, or is cancelled, and is not over before the child is.
fn cancel_x_complete_x_join(kind: Child, grown: bool) {
    bounded_model(move || {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(async move {
            match kind {
                Child::Ends => once().await,
                Child::Swallows => catch_cancelled(once()).await.unwrap_or_else(CancelledError::swallow),
            }
        });
        let child_name = child.task_ref();
        *parents.first.lock().unwrap() = Some(child_name.clone());
        let parent = parents.spawn(async move { child.await.unwrap() });
        if grown {
            parent.set_name("parent");
        }
        parents.work();
        if kind == Child::Swallows {
            // So far that its catcher is open.
            children.turn();
        }
        let completing = {
            let children = children.clone();
            thread::spawn(move || children.work())
        };
        let cancelling = {
            let name = parent.task_ref();
            thread::spawn(move || name.cancel())
        };
        parents.work();
        completing.join().unwrap();
        let accepted = cancelling.join().unwrap();
        children.work();
        parents.work();
        match outcome(parent) {
            Ok(()) => assert!(!child_name.is_cancelled()),
            Err(JoinError::Cancelled) => {
                assert!(accepted, "nobody else cancels it");
                assert_eq!(
                    child_name.is_cancelled(),
                    child_name.cancelling() == 1 && kind == Child::Ends
                );
                assert!(
                    kind == Child::Ends || child_name.cancelling() == 0,
                    "it was passed on, and swallowed"
                );
            }
            Err(error) => panic!("{error}"),
        }
        drop((child_name, parents.first.lock().unwrap().take()));
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// Fails when a join forgets what it has passed on (the parent goes on with the error), when a join's node is not freed, and
/// when it is freed where it is still planted.
#[test]
fn cancel_x_complete_x_join_in_a_sole_tree() {
    cancel_x_complete_x_join(Child::Ends, false);
}

/// Fails when a join forgets what it has passed on.
#[test]
fn cancel_x_complete_x_join_in_a_grown_tree() {
    cancel_x_complete_x_join(Child::Ends, true);
}

/// Fails when the runner does not ask the tree who takes the request, and when the tree that grows for it does not inherit
/// the node that was planted (both: the parent is cancelled, though its child has swallowed the request).
#[test]
fn cancel_x_swallow_x_join() {
    cancel_x_complete_x_join(Child::Swallows, false);
}

/// A join opens and closes, as the only thing in its task's tree, while another thread gives the task a name and so has the tree
/// grow, and a third one completes what is joined.
///
/// Fails when `extras_or_new` tries again with what it saw first, when it does not release or `tree` does not acquire, when a
/// join's node is not freed, and when it is freed where it is still planted.
#[test]
fn join_opens_x_tree_grows() {
    bounded_model(|| {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(once());
        let parent = parents.spawn(async move {
            child.await.unwrap();
            // A node of the next tree is where that of the one before was.
            once().await;
        });
        let naming = {
            let name = parent.task_ref();
            thread::spawn(move || name.set_name("parent"))
        };
        let completing = {
            let children = children.clone();
            thread::spawn(move || children.work())
        };
        parents.work();
        naming.join().unwrap();
        completing.join().unwrap();
        parents.work();
        assert_eq!(*parent.name(), *"parent");
        outcome(parent).unwrap();
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// A join that is pending, and the only thing in its task's tree, is dropped while another thread gives the task a name and so has
/// the tree grow.
///
/// Fails when `unlink` takes a failed `unplant` for success, or does not try it, when `extras_or_new` tries again with what it saw
/// first (all: a node that was freed is used).
#[test]
fn join_is_dropped_x_tree_grows() {
    bounded_model(|| {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(pending::<()>());
        let parent = parents.spawn(async move {
            let mut join = child.join();
            poll_fn(|cx| {
                assert!(Pin::new(&mut join).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        });
        let naming = {
            let name = parent.task_ref();
            thread::spawn(move || name.set_name("parent"))
        };
        parents.work();
        naming.join().unwrap();
        children.work();
        parents.work();
        assert_eq!(*parent.name(), *"parent");
        outcome(parent).unwrap();
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// A join has opened and closed, as the only thing in its task's tree, and the task ends; another thread lets go of the task, and has
/// its tree grow if it finds it over. The end of the task frees its node.
///
/// Fails when the end of the task does not free the node.
#[test]
fn task_ends_x_task_is_freed() {
    bounded_model(|| {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(once());
        let parent = parents.spawn(async move { child.await.unwrap() });
        parents.work();
        children.work();
        let naming = {
            let name = parent.task_ref();
            thread::spawn(move || {
                if name.is_finished() {
                    name.set_name("parent");
                }
            })
        };
        parents.work();
        outcome(parent).unwrap();
        naming.join().unwrap();
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}

/// A task is cancelled as it opens a join, which is the first thing in its tree: its child swallows the request, or the task never
/// starts.
///
/// Fails when the runner takes the node for one that its future has left, without a look (the parent is cancelled, though its child
/// has swallowed the request).
#[test]
fn cancel_x_join_opens() {
    bounded_model(|| {
        let (parents, children) = (Queue::new(), Queue::new());
        let child = children.spawn(async { catch_cancelled(once()).await.unwrap_or_else(CancelledError::swallow) });
        let child_name = child.task_ref();
        let parent = parents.spawn(async move { child.await.unwrap() });
        // So far that its catcher is open.
        children.turn();
        let cancelling = {
            let name = parent.task_ref();
            thread::spawn(move || assert!(name.cancel()))
        };
        parents.work();
        cancelling.join().unwrap();
        parents.work();
        children.work();
        parents.work();
        match outcome(parent) {
            Ok(()) => assert_eq!(child_name.cancelling(), 1),
            Err(error) => assert!(error.is_cancelled() && child_name.cancelling() == 0),
        }
        drop(child_name);
        assert_eq!(parents.cells() + children.cells(), 0);
    });
}
