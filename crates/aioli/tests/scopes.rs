//! Scopes and frames: who takes a cancellation, in which order, and what it does to what is around. On a virtual clock, on
//! one worker and on several.

use aioli::{
    Builder, CancelledError, JoinError, TimeoutError, catch_cancelled, closing, create_task, current_task, defer,
    finally, sleep, timeout, uncancellable,
};
use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs `program` on 1, 2 and 4 workers, and checks what it said.
fn check<F: Future<Output = ()>>(expected: &[&str], program: impl Fn(Log) -> F) {
    for workers in [1, 2, 4] {
        let log = Log::default();
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program(log.clone()));
        drop(runner);
        assert_eq!(*log.0.lock().unwrap(), expected, "with {workers} workers");
    }
}

/// How long the loop has run, in virtual milliseconds.
fn clock() -> impl Fn() -> u128 {
    let start = aioli::EventLoop::current().time();
    move || (aioli::EventLoop::current().time() - start).as_millis()
}

#[test]
fn a_catcher_cleans_up_and_resumes() {
    check(&["caught", "clean", "cancelled true, requests 1"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                    log.say("caught");
                    sleep(ms(20)).await;
                    log.say("clean");
                    cancelled.resume().await;
                }
                log.say("never");
            }
        });
        sleep(ms(10)).await;
        assert!(task.cancel());
        task.finished().await;
        log.say(format!(
            "cancelled {}, requests {}",
            task.is_cancelled(),
            task.cancelling()
        ));
    });
}

#[test]
fn a_swallowed_cancellation_is_over_and_the_next_one_is_not() {
    check(&["swallowed", "again", "cancelled true"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                    cancelled.swallow();
                    log.say("swallowed");
                    current_task().unwrap().uncancel();
                }
                if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                    log.say("again");
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
        log.say(format!("cancelled {}", task.is_cancelled()));
    });
}

#[test]
fn catchers_side_by_side_each_clean_up() {
    check(
        &["clean 0", "clean 1", "clean 2", "cancelled true at 30"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let log = log.clone();
                async move {
                    let branch = |n: u64| {
                        let log = log.clone();
                        async move {
                            if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                                sleep(ms(10 * n)).await;
                                log.say(format!("clean {n}"));
                                cancelled.resume().await;
                            }
                        }
                    };
                    futures_lite::future::zip(branch(0), futures_lite::future::zip(branch(1), branch(2))).await;
                }
            });
            sleep(ms(10)).await;
            task.cancel();
            task.finished().await;
            log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
        },
    );
}

#[test]
fn one_that_swallows_beside_one_that_resumes_is_told_again() {
    check(
        &["a goes on", "b clean", "a told again", "cancelled true at 30"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let log = log.clone();
                async move {
                    let a = async {
                        if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                            cancelled.swallow();
                            log.say("a goes on");
                            if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                                log.say("a told again");
                                cancelled.resume().await;
                            }
                        }
                    };
                    let b = async {
                        if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                            sleep(ms(20)).await;
                            log.say("b clean");
                            cancelled.resume().await;
                        }
                    };
                    futures_lite::future::zip(a, b).await;
                }
            });
            sleep(ms(10)).await;
            task.cancel();
            task.finished().await;
            log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
        },
    );
}

#[test]
fn an_outer_catcher_acts_after_the_inner_one_resumed() {
    check(&["inner", "outer", "cancelled true at 20"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                let inner = async {
                    if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                        sleep(ms(5)).await;
                        log.say("inner");
                        cancelled.resume().await;
                    }
                };
                if let Err(cancelled) = catch_cancelled(inner).await {
                    sleep(ms(5)).await;
                    log.say("outer");
                    cancelled.resume().await;
                }
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
    });
}

#[test]
fn an_outer_catcher_waits_for_a_frame_beside_the_one_that_resumed() {
    check(
        &["a resumes", "child clean", "outer", "cancelled true at 40"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let log = log.clone();
                async move {
                    let a = async {
                        if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                            log.say("a resumes");
                            cancelled.resume().await;
                        }
                    };
                    let log_ = log.clone();
                    let child = create_task(finally(sleep(ms(1000)), async move {
                        sleep(ms(30)).await;
                        log_.say("child clean");
                    }));
                    let both = futures_lite::future::zip(a, async { drop(child.await) });
                    if let Err(cancelled) = catch_cancelled(both).await {
                        log.say("outer");
                        cancelled.resume().await;
                    }
                }
            });
            sleep(ms(10)).await;
            task.cancel();
            task.finished().await;
            log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
        },
    );
}

#[test]
fn a_second_request_interrupts_a_handler() {
    check(&["cleanup", "cancelled true at 20"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                    log.say("cleanup");
                    sleep(ms(50)).await;
                    log.say("never");
                    cancelled.resume().await;
                }
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
    });
}

