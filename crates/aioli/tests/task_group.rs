//! `TaskGroup`: tasks that end together.

mod common;

use aioli::{
    BoxError, Builder, ChildFailed, EventLoop, GroupError, GroupHandle, TaskError, TaskGroup, TaskRef, catch_cancelled,
    create_task, current_task, defer, finally, gather, sleep, timeout, uncancellable, yield_now,
};
use common::{Census, LONG, Log, WORKERS, message, ms, poll_once, until};
use std::{
    error::Error,
    fmt,
    future::{Future, pending},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

#[derive(Clone, PartialEq, Eq, Debug)]
struct Boom(&'static str);

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Boom {}

/// Runs on each number of workers, with a clock that stands still while anything is left to do.
fn on_all<F: Future<Output = ()>>(main: impl Fn() -> F) {
    for workers in WORKERS {
        Builder::new()
            .workers(workers)
            .virtual_time(true)
            .build()
            .unwrap()
            .run(main());
    }
}

async fn fails(after: u64, name: &'static str) -> Result<(), Boom> {
    sleep(ms(after)).await;
    Err(Boom(name))
}

/// Never ends by itself; cleaning up takes it so long.
async fn cleans_up(log: Log, name: &'static str, cleanup: u64) -> Result<(), Boom> {
    let clean_up = async move {
        sleep(ms(cleanup)).await;
        log.add(format!("{name} cleaned up"));
    };
    finally(sleep(LONG), clean_up).await;
    Ok(())
}

type Typed = TaskGroup<Boom>;

fn names<E: Clone>(error: &GroupError<E>) -> Vec<E> {
    error.failures().cloned().collect()
}

// Programs as users write them.

#[test]
fn a_program_that_fetches_everything_or_nothing() {
    async fn fetch(n: usize) -> io::Result<usize> {
        sleep(ms(n as u64)).await;
        match n {
            13 => Err(io::Error::new(io::ErrorKind::NotFound, "no such page")),
            n => Ok(n * n),
        }
    }

    async fn fetch_all(pages: std::ops::Range<usize>) -> Result<usize, BoxError> {
        let sum = TaskGroup::scope(async |group| {
            let mut fetching = Vec::new();
            for page in pages {
                fetching.push(group.create_task(async move { Ok(fetch(page).await?) })?);
            }
            let mut sum = 0;
            for page in fetching {
                sum += page.await??;
            }
            Ok(sum)
        });
        Ok(sum.await?)
    }

    on_all(async || {
        assert_eq!(fetch_all(0..4).await.unwrap(), 14);
        let error = fetch_all(10..20).await.unwrap_err();
        assert_eq!(error.to_string(), "the group failed: no such page");
        let cause = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn a_program_that_serves_until_it_is_told_to_stop() {
    async fn serve(name: &'static str, log: Log) {
        loop {
            sleep(ms(10)).await;
            log.add(name);
        }
    }

    on_all(async || {
        let log = Log::default();
        let group = TaskGroup::new();
        group.create_task(serve("a", log.clone())).unwrap();
        let stopper = group.handle();
        group
            .create_task(async move {
                sleep(ms(25)).await;
                stopper.cancel();
            })
            .unwrap();
        group.join().await.unwrap();
        assert_eq!(log.lines(), ["a", "a"]);
    });
}

#[test]
fn a_program_that_walks_a_tree() {
    fn walk(group: GroupHandle, depth: u32, leaves: Arc<AtomicUsize>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            yield_now().await;
            if depth == 0 {
                leaves.fetch_add(1, SeqCst);
                return;
            }
            for _ in 0..3 {
                group
                    .create_task(walk(group.clone(), depth - 1, leaves.clone()))
                    .unwrap();
            }
        })
    }

    on_all(async || {
        let leaves = Arc::new(AtomicUsize::new(0));
        let walked = TaskGroup::scope(async |group| {
            group.create_task(walk(group.clone(), 6, leaves.clone()))?;
            Ok(())
        });
        walked.await.unwrap();
        assert_eq!(leaves.load(SeqCst), 729);
    });
}

#[test]
fn a_group_can_be_run_by_a_task_on_any_worker() {
    on_all(async || {
        let task = create_task(async {
            let mut seen = Vec::new();
            let value = TaskGroup::scope(async |group| {
                seen.push("body");
                let child = group.create_task(async { Ok(String::from("child")) })?;
                Ok(child.await??)
            });
            // Combinators, too, have to see that what they have inside is `Send`.
            let value = catch_cancelled(timeout(ms(1), value)).await.unwrap().unwrap();
            let joined = timeout(ms(1), TaskGroup::new().join()).await.unwrap();
            (value.unwrap(), joined.is_ok(), seen)
        });
        assert_eq!(task.await.unwrap(), ("child".to_owned(), true, vec!["body"]));
    });
}

// Values, and the end.

#[test]
fn the_end_waits_for_every_child_with_all_its_cleanup() {
    on_all(async || {
        let log = Log::default();
        let value = Typed::typed_scope(async |group| {
            let theirs = log.clone();
            group
                .create_task(async move {
                    let deferred = theirs.clone();
                    let _guard = defer(async move {
                        sleep(ms(5)).await;
                        deferred.add("deferred");
                    });
                    sleep(ms(5)).await;
                    theirs.add("child");
                })
                .unwrap();
            log.add("body");
            Ok(7)
        });
        assert_eq!(value.await.unwrap(), 7);
        assert_eq!(log.lines(), ["body", "child", "deferred"]);
    });
}

#[test]
fn a_group_without_children_gives_the_value_of_its_body() {
    on_all(async || {
        assert_eq!(TaskGroup::scope(async |_| Ok(1)).await.unwrap(), 1);
        TaskGroup::new().join().await.unwrap();
    });
}

#[test]
fn children_create_children_also_while_the_group_waits_for_its_last() {
    fn countdown(group: GroupHandle<Boom>, n: usize, log: Log) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            sleep(ms(1)).await;
            log.add(n.to_string());
            if n > 0 {
                group.create_task(countdown(group.clone(), n - 1, log)).unwrap();
            }
        })
    }

    on_all(async || {
        let log = Log::default();
        let group = Typed::default();
        group.create_task(countdown(group.handle(), 3, log.clone())).unwrap();
        group.join().await.unwrap();
        assert_eq!(log.lines(), ["3", "2", "1", "0"]);
    });
}

