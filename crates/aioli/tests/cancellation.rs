//! Cancellation reaches a task wherever it waits, and its cleanup is waited for.

mod common;

use aioli::{create_task, defer, gather, interval, sleep, sleep_until, to_thread, wait_for, yield_now};
use common::*;
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::mpsc,
    time::{Duration, Instant},
};

type Place = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()> + Send>>);

/// Everywhere that a task can wait without an event coming.
const PLACES: [Place; 10] = [
    ("pending", || Box::pin(pending())),
    ("sleep", || Box::pin(sleep(LONG))),
    ("a sleep for ever", || Box::pin(sleep(Duration::MAX))),
    ("sleep_until", || Box::pin(sleep_until(Instant::now() + LONG))),
    ("yields", || {
        Box::pin(async {
            loop {
                yield_now().await;
            }
        })
    }),
    ("an interval", || {
        Box::pin(async {
            let mut clock = interval(LONG);
            loop {
                clock.tick().await;
            }
        })
    }),
    ("a join", || Box::pin(async { drop(create_task(sleep(LONG)).await) })),
    ("a borrowing join", || {
        Box::pin(async {
            let mut task = create_task(sleep(LONG));
            drop((&mut task).await);
        })
    }),
    ("gather", || {
        Box::pin(async {
            drop(gather([create_task(sleep(LONG)), create_task(sleep(LONG))]).await);
        })
    }),
    ("wait_for", || {
        Box::pin(async { wait_for(sleep(LONG), LONG * 2).await.unwrap() })
    }),
];

#[test]
fn a_request_reaches_a_task_wherever_it_waits() {
    for workers in WORKERS {
        for (name, place) in PLACES {
            run(workers, async {
                let (begun, gone) = (Census::default(), Census::default());
                let task = create_task({
                    let (begun, guard) = (begun.clone(), gone.guard());
                    async move {
                        let _guard = guard;
                        drop(begun.guard());
                        place().await;
                    }
                });
                until(|| begun.made() == 1).await;
                for _ in 0..5 {
                    yield_now().await;
                }
                assert!(task.cancel(), "{name}");
                assert!(task.await.unwrap_err().is_cancelled(), "{name}");
                assert_eq!(gone.gone(), 1, "{name}");
            });
        }
    }
}

#[test]
fn cleanup_runs_innermost_first_across_tasks() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let begun = Census::default();
            let outer = create_task({
                let (log, begun) = (log.clone(), begun.clone());
                async move {
                    let mine = log.clone();
                    let _cleanup = defer(async move { mine.add("outer") });
                    let inner = create_task(async move {
                        let _cleanup = defer(async move {
                            sleep(ms(2)).await;
                            log.add("inner");
                        });
                        drop(begun.guard());
                        pending::<()>().await;
                    });
                    inner.await
                }
            });
            until(|| begun.made() == 1).await;
            outer.cancel();
            assert!(outer.await.unwrap_err().is_cancelled());
        });
        assert_eq!(log.lines(), ["inner", "outer"]);
    }
}

#[test]
fn a_task_that_waits_for_a_call_is_cancelled_and_the_call_returns_later() {
    for workers in WORKERS {
        run(workers, async {
            let (begin, begun) = mpsc::channel();
            let (go, gone) = mpsc::channel::<()>();
            let task = create_task(async move {
                let call = to_thread(move || {
                    begin.send(()).unwrap();
                    gone.recv().unwrap();
                });
                call.await.unwrap();
            });
            to_thread(move || begun.recv().unwrap()).await.unwrap();
            assert!(task.cancel());
            assert!(task.await.unwrap_err().is_cancelled());
            go.send(()).unwrap();
        });
    }
}

#[test]
fn a_deep_line_of_tasks_ends_from_the_inside() {
    fn line(depth: u32, begun: Census, gone: Census) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let _guard = gone.guard();
            if depth == 0 {
                drop(begun.guard());
                pending::<()>().await;
            }
            drop(create_task(line(depth - 1, begun, gone.clone())).await);
        })
    }
    for workers in WORKERS {
        run(workers, async {
            let (begun, gone) = (Census::default(), Census::default());
            let task = create_task(line(100, begun.clone(), gone.clone()));
            until(|| begun.made() == 1).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!((gone.made(), gone.gone()), (101, 101));
        });
    }
}
