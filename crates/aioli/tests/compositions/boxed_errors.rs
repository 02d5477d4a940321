//! Errors in boxes, which are where the compiler sees least.

use crate::{LONG, Refused, boxed, ms, object, spawns};
use aioli::{
    BoxError, ReturnWhen, TaskError, TaskGroup, Timeout, as_completed, catch_cancelled, create_fallible_task,
    create_task, finally, gather, gather_settled, race, shield, sleep, timeout, to_thread, try_gather, uncancellable,
    wait, wait_for,
};
use std::{error::Error, fmt};

#[test]
fn try_gather_of_a_tuple() {
    spawns(|| async {
        assert_eq!(try_gather((boxed(1), boxed(2))).await.unwrap(), (1, 2));
        let failed = try_gather((boxed(0), boxed(2))).await.unwrap_err();
        assert!(matches!(failed, TaskError::Failed(error) if error.is::<Refused>()));
    });
}

#[test]
fn try_gather_of_an_array_a_vec_and_a_map() {
    spawns(|| async {
        assert_eq!(try_gather([boxed(1), boxed(2)]).await.unwrap(), [1, 2]);
        assert_eq!(try_gather(vec![boxed(1), boxed(2)]).await.unwrap(), [1, 2]);
        assert_eq!(try_gather((1..3).map(boxed)).await.unwrap(), [1, 2]);
        assert_eq!(try_gather((1..3).map(object)).await.unwrap(), [1, 2]);
    });
}

#[test]
fn try_gather_under_a_limit() {
    spawns(|| async {
        assert_eq!(
            wait_for(try_gather((boxed(1), boxed(2))), LONG).await.unwrap().unwrap(),
            (1, 2)
        );
        assert_eq!(timeout(LONG, try_gather([boxed(1)])).await.unwrap().unwrap(), [1]);
        let limit = Timeout::after(LONG);
        assert_eq!(limit.run(try_gather([boxed(1)])).await.unwrap().unwrap(), [1]);
    });
}

#[test]
fn gather_and_gather_settled() {
    spawns(|| async {
        let (one, none) = gather((boxed(1), boxed(0))).await.unwrap();
        assert_eq!((one.unwrap(), none.is_err()), (1, true));
        let settled = gather_settled([boxed(1), boxed(0)]).await;
        assert_eq!(settled.map(|outcome| outcome.unwrap().is_ok()), [true, false]);
    });
}

#[test]
fn a_race() {
    spawns(|| async {
        assert_eq!(race((boxed(1), object(2))).await.unwrap(), 1);
        assert_eq!(race([object(1), object(2)]).await.unwrap(), 1);
        assert_eq!(race(vec![boxed(3)]).await.unwrap(), 3);
        assert_eq!(timeout(LONG, race((boxed(1), object(2)))).await.unwrap().unwrap(), 1);
        assert_eq!(catch_cancelled(race([object(1)])).await.unwrap().unwrap(), 1);
        let races = race((race((boxed(1), object(2))), uncancellable(object(3))));
        assert_eq!(finally(races, async {}).await.unwrap(), 1);
        assert_eq!(
            gather((race((boxed(1), object(2))), boxed(3)))
                .await
                .unwrap()
                .0
                .unwrap(),
            1
        );
    });
}

#[test]
fn catchers_and_cleanups() {
    spawns(|| async {
        assert_eq!(catch_cancelled(boxed(1)).await.unwrap().unwrap(), 1);
        assert_eq!(finally(boxed(1), async {}).await.unwrap(), 1);
        assert_eq!(uncancellable(boxed(1)).await.unwrap(), 1);
        assert_eq!(finally(try_gather([boxed(1)]), sleep(ms(1))).await.unwrap(), [1]);
        assert!(
            catch_cancelled(try_gather((boxed(1), boxed(0))))
                .await
                .unwrap()
                .is_err()
        );
    });
}

#[test]
fn handles() {
    spawns(|| async {
        assert_eq!(shield(boxed(1)).await.unwrap().unwrap(), 1);
        assert_eq!(wait_for(shield(boxed(1)), LONG).await.unwrap().unwrap().unwrap(), 1);
        assert_eq!(create_fallible_task(boxed(1)).await.unwrap().unwrap(), 1);
        let mut task = create_task(boxed(1));
        assert!(wait_for(&mut task, ms(0)).await.is_err());
        assert_eq!(wait_for(task, LONG).await.unwrap().unwrap().unwrap(), 1);
        let mut outcomes = as_completed([boxed(1), boxed(2)]);
        while let Some(outcome) = outcomes.next().await {
            outcome.unwrap().unwrap();
        }
        let mut outcomes = as_completed([boxed(1), boxed(2)]).timeout(LONG);
        while let Some(outcome) = outcomes.next().await {
            outcome.unwrap().unwrap().unwrap();
        }
        let (done, pending) = wait([create_task(boxed(1))], ReturnWhen::FirstException).await;
        assert_eq!((done.len(), pending.len()), (1, 0));
    });
}

/// What `anyhow::Error` and its like are: made of any error, and none itself.
struct Report(Box<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for Report {
    fn from(error: E) -> Self {
        Report(error.into())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[test]
fn the_question_mark_with_errors_that_are_none() {
    async fn reported(n: u32) -> Result<u32, Report> {
        boxed(n).await.map_err(Report)
    }
    async fn program(n: u32) -> Result<u32, Report> {
        let (a, b) = timeout(LONG, try_gather((reported(1), reported(n)))).await??;
        let c = TaskGroup::<Report>::typed_scope(async |group| Ok(group.create_task(reported(3))?.await??));
        Ok(a + b + c.await?)
    }
    spawns(|| async {
        assert_eq!(try_gather([program(2)]).await.unwrap(), [6]);
        let failed = create_task(program(0)).await.unwrap().unwrap_err();
        assert_eq!(failed.to_string(), "the task failed: refused 0");
    });
}

#[test]
fn the_source_of_a_task_error_is_what_is_in_the_box() {
    spawns(|| async {
        let failed = try_gather([boxed(0)]).await.unwrap_err();
        assert!(failed.source().unwrap().is::<Refused>());
        assert!(TaskError::<BoxError>::Cancelled.source().is_none());
    });
}

#[test]
fn the_question_mark_through_all_of_it() {
    async fn program() -> Result<u32, BoxError> {
        let (a, b) = try_gather((boxed(1), object(2))).await?;
        let c = wait_for(boxed(3), LONG).await??;
        let d = create_task(boxed(4)).await??;
        let e = timeout(LONG, try_gather([boxed(5)])).await??;
        let f = to_thread(|| Ok::<_, BoxError>(6)).await??;
        let g = TaskGroup::scope(async |group| {
            let child = group.create_task(boxed(7))?;
            Ok(child.await??)
        })
        .await?;
        Ok([a, b, c, d, f, g].into_iter().chain(e).sum())
    }
    spawns(|| async { assert_eq!(create_task(program()).await.unwrap().unwrap(), 28) });
}