#[test]
fn children_are_taken_by_combinators_as_tasks_are() {
    on_all(async || {
        let values = TaskGroup::scope(async |group| {
            let tasks = [1, 2, 3].map(|n| group.create_task(async move { Ok(n) }).unwrap());
            let mut looked_at = group.create_task(async { Ok(4) })?;
            let by_reference = (&mut looked_at).await??;
            let shared = group.create_task(async { Ok(5) })?;
            assert_eq!((&shared).await?, Ok(5));
            assert_eq!(shared.result().unwrap().unwrap(), Ok(5));
            assert_eq!(gather(tasks).await?, [Ok(1), Ok(2), Ok(3)]);
            Ok(by_reference)
        });
        assert_eq!(values.await.unwrap(), 4);
    });
}

// Failing.

#[test]
fn the_first_failure_cancels_siblings_and_body_and_waits_for_their_cleanup() {
    on_all(async || {
        let log = Log::default();
        let outcome = Typed::typed_scope(async |group| {
            group.create_task(cleans_up(log.clone(), "slow", 20)).unwrap();
            group.create_task(cleans_up(log.clone(), "fast", 10)).unwrap();
            group.create_task(fails(5, "first")).unwrap();
            let body = log.clone();
            finally(sleep(LONG), async move { body.add("body") }).await;
            log.add("not said");
            Ok(())
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("first")]);
        assert_eq!(log.lines(), ["body", "fast cleaned up", "slow cleaned up"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);
        sleep(ms(1)).await;
    });
}

#[test]
fn errors_come_together_in_the_order_in_which_they_happened() {
    on_all(async || {
        async fn fails_again(cleanup: u64, name: &'static str) -> Result<(), Boom> {
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                sleep(ms(cleanup)).await;
                cancelled.swallow();
            }
            Err(Boom(name))
        }

        let outcome = Typed::typed_scope(async |group| {
            group.create_task(fails_again(30, "third")).unwrap();
            group.create_task(fails_again(10, "second")).unwrap();
            group.create_task(fails(5, "first")).unwrap();
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                sleep(ms(40)).await;
                cancelled.swallow();
            }
            Err::<(), _>(Boom("body"))
        });
        let error = outcome.await.unwrap_err();
        assert_eq!(
            names(&error),
            [Boom("first"), Boom("second"), Boom("third"), Boom("body")]
        );
        assert_eq!(
            error.to_string(),
            "the group failed with 4 errors: first; second; third; body"
        );
    });
}

