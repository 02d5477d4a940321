//! Gathering: values in order, the first failure at once, and nothing left behind by a cancellation. On a virtual clock, on one
//! worker and on several.

mod common;

use aioli::{
    Builder, EventLoop, JoinError, TaskError, TimeoutError, catch_cancelled, create_local_task, create_task,
    current_task, defer, gather, gather_settled, sleep, try_gather, uncancellable, wait_for,
};
use common::{Log, WORKERS, ms, poll_once, until};
use futures_lite::{FutureExt, future::zip};
use std::{
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
};

/// Runs a program on each number of workers.
fn check<F: Future<Output = ()>>(program: impl Fn() -> F) {
    for workers in WORKERS {
        run(workers, program());
    }
}

/// As `check`, and compares what the program has said.
fn says<F: Future<Output = ()>>(expected: &[&str], program: impl Fn(Log) -> F) {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, program(log.clone()));
        assert_eq!(log.lines(), expected, "with {workers} workers");
    }
}

fn run<F: Future>(workers: usize, program: F) -> F::Output {
    let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
    runner.run(program)
}

/// How long the loop has run, in virtual milliseconds.
fn clock() -> impl Fn() -> u128 + Clone + Send {
    let start = EventLoop::current().time();
    move || (EventLoop::current().time() - start).as_millis()
}

