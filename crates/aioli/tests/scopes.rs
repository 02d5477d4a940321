//! Scopes and frames: who takes a cancellation, in which order, and what it does to what is around. On a virtual clock, on
//! one worker and on several.

mod common;

use aioli::{
    Builder, CancelledError, EventLoop, JoinError, TimeoutError, catch_cancelled, closing, create_task, current_task,
    defer, finally, sleep, timeout, uncancellable,
};
use common::{LONG, Log, check, ms};
use futures_lite::future::{or, zip};
use std::{
    fmt::Debug,
    future::{Future, pending},
    pin::Pin,
};

/// Checks what a task says that is cancelled at these instants, in milliseconds after it was created. The last line is the
/// helper's: how the task ended, and when.
fn check_cancelled_at<F>(instants: &[u64], expected: &[&str], body: impl Fn(Log) -> F)
where
    F: Future<Output: Send> + Send + 'static,
{
    check(expected, |log| {
        let body = body(log.clone());
        async move {
            let clock = clock();
            let task = create_task(body);
            let mut accepted = 0;
            for instant in instants {
                sleep(ms(instant - clock())).await;
                accepted += usize::from(task.cancel());
            }
            task.finished().await;
            assert_eq!(task.cancelling(), accepted);
            let how = if task.is_cancelled() { "cancelled" } else { "finished" };
            log.add(format!("{how} at {}", clock()));
        }
    });
}

/// How long ago this was called, in virtual milliseconds.
fn clock() -> impl Fn() -> u64 {
    let start = EventLoop::current().time();
    move || (EventLoop::current().time() - start).as_millis() as u64
}

// One catcher, and several.

#[test]
fn a_catcher_cleans_up_and_resumes() {
    check_cancelled_at(&[10], &["caught", "clean", "cancelled at 30"], |log| async move {
        if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
            log.add("caught");
            sleep(ms(20)).await;
            log.add("clean");
            cancelled.resume().await;
        }
        log.add("never");
    });
}

#[test]
fn a_swallowed_cancellation_is_over_and_the_next_one_is_not() {
    check(&["swallowed", "again", "cancelled true"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                    cancelled.swallow();
                    log.add("swallowed");
                    current_task().unwrap().uncancel();
                }
                if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                    log.add("again");
                    cancelled.resume().await;
                }
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        sleep(ms(10)).await;
        assert!(!task.is_finished() && task.cancelling() == 0);
        task.cancel();
        task.finished().await;
        log.add(format!("cancelled {}", task.is_cancelled()));
    });
}

#[test]
fn catchers_side_by_side_each_clean_up() {
    let expected = ["clean 0", "clean 1", "clean 2", "cancelled at 30"];
    check_cancelled_at(&[10], &expected, |log| async move {
        let branch = |n: u64| {
            let log = log.clone();
            async move {
                if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                    sleep(ms(10 * n)).await;
                    log.add(format!("clean {n}"));
                    cancelled.resume().await;
                }
            }
        };
        zip(branch(0), zip(branch(1), branch(2))).await;
    });
}

#[test]
fn one_that_swallows_beside_one_that_resumes_is_told_again() {
    let expected = ["a goes on", "b clean", "a told again", "cancelled at 30"];
    check_cancelled_at(&[10], &expected, |log| async move {
        let a = async {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                cancelled.swallow();
                log.add("a goes on");
                if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                    log.add("a told again");
                    cancelled.resume().await;
                }
            }
        };
        let b = async {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                sleep(ms(20)).await;
                log.add("b clean");
                cancelled.resume().await;
            }
        };
        zip(a, b).await;
    });
}

#[test]
fn an_outer_catcher_acts_after_the_inner_one_resumed() {
    check_cancelled_at(&[10], &["inner", "outer", "cancelled at 20"], |log| async move {
        let inner = async {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                sleep(ms(5)).await;
                log.add("inner");
                cancelled.resume().await;
            }
        };
        if let Err(cancelled) = catch_cancelled(inner).await {
            sleep(ms(5)).await;
            log.add("outer");
            cancelled.resume().await;
        }
    });
}