#[test]
fn the_bodys_error_cancels_the_children() {
    on_all(async || {
        let log = Log::default();
        let outcome = Typed::typed_scope(async |group| {
            group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
            sleep(ms(1)).await;
            Err::<(), _>(Boom("body"))
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("body")]);
        assert_eq!(log.lines(), ["child cleaned up"]);
    });
}

#[test]
fn a_body_that_swallows_and_has_a_value_does_not_hide_the_error() {
    on_all(async || {
        let outcome = Typed::typed_scope(async |group| {
            group.create_task(fails(1, "child")).unwrap();
            if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                cancelled.swallow();
            }
            Ok("value")
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("child")]);
    });
}

#[test]
fn a_child_that_swallows_is_waited_for() {
    on_all(async || {
        let log = Log::default();
        let outcome = Typed::typed_scope(async |group| {
            let theirs = log.clone();
            group
                .create_task(async move {
                    if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                        cancelled.swallow();
                    }
                    sleep(ms(50)).await;
                    theirs.add("done all the same");
                })
                .unwrap();
            sleep(ms(1)).await;
            Err::<(), _>(Boom("body"))
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("body")]);
        assert_eq!(log.lines(), ["done all the same"]);
    });
}

#[test]
fn a_second_failure_does_not_cancel_anybody_again() {
    on_all(async || {
        let log = Log::default();
        let mut cleaning = None;
        let outcome = Typed::typed_scope(async |group| {
            cleaning = Some(group.create_task(cleans_up(log.clone(), "slow", 50)).unwrap());
            group
                .create_task(async { uncancellable(fails(20, "second")).await })
                .unwrap();
            group.create_task(fails(5, "first")).unwrap();
            let body = log.clone();
            let clean_up = async move {
                sleep(ms(40)).await;
                body.add("body cleaned up");
            };
            finally(sleep(LONG), clean_up).await;
            Ok(())
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("first"), Boom("second")]);
        assert_eq!(log.lines(), ["body cleaned up", "slow cleaned up"]);
        assert_eq!(cleaning.unwrap().cancelling(), 1);
    });
}

#[test]
fn a_child_that_the_body_awaits_is_cancelled_once() {
    on_all(async || {
        let log = Log::default();
        let mut child = None;
        let outcome = Typed::typed_scope(async |group| {
            let task = group.create_task(cleans_up(log.clone(), "awaited", 10)).unwrap();
            child = Some(task.task_ref());
            group.create_task(fails(5, "first")).unwrap();
            let _ = task.await;
            log.add("not said");
            Ok(())
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("first")]);
        assert_eq!(log.lines(), ["awaited cleaned up"]);
        let child = child.unwrap();
        assert!(child.is_cancelled());
        assert_eq!(child.cancelling(), 1);
    });
}

#[test]
fn the_handle_of_a_child_that_failed_says_so_and_the_group_has_the_error() {
    on_all(async || {
        let mut child = None;
        let outcome = Typed::typed_scope(async |group| {
            child = Some(group.create_task(fails(1, "child")).unwrap());
            Ok(())
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("child")]);
        let child = child.unwrap();
        assert!(child.is_finished() && !child.is_cancelled());
        assert_eq!(child.await.unwrap(), Err(ChildFailed));
    });
}

