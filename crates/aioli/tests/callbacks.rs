//! Callbacks: called soon or at a time, in order, one at a time, outside any task, until the loop ends.

mod common;

use aioli::{
    Builder, ContextVar, Event, EventLoop, Handle, Runner, create_task, current_task, defer, gather, sleep, yield_now,
};
use common::{Census, LONG, Log, WORKERS, ms, run};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

fn virtual_runner(workers: usize) -> Runner {
    Builder::new().workers(workers).virtual_time(true).build().unwrap()
}

/// A function that writes a line.
fn line(log: &Log, text: &str) -> impl FnOnce() + Send + 'static {
    let (log, text) = (log.clone(), text.to_owned());
    move || log.add(text)
}

/// Waits until all callbacks that were posted before have been called.
async fn callbacks_are_over(event_loop: &EventLoop) {
    let over = Arc::new(Event::new());
    let set = over.clone();
    event_loop.call_soon(move || set.set());
    over.wait().await;
}

async fn ticker(log: Log, name: &str) {
    for turn in 1..=3 {
        log.add(format!("{name} {turn}"));
        yield_now().await;
    }
}

/// As `call_soon_order.py`, with the lines that CPython printed.
#[test]
fn with_one_worker_callbacks_and_tasks_share_one_queue() {
    let log = Log::default();
    run(1, async {
        let event_loop = EventLoop::current();
        let first = {
            let (event_loop, log) = (event_loop.clone(), log.clone());
            move || {
                log.add("first");
                event_loop.call_soon(line(&log, "nested"));
            }
        };
        event_loop.call_soon(first);
        let handle = event_loop.call_soon(line(&log, "not printed"));
        event_loop.call_soon(line(&log, "second"));
        handle.cancel();
        log.add(format!("scheduled, handle cancelled {}", handle.is_cancelled()));
        yield_now().await;
        log.add("main after one turn");
        yield_now().await;
        log.add("main after two turns");

        let a = create_task(ticker(log.clone(), "a"));
        event_loop.call_soon(line(&log, "callback between a and b"));
        let b = create_task(ticker(log.clone(), "b"));
        a.await.unwrap();
        b.await.unwrap();
    });
    let expected = [
        "scheduled, handle cancelled true",
        "first",
        "second",
        "main after one turn",
        "nested",
        "main after two turns",
        "a 1",
        "callback between a and b",
        "b 1",
        "a 2",
        "b 2",
        "a 3",
        "b 3",
    ];
    assert_eq!(log.lines(), expected);
}

/// As `call_later_order.py`, with the lines that CPython printed.
fn timers_in_order(mut runner: Runner) {
    let log = Log::default();
    let workers = runner.event_loop().workers();
    runner.run(async {
        let event_loop = EventLoop::current();
        let start = event_loop.time();
        let (done, result) = (Arc::new(Event::new()), Arc::new(Mutex::new("")));

        let set_result = {
            let (done, result) = (done.clone(), result.clone());
            move || {
                *result.lock().unwrap() = "sixty";
                done.set();
            }
        };
        event_loop.call_later(ms(60), set_result);
        event_loop.call_later(ms(40), line(&log, "forty"));
        let handle = event_loop.call_at(start + ms(30), line(&log, "not printed"));
        event_loop.call_at(start + ms(20), line(&log, "twenty"));
        event_loop.call_at(start - ms(1000), line(&log, "past deadline"));
        event_loop.call_later(Duration::ZERO, line(&log, "zero delay"));
        event_loop.call_later(ms(50), {
            let handle = handle.clone();
            move || handle.cancel()
        });
        event_loop.call_later(ms(10), {
            let handle = handle.clone();
            move || handle.cancel()
        });
        log.add(format!(
            "scheduled, when is right {}",
            handle.when() == Some(start + ms(30))
        ));
        done.wait().await;
        log.add(format!("result {}", result.lock().unwrap()));
        let waited = event_loop.time() - start > ms(55);
        log.add(format!(
            "cancelled {} waited long enough {waited}",
            handle.is_cancelled()
        ));
    });
    let expected = [
        "scheduled, when is right true",
        "past deadline",
        "zero delay",
        "twenty",
        "forty",
        "result sixty",
        "cancelled true waited long enough true",
    ];
    let mut lines = log.lines();
    if workers > 1 {
        // Another worker may be faster than main with those whose time has come.
        let main = lines.iter().position(|line| line.starts_with("scheduled"));
        let main = lines.remove(main.unwrap());
        lines.insert(0, main);
    }
    assert_eq!(lines, expected);
}