#[test]
fn a_second_request_does_not_interrupt_deferred_work() {
    check(
        &["close inner", "close outer", "cancelled true at 25"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let log = log.clone();
                async move {
                    let close = |what: &'static str| {
                        let log = log.clone();
                        defer(async move {
                            sleep(ms(10)).await;
                            log.say(format!("close {what}"));
                        })
                    };
                    let _outer = close("outer");
                    let _inner = close("inner");
                    sleep(ms(1000)).await;
                }
            });
            sleep(ms(5)).await;
            task.cancel();
            sleep(ms(2)).await;
            task.cancel();
            task.finished().await;
            log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
        },
    );
}

#[test]
fn a_dropped_token_goes_on_at_the_next_await() {
    check(&["after", "cancelled true at 10"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                let _ = catch_cancelled(sleep(ms(1000))).await;
                log.say("after");
                sleep(ms(10)).await;
                log.say("never");
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
    });
}

#[test]
fn a_token_that_an_outer_scope_drops_goes_back_to_its_issuer() {
    check(&["timeout", "cancelled true at 30"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                let body = async {
                    if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                        // The timeout around drops this, and the token with it.
                        sleep(ms(1000)).await;
                        cancelled.swallow();
                    }
                };
                // Its own end would be an error here, but the task's goes through first.
                let result = timeout(ms(30), body).await;
                log.say(format!("never: {result:?}"));
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        sleep(ms(15)).await;
        log.say("timeout");
        task.finished().await;
        log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
    });
}

#[test]
fn nested_timeouts_answer_for_themselves_only() {
    check(
        &[
            "inner TimeoutError",
            "outer block goes on",
            "inner sees CancelledError",
            "outer TimeoutError",
            "slept",
            "outer block goes on",
        ],
        |log| async move {
            for (outer, inner) in [(200, 20), (20, 200), (1000, 300)] {
                let result = timeout(ms(outer), async {
                    let inner = timeout(ms(inner), async {
                        sleep(ms(100)).await;
                        log.say("slept");
                    });
                    match catch_cancelled(inner).await {
                        Ok(Ok(())) => {}
                        Ok(Err(TimeoutError)) => log.say("inner TimeoutError"),
                        Err(cancelled) => {
                            log.say("inner sees CancelledError");
                            cancelled.resume().await;
                        }
                    }
                    sleep(ms(10)).await;
                    log.say("outer block goes on");
                })
                .await;
                if result.is_err() {
                    log.say("outer TimeoutError");
                }
            }
        },
    );
}

#[test]
fn a_timeout_waits_for_the_catchers_inside_and_takes_their_value() {
    check(&["caught", "Ok(7)"], |log| async move {
        let result = timeout(ms(10), async {
            match catch_cancelled(sleep(ms(1000))).await {
                Ok(()) => 0,
                Err(cancelled) => {
                    log.say("caught");
                    sleep(ms(30)).await;
                    cancelled.swallow();
                    7
                }
            }
        })
        .await;
        log.say(format!("{result:?}"));
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn a_scope_that_a_foreign_combinator_drops_is_adopted() {
    check(&["b won", "closed", "task done at 40"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                let log_ = log.clone();
                let a = timeout(ms(500), async move {
                    let _guard = defer(async move {
                        sleep(ms(30)).await;
                        log_.say("closed");
                    });
                    sleep(ms(1000)).await;
                });
                let b = async { sleep(ms(10)).await };
                futures_lite::future::or(async { assert!(a.await.is_ok()) }, b).await;
                log.say("b won");
            }
        });
        task.finished().await;
        log.say(format!("task done at {}", clock()));
    });
}

#[test]
fn awaiting_a_task_passes_the_cancellation_on() {
    check(
        &["inner clean", "outer after inner true", "cancelled true true"],
        |log| async move {
            let inner = create_task({
                let log = log.clone();
                async move {
                    if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                        sleep(ms(20)).await;
                        log.say("inner clean");
                        cancelled.resume().await;
                    }
                }
            });
            let inner_ref = inner.task_ref();
            let outer = create_task({
                let (log, inner_ref) = (log.clone(), inner_ref.clone());
                async move {
                    if let Err(cancelled) = catch_cancelled(inner).await {
                        log.say(format!("outer after inner {}", inner_ref.is_finished()));
                        cancelled.resume().await;
                    }
                }
            });
            sleep(ms(10)).await;
            outer.cancel();
            outer.finished().await;
            log.say(format!(
                "cancelled {} {}",
                inner_ref.is_cancelled(),
                outer.is_cancelled()
            ));
        },
    );
}

#[test]
fn a_task_that_swallows_gives_its_value_to_who_awaits_it() {
    check(&["value", "went on", "cancelled false"], |log| async move {
        let inner = create_task(async {
            if let Err(cancelled) = catch_cancelled(sleep(ms(1000))).await {
                cancelled.swallow();
                sleep(ms(10)).await;
            }
            "value"
        });
        let outer = create_task({
            let log = log.clone();
            async move {
                log.say(inner.await.unwrap());
                sleep(ms(10)).await;
                log.say("went on");
            }
        });
        sleep(ms(10)).await;
        outer.cancel();
        outer.finished().await;
        log.say(format!("cancelled {}", outer.is_cancelled()));
    });
}

