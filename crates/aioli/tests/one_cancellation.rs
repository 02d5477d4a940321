//! One cancellation that comes to a task by more than one way is one: a cleanup is not interrupted by what it was begun for.
//! Different ones are different, however many there are.

mod common;

use aioli::{
    CancelCause, JoinError, TaskGroup, catch_cancelled, create_task, current_task, gather, sleep, task::TaskRef,
    timeout, uncancellable,
};
use common::{LONG, Log, check, ms, on_all, until};
use futures_lite::future::or;
use std::{
    future::pending,
    sync::{Arc, Mutex},
};

/// Waits for ever; cancelled, it takes 10 ms for its cleanup, and tells of the end of that.
async fn cleans_up(log: Log) {
    let cancelled = catch_cancelled(pending::<()>()).await.unwrap_err();
    log.add("cleanup begins");
    if let Err(again) = catch_cancelled(sleep(ms(10))).await {
        log.add("cleanup is interrupted");
        again.swallow();
    }
    log.add("cleanup ends");
    cancelled.resume().await;
}

#[test]
fn the_end_of_a_runtime_cancels_a_task_once_that_another_one_awaits() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let inner = create_task(cleans_up(log));
        create_task(async move {
            let _ = inner.await;
        })
        .detach();
        sleep(ms(1)).await;
    });
}

#[test]
fn a_group_cancels_a_child_once_that_its_sibling_awaits() {
    check(&["cleanup begins", "cleanup ends", "over"], |log| async move {
        let of_the_child = log.clone();
        let group = TaskGroup::scope(async |group| {
            let awaited = group.create_task(cleans_up(of_the_child)).unwrap();
            let sibling = group.create_task(async move {
                let _ = awaited.await;
            });
            sleep(ms(1)).await;
            drop(sibling);
            Err::<(), _>("the body fails".into())
        });
        assert!(group.await.is_err());
        log.add("over");
    });
}

#[test]
fn a_group_that_is_cancelled_cancels_a_child_once_that_was_cancelled_for_the_same() {
    check(&["cleanup begins", "cleanup ends", "over"], |log| async move {
        let of_the_child = log.clone();
        let child = Arc::new(Mutex::new(None::<TaskRef>));
        let place = child.clone();
        let task = create_task(async move {
            let _ = TaskGroup::scope(async |group| {
                let task = group.create_task(cleans_up(of_the_child)).unwrap();
                *place.lock().unwrap() = Some(task.task_ref());
                pending::<()>().await;
                Ok(())
            })
            .await;
        });
        sleep(ms(1)).await;
        let cause = CancelCause::new().with_reason("both");
        let child = child.lock().unwrap().clone().unwrap();
        assert!(child.cancel_once(&cause));
        task.cancel_once(&cause);
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert_eq!(child.cancelling(), 1);
        assert_eq!(child.cancel_reason().as_deref(), Some("both"));
        log.add("over");
    });
}

#[test]
fn a_gathering_passes_on_what_came_to_it_as_what_it_is() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let inner = create_task(cleans_up(log));
        let name = inner.task_ref();
        let outer = create_task(async move {
            let _ = gather([inner]).await;
        });
        sleep(ms(1)).await;
        let cause = CancelCause::new();
        name.cancel_once(&cause);
        outer.cancel_once(&cause);
        assert!(matches!(outer.await, Err(JoinError::Cancelled)));
        assert_eq!(name.cancelling(), 1);
    });
}

