//! Threads.

use crate::harness::{ValueError, conforms, say, secs};
use aioli::{
    ContextVar, EventLoop, TimeoutError, catch_cancelled, create_task, gather, run_coroutine_threadsafe, sleep,
    to_thread,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// run_coroutine_threadsafe and call_soon_threadsafe: other threads drive the loop and block for the outcome.
#[test]
fn threadsafe_submit() {
    async fn work(seconds: f64, fail: bool) -> Result<&'static str, ValueError> {
        sleep(secs(seconds)).await;
        if fail {
            return Err(ValueError("boom"));
        }
        Ok("result")
    }

    async fn slow() {
        if let Err(cancelled) = catch_cancelled(sleep(secs(1.0))).await {
            say!("coroutine: cancelled");
            cancelled.resume().await;
        }
    }

    fn outside(event_loop: &EventLoop, main_thread: thread::ThreadId) {
        say!("thread: own thread {}", thread::current().id() != main_thread);
        let mut future = run_coroutine_threadsafe(work(0.02, false), event_loop);
        say!("thread: got {}", future.result(None).unwrap().unwrap().unwrap());
        let mut future = run_coroutine_threadsafe(work(0.02, true), event_loop);
        if let Err(error) = future.result(None).unwrap().unwrap() {
            say!("thread: error {error}");
        }
        let mut future = run_coroutine_threadsafe(slow(), event_loop);
        if let Err(TimeoutError) = future.result(Some(secs(0.05))) {
            say!("thread: TimeoutError, done {}", future.is_finished());
        }
        let accepted = future.cancel();
        thread::sleep(secs(0.03));
        say!("thread: cancel {accepted} cancelled {}", future.is_cancelled());
        event_loop.call_soon(|| say!("loop: callback from the thread"));
    }

    async fn main() {
        let event_loop = EventLoop::current();
        let main_thread = thread::current().id();
        to_thread(move || outside(&event_loop, main_thread)).await.unwrap();
        sleep(secs(0.03)).await;
        say!("main: end");
    }

    conforms("threadsafe_submit", main);
}

/// to_thread: blocking calls run off the loop, in parallel, with result, error and a copy of the context.
#[test]
fn to_thread_basic() {
    static USER: ContextVar<&str> = ContextVar::new(|| "nobody");

    fn blocking(seconds: f64, name: &str, main_thread: thread::ThreadId) -> String {
        thread::sleep(secs(seconds));
        let own = thread::current().id() != main_thread;
        format!("{name} for {}, own thread {own}", USER.get())
    }

    fn fails() -> Result<(), ValueError> {
        Err(ValueError("from thread"))
    }

    fn changes() -> &'static str {
        USER.set("changed");
        USER.get()
    }

    async fn main() {
        USER.set("ann");
        let ticks = Arc::new(AtomicUsize::new(0));

        let tick = {
            let ticks = ticks.clone();
            async move {
                loop {
                    ticks.fetch_add(1, Relaxed);
                    sleep(secs(0.01)).await;
                }
            }
        };

        let ticker = create_task(tick);
        let main_thread = thread::current().id();
        let calls = ["a", "b"].map(|name| to_thread(move || blocking(0.06, name, main_thread)));
        for line in gather(calls).await.unwrap() {
            say!("{}", line.unwrap());
        }
        say!("the loop kept running {}", ticks.load(Relaxed) > 1);
        ticker.cancel();
        if let Err(error) = to_thread(fails).await.unwrap() {
            say!("error: {error}");
        }
        say!(
            "in thread {} - in task still {}",
            to_thread(changes).await.unwrap(),
            USER.get()
        );
        let event_loop = EventLoop::current();
        let max = event_loop.run_in_executor(None, || [3, 7, 5].into_iter().max());
        say!("run_in_executor {}", max.await.unwrap().unwrap());
    }

    conforms("to_thread_basic", main);
}
