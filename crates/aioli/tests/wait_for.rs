//! Limits in time: the value wins, what is too late is cancelled and nothing else, and its cleanup is waited for.

mod common;

use aioli::{EventLoop, TimeoutError, create_task, defer, sleep, timeout, wait_for, yield_now};
use common::*;
use std::{
    future::{Future, pending, poll_fn, ready},
    io,
    pin::{Pin, pin},
    task::Poll,
    time::{Duration, Instant},
};

#[test]
fn a_value_in_time_wins() {
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(wait_for(ready(7), LONG).await, Ok(7));
            assert_eq!(wait_for(sleep(ms(1)), LONG).await, Ok(()));
        });
    }
}

#[test]
fn a_value_that_is_there_when_the_time_is_up_wins() {
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(timeout(Duration::ZERO, ready(7)).await, Ok(7));
            // Ready in the turn in which the timer is.
            let mut polled = false;
            let late = poll_fn(|_| match std::mem::replace(&mut polled, true) {
                true => Poll::Ready(7),
                false => Poll::Pending,
            });
            assert_eq!(wait_for(late, ms(1)).await, Ok(7));
        });
    }
}

#[test]
fn with_no_time_at_all_only_what_is_over_has_a_value() {
    for workers in WORKERS {
        run(workers, async {
            let never = async { unreachable!("it is not even started") };
            assert_eq!(wait_for(never, Duration::ZERO).await, Err::<(), _>(TimeoutError));
            let mut task = create_task(ready(7));
            task.finished().await;
            assert_eq!(wait_for(&mut task, Duration::ZERO).await.unwrap().unwrap(), 7);
            let task = create_task(pending::<()>());
            let name = task.task_ref();
            assert_eq!(wait_for(task, Duration::ZERO).await.map(|_| ()), Err(TimeoutError));
            assert!(name.is_cancelled());
        });
    }
}

#[test]
fn what_takes_longer_is_dropped_and_nothing_else() {
    for workers in WORKERS {
        run(workers, async {
            let (body, outer) = (Census::default(), Census::default());
            let _outer = outer.guard();
            let guard = body.guard();
            let start = Instant::now();
            let slow = async move {
                let _guard = guard;
                pending::<()>().await;
            };
            assert_eq!(wait_for(slow, ms(3)).await, Err(TimeoutError));
            assert!(start.elapsed() >= ms(3));
            assert_eq!((body.gone(), outer.gone()), (1, 0));
            yield_now().await;
        });
    }
}

#[test]
fn no_time_at_all_is_enough_for_what_is_ready_only() {
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(wait_for(pending::<()>(), Duration::ZERO).await, Err(TimeoutError));
        });
    }
}

#[test]
fn without_a_limit_it_only_waits() {
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(wait_for(sleep(ms(2)), None).await, Ok(()));
            assert_eq!(wait_for(sleep(ms(2)), Duration::MAX).await, Ok(()));
        });
    }
}

#[test]
fn the_cleanup_of_what_is_cancelled_is_waited_for() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let slow = async {
                let theirs = log.clone();
                let _cleanup = defer(async move {
                    sleep(ms(2)).await;
                    theirs.add("cleaned up");
                });
                pending::<()>().await;
            };
            assert_eq!(wait_for(slow, ms(1)).await, Err(TimeoutError));
            log.add("timed out");
        });
        assert_eq!(log.lines(), ["cleaned up", "timed out"]);
    }
}

#[test]
fn the_cleanup_of_a_value_in_time_is_waited_for_without_limit() {
    for workers in WORKERS {
        run(workers, async {
            let cleaned = Census::default();
            let theirs = cleaned.clone();
            let quick = async move {
                drop(defer(async move {
                    sleep(ms(5)).await;
                    drop(theirs.guard());
                }));
                7
            };
            assert_eq!(wait_for(quick, ms(1)).await, Ok(7));
            assert_eq!(cleaned.gone(), 1);
        });
    }
}