#[test]
fn timers_fire_by_deadline_and_a_cancelled_one_never() {
    for workers in WORKERS {
        timers_in_order(virtual_runner(workers));
    }
    timers_in_order(Builder::new().workers(1).build().unwrap());
}

/// As the part of `exception_handler.py` that is about callbacks.
#[test]
fn a_panic_in_a_callback_goes_to_the_exception_handler_and_the_loop_goes_on() {
    for workers in WORKERS {
        let log = Log::default();
        virtual_runner(workers).run(async {
            let event_loop = EventLoop::current();
            let handler = log.clone();
            event_loop.set_exception_handler(move |error| {
                assert!(error.task_name().is_none(), "a callback is no task");
                handler.add(format!("handler got {}", error.message()));
            });
            let explode = |text: &'static str| {
                let log = log.clone();
                move || {
                    log.add(format!("callback {text} raises"));
                    panic!("{text}");
                }
            };
            event_loop.call_soon(explode("soon"));
            event_loop.call_soon(line(&log, "the next callback still runs"));
            event_loop.call_later(ms(10), explode("timer"));
            sleep(ms(30)).await;
            log.add("main ends");
        });
        let expected = [
            "callback soon raises",
            "handler got soon",
            "the next callback still runs",
            "callback timer raises",
            "handler got timer",
            "main ends",
        ];
        assert_eq!(log.lines(), expected);
    }
}

#[test]
fn callbacks_are_called_one_at_a_time_and_in_the_order_of_each_caller() {
    const CALLERS: usize = 8;
    const CALLS: usize = 300;
    for workers in WORKERS {
        let busy = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(Mutex::new(Vec::new()));
        run(workers, async {
            let event_loop = EventLoop::current();
            let call = {
                let (busy, calls, event_loop) = (busy.clone(), calls.clone(), event_loop.clone());
                move |caller: usize, number: usize| {
                    let (busy, calls) = (busy.clone(), calls.clone());
                    event_loop.call_soon(move || {
                        assert!(!busy.swap(true, SeqCst), "two at once");
                        // Relaxed would do for a plain cell: one at a time means one after the other.
                        calls.lock().unwrap().push((caller, number));
                        thread::yield_now();
                        busy.store(false, SeqCst);
                    });
                }
            };
            let foreign: Vec<_> = (CALLERS / 2..CALLERS)
                .map(|caller| {
                    let call = call.clone();
                    thread::spawn(move || (0..CALLS).for_each(|number| call(caller, number)))
                })
                .collect();
            let tasks = (0..CALLERS / 2).map(|caller| {
                let call = call.clone();
                async move {
                    for number in 0..CALLS {
                        call(caller, number);
                        yield_now().await;
                    }
                }
            });
            gather(tasks.collect::<Vec<_>>()).await.unwrap();
            for thread in foreign {
                aioli::to_thread(move || thread.join().unwrap()).await.unwrap();
            }
            callbacks_are_over(&event_loop).await;
        });
        let calls = calls.lock().unwrap();
        assert_eq!(calls.len(), CALLERS * CALLS);
        for caller in 0..CALLERS {
            let numbers = calls.iter().filter(|call| call.0 == caller).map(|call| call.1);
            assert!(numbers.eq(0..CALLS), "out of order on {workers} workers");
        }
    }
}

#[test]
fn what_a_callback_writes_is_seen_by_the_next_one() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let counter = Arc::new(AtomicUsize::new(0));
            for number in 0..1000 {
                let counter = counter.clone();
                event_loop.call_soon(move || {
                    // Not a read-modify-write, and relaxed.
                    assert_eq!(counter.load(Relaxed), number);
                    counter.store(number + 1, Relaxed);
                });
                if number % 10 == 0 {
                    yield_now().await;
                }
            }
            callbacks_are_over(&event_loop).await;
            assert_eq!(counter.load(Relaxed), 1000);
        });
    }
}