#[test]
fn an_outer_catcher_waits_for_a_frame_beside_the_one_that_resumed() {
    let expected = ["a resumes", "child clean", "outer", "cancelled at 40"];
    check_cancelled_at(&[10], &expected, |log| async move {
        let a = async {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                log.add("a resumes");
                cancelled.resume().await;
            }
        };
        let theirs = log.clone();
        let child = create_task(finally(sleep(LONG), async move {
            sleep(ms(30)).await;
            theirs.add("child clean");
        }));
        let both = zip(a, async { drop(child.await) });
        if let Err(cancelled) = catch_cancelled(both).await {
            log.add("outer");
            cancelled.resume().await;
        }
    });
}

/// Catches, takes that long for its cleanup, and lets the cancellation go on.
async fn cleans_up_in(milliseconds: u64, name: &'static str, log: Log) {
    if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
        sleep(ms(milliseconds)).await;
        log.add(name);
        cancelled.resume().await;
    }
}

#[test]
fn an_outer_catcher_waits_for_a_cleanup_beside_the_one_that_resumed() {
    check_cancelled_at(&[10], &["fast", "slow", "outer", "cancelled at 40"], |log| async move {
        let both = zip(
            cleans_up_in(10, "fast", log.clone()),
            // What is between does not matter.
            timeout(LONG, cleans_up_in(30, "slow", log.clone())),
        );
        if let Err(cancelled) = catch_cancelled(both).await {
            log.add("outer");
            cancelled.resume().await;
        }
    });
}

#[test]
fn a_second_request_does_not_wait_for_cleanups_of_the_first() {
    check_cancelled_at(&[10, 30], &["fast", "outer", "cancelled at 30"], |log| async move {
        let both = zip(
            cleans_up_in(10, "fast", log.clone()),
            cleans_up_in(30, "slow", log.clone()),
        );
        if let Err(cancelled) = catch_cancelled(both).await {
            log.add("outer");
            cancelled.resume().await;
        }
    });
}

#[test]
fn an_outer_catcher_acts_when_a_token_was_let_go_elsewhere() {
    check_cancelled_at(
        &[10],
        &["fast", "swallowed", "outer", "cancelled at 40"],
        |log| async move {
            let both = zip(cleans_up_in(10, "fast", log.clone()), async {
                let token = catch_cancelled(sleep(LONG)).await.unwrap_err();
                let log = log.clone();
                create_task(async move {
                    sleep(ms(30)).await;
                    log.add("swallowed");
                    token.swallow();
                })
                .detach();
                pending::<()>().await;
            });
            if let Err(cancelled) = catch_cancelled(both).await {
                log.add("outer");
                cancelled.resume().await;
            }
        },
    );
}

#[test]
fn a_cancellation_that_was_let_go_on_cannot_be_taken_back() {
    let uncancels = |log: Log| async move {
        catch_cancelled(sleep(LONG)).await.unwrap_err().swallow();
        assert_eq!(current_task().unwrap().uncancel(), 0);
        log.add("uncancelled");
        pending::<()>().await;
    };
    for workers in common::WORKERS {
        let log = Log::default();
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(async {
            let (inner, outer) = (log.clone(), log.clone());
            let task = create_task(async move {
                let both = zip(
                    finally(sleep(LONG), async { inner.add("cleanup") }),
                    uncancels(inner.clone()),
                );
                if let Err(cancelled) = catch_cancelled(both).await {
                    outer.add("outer");
                    cancelled.resume().await;
                }
            });
            sleep(ms(10)).await;
            task.cancel();
            assert!(matches!(task.await, Err(JoinError::Cancelled)));
        });
        assert_eq!(log.lines(), ["cleanup", "uncancelled", "outer"]);
    }
}

#[test]
fn a_cancellation_inside_many_scopes_reaches_the_innermost_catcher() {
    fn nest(depth: u64, log: Log) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            if depth == 100 {
                if let Err(cancelled) = catch_cancelled(sleep(ms(5000))).await {
                    log.add(format!("caught at depth {depth}"));
                    cancelled.resume().await;
                }
            } else {
                let _ = timeout(ms(1000), nest(depth + 1, log)).await;
            }
        })
    }

    check_cancelled_at(&[10], &["caught at depth 100", "cancelled at 10"], |log| nest(0, log));
}

// A second request.