#[test]
fn a_task_that_is_given_by_its_handle_is_cancelled_and_waited_for() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let task = create_task(async move {
                let inner = theirs.clone();
                let _cleanup = defer(async move {
                    sleep(ms(2)).await;
                    inner.add("the task has cleaned up");
                });
                theirs.add("the task runs");
                pending::<()>().await;
            });
            let name = task.task_ref();
            until(|| !log.lines().is_empty()).await;
            assert!(matches!(wait_for(task, ms(1)).await, Err(TimeoutError)));
            assert!(name.is_finished());
            assert_eq!(name.cancelling(), 1);
        });
        assert_eq!(log.lines(), ["the task runs", "the task has cleaned up"]);
    }
}

#[test]
fn a_task_that_is_only_borrowed_goes_on() {
    for workers in WORKERS {
        run(workers, async {
            let mut task = create_task(async {
                sleep(ms(10)).await;
                7
            });
            assert!(matches!(wait_for(&mut task, ms(1)).await, Err(TimeoutError)));
            assert_eq!(task.cancelling(), 0);
            assert_eq!(task.await.unwrap(), 7);
        });
    }
}

#[test]
fn the_inner_limit_is_not_the_outer_one() {
    for workers in WORKERS {
        run(workers, async {
            let nested = |inner, outer| wait_for(wait_for(pending::<()>(), inner), outer);
            assert_eq!(nested(ms(1), LONG).await, Ok(Err(TimeoutError)));
            assert_eq!(nested(LONG, ms(1)).await, Err(TimeoutError));
        });
    }
}

#[test]
fn a_cancelled_task_takes_what_it_waits_for_with_it() {
    for workers in WORKERS {
        run(workers, async {
            let (body, cleaned) = (Census::default(), Census::default());
            let started = Census::default();
            let task = create_task({
                let (guard, cleaned, started) = (body.guard(), cleaned.clone(), started.clone());
                async move {
                    let slow = async move {
                        let _guard = guard;
                        let _cleanup = defer(async move {
                            yield_now().await;
                            drop(cleaned.guard());
                        });
                        drop(started.guard());
                        pending::<()>().await;
                    };
                    wait_for(slow, LONG).await
                }
            });
            until(|| started.made() == 1).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!((body.gone(), cleaned.gone()), (1, 1));
        });
    }
}

#[test]
fn the_cleanup_goes_on_when_somebody_drops_the_wait() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            let task = create_task(async move {
                let inner = theirs.clone();
                let slow = async move {
                    let _cleanup = defer(async move {
                        yield_now().await;
                        inner.add("cleaned up");
                    });
                    pending::<()>().await;
                };
                let mut wait = Box::pin(wait_for(slow, LONG));
                assert!(
                    poll_fn(|cx| Poll::Ready(Pin::new(&mut wait).poll(cx)))
                        .await
                        .is_pending()
                );
                drop(wait);
                theirs.add("body");
            });
            task.await.unwrap();
            log.add("end");
        });
        assert_eq!(log.lines(), ["body", "cleaned up", "end"]);
    }
}

#[test]
fn the_error_says_what_it_is() {
    assert_eq!(TimeoutError.to_string(), "the time was up");
    assert_eq!(io::Error::from(TimeoutError).kind(), io::ErrorKind::TimedOut);
    run(1, async {
        let wait = pin!(wait_for(pending::<()>(), LONG));
        assert!(format!("{wait:?}").contains("InTime"));
    });
}

#[test]
fn deferred_work_that_panics_is_reported_and_the_value_comes_all_the_same() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            EventLoop::current().set_exception_handler(move |panic| theirs.add(panic.message()));
            let body = async {
                let _guard = defer(async { panic!("while cleaning up") });
                3
            };
            assert_eq!(wait_for(body, LONG).await, Ok(3));
        });
        assert_eq!(log.lines(), ["while cleaning up"]);
    }
}
