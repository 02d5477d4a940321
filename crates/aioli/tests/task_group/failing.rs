//! What fails: children, bodies, their panics, and groups in groups. Who is cancelled for it, and which errors come out.

use crate::{
    Boom, Typed, cleans_up,
    common::{LONG, Log, WORKERS, message, ms, on_all},
    fails, log_on_drop, names,
};
use aioli::{
    Builder, ChildFailed, GroupError, TaskError, TaskGroup, catch_cancelled, current_task, finally, sleep,
    uncancellable,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

// Errors.

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