/// Sleeps, or else cleans up for some time and says so.
async fn child(log: Log, name: &'static str, work: u64, cleanup: u64) -> &'static str {
    if let Err(cancelled) = catch_cancelled(sleep(ms(work))).await {
        let requests = current_task().unwrap().cancelling();
        sleep(ms(cleanup)).await;
        log.add(format!("{name} cleaned up, requests {requests}"));
        cancelled.resume().await;
    }
    log.add(format!("{name} finished"));
    name
}

#[test]
fn values_come_in_the_order_of_the_items() {
    check(|| async {
        let late = |n: u64| async move {
            sleep(ms(20 - n)).await;
            n
        };
        assert!(
            gather((0..20).map(late).collect::<Vec<_>>())
                .await
                .unwrap()
                .into_iter()
                .eq(0..20)
        );
        assert!(gather((0..20).map(late)).await.unwrap().into_iter().eq(0..20));
        assert_eq!(gather([late(3), late(1), late(2)]).await.unwrap(), [3, 1, 2]);
    });
}

#[test]
fn items_of_different_types_give_a_tuple() {
    check(|| async {
        assert_eq!(gather((async { 1 },)).await.unwrap(), (1,));
        let task = create_task(sleep(ms(1)));
        let items = (
            ready(1_u8),
            async { "two" },
            task,
            async { 4.0 },
            async { '5' },
            async { vec![6] },
            async { Some(7) },
            ready([8]),
        );
        assert_eq!(
            gather(items).await.unwrap(),
            (1, "two", (), 4.0, '5', vec![6], Some(7), [8])
        );
    });
}

#[test]
fn of_nothing_it_gives_nothing() {
    check(|| async {
        assert!(gather(Vec::<std::future::Ready<u8>>::new()).await.unwrap().is_empty());
        let [] = gather([] as [std::future::Ready<u8>; 0]).await.unwrap();
        assert!(gather_settled(Vec::<std::future::Ready<u8>>::new()).await.is_empty());
    });
}

#[test]
fn items_begin_without_being_awaited_and_run_at_the_same_time() {
    check(|| async {
        let begun = Arc::new(AtomicUsize::new(0));
        let items = (0..10).map(|_| {
            let begun = begun.clone();
            async move {
                begun.fetch_add(1, SeqCst);
                until(|| begun.load(SeqCst) == 10).await;
            }
        });
        let gathered = gather(items);
        until(|| begun.load(SeqCst) == 10).await;
        assert_eq!(gathered.await.unwrap().len(), 10);
    });
}

#[test]
fn items_are_created_where_gather_is_called() {
    run(1, async {
        let here = || async { current_task().unwrap().location() };
        let (line, (one, two)) = (line!(), gather((here(), here())).await.unwrap());
        let (others_line, others) = (line!(), gather([here(), here()]).await.unwrap());
        for (location, line) in [
            (one, line),
            (two, line),
            (others[0], others_line),
            (others[1], others_line),
        ] {
            assert_eq!((location.file(), location.line()), (file!(), line));
        }
    });
}

#[test]
fn tasks_that_are_over_give_their_values_at_once() {
    check(|| async {
        let tasks = [1, 2, 3].map(|n| create_task(async move { n }));
        until(|| tasks.iter().all(|task| task.is_finished())).await;
        assert_eq!(
            poll_once(&mut gather(tasks)).await.map(Result::unwrap),
            Poll::Ready([1, 2, 3])
        );
    });
}

#[test]
fn values_that_stay_on_their_worker_can_be_gathered() {
    check(|| async {
        let tasks = [1, 2].map(|n| create_local_task(async move { Rc::new(n) }));
        assert_eq!(gather(tasks).await.unwrap(), [Rc::new(1), Rc::new(2)]);
    });
}

#[test]
fn tasks_of_a_loop_can_be_gathered_by_a_thread_without_one() {
    for workers in WORKERS {
        run(workers, async {
            let tasks = [10, 20].map(|n| {
                create_task(async move {
                    sleep(ms(n)).await;
                    n
                })
            });
            let refs = tasks.each_ref().map(|task| task.task_ref());
            let there = thread::spawn(|| futures_lite::future::block_on(gather(tasks)).unwrap());
            for task in refs {
                task.finished().await;
            }
            assert_eq!(there.join().unwrap(), [10, 20]);
        });
    }
}

#[test]
fn ten_thousand_items_that_end_one_by_one() {
    check(|| async {
        const COUNT: u64 = 10_000;
        let clock = clock();
        let items = (0..COUNT).map(|n| async move {
            sleep(ms(COUNT - n)).await;
            n
        });
        assert!(gather(items).await.unwrap().into_iter().eq(0..COUNT));
        assert_eq!(clock(), u128::from(COUNT));
    });
}

#[test]
fn ten_thousand_items_that_are_cancelled_all_clean_up() {
    check(|| async {
        const COUNT: usize = 10_000;
        let cleaned = Arc::new(AtomicUsize::new(0));
        let items: Vec<_> = (0..COUNT)
            .map(|_| {
                let cleaned = cleaned.clone();
                async move {
                    if let Err(cancelled) = catch_cancelled(pending::<()>()).await {
                        sleep(ms(1)).await;
                        cleaned.fetch_add(1, SeqCst);
                        cancelled.resume().await;
                    }
                }
            })
            .collect();
        assert_eq!(wait_for(gather(items), ms(10)).await.unwrap_err(), TimeoutError);
        assert_eq!(cleaned.load(SeqCst), COUNT);
    });
}

#[test]
fn the_first_failure_comes_at_once_and_the_others_go_on() {
    says(
        &["the task panicked: at 10 at 10", "early finished", "late finished"],
        |log| async move {
            let clock = clock();
            let early = create_task(child(log.clone(), "early", 20, 0));
            let late = create_task(child(log.clone(), "late", 30, 0));
            let (early_end, late_end) = (early.finished(), late.finished());
            let fails = async {
                sleep(ms(10)).await;
                panic!("at {}", 10);
            };
            let gathered: Result<((), _, _), _> = gather((fails, early, late)).await;
            log.add(format!("{} at {}", gathered.unwrap_err(), clock()));
            zip(early_end, late_end).await;
        },
    );
}

#[test]
fn a_failure_behind_items_that_never_end_comes_at_once() {
    check(|| async {
        let clock = clock();
        let items = (0..200_u64).map(|n| async move {
            sleep(ms(1000 - n)).await;
            assert!(n != 150);
        });
        assert!(gather(items).await.unwrap_err().is_panic());
        assert_eq!(clock(), 850);
    });
}

#[test]
fn what_others_do_after_the_first_failure_is_reported_if_it_is_a_panic() {
    check(|| async {
        let reported = Log::default();
        let theirs = reported.clone();
        EventLoop::current().set_exception_handler(move |error| theirs.add(error.message()));
        let items = [1, 2, 3].map(|n| async move {
            sleep(ms(n)).await;
            panic!("number {n}");
        });
        let error: JoinError = gather(items).await.map(|_: [(); 3]| ()).unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: number 1");
        sleep(ms(10)).await;
        assert_eq!(reported.lines(), ["number 2", "number 3"]);
    });
}

#[test]
fn an_item_that_is_cancelled_on_its_own_is_a_failure_and_no_cancellation() {
    check(|| async {
        let (kept, hit) = (create_task(sleep(ms(20))), create_task(pending::<()>()));
        let (end, victim) = (kept.finished(), hit.task_ref());
        let gathered = gather((kept, hit));
        victim.cancel();
        assert!(gathered.await.unwrap_err().is_cancelled());
        assert_eq!(current_task().unwrap().cancelling(), 0);
        end.await;
    });
}

#[test]
fn a_cancellation_reaches_every_item_that_is_not_over_and_goes_on_when_all_have_cleaned_up() {
    says(
        &[
            "over finished",
            "quick cleaned up, requests 1",
            "swallows",
            "slow cleaned up, requests 1",
            "caught at 50: why",
            "cancelled true",
        ],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let log = log.clone();
                async move {
                    let swallows = {
                        let log = log.clone();
                        async move {
                            let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
                            assert_eq!(cancelled.reason(), Some("why"));
                            sleep(ms(20)).await;
                            cancelled.swallow();
                            log.add("swallows");
                            "a value that nobody gets"
                        }
                    };
                    let gathered = gather((
                        child(log.clone(), "over", 1, 0),
                        child(log.clone(), "slow", 1000, 40),
                        child(log.clone(), "quick", 1000, 10),
                        swallows,
                    ));
                    let cancelled = catch_cancelled(gathered).await.unwrap_err();
                    log.add(format!("caught at {}: {}", clock(), cancelled.reason().unwrap()));
                    cancelled.resume().await;
                }
            });
            sleep(ms(10)).await;
            assert!(task.cancel_with("why"));
            task.finished().await;
            log.add(format!("cancelled {}", task.is_cancelled()));
        },
    );
}

