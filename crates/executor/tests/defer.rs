//! Deferred work: when it runs, in which order, and what becomes of it when somebody else drops the scope.

mod common;

use aioli_executor::{CancelCause, Defer, Scoped, defer, spawn};
use common::*;
use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

/// Writes a line in its second turn.
fn line(log: &Log, text: &'static str) -> impl Future<Output = ()> + Send + use<> {
    let log = log.clone();
    async move {
        yield_now().await;
        log.add(text);
    }
}

#[test]
fn deferred_work_runs_alongside_what_goes_on() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let task = spawn(async move {
                drop(defer(line(&theirs, "work")));
                until(|| theirs.lines() == ["work"]).await;
                // The same inside a scope, for that.
                let inner = Scoped::new(async {
                    drop(defer(line(&theirs, "inner work")));
                    until(|| theirs.lines() == ["work", "inner work"]).await;
                });
                assert!(inner.await.is_some());
            });
            task.await.unwrap();
        });
    }
}

#[test]
fn a_task_that_only_its_deferred_work_wakes_goes_on() {
    for workers in WORKERS {
        let (log, go) = (Log::default(), Signal::new());
        run(workers, async {
            let (started, theirs) = (Signal::new(), log.clone());
            let task = spawn({
                let (started, go) = (started.clone(), go.clone());
                async move {
                    let log = theirs.clone();
                    drop(defer(async move {
                        started.set();
                        go.wait().await;
                        log.add("work");
                        // By this.
                        yield_now().await;
                        log.add("the end of the work");
                    }));
                    let mut polls = 0;
                    poll_fn(|_| {
                        polls += 1;
                        if theirs.lines().is_empty() {
                            Poll::Pending
                        } else {
                            Poll::Ready(())
                        }
                    })
                    .await;
                    polls
                }
            });
            // The task waits for nothing but its work, which waits for this.
            started.wait().await;
            go.set();
            assert!(task.await.unwrap() > 1, "it was polled when it could not go on");
        });
        assert_eq!(log.lines(), ["work", "the end of the work"]);
    }
}

#[test]
fn deferred_work_runs_in_order_and_before_the_task_ends() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let task = spawn(async move {
                let _last = defer(line(&theirs, "outer"));
                {
                    let _first = defer(line(&theirs, "inner"));
                }
                theirs.add("body");
            });
            task.await.unwrap();
            log.add("end");
        });
        assert_eq!(log.lines(), ["body", "inner", "outer", "end"]);
    }
}

#[test]
fn a_cancelled_task_does_its_deferred_work_and_no_request_stops_it() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let started = Signal::new();
            let task = spawn({
                let (log, started) = (log.clone(), started.clone());
                async move {
                    let _second = defer(line(&log, "second"));
                    let _first = defer(line(&log, "first"));
                    started.set();
                    pending::<()>().await;
                }
            });
            started.wait().await;
            let name = task.task_ref();
            assert!(name.cancel());
            while !name.is_finished() {
                name.cancel();
                yield_now().await;
            }
            assert!(task.await.unwrap_err().is_cancelled());
        });
        assert_eq!(log.lines(), ["first", "second"]);
    }
}

#[test]
fn deferred_work_may_defer_more() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let task = spawn(async move {
                let inner = theirs.clone();
                drop(defer(async move {
                    drop(defer(line(&inner, "deferred by the deferred")));
                    yield_now().await;
                    inner.add("deferred");
                }));
                drop(defer(line(&theirs, "deferred next")));
            });
            task.await.unwrap();
        });
        assert_eq!(log.lines(), ["deferred", "deferred next", "deferred by the deferred"]);
    }
}

#[test]
fn the_value_is_delivered_after_the_deferred_work() {
    for workers in WORKERS {
        let log = Log::default();
        let value = run(workers, async {
            let theirs = log.clone();
            spawn(async move {
                let _work = defer(line(&theirs, "deferred"));
                7
            })
            .await
        });
        assert_eq!(value.unwrap(), 7);
        assert_eq!(log.lines(), ["deferred"]);
    }
}

#[test]
fn disarmed_work_is_given_back_and_not_done() {
    run(1, async {
        let log = Log::default();
        let guard: Defer<_> = defer(line(&log, "called off"));
        let work = guard.disarm();
        assert!(log.lines().is_empty());
        work.await;
        assert_eq!(log.lines(), ["called off"]);
    });
}