#[test]
fn another_cancellation_is_another() {
    let expected = ["cleanup begins", "cleanup is interrupted", "cleanup ends"];
    check(&expected, |log| async move {
        let task = create_task(cleans_up(log));
        sleep(ms(1)).await;
        assert!(task.cancel_once(&CancelCause::new()));
        sleep(ms(1)).await;
        assert!(task.cancel_once(&CancelCause::new()));
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
fn the_same_cancellation_is_none_until_it_was_swallowed() {
    check(&["swallowed", "over"], |log| async move {
        let of_the_task = log.clone();
        let task = create_task(async move {
            let token = catch_cancelled(pending::<()>()).await.unwrap_err();
            catch_cancelled(sleep(ms(10))).await.unwrap();
            token.swallow();
            of_the_task.add("swallowed");
            catch_cancelled(pending::<()>()).await.unwrap_err().swallow();
        });
        sleep(ms(1)).await;
        let cause = CancelCause::new();
        assert!(task.cancel_once(&cause));
        sleep(ms(1)).await;
        // It is known, and nothing comes of it.
        assert!(task.cancel_once(&cause));
        sleep(ms(20)).await;
        assert!(!task.is_finished());
        // It is another one now.
        assert!(task.cancel_once(&cause));
        task.await.unwrap();
        log.add("over");
    });
}

#[test]
fn one_who_awaits_passes_on_every_request_however_many_there_were() {
    check(&["over"], |log| async move {
        let (ready, seen) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let (open, count) = (ready.clone(), seen.clone());
        let inner = create_task(async move {
            for _ in 0..300 {
                let waits = catch_cancelled(async {
                    *open.lock().unwrap() += 1;
                    pending::<()>().await;
                });
                waits.await.unwrap_err().swallow();
                *count.lock().unwrap() += 1;
            }
        });
        let outer = create_task(async move {
            let _ = inner.await;
        });
        sleep(ms(1)).await;
        for round in 1..=300 {
            until(|| *ready.lock().unwrap() == round).await;
            outer.cancel();
            until(|| *seen.lock().unwrap() == round).await;
        }
        outer.await.unwrap();
        log.add("over");
    });
}

#[test]
fn a_request_that_was_kept_back_is_passed_on_later() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let inner = create_task(cleans_up(log));
        let task = create_task(async move {
            uncancellable(sleep(ms(20))).await;
            let _ = inner.await;
        });
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

// What is dropped for a cancellation cancels for the same.

#[test]
fn a_join_that_is_not_yet_awaited_at_the_end_of_a_runtime_cancels_its_task_once() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let join = create_task(cleans_up(log)).join();
        create_task(async move {
            sleep(LONG).await;
            let _ = join.await;
        })
        .detach();
        sleep(ms(1)).await;
    });
}

#[test]
fn a_gathering_that_is_not_yet_awaited_at_the_end_of_a_runtime_cancels_its_tasks_once() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let all = gather([cleans_up(log)]);
        create_task(async move {
            sleep(LONG).await;
            let _ = all.await;
        })
        .detach();
        sleep(ms(1)).await;
    });
}

#[test]
fn a_group_that_is_not_yet_joined_at_the_end_of_a_runtime_cancels_its_children_once() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let group = TaskGroup::new();
        group.create_task(cleans_up(log)).unwrap();
        create_task(async move {
            sleep(LONG).await;
            let _ = group.join().await;
        })
        .detach();
        sleep(ms(1)).await;
    });
}

#[test]
fn a_group_whose_body_holds_an_unpolled_join_cancels_that_child_once() {
    check(&["cleanup begins", "cleanup ends", "over"], |log| async move {
        let of_the_child = log.clone();
        let child = Arc::new(Mutex::new(None::<TaskRef>));
        let place = child.clone();
        let task = create_task(async move {
            let _ = TaskGroup::scope(async |group| {
                let task = group.create_task(cleans_up(of_the_child)).unwrap();
                *place.lock().unwrap() = Some(task.task_ref());
                let _unpolled = task.into_future();
                pending::<()>().await;
                Ok(())
            })
            .await;
        });
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        assert_eq!(child.lock().unwrap().take().unwrap().cancelling(), 1);
        log.add("over");
    });
}

#[test]
fn a_task_and_a_catcher_that_hold_an_unpolled_join_cancel_its_task_for_what_came_to_them() {
    let expected = ["cleanup begins", "cleanup ends"].repeat(2);
    check(&expected, |log| async move {
        for catches in [false, true] {
            let inner = create_task(cleans_up(log.clone()));
            let name = inner.task_ref();
            let holds = async move {
                let _unpolled = inner.join();
                pending::<()>().await;
            };
            let outer = create_task(async move {
                if !catches {
                    holds.await;
                } else if let Err(cancelled) = catch_cancelled(holds).await {
                    cancelled.resume().await;
                }
            });
            sleep(ms(1)).await;
            let cause = CancelCause::new();
            assert!(name.cancel_once(&cause));
            assert!(outer.cancel_once(&cause));
            assert!(matches!(outer.await, Err(JoinError::Cancelled)));
            name.finished().await;
            assert_eq!(name.cancelling(), 1);
        }
    });
}