#[test]
fn gather_settled_goes_on_unwinding_too() {
    says(&["one cleaned up, requests 1", "cancelled true"], |log| async move {
        let one = child(log.clone(), "one", 1000, 10);
        let task = create_task(async move { drop(gather_settled((one, async { 2 })).await) });
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.add(format!("cancelled {}", task.is_cancelled()));
    });
}

#[test]
fn a_second_request_reaches_the_items_again() {
    says(&["interrupted at 20", "cancelled true"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                let stubborn = async move {
                    let first = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                    let second = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                    assert_eq!(current_task().unwrap().cancelling(), 2);
                    log.add(format!("interrupted at {}", clock()));
                    drop(first);
                    second.resume().await;
                };
                gather([stubborn]).await.unwrap();
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        sleep(ms(10)).await;
        task.cancel();
        task.finished().await;
        log.add(format!("cancelled {}", task.is_cancelled()));
    });
}

#[test]
fn a_panic_in_the_cleanup_of_an_item_is_reported_and_the_cancellation_goes_on() {
    check(|| async {
        let reported = Log::default();
        let theirs = reported.clone();
        EventLoop::current().set_exception_handler(move |error| theirs.add(error.message()));
        let task = create_task(async {
            let items = [1, 2].map(|n| async move {
                let _token = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                sleep(ms(n)).await;
                panic!("cleanup {n}");
            });
            let _: [(); 2] = gather(items).await.unwrap();
        });
        sleep(ms(10)).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        let mut lines = reported.lines();
        lines.sort();
        assert_eq!(lines, ["cleanup 1", "cleanup 2"]);
    });
}

#[test]
fn a_limit_that_is_up_waits_for_the_items() {
    says(
        &["one cleaned up, requests 1", "the time was up at 40"],
        |log| async move {
            let clock = clock();
            let gathered = gather([child(log.clone(), "one", 1000, 30)]);
            let error = wait_for(gathered, ms(10)).await.unwrap_err();
            log.add(format!("{error} at {}", clock()));
        },
    );
}

