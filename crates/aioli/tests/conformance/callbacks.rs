//! Promises (asyncio's futures), callbacks, timers, the exception handler.

use crate::harness::{ValueError, conforms, say, secs};
use aioli::{EventLoop, InvalidStateError, Promise, PromiseError, UnhandledError, create_task, sleep};
use std::fmt::Display;

/// Timers fire by deadline, not by order of creation; a cancelled one never fires; past deadlines fire soon.
#[test]
fn call_later_order() {
    async fn main() {
        let event_loop = EventLoop::current();
        let start = event_loop.time();
        let done = event_loop.create_promise::<&str>();

        let set_result = done.clone();
        event_loop.call_later(secs(0.06), move || set_result.set_result("sixty").unwrap());
        event_loop.call_later(secs(0.04), || say!("forty"));
        let handle = event_loop.call_at(start + secs(0.03), || say!("not printed"));
        event_loop.call_at(start + secs(0.02), || say!("twenty"));
        event_loop.call_at(start - secs(1.0), || say!("past deadline"));
        event_loop.call_later(secs(0.0), || say!("zero delay"));
        let cancel = handle.clone();
        event_loop.call_later(secs(0.05), move || cancel.cancel());
        let cancel = handle.clone();
        event_loop.call_later(secs(0.01), move || cancel.cancel());
        say!("scheduled, when is right {}", handle.when() == Some(start + secs(0.03)));
        say!("result {}", done.await.unwrap());
        say!(
            "cancelled {} waited long enough {}",
            handle.is_cancelled(),
            event_loop.time() - start > secs(0.055)
        );
    }

    conforms("call_later_order", main);
}

/// call_soon and ready tasks share one FIFO; a callback scheduled by a callback runs in the next round.
#[test]
fn call_soon_order() {
    async fn ticker(name: &'static str) {
        for turn in [1, 2, 3] {
            say!("{name} {turn}");
            sleep(secs(0.0)).await;
        }
    }

    async fn main() {
        let event_loop = EventLoop::current();

        let first = {
            let event_loop = event_loop.clone();
            move || {
                say!("first");
                event_loop.call_soon(|| say!("nested"));
            }
        };

        event_loop.call_soon(first);
        let handle = event_loop.call_soon(|| say!("not printed"));
        event_loop.call_soon(|| say!("second"));
        handle.cancel();
        say!("scheduled, handle cancelled {}", handle.is_cancelled());
        sleep(secs(0.0)).await;
        say!("main after one turn");
        sleep(secs(0.0)).await;
        say!("main after two turns");

        let a = create_task(ticker("a"));
        event_loop.call_soon(|| say!("callback between a and b"));
        let b = create_task(ticker("b"));
        a.await.unwrap();
        b.await.unwrap();
    }

    conforms("call_soon_order", main);
}

/// An error in a callback goes to the loop's exception handler and the loop keeps running.
#[test]
fn exception_handler() {
    fn explode(text: &'static str) {
        say!("callback {text} raises");
        panic!("{text}");
    }

    async fn main() {
        let event_loop = EventLoop::current();
        say!("default handler {:?}", event_loop.exception_handler());
        event_loop.set_exception_handler(|context| say!("handler got {}", context.message()));
        say!("installed {}", event_loop.exception_handler().is_some());

        event_loop.call_soon(|| explode("soon"));
        event_loop.call_soon(|| say!("the next callback still runs"));
        sleep(secs(0.0)).await;

        event_loop.call_later(secs(0.01), || explode("timer"));
        sleep(secs(0.03)).await;

        let promise = event_loop.create_promise::<()>();
        promise.add_done_callback(|_| explode("done-callback"));
        promise.add_done_callback(|_| say!("second done-callback runs"));
        promise.set_result(()).unwrap();
        sleep(secs(0.01)).await;

        event_loop.call_exception_handler(UnhandledError::error("by hand"));
        say!("main ends");
    }

    conforms("exception_handler", main);
}

/// Future done-callbacks: run soon, never inline, in the order added; removable; added late they still run soon.
#[test]
fn future_callbacks() {
    async fn main() {
        let promise = EventLoop::current().create_promise::<&str>();

        fn show(name: &'static str) -> impl FnOnce(&Promise<&'static str>) {
            move |promise| say!("callback {name} result {}", promise.result().unwrap())
        }

        // Callbacks have no identity but the one that adding them gives.
        promise.add_done_callback(show("one"));
        let dropped = promise.add_done_callback(show("dropped"));
        promise.add_done_callback(show("two"));
        let dropped_too = promise.add_done_callback(show("dropped"));
        let removed = [dropped, dropped_too].map(|id| promise.remove_done_callback(id));
        say!("removed {}", removed.map(usize::from).iter().sum::<usize>());
        promise.set_result("R").unwrap();
        say!("set_result returned, no callback ran yet");
        sleep(secs(0.0)).await;
        say!("one turn later");

        promise.add_done_callback(show("late"));
        say!("late one is not called inline");
        sleep(secs(0.0)).await;

        let other = EventLoop::current().create_promise::<()>();
        other.add_done_callback(|other| say!("callback on cancel {}", other.is_cancelled()));
        other.cancel();
        say!("cancel returned");
        sleep(secs(0.0)).await;
        say!("end");
    }

    conforms("future_callbacks", main);
}

/// Future: pending, result, exception, cancelled; each state can be set once; reading too early is an error.
#[test]
fn future_states() {
    fn attempt(what: &str, outcome: Result<impl Display, PromiseError>) {
        match outcome {
            Ok(value) => say!("{what} {value}"),
            Err(PromiseError::InvalidState(_)) => say!("{what} InvalidStateError"),
            Err(PromiseError::Cancelled) => say!("{what} CancelledError"),
            Err(PromiseError::Exception(error)) => {
                assert!(error.is::<ValueError>());
                say!("{what} ValueError {error}");
            }
        }
    }

    /// Rust has no `None` that prints itself.
    fn or_none(value: Option<impl Display>) -> String {
        value.map_or("None".to_owned(), |value| value.to_string())
    }

    /// Setting gives the value back with its error.
    fn set<V>(outcome: Result<(), InvalidStateError<V>>) -> Result<&'static str, PromiseError> {
        outcome
            .map(|()| "None")
            .map_err(|_| PromiseError::InvalidState(InvalidStateError::new("done already")))
    }

    async fn main() {
        let event_loop = EventLoop::current();
        let [ok, bad, gone] = [(); 3].map(|()| event_loop.create_promise::<u32>());
        attempt("pending result:", ok.result());
        attempt("pending exception:", ok.exception().map(or_none));
        ok.set_result(1).unwrap();
        bad.set_exception(ValueError("broken")).unwrap();
        attempt("cancel pending:", Ok(gone.cancel()));
        for (name, promise) in [("ok", ok), ("bad", bad), ("gone", gone)] {
            say!("{name} done {} cancelled {}", promise.is_done(), promise.is_cancelled());
            attempt(&format!("{name} result:"), promise.result());
            attempt(&format!("{name} exception:"), promise.exception().map(or_none));
            attempt(&format!("{name} set_result:"), set(promise.set_result(2)));
            attempt(
                &format!("{name} set_exception:"),
                set(promise.set_exception(ValueError("again"))),
            );
            attempt(&format!("{name} cancel:"), Ok(promise.cancel()));
        }

        let later = event_loop.create_promise::<&str>();
        let set_result = later.clone();
        event_loop.call_later(secs(0.02), move || set_result.set_result("value").unwrap());
        say!("awaited {}", (&later).await.unwrap());
        say!("awaited again {}", (&later).await.unwrap());
    }

    conforms("future_states", main);
}