#[test]
fn cleanup_that_fails_adds_its_error() {
    on_all(async || {
        let outcome = TaskGroup::scope(async |group| {
            group.create_task(async {
                if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                    sleep(ms(10)).await;
                    drop(cancelled);
                    "not a number".parse::<u32>()?;
                }
                Ok(())
            })?;
            sleep(ms(1)).await;
            Err::<(), _>("body".into())
        });
        assert_eq!(
            outcome.await.unwrap_err().to_string(),
            "the group failed with 2 errors: body; invalid digit found in string"
        );
    });
}

// Panics.

#[test]
fn a_child_that_panics_is_a_failure() {
    on_all(async || {
        let log = Log::default();
        let mut child = None;
        let outcome = Typed::typed_scope(async |group| {
            group.create_task(cleans_up(log.clone(), "sibling", 10)).unwrap();
            child = Some(
                group
                    .create_task(async {
                        sleep(ms(1)).await;
                        panic!("oh no")
                    })
                    .unwrap(),
            );
            Ok(())
        });
        let error = outcome.await.unwrap_err();
        assert_eq!(error.to_string(), "the group failed: a task panicked: oh no");
        assert_eq!(error.panics().count(), 1);
        let TaskError::Panicked(panic) = error.into_errors().remove(0) else {
            panic!("another error")
        };
        assert_eq!(message(panic.into_payload()), "oh no");
        assert_eq!(log.lines(), ["sibling cleaned up"]);
        assert_eq!(child.unwrap().await.unwrap(), Err(ChildFailed));
    });
}

#[test]
fn a_destructor_of_a_cancelled_child_that_panics_is_a_failure() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }

    on_all(async || {
        let outcome = Typed::typed_scope(async |group| {
            group
                .create_task(async {
                    let _bomb = Bomb;
                    sleep(LONG).await;
                })
                .unwrap();
            group.create_task(fails(1, "first")).unwrap();
            Ok(())
        });
        assert_eq!(
            outcome.await.unwrap_err().to_string(),
            "the group failed with 2 errors: first; a task panicked: in a destructor"
        );
    });
}

#[test]
fn the_bodys_panic_goes_on_when_the_children_have_ended() {
    for workers in WORKERS {
        let log = Log::default();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
            runner.run(async {
                let _end = log_on_drop(log.clone(), "unwound");
                let outcome = Typed::typed_scope(async |group| {
                    group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
                    sleep(ms(1)).await;
                    if true {
                        panic!("body");
                    }
                    Ok(())
                });
                let _ = outcome.await;
            });
        }));
        assert_eq!(message(panic.unwrap_err()), "body");
        assert_eq!(log.lines(), ["child cleaned up", "unwound"]);
    }
}

fn log_on_drop(log: Log, line: &'static str) -> impl Drop {
    struct OnDrop(Log, &'static str);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.add(self.1);
        }
    }
    OnDrop(log, line)
}

// Cancelling children, groups, and what is around.

#[test]
fn a_child_that_is_cancelled_alone_is_no_failure() {
    on_all(async || {
        let value = Typed::typed_scope(async |group| {
            let child = group.create_task(pending::<()>()).unwrap();
            let sibling = group.create_task(async {
                sleep(ms(10)).await;
                Ok("sibling")
            });
            sleep(ms(1)).await;
            child.cancel();
            assert!(child.await.unwrap_err().is_cancelled());
            Ok(sibling.unwrap().await.unwrap().unwrap())
        });
        assert_eq!(value.await.unwrap(), "sibling");
    });
}