#[test]
fn gatherings_inside_gatherings_clean_up_innermost_first() {
    says(
        &[
            "a cleaned up, requests 1",
            "b cleaned up, requests 1",
            "middle",
            "outer",
        ],
        |log| async move {
            let (a, b) = (child(log.clone(), "a", 1000, 10), child(log.clone(), "b", 1000, 20));
            let (middle, outer) = (log.clone(), log);
            let task = create_task(async move {
                let inner = async move {
                    let cancelled = catch_cancelled(gather((a, gather([b])))).await.unwrap_err();
                    middle.add("middle");
                    cancelled.resume().await;
                };
                let cancelled = catch_cancelled(gather([inner])).await.unwrap_err();
                outer.add("outer");
                cancelled.resume().await;
            });
            sleep(ms(10)).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        },
    );
}

#[test]
fn a_cancellation_that_is_kept_out_does_not_reach_the_items() {
    check(|| async {
        let done = Arc::new(AtomicBool::new(false));
        let theirs = done.clone();
        let task = create_task(async move {
            uncancellable(gather([sleep(ms(20))])).await.unwrap();
            theirs.store(true, SeqCst);
            pending::<()>().await;
        });
        sleep(ms(10)).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(done.load(SeqCst));
    });
}

#[test]
fn a_cancellation_that_goes_on_from_a_gathering_cannot_be_taken_back() {
    run(1, async {
        let task = create_task(async {
            let item = create_task(pending::<()>());
            let end = item.task_ref();
            // In the turn in which the gathering lets the request go on.
            let takes_back = poll_fn(|cx| {
                if end.is_finished() {
                    assert_eq!(current_task().unwrap().uncancel(), 0);
                    cx.waker().wake_by_ref();
                    return Poll::Ready(());
                }
                Poll::Pending
            });
            zip(gather([item]), takes_back).await.0
        });
        sleep(ms(10)).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn dropped_by_a_foreign_combinator_it_cancels_the_items_and_the_task_waits_for_them() {
    says(
        &[
            "over finished",
            "dropped at 10",
            "two cleaned up, requests 1",
            "one cleaned up, requests 1",
            "end at 40",
        ],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let (log, clock) = (log.clone(), clock.clone());
                async move {
                    let gathered = gather((
                        child(log.clone(), "one", 1000, 30),
                        child(log.clone(), "over", 1, 0),
                        child(log.clone(), "two", 1000, 20),
                    ));
                    async { drop(gathered.await) }.or(sleep(ms(10))).await;
                    log.add(format!("dropped at {}", clock()));
                }
            });
            task.await.unwrap();
            log.add(format!("end at {}", clock()));
        },
    );
}

#[test]
fn dropped_while_it_is_being_cancelled_it_does_not_cancel_again() {
    says(
        &["dropped at 20", "one cleaned up, requests 1", "cancelled true at 40"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let (log, clock) = (log.clone(), clock.clone());
                async move {
                    let gathered = gather([child(log.clone(), "one", 1000, 30)]);
                    async { drop(gathered.await) }.or(sleep(ms(20))).await;
                    log.add(format!("dropped at {}", clock()));
                    pending::<()>().await;
                }
            });
            sleep(ms(10)).await;
            task.cancel();
            task.finished().await;
            log.add(format!("cancelled {} at {}", task.is_cancelled(), clock()));
        },
    );
}

#[test]
fn dropped_before_it_is_polled_it_cancels_the_items() {
    check(|| async {
        let items = [create_task(pending::<()>()), create_task(pending())];
        let refs = items.each_ref().map(|item| item.task_ref());
        drop(gather(items));
        for item in refs {
            item.finished().await;
            assert!(item.is_cancelled());
        }
    });
}