#[test]
fn without_a_loop_deferred_work_is_dropped() {
    let census = Census::default();
    let guard = census.guard();
    drop(defer(async move { drop(guard) }));
    assert_eq!((census.made(), census.gone()), (1, 1));
}

#[test]
fn a_scope_ends_when_its_deferred_work_has() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let value = Scoped::new(async {
                let _work = defer(line(&log, "deferred"));
                log.add("body");
                7
            })
            .await;
            log.add("scope");
            assert_eq!(value, Some(7));
        });
        assert_eq!(log.lines(), ["body", "deferred", "scope"]);
    }
}

#[test]
fn a_cancelled_scope_drops_its_body_and_nothing_else() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let _outer = defer(line(&log, "outer"));
            let mut scope = pin!(Scoped::new(async {
                let _work = defer(line(&log, "inner"));
                pending::<()>().await;
            }));
            poll_fn(|cx| {
                assert!(scope.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            scope.as_mut().drop_body(&CancelCause::new());
            assert!(log.lines().is_empty(), "the work is done by polling");
            assert_eq!(scope.await, None);
            log.add("scope");
        });
        assert_eq!(log.lines(), ["inner", "scope", "outer"]);
    }
}

/// As somebody's `select!`: polls both, and drops both when one is ready.
async fn either<A: Future<Output = ()>, B: Future<Output = ()>>(a: A, b: B) {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    poll_fn(move |cx| match Pin::new(&mut a).poll(cx) {
        Poll::Pending => Pin::new(&mut b).poll(cx),
        ready => ready,
    })
    .await;
}

#[test]
fn the_work_of_a_scope_dropped_from_outside_moves_outward() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let task = spawn(async move {
                let log = theirs.clone();
                let scope = async move {
                    Scoped::new(async move {
                        let _work = defer(line(&log, "moved"));
                        pending::<()>().await;
                    })
                    .await;
                };
                either(scope, yield_now()).await;
                theirs.add("body");
            });
            task.await.unwrap();
            log.add("end");
        });
        assert_eq!(log.lines(), ["body", "moved", "end"]);
    }
}

#[test]
fn work_moves_outward_one_scope_at_a_time() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let inner = async {
                Scoped::new(async {
                    let _work = defer(line(&log, "moved"));
                    pending::<()>().await;
                })
                .await;
            };
            Scoped::new(async {
                either(inner, yield_now()).await;
                log.add("body of the outer");
            })
            .await;
            log.add("the outer is over");
        });
        assert_eq!(log.lines(), ["body of the outer", "moved", "the outer is over"]);
    }
}

#[test]
fn work_that_was_half_done_goes_on_where_it_moved_to() {
    for workers in WORKERS {
        let (log, go) = (Log::default(), Signal::new());
        run(workers, async {
            let task = spawn({
                let (log, go) = (log.clone(), go.clone());
                async move {
                    let ended = Signal::new();
                    let work = {
                        let (log, ended, go) = (log.clone(), ended.clone(), go.clone());
                        async move {
                            log.add("half");
                            ended.set();
                            go.wait().await;
                            log.add("whole");
                        }
                    };
                    let scope = async move {
                        Scoped::new(async move { drop(defer(work)) }).await;
                    };
                    either(scope, ended.wait()).await;
                    log.add("body");
                }
            });
            until(|| log.lines().len() == 2).await;
            go.set();
            task.await.unwrap();
        });
        assert_eq!(log.lines(), ["half", "body", "whole"]);
    }
}

#[test]
fn work_deferred_outside_any_task_becomes_a_task() {
    // The value of a detached task is dropped when the task is over, so by nobody in particular.
    for workers in WORKERS {
        let done = Signal::new();
        run(workers, async {
            let theirs = done.clone();
            spawn(async move {
                OnDrop(move || {
                    let theirs = theirs.clone();
                    drop(defer(async move {
                        yield_now().await;
                        theirs.set();
                    }));
                })
            })
            .detach();
            done.wait().await;
        });
    }
}

#[test]
fn what_main_deferred_is_done_when_run_returns() {
    for workers in WORKERS {
        let log = Log::default();
        let mut executor = executor(workers);
        executor
            .run(async {
                let _work = defer(line(&log, "deferred"));
            })
            .unwrap();
        assert_eq!(log.lines(), ["deferred"]);
    }
}