#[test]
fn a_child_that_is_cancelled_before_it_starts_is_waited_for_all_the_same() {
    on_all(async || {
        let census = Census::default();
        let guard = census.guard();
        Typed::typed_scope(async |group| {
            let child = group.create_task(async move {
                let _guard = guard;
                pending::<()>().await
            });
            child.unwrap().cancel();
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(census.gone(), 1);
    });
}

#[test]
fn an_outer_cancellation_cancels_the_body_and_then_the_children_and_goes_on() {
    on_all(async || {
        let log = Log::default();
        let theirs = log.clone();
        let owner = create_task(async move {
            let log = theirs;
            let _end = log_on_drop(log.clone(), "owner");
            let body = log.clone();
            let _ = Typed::typed_scope(async |group| {
                group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
                let clean_up = async move {
                    sleep(ms(10)).await;
                    body.add("body cleaned up");
                };
                finally(sleep(LONG), clean_up).await;
                Ok(())
            })
            .await;
            log.add("not said");
        });
        sleep(ms(5)).await;
        owner.cancel();
        assert!((&owner).await.unwrap_err().is_cancelled());
        assert_eq!(owner.cancelling(), 1);
        assert_eq!(log.lines(), ["body cleaned up", "child cleaned up", "owner"]);
    });
}

#[test]
fn an_outer_cancellation_reaches_a_group_that_waits_for_its_last_child() {
    on_all(async || {
        let log = Log::default();
        let theirs = log.clone();
        let owner = create_task(async move {
            let group = Typed::default();
            let child = group.create_task(cleans_up(theirs, "child", 10)).unwrap().task_ref();
            if let Err(cancelled) = catch_cancelled(group.join()).await {
                assert!(child.is_finished());
                cancelled.resume().await;
            }
        });
        sleep(ms(5)).await;
        owner.cancel_with("why not");
        assert!(owner.await.unwrap_err().is_cancelled());
        assert_eq!(log.lines(), ["child cleaned up"]);
    });
}

#[test]
fn further_outer_cancellations_leave_the_cleanup_of_the_children_alone() {
    on_all(async || {
        let log = Log::default();
        let theirs = log.clone();
        let owner = create_task(async move {
            let group = Typed::default();
            group.create_task(cleans_up(theirs, "child", 20)).unwrap();
            let _ = group.join().await;
        });
        for _ in 0..3 {
            sleep(ms(5)).await;
            owner.cancel();
        }
        assert!((&owner).await.unwrap_err().is_cancelled());
        assert_eq!(owner.cancelling(), 3);
        assert_eq!(log.lines(), ["child cleaned up"]);
    });
}

#[test]
fn errors_win_over_an_outer_cancellation_which_comes_at_the_next_await() {
    on_all(async || {
        let log = Log::default();
        let theirs = log.clone();
        let owner = create_task(async move {
            let group = Typed::default();
            group
                .create_task(async { uncancellable(fails(10, "child")).await })
                .unwrap();
            let error = group.join().await.unwrap_err();
            theirs.add(error.to_string());
            sleep(ms(1)).await;
            theirs.add("not said");
        });
        sleep(ms(5)).await;
        owner.cancel();
        assert!(owner.await.unwrap_err().is_cancelled());
        assert_eq!(log.lines(), ["the group failed: child"]);
    });
}

#[test]
fn a_body_that_swallows_an_outer_cancellation_goes_on_with_its_children() {
    on_all(async || {
        let owner = create_task(async move {
            let value = Typed::typed_scope(async |group| {
                let child = group.create_task(async {
                    sleep(ms(20)).await;
                    Ok(7)
                });
                if let Err(cancelled) = catch_cancelled(sleep(LONG)).await {
                    cancelled.swallow();
                }
                Ok(child.unwrap().await.unwrap().unwrap())
            });
            value.await.unwrap()
        });
        sleep(ms(5)).await;
        owner.cancel();
        assert_eq!(owner.await.unwrap(), 7);
    });
}

#[test]
fn a_timeout_around_cancels_the_group_and_waits_for_it() {
    on_all(async || {
        let log = Log::default();
        let outcome = timeout(
            ms(5),
            Typed::typed_scope(async |group| {
                group.create_task(cleans_up(log.clone(), "child", 20)).unwrap();
                sleep(LONG).await;
                Ok(())
            }),
        );
        assert!(outcome.await.is_err());
        assert_eq!(log.lines(), ["child cleaned up"]);
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn a_timeout_around_gets_the_errors_if_there_are_any() {
    on_all(async || {
        let group = Typed::default();
        group
            .create_task(async { uncancellable(fails(10, "child")).await })
            .unwrap();
        let outcome = timeout(ms(5), group.join()).await;
        assert_eq!(names(&outcome.unwrap().unwrap_err()), [Boom("child")]);
        sleep(ms(1)).await;
    });
}

#[test]
fn a_timeout_in_the_body_is_its_own() {
    on_all(async || {
        let value = Typed::typed_scope(async |group| {
            let child = group.create_task(async {
                sleep(ms(20)).await;
                Ok(7)
            });
            assert!(timeout(ms(5), sleep(LONG)).await.is_err());
            Ok(child.unwrap().await.unwrap().unwrap())
        });
        assert_eq!(value.await.unwrap(), 7);
    });
}

#[test]
fn a_group_that_is_cancelled_ends_without_an_error() {
    on_all(async || {
        let log = Log::default();
        let value = Typed::typed_scope(async |group| {
            group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
            sleep(ms(1)).await;
            group.cancel();
            group.cancel();
            Ok("value")
        });
        assert_eq!(value.await.unwrap(), "value");
        assert_eq!(log.lines(), ["child cleaned up"]);
    });
}

#[test]
fn a_body_that_is_cancelled_by_its_group_has_no_value_and_no_error() {
    on_all(async || {
        let outcome = Typed::typed_scope(async |group| {
            let handle = group.clone();
            group
                .create_task(async move {
                    sleep(ms(1)).await;
                    handle.cancel();
                })
                .unwrap();
            sleep(LONG).await;
            Ok("value")
        });
        let error = outcome.await.unwrap_err();
        assert!(error.is_cancelled() && error.errors().is_empty());
        assert_eq!(error.to_string(), "the group was cancelled before its body had a value");
        sleep(ms(1)).await;
    });
}

#[test]
fn errors_of_a_cancelled_group_are_given() {
    on_all(async || {
        let group = Typed::default();
        group
            .create_task(async { uncancellable(fails(10, "child")).await })
            .unwrap();
        sleep(ms(1)).await;
        group.cancel();
        assert_eq!(names(&group.join().await.unwrap_err()), [Boom("child")]);
    });
}

#[test]
fn a_failure_in_a_group_that_nobody_joins_yet_cancels_the_siblings_at_once() {
    on_all(async || {
        let log = Log::default();
        let group = Typed::default();
        group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
        group.create_task(fails(5, "first")).unwrap();
        sleep(ms(50)).await;
        assert_eq!(log.lines(), ["child cleaned up"]);
        assert!(group.create_task(async {}).is_err());
        assert_eq!(names(&group.join().await.unwrap_err()), [Boom("first")]);
    });
}

// Closed groups.

#[test]
fn a_closing_group_refuses_and_gives_the_future_back() {
    on_all(async || {
        let log = Log::default();
        let late = log.clone();
        let outcome = Typed::typed_scope(async |group| {
            let handle = group.clone();
            group
                .create_task(async move {
                    let attempt = async move {
                        let refused = handle.create_task(async move { late.add("not lost") }).unwrap_err();
                        assert!(refused.to_string().contains("takes no more tasks"));
                        refused.into_future().await;
                    };
                    finally(sleep(LONG), attempt).await;
                })
                .unwrap();
            group.create_task(fails(1, "first")).unwrap();
            Ok(())
        });
        assert!(outcome.await.is_err());
        assert_eq!(log.lines(), ["not lost"]);
    });
}

#[test]
fn a_group_that_has_ended_refuses() {
    on_all(async || {
        let group = Typed::default();
        let handle = group.handle();
        group.join().await.unwrap();
        assert!(handle.create_task(async {}).is_err());
        let mut kept = None;
        Typed::typed_scope(async |group| {
            kept = Some(group);
            Ok(())
        })
        .await
        .unwrap();
        assert!(kept.unwrap().create_task(async {}).is_err());
    });
}

#[test]
fn a_child_cannot_be_created_where_no_loop_runs() {
    let group = Typed::default();
    let refused = catch_unwind(AssertUnwindSafe(|| group.create_task(async {}).is_ok()));
    assert!(message(refused.unwrap_err()).contains("no event loop runs on this thread"));
    // No seat was taken for it.
    Builder::new().workers(1).build().unwrap().run(group.join()).unwrap();
}

// Dropped groups.

#[test]
fn a_group_that_is_dropped_cancels_its_children_and_the_scope_around_waits_for_them() {
    on_all(async || {
        let log = Log::default();
        let owner = create_task({
            let log = log.clone();
            async move {
                let group = Typed::default();
                group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
                sleep(ms(1)).await;
                drop(group);
                log.add("body");
            }
        });
        owner.await.unwrap();
        assert_eq!(log.lines(), ["body", "child cleaned up"]);
    });
}

#[test]
fn a_scope_that_a_foreign_combinator_drops_cancels_all_and_the_scope_around_waits() {
    on_all(async || {
        let log = Log::default();
        let owner = create_task({
            let log = log.clone();
            async move {
                let body = log.clone();
                let mut group = Box::pin(Typed::typed_scope(async |group| {
                    let _guard = defer(async move {
                        sleep(ms(20)).await;
                        body.add("body deferred");
                    });
                    group.create_task(cleans_up(log.clone(), "child", 10)).unwrap();
                    sleep(LONG).await;
                    Ok(())
                }));
                assert!(poll_once(&mut group).await.is_pending());
                sleep(ms(1)).await;
                assert!(poll_once(&mut group).await.is_pending());
                drop(group);
                log.add("owner goes on");
            }
        });
        owner.await.unwrap();
        assert_eq!(log.lines(), ["owner goes on", "child cleaned up", "body deferred"]);
    });
}

#[test]
fn a_dropped_group_takes_no_more_children() {
    on_all(async || {
        let mut group = Box::pin(Typed::typed_scope(async |group| {
            group.create_task(pending::<()>()).unwrap();
            Ok(group)
        }));
        assert!(poll_once(&mut group).await.is_pending());
        drop(group);
        let group = Typed::default();
        let handle = group.handle();
        drop(group);
        assert!(handle.create_task(async {}).is_err());
    });
}

#[test]
fn a_child_can_outlive_its_handle_but_not_its_group() {
    on_all(async || {
        let ended = Arc::new(AtomicBool::new(false));
        let theirs = ended.clone();
        TaskGroup::scope(async |group| {
            group.create_task(async move {
                sleep(ms(5)).await;
                theirs.store(true, SeqCst);
            })?;
            Ok(())
        })
        .await
        .unwrap();
        assert!(ended.load(SeqCst));
    });
}

#[test]
fn errors_of_a_dropped_group_go_to_the_exception_handler() {
    on_all(async || {
        let log = Log::default();
        let theirs = log.clone();
        EventLoop::current().set_exception_handler(move |error| theirs.add(error.message()));
        let owner = create_task(async {
            let group = Typed::default();
            group.create_task(fails(1, "seen by nobody")).unwrap();
            sleep(ms(5)).await;
            drop(group);
            let group = Typed::default();
            group
                .create_task(async { uncancellable(fails(1, "nor this")).await })
                .unwrap();
            yield_now().await;
            drop(group);
        });
        owner.await.unwrap();
        until(|| log.lines().len() == 2).await;
        assert_eq!(
            log.lines(),
            ["the group failed: seen by nobody", "the group failed: nor this"]
        );
    });
}

// Groups in groups.

#[test]
fn a_failure_in_an_inner_group_is_an_error_of_the_outer_one() {
    on_all(async || {
        let log = Log::default();
        let outcome = TaskGroup::scope(async |outer| {
            let theirs = log.clone();
            outer.create_task(async move {
                TaskGroup::scope(async |inner| {
                    inner.create_task(async { Ok(fails(5, "leaf").await?) })?;
                    inner.create_task(async move { Ok(cleans_up(theirs, "inner", 10).await?) })?;
                    Ok(())
                })
                .await?;
                Ok(())
            })?;
            let theirs = log.clone();
            outer.create_task(async move { Ok(cleans_up(theirs, "outer", 10).await?) })?;
            Ok(())
        });
        let error = outcome.await.unwrap_err();
        assert_eq!(log.lines(), ["inner cleaned up", "outer cleaned up"]);
        assert_eq!(error.errors().len(), 1);
        let inner = error.failures().next().unwrap().downcast_ref::<GroupError>().unwrap();
        let leaf = inner.failures().next().unwrap().downcast_ref::<Boom>();
        assert_eq!(leaf, Some(&Boom("leaf")));
        assert_eq!(error.to_string(), "the group failed: the group failed: leaf");
    });
}

#[test]
fn a_group_in_the_body_of_another_one_is_cancelled_with_it() {
    on_all(async || {
        let log = Log::default();
        let outcome = Typed::typed_scope(async |outer| {
            outer.create_task(fails(5, "outer")).unwrap();
            let inner = Typed::typed_scope(async |inner| {
                inner.create_task(cleans_up(log.clone(), "inner", 10)).unwrap();
                sleep(LONG).await;
                Ok(())
            });
            let _ = inner.await;
            log.add("not said");
            Ok(())
        });
        assert_eq!(names(&outcome.await.unwrap_err()), [Boom("outer")]);
        assert_eq!(log.lines(), ["inner cleaned up"]);
    });
}

// Many.

#[test]
fn ten_thousand_children_come_and_go() {
    on_all(async || {
        let done = Arc::new(AtomicUsize::new(0));
        let group = Typed::default();
        for n in 0..10_000 {
            let done = done.clone();
            group
                .create_task(async move {
                    sleep(ms(n % 7)).await;
                    done.fetch_add(1, SeqCst);
                })
                .unwrap();
        }
        group.join().await.unwrap();
        assert_eq!(done.load(SeqCst), 10_000);
    });
}

#[test]
fn ten_thousand_children_are_cancelled_in_the_order_in_which_they_came() {
    for workers in WORKERS {
        let order = Arc::new(Mutex::new(Vec::new()));
        let theirs = order.clone();
        Builder::new()
            .workers(workers)
            .virtual_time(true)
            .build()
            .unwrap()
            .run(async {
                let group = Typed::default();
                for n in 0..10_000 {
                    let order = theirs.clone();
                    group
                        .create_task(async move {
                            // Every third one ends before.
                            if n % 3 > 0 {
                                let clean_up = async move { order.lock().unwrap().push(n) };
                                finally(sleep(LONG), clean_up).await;
                            }
                        })
                        .unwrap();
                }
                group.create_task(fails(5, "first")).unwrap();
                assert_eq!(names(&group.join().await.unwrap_err()), [Boom("first")]);
            });
        let mut order = order.lock().unwrap().clone();
        if workers > 1 {
            order.sort_unstable();
        }
        assert!(
            order
                .iter()
                .eq((0..10_000).filter(|n| n % 3 > 0).collect::<Vec<_>>().iter())
        );
    }
}

#[test]
fn children_are_created_on_many_workers_while_one_fails() {
    on_all(async || {
        let census = Census::default();
        let (refused, tasks) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Mutex::new(Vec::<TaskRef>::new())),
        );
        let group = Typed::default();
        for _ in 0..8 {
            let (handle, census, refused, tasks) = (group.handle(), census.clone(), refused.clone(), tasks.clone());
            // Not a child: nothing cancels it.
            let creator = create_task(async move {
                loop {
                    let guard = census.guard();
                    let child = async move {
                        let _guard = guard;
                        pending::<()>().await
                    };
                    match handle.create_task(child) {
                        Ok(task) => tasks.lock().unwrap().push(task.task_ref()),
                        Err(closed) => {
                            drop(closed.into_future());
                            refused.fetch_add(1, SeqCst);
                            return;
                        }
                    }
                    yield_now().await;
                }
            });
            creator.detach();
        }
        let made = census.clone();
        group
            .create_task(async move {
                until(|| made.made() > 100).await;
                Err::<(), _>(Boom("first"))
            })
            .unwrap();
        assert_eq!(names(&group.join().await.unwrap_err()), [Boom("first")]);
        until(|| refused.load(SeqCst) == 8).await;
        assert_eq!(census.gone(), census.made());
        assert!(tasks.lock().unwrap().iter().all(|task| task.is_cancelled()));
    });
}