#[test]
fn a_callback_is_no_task_and_is_not_listed() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let (sender, receiver) = mpsc::channel();
            event_loop.call_later(LONG, || ());
            let look = {
                let event_loop = event_loop.clone();
                move || {
                    let here = EventLoop::try_current() == Some(event_loop.clone());
                    sender
                        .send((here, current_task().is_none(), event_loop.all_tasks().len()))
                        .unwrap();
                }
            };
            event_loop.call_soon(look.clone());
            let elsewhere = event_loop.clone();
            thread::spawn(move || elsewhere.call_soon(look)).join().unwrap();
            callbacks_are_over(&event_loop).await;
            assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [(true, true, 1); 2]);
            assert_eq!(event_loop.all_tasks().len(), 1);
        });
    }
}

#[test]
fn a_callback_has_a_copy_of_the_context_in_which_it_was_handed_over() {
    static VAR: ContextVar<&str> = ContextVar::new(|| "unset");
    for workers in WORKERS {
        let log = Log::default();
        let look = || {
            let log = log.clone();
            move || {
                log.add(VAR.get());
                let _ = VAR.set("set by a callback");
            }
        };
        virtual_runner(workers).run(async {
            let event_loop = EventLoop::current();
            event_loop.call_soon(look());
            let _ = VAR.set("one");
            event_loop.call_soon(look());
            event_loop.call_later(ms(1), look());
            let _ = VAR.set("two");
            sleep(ms(2)).await;
            event_loop.call_soon(look());
            callbacks_are_over(&event_loop).await;
            log.add(VAR.get());
        });
        assert_eq!(log.lines(), ["unset", "one", "one", "two", "two"]);
    }
}

#[test]
fn a_callback_can_create_tasks() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let (sender, receiver) = mpsc::channel();
            event_loop.call_soon(move || sender.send(create_task(async { 6 * 7 })).unwrap());
            callbacks_are_over(&event_loop).await;
            assert_eq!(receiver.recv().unwrap().await.unwrap(), 42);
        });
    }
}

#[test]
fn cancelling_frees_the_function_at_once() {
    for workers in WORKERS {
        let census = Census::default();
        let hold = || {
            let guard = census.guard();
            move || drop(guard)
        };
        run(workers, async {
            let event_loop = EventLoop::current();
            // So that its turn does not come first on another worker.
            let (entered, leave) = (mpsc::channel(), mpsc::channel::<()>());
            event_loop.call_soon(move || {
                entered.0.send(()).unwrap();
                leave.1.recv().unwrap();
            });
            if workers > 1 {
                entered.1.recv().unwrap();
            }
            let soon = event_loop.call_soon(hold());
            let later = event_loop.call_later(LONG, hold());
            let never = event_loop.call_later(Duration::MAX, hold());
            assert_eq!(never.when(), None);
            let cancel: [&dyn Fn(); 3] = [&|| soon.cancel(), &|| later.cancel(), &|| never.cancel()];
            for (before, cancel) in cancel.into_iter().enumerate() {
                cancel();
                cancel();
                assert_eq!(census.gone(), before + 1);
            }
            assert!(soon.is_cancelled() && later.is_cancelled() && never.is_cancelled());
            leave.0.send(()).unwrap();
            callbacks_are_over(&event_loop).await;
        });
    }
}

#[test]
fn cancelling_what_was_called_changes_nothing() {
    for workers in WORKERS {
        let log = Log::default();
        virtual_runner(workers).run(async {
            let event_loop = EventLoop::current();
            let soon = event_loop.call_soon(line(&log, "soon"));
            let later = event_loop.call_later(ms(1), line(&log, "later"));
            sleep(ms(2)).await;
            soon.cancel();
            later.cancel();
            assert!(!soon.is_cancelled() && !later.is_cancelled());
        });
        assert_eq!(log.lines(), ["soon", "later"]);
    }
}

#[test]
fn what_is_left_when_the_loop_ends_is_dropped_and_so_is_what_comes_later() {
    for workers in WORKERS {
        let census = Census::default();
        let hold = || {
            let guard = census.guard();
            move || drop(guard)
        };
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let event_loop = runner.event_loop();
        let hour = runner.run(async { event_loop.call_later(LONG, hold()) });
        let never = event_loop.call_later(Duration::MAX, hold());
        // Between two runs, from a thread that is none of the loop's.
        let day = event_loop.call_later(24 * LONG, hold());
        drop(runner);
        let late = event_loop.call_soon(hold());
        let too_late = event_loop.call_later(ms(1), hold());
        assert_eq!((census.made(), census.gone()), (5, 5));
        assert!(late.is_cancelled());
        assert!([hour, never, day, too_late].iter().all(|handle| handle.is_cancelled()));
    }
}

