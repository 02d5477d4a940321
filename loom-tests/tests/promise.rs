//! `aioli_sync::Promise`: who completes it, who waits, and whose callbacks are called by whom.
//!
//! Each model says on which change of the code it was seen to fail.
#![cfg(loom)]

mod common;

use aioli_sync::{Promise, PromiseError};
use common::{
    block_on::{block_on, poll_once},
    model_with,
};
use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use std::future::IntoFuture;

/// One thread gives a result, one cancels, and one adds a callback, gives up one wait and waits again. One of the
/// first two succeeds, the waiter sees what that one did, and the callback is called once.
///
/// Fails when a waiter looks at the outcome and takes its place in two critical sections (it sleeps for ever), when
/// whether the promise is pending is looked at in an earlier critical section than the one that completes it (both
/// succeed), when the value is put in its place after the outcome (the waiter finds none), and when a waiter that is
/// dropped does not leave the list.
#[test]
fn promise_set_x_await_x_cancel() {
    model_with(3, || {
        let promise = Promise::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let setter = {
            let promise = promise.clone();
            thread::spawn(move || promise.set_result(7).is_ok())
        };
        let canceller = {
            let promise = promise.clone();
            thread::spawn(move || promise.cancel())
        };
        promise.add_done_callback({
            let calls = calls.clone();
            move |_| {
                calls.fetch_add(1, Relaxed);
            }
        });
        let mut given_up = Box::pin((&promise).into_future());
        let _ = poll_once(given_up.as_mut());
        drop(given_up);
        let outcome = block_on((&promise).into_future());
        let (set, cancelled) = (setter.join().unwrap(), canceller.join().unwrap());
        match outcome {
            Ok(value) => assert!(value == 7 && set && !cancelled),
            Err(PromiseError::Cancelled) => assert!(cancelled && !set),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(calls.load(Relaxed), 1);
    });
}

/// A promise that has a callback is completed while two threads add more, one of them two. Each is called once, and
/// those of one thread in their order.
///
/// Fails when the caller steps down in a later critical section than the one in which it found nothing (a callback is
/// never called), when it steps down as it takes one, and when a callback that is added late is called at once with
/// no look at whether there is a caller (both: the order).
#[test]
fn complete_x_add_callback_x_add_callback() {
    model_with(3, || {
        let promise = Promise::new();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let add = |promise: &Promise<()>, name| {
            let calls = calls.clone();
            promise.add_done_callback(move |_| calls.lock().unwrap().push(name));
        };
        add(&promise, 'a');
        let completer = {
            let promise = promise.clone();
            thread::spawn(move || promise.set_result(()).unwrap())
        };
        let adder = {
            let (promise, calls) = (promise.clone(), calls.clone());
            thread::spawn(move || {
                promise.add_done_callback(move |_| calls.lock().unwrap().push('x'));
            })
        };
        add(&promise, 'b');
        add(&promise, 'c');
        completer.join().unwrap();
        adder.join().unwrap();
        let mut calls = calls.lock().unwrap().clone();
        let x = calls.iter().position(|name| *name == 'x').unwrap();
        calls.remove(x);
        assert_eq!(calls, ['a', 'b', 'c']);
    });
}