#[test]
fn what_items_defer_is_done_before_the_cancellation_goes_on() {
    says(&["deferred", "cancelled"], |log| async move {
        let task = create_task({
            let log = log.clone();
            async move {
                let item = async move {
                    let _guard = defer(async move {
                        sleep(ms(20)).await;
                        log.add("deferred");
                    });
                    pending::<()>().await;
                };
                gather([item]).await.unwrap();
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        log.add("cancelled");
    });
}

#[test]
#[should_panic(expected = "a task cannot await itself")]
fn a_task_cannot_gather_itself() {
    run(1, async {
        let (give, take) = std::sync::mpsc::channel();
        let task = create_task(async move {
            let me = take.recv().unwrap();
            drop(gather([me] as [aioli::Task<()>; 1]).await);
        });
        let end = task.finished();
        let reported = Log::default();
        let theirs = reported.clone();
        EventLoop::current().set_exception_handler(move |error| theirs.add(error.message()));
        give.send(task).unwrap();
        end.await;
        panic!("{}", reported.lines().concat());
    });
}

#[test]
fn try_gather_gives_the_first_error_at_once_and_the_others_go_on() {
    says(&["failed: no at 10", "other finished"], |log| async move {
        let clock = clock();
        let fails = async {
            sleep(ms(10)).await;
            Err::<u8, _>("no")
        };
        let other = create_task({
            let log = log.clone();
            async move { Ok(child(log, "other", 20, 0).await) }
        });
        let end = other.finished();
        match try_gather((other, fails)).await {
            Err(TaskError::Failed(error)) => log.add(format!("failed: {error} at {}", clock())),
            other => panic!("{other:?}"),
        }
        end.await;
    });
}

#[test]
fn try_gather_gives_the_values_without_their_oks() {
    check(|| async {
        let values = try_gather((async { Ok::<_, String>(1) }, async { Ok("two") })).await;
        assert_eq!(values.unwrap(), (1, "two"));
        let values = try_gather([ready(Ok::<_, String>(1)), ready(Ok(2))]).await;
        assert_eq!(values.unwrap(), [1, 2]);
        let values = try_gather((0..3).map(|n| async move { Ok::<_, String>(n) })).await;
        assert_eq!(values.unwrap(), [0, 1, 2]);
    });
}

#[test]
fn try_gather_tells_errors_from_cancellations_and_panics() {
    check(|| async {
        let cancelled = create_task(pending::<Result<(), String>>());
        cancelled.cancel();
        assert!(matches!(try_gather([cancelled]).await, Err(TaskError::Cancelled)));
        let panics = async { panic!("oh") };
        let error = try_gather([create_task::<_>(async {
            let _: () = panics.await;
            Ok::<(), String>(())
        })])
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: oh");
        let error = try_gather([ready(Err::<(), _>("no".to_owned()))]).await.unwrap_err();
        assert_eq!(error.to_string(), "the task failed: no");
    });
}

#[test]
fn gather_settled_waits_for_all_and_gives_every_outcome() {
    check(|| async {
        let clock = clock();
        let panics = async {
            sleep(ms(1)).await;
            panic!("oh");
        };
        let hit = create_task(pending::<()>());
        hit.cancel();
        let slow = async {
            sleep(ms(20)).await;
            Err::<(), _>("a value like any other")
        };
        let (panicked, cancelled, value): (Result<(), _>, _, _) = gather_settled((panics, hit, slow)).await;
        assert_eq!(panicked.unwrap_err().to_string(), "the task panicked: oh");
        assert!(cancelled.unwrap_err().is_cancelled());
        assert!(value.unwrap().is_err());
        assert_eq!(clock(), 20);
    });
}

#[test]
fn a_gathering_may_move_from_one_task_to_another_while_it_waits() {
    check(|| async {
        let (one, other) = std::sync::mpsc::channel();
        let first = create_task(async move {
            let mut gathered = Box::pin(gather([sleep(ms(10)), sleep(ms(20))]));
            for _ in 0..3 {
                assert!(poll_once(&mut gathered).await.is_pending());
            }
            one.send(gathered).unwrap();
        });
        first.await.unwrap();
        let mut gathered = pin!(other.recv().unwrap());
        gathered.as_mut().await.unwrap();
    });
}