// What is not known, or comes too late.

#[test]
fn a_cancellation_that_was_taken_back_before_it_came_may_come_again() {
    check(&["goes on", "over"], |log| async move {
        let theirs = log.clone();
        let task = create_task(async move {
            let (itself, cause) = (current_task().unwrap(), CancelCause::new());
            assert!(itself.cancel_once(&cause));
            assert_eq!(itself.uncancel(), 0);
            sleep(ms(1)).await;
            theirs.add("goes on");
            assert!(itself.cancel_once(&cause));
            sleep(ms(1)).await;
            theirs.add("never");
        });
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
        log.add("over");
    });
}

#[test]
fn a_finished_task_takes_no_cancellation_also_if_it_knows_it() {
    on_all(|| async {
        let cause = CancelCause::new();
        let task = create_task(async { catch_cancelled(pending::<()>()).await.unwrap_err().swallow() });
        sleep(ms(1)).await;
        assert!(task.cancel_once(&cause));
        task.finished().await;
        assert!(!task.cancel_once(&cause));
        assert!(!task.cancel_once(&CancelCause::new()));
        assert_eq!(task.cancelling(), 1);
    });
}

#[test]
fn a_cancellation_that_is_refused_leaves_the_reason() {
    on_all(|| async {
        let untouched = create_task(async {});
        untouched.finished().await;
        assert!(!untouched.cancel_with("too late"));
        assert_eq!(untouched.cancel_reason(), None);

        let cancelled = create_task(pending::<()>());
        assert!(cancelled.cancel_with("in time"));
        cancelled.finished().await;
        assert!(!cancelled.cancel_with("too late"));
        assert_eq!(cancelled.cancel_reason().as_deref(), Some("in time"));
    });
}

#[test]
fn a_task_with_a_name_drops_its_group_for_the_cancellation_that_came() {
    check(&["cleanup begins", "cleanup ends"], |log| async move {
        let task = create_task(async move {
            let group = TaskGroup::new();
            let awaited = group.create_task(cleans_up(log)).unwrap();
            drop(group.create_task(async move { drop(awaited.await) }));
            sleep(LONG).await;
        });
        task.set_name("owner");
        sleep(ms(1)).await;
        task.cancel();
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
fn a_group_is_dropped_for_the_cancellation_that_its_owner_let_go_on_and_not_for_a_newer_one() {
    check(&["over"], |log| async move {
        let newer = CancelCause::new();
        let group = TaskGroup::new();
        let child = group
            .create_task(async {
                catch_cancelled(pending::<()>()).await.unwrap_err().resume().await;
            })
            .unwrap();
        let known = newer.clone();
        let owner = create_task(async move {
            let _group = group;
            let token = catch_cancelled(pending::<()>()).await.unwrap_err();
            current_task().unwrap().cancel_once(&known);
            token.resume().await;
        });
        sleep(ms(1)).await;
        owner.cancel_once(&CancelCause::new());
        assert!(matches!(owner.await, Err(JoinError::Cancelled)));
        assert!(child.is_finished());
        log.add("over");
    });
}

#[test]
fn a_join_that_is_dropped_cancels_a_task_that_has_swallowed_what_was_passed_on() {
    check(&["over"], |log| async move {
        let inner = create_task(async {
            catch_cancelled(pending::<()>()).await.unwrap_err().swallow();
            sleep(LONG).await;
        });
        let task = create_task(async move {
            let awaits = async { drop(inner.await) };
            or(awaits, sleep(ms(50))).await;
        });
        sleep(ms(1)).await;
        task.cancel();
        // And its end waits for the other one's.
        timeout(LONG / 2, task).await.unwrap().unwrap();
        log.add("over");
    });
}
