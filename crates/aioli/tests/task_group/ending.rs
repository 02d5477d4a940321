//! How a group ends: it waits for all its children, gives the value of its body, takes nobody any more, and can be dropped.

use crate::{
    Boom, Typed, cleans_up,
    common::{LONG, Log, message, ms, on_all, poll_once, until},
    fails,
};
use aioli::{
    Builder, EventLoop, GroupHandle, TaskGroup, create_task, defer, finally, gather, sleep, uncancellable, yield_now,
};
use std::{
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

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