#[test]
fn a_second_request_interrupts_a_handler() {
    check_cancelled_at(&[10, 20], &["cleanup", "cancelled at 20"], |log| async move {
        if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
            log.add("cleanup");
            sleep(ms(50)).await;
            log.add("never");
            cancelled.resume().await;
        }
    });
}

#[test]
fn a_second_request_does_not_interrupt_deferred_work() {
    let expected = ["close inner", "close outer", "cancelled at 25"];
    check_cancelled_at(&[5, 7], &expected, |log| async move {
        let close = |what: &'static str| {
            let log = log.clone();
            defer(async move {
                sleep(ms(10)).await;
                log.add(format!("close {what}"));
            })
        };
        let _outer = close("outer");
        let _inner = close("inner");
        sleep(LONG).await;
    });
}

// Tokens that are let go.

#[test]
fn a_dropped_token_goes_on_at_the_next_await() {
    check_cancelled_at(&[10], &["after", "cancelled at 10"], |log| async move {
        let _ = catch_cancelled(sleep(LONG)).await;
        log.add("after");
        sleep(ms(10)).await;
        log.add("never");
    });
}

#[test]
fn a_token_that_an_outer_scope_drops_goes_back_to_its_issuer() {
    check_cancelled_at(&[10], &["cancelled at 30"], |log| async move {
        let body = async {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                // The timeout around drops this, and the token with it.
                sleep(LONG).await;
                cancelled.swallow();
            }
        };
        // Its own end would be an error here, but the task's goes through first.
        let result = timeout(ms(30), body).await;
        log.add(format!("never: {result:?}"));
    });
}

// Timeouts.

#[test]
fn nested_timeouts_answer_for_themselves_only() {
    let expected = [
        "inner TimeoutError",
        "outer block goes on",
        "inner sees CancelledError",
        "outer TimeoutError",
        "slept",
        "outer block goes on",
    ];
    check(&expected, |log| async move {
        for (outer, inner) in [(200, 20), (20, 200), (1000, 300)] {
            let result = timeout(ms(outer), async {
                let inner = timeout(ms(inner), async {
                    sleep(ms(100)).await;
                    log.add("slept");
                });
                match catch_cancelled(inner).await {
                    Ok(Ok(())) => {}
                    Ok(Err(TimeoutError)) => log.add("inner TimeoutError"),
                    Err(cancelled) => {
                        log.add("inner sees CancelledError");
                        cancelled.resume().await;
                    }
                }
                sleep(ms(10)).await;
                log.add("outer block goes on");
            })
            .await;
            if result.is_err() {
                log.add("outer TimeoutError");
            }
        }
    });
}