#[test]
fn a_callback_that_waits_for_its_turn_when_the_loop_ends_is_dropped() {
    let census = Census::default();
    let guard = census.guard();
    let mut runner = Builder::new().workers(1).build().unwrap();
    // The main future is over before the turn comes, and nothing runs after it.
    let handle: Handle = runner.run(async {
        EventLoop::current().call_soon(move || {
            drop(guard);
            unreachable!("nobody is left to call it");
        })
    });
    assert_eq!(census.gone(), 0);
    drop(runner);
    assert_eq!(census.gone(), 1);
    assert!(handle.is_cancelled());
}

#[test]
fn a_callback_that_hands_itself_over_again_does_not_keep_the_loop_alive() {
    fn again(event_loop: EventLoop, turns: Arc<AtomicUsize>) {
        turns.fetch_add(1, SeqCst);
        let next = event_loop.clone();
        event_loop.call_soon(move || again(next, turns));
    }
    for workers in WORKERS {
        let turns = Arc::new(AtomicUsize::new(0));
        run(workers, async {
            let event_loop = EventLoop::current();
            // The end has something to wait for, too.
            create_task(async move {
                let _cleanup = defer(async {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                });
                pending::<()>().await;
            })
            .detach();
            again(event_loop, turns.clone());
            common::until(|| turns.load(SeqCst) > 10).await;
        });
        assert_eq!(Arc::strong_count(&turns), 1, "the last one was dropped");
    }
}

#[test]
fn callbacks_are_called_while_the_end_waits_for_cleanup() {
    for workers in WORKERS {
        let log = Log::default();
        virtual_runner(workers).run(async {
            let theirs = log.clone();
            let ready = Arc::new(Event::new());
            let is_ready = ready.clone();
            create_task(async move {
                let _cleanup = defer(async move {
                    let event_loop = EventLoop::current();
                    event_loop.call_soon(line(&theirs, "soon"));
                    callbacks_are_over(&event_loop).await;
                    event_loop.call_later(ms(5), line(&theirs, "later"));
                    sleep(ms(10)).await;
                    theirs.add("cleaned up");
                });
                is_ready.set();
                pending::<()>().await;
            })
            .detach();
            ready.wait().await;
        });
        assert_eq!(log.lines(), ["soon", "later", "cleaned up"]);
    }
}

#[test]
fn another_thread_wakes_a_loop_that_sleeps() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let (soon, later) = (Arc::new(Event::new()), Arc::new(Event::new()));
            for round in 0..20 {
                let (set_soon, set_later) = (soon.clone(), later.clone());
                let elsewhere = event_loop.clone();
                let thread = thread::spawn(move || {
                    if round % 2 == 0 {
                        thread::sleep(ms(1));
                    }
                    let deadline = Instant::now() + ms(1);
                    elsewhere.call_later(ms(1), move || {
                        assert!(Instant::now() >= deadline);
                        set_later.set();
                    });
                    elsewhere.call_soon(move || set_soon.set());
                });
                soon.wait().await;
                later.wait().await;
                soon.clear();
                later.clear();
                thread.join().unwrap();
            }
        });
    }
}

#[test]
fn a_timer_is_called_or_cancelled_never_both_nor_neither() {
    for workers in WORKERS {
        let (called, cancelled, census) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0), Census::default());
        const TIMERS: usize = 500;
        run(workers, async {
            let event_loop = EventLoop::current();
            let handles: Vec<_> = (0..TIMERS)
                .map(|number| {
                    let (called, guard) = (called.clone(), census.guard());
                    event_loop.call_later(Duration::from_micros(10 * number as u64), move || {
                        called.fetch_add(1, SeqCst);
                        drop(guard);
                    })
                })
                .collect();
            let handles = aioli::to_thread(move || {
                handles.iter().for_each(|handle| handle.cancel());
                handles
            });
            let handles = handles.await.unwrap();
            callbacks_are_over(&event_loop).await;
            cancelled.store(handles.iter().filter(|handle| handle.is_cancelled()).count(), SeqCst);
        });
        assert_eq!(called.load(SeqCst) + cancelled.load(SeqCst), TIMERS);
        assert_eq!(census.gone(), TIMERS);
    }
}