#[test]
fn a_child_that_is_cancelled_on_its_own_does_not_cancel_who_awaits_it() {
    check(&["Err(Cancelled)"], |log| async move {
        let child = create_task(sleep(ms(1000)));
        let handle = child.task_ref();
        let parent = create_task({
            let log = log.clone();
            async move { log.say(format!("{:?}", child.await)) }
        });
        sleep(ms(10)).await;
        handle.cancel();
        parent.await.unwrap();
    });
}

#[test]
fn uncancellable_work_is_done_before_the_request_goes_on() {
    check(&["written", "cancelled true at 30"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                uncancellable(async {
                    // Not even a catcher inside hears of it.
                    if catch_cancelled(sleep(ms(30))).await.is_ok() {
                        log.say("written");
                    }
                })
                .await;
                sleep(ms(1000)).await;
                log.say("never");
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
    });
}

#[test]
fn finally_runs_after_a_value_and_after_a_cancellation() {
    check(
        &["cleanup", "Ok(3)", "cleanup", "cancelled true at 20"],
        |log| async move {
            let clock = clock();
            let cleanup = |log: &Log| {
                let log = log.clone();
                async move {
                    sleep(ms(5)).await;
                    log.say("cleanup");
                }
            };
            let value = create_task(finally(async { 3 }, cleanup(&log))).await;
            log.say(format!("{value:?}"));
            let task = create_task(finally(sleep(ms(1000)), cleanup(&log)));
            sleep(ms(10)).await;
            task.cancel();
            task.finished().await;
            log.say(format!("cancelled {} at {}", task.is_cancelled(), clock()));
        },
    );
}

#[test]
fn a_resource_is_closed_however_its_guard_goes() {
    check(&["open", "closed a", "open", "closed b at 15"], |log| async move {
        let clock = clock();
        let close = |log: &Log, at: u64| {
            let log = log.clone();
            move |name: &'static str| async move {
                sleep(ms(at)).await;
                log.say(format!("closed {name}"));
            }
        };
        let guard = closing("a", close(&log, 0));
        log.say("open");
        assert_eq!(guard.len(), 1);
        guard.close().await;
        let task = create_task({
            let log = log.clone();
            let close = close(&log, 5);
            async move {
                let _guard = closing("b", close);
                log.say("open");
                sleep(ms(1000)).await;
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        let last = log.0.lock().unwrap().pop().unwrap();
        log.say(format!("{last} at {}", clock()));
    });
}

#[test]
fn a_reason_is_read_where_the_cancellation_is_caught() {
    check(
        &["Some(\"shutting down\")", "Some(\"shutting down\")"],
        |log| async move {
            let task = create_task({
                let log = log.clone();
                async move {
                    let child = create_task({
                        let log = log.clone();
                        async move {
                            let cancelled = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                            log.say(format!("{:?}", cancelled.reason()));
                            cancelled.resume().await;
                        }
                    });
                    let cancelled: CancelledError = catch_cancelled(child).await.unwrap_err();
                    log.say(format!("{:?}", cancelled.reason()));
                    cancelled.resume().await;
                }
            });
            sleep(ms(10)).await;
            task.cancel_with("shutting down");
            assert!(matches!(task.await, Err(JoinError::Cancelled)));
        },
    );
}

#[test]
fn a_task_that_cancels_itself_ends_at_its_next_await() {
    check(&["goes on", "cancelled true"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                current_task().unwrap().cancel();
                log.say("goes on");
                sleep(ms(1)).await;
                log.say("never");
            }
        });
        task.finished().await;
        log.say(format!("cancelled {}", task.is_cancelled()));
    });
}

#[test]
fn a_request_for_a_task_that_has_not_begun_ends_it() {
    check(&["cancelled true, again false"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                let _ = catch_cancelled(async { log.say("never") }).await;
            }
        });
        // With several workers it may have begun: that is another story.
        if aioli::EventLoop::current().workers() > 1 {
            task.finished().await;
            log.0.lock().unwrap().clear();
            log.say("cancelled true, again false");
            return;
        }
        task.cancel();
        task.finished().await;
        log.say(format!("cancelled {}, again {}", task.is_cancelled(), task.cancel()));
    });
}

#[test]
fn a_cancellation_inside_many_scopes_reaches_the_innermost_catcher() {
    check(&["caught at depth 100", "cancelled true"], |log| async move {
        fn nest(depth: u64, log: Log) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                if depth == 100 {
                    if let Err(cancelled) = catch_cancelled(sleep(ms(5000))).await {
                        log.say(format!("caught at depth {depth}"));
                        cancelled.resume().await;
                    }
                } else {
                    let _ = timeout(ms(1000), nest(depth + 1, log)).await;
                }
            })
        }
        let task = create_task(nest(0, log.clone()));
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.say(format!("cancelled {}", task.is_cancelled()));
    });
}
