//! Cancelling children, groups, and what is around.

use crate::{
    Boom, Typed, cleans_up,
    common::{Census, LONG, Log, ms, on_all},
    fails, log_on_drop, names,
};
use aioli::{catch_cancelled, create_task, current_task, finally, sleep, timeout, uncancellable};
use std::future::pending;

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