#[test]
fn a_timeout_waits_for_the_catchers_inside_and_takes_their_value() {
    check(&["caught", "Ok(7)"], |log| async move {
        let result = timeout(ms(10), async {
            match catch_cancelled(sleep(LONG)).await {
                Ok(()) => 0,
                Err(cancelled) => {
                    log.add("caught");
                    sleep(ms(30)).await;
                    cancelled.swallow();
                    7
                }
            }
        })
        .await;
        log.add(format!("{result:?}"));
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn a_scope_that_a_foreign_combinator_drops_is_adopted() {
    check_cancelled_at(&[], &["b won", "closed", "finished at 40"], |log| async move {
        let theirs = log.clone();
        let a = timeout(ms(500), async move {
            let _guard = defer(async move {
                sleep(ms(30)).await;
                theirs.add("closed");
            });
            sleep(LONG).await;
        });
        let b = async { sleep(ms(10)).await };
        or(async { assert!(a.await.is_ok()) }, b).await;
        log.add("b won");
    });
}

// Tasks that await tasks.

#[test]
fn awaiting_a_task_passes_the_cancellation_on() {
    let expected = ["inner clean", "outer after inner, cancelled true", "cancelled at 30"];
    check_cancelled_at(&[10], &expected, |log| async move {
        let theirs = log.clone();
        let inner = create_task(async move {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                sleep(ms(20)).await;
                theirs.add("inner clean");
                cancelled.resume().await;
            }
        });
        let name = inner.task_ref();
        if let Err(cancelled) = catch_cancelled(inner).await {
            log.add(format!("outer after inner, cancelled {}", name.is_cancelled()));
            cancelled.resume().await;
        }
    });
}

#[test]
fn a_task_that_swallows_gives_its_value_to_who_awaits_it() {
    check_cancelled_at(&[10], &["value", "went on", "finished at 30"], |log| async move {
        let inner = create_task(async {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                cancelled.swallow();
                sleep(ms(10)).await;
            }
            "value"
        });
        log.add(inner.await.unwrap());
        sleep(ms(10)).await;
        log.add("went on");
    });
}

#[test]
fn a_child_that_is_cancelled_on_its_own_does_not_cancel_who_awaits_it() {
    check(&["Err(Cancelled)"], |log| async move {
        let child = create_task(sleep(LONG));
        let name = child.task_ref();
        let parent = create_task(async move { log.add(format!("{:?}", child.await)) });
        sleep(ms(10)).await;
        name.cancel();
        parent.await.unwrap();
    });
}

#[test]
fn a_reason_is_read_where_the_cancellation_is_caught() {
    /// Waits for what is cancelled, and says why it was.
    async fn ask_why(waits: impl Future<Output: Debug>, log: Log) {
        let cancelled: CancelledError = catch_cancelled(waits).await.unwrap_err();
        log.add(format!("{:?}", cancelled.reason()));
        cancelled.resume().await;
    }

    let expected = ["Some(\"shutting down\")", "Some(\"shutting down\")"];
    check(&expected, |log| async move {
        let task = create_task(async move {
            let child = create_task(ask_why(sleep(LONG), log.clone()));
            ask_why(child.into_future(), log).await;
        });
        sleep(ms(10)).await;
        task.cancel_with("shutting down");
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

// Work that is done all the same.

#[test]
fn uncancellable_work_is_done_before_the_request_goes_on() {
    check_cancelled_at(&[10], &["written", "cancelled at 30"], |log| async move {
        uncancellable(async {
            // Not even a catcher inside hears of it.
            if catch_cancelled(sleep(ms(30))).await.is_ok() {
                log.add("written");
            }
        })
        .await;
        sleep(LONG).await;
        log.add("never");
    });
}

#[test]
fn finally_runs_after_a_value_and_after_a_cancellation() {
    let expected = ["cleanup", "Ok(3)", "cleanup", "cancelled at 20"];
    check_cancelled_at(&[15], &expected, |log| async move {
        let cleanup = || {
            let log = log.clone();
            async move {
                sleep(ms(5)).await;
                log.add("cleanup");
            }
        };
        let value = create_task(finally(async { 3 }, cleanup())).await;
        log.add(format!("{value:?}"));
        finally(sleep(LONG), cleanup()).await;
    });
}

#[test]
fn a_resource_is_closed_however_its_guard_goes() {
    let expected = ["open", "closed a", "open", "closed b", "cancelled at 15"];
    check_cancelled_at(&[10], &expected, |log| async move {
        let close = |after: u64| {
            let log = log.clone();
            move |name: &'static str| async move {
                sleep(ms(after)).await;
                log.add(format!("closed {name}"));
            }
        };
        let guard = closing("a", close(0));
        log.add("open");
        assert_eq!(guard.len(), 1);
        guard.close().await;
        let _guard = closing("b", close(5));
        log.add("open");
        sleep(LONG).await;
    });
}

// Requests at odd times.

#[test]
fn a_task_that_cancels_itself_ends_at_its_next_await() {
    check(&["goes on", "cancelled true"], |log| async move {
        let theirs = log.clone();
        let task = create_task(async move {
            current_task().unwrap().cancel();
            theirs.add("goes on");
            sleep(ms(1)).await;
            theirs.add("never");
        });
        task.finished().await;
        log.add(format!("cancelled {}", task.is_cancelled()));
    });
}

#[test]
fn a_request_for_a_task_that_has_not_begun_ends_it() {
    // On one worker: on several it may have begun.
    let mut runner = Builder::new().workers(1).virtual_time(true).build().unwrap();
    runner.run(async {
        let log = Log::default();
        let task = create_task({
            let log = log.clone();
            async move {
                let _ = catch_cancelled(async { log.add("never") }).await;
            }
        });
        assert!(task.cancel());
        task.finished().await;
        assert!(task.is_cancelled());
        assert!(!task.cancel(), "it is over");
        assert!(log.lines().is_empty(), "it never ran");
    });
}
