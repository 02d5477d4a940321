//! Task groups in combinators, and combinators in task groups.

use crate::{LONG, Refused, boxed, spawns, typed};
use aioli::{
    GroupError, ReturnWhen, TaskGroup, catch_cancelled, defer, finally, gather, race, shield, timeout, try_gather,
    wait, wait_for,
};
use std::collections::HashMap;

async fn sum(items: Vec<u32>) -> Result<u32, GroupError> {
    TaskGroup::scope(async |group| {
        let mut children = Vec::new();
        for &item in &items {
            children.push(group.create_task(boxed(item))?);
        }
        let mut sum = 0;
        for child in children {
            sum += child.await??;
        }
        Ok(sum)
    })
    .await
}

#[test]
fn in_gather_race_and_limits() {
    spawns(|| async {
        let (a, b) = gather((sum(vec![1, 2]), sum(vec![3]))).await.unwrap();
        assert_eq!(a.unwrap() + b.unwrap(), 6);
        assert_eq!(try_gather([sum(vec![1]), sum(vec![2])]).await.unwrap(), [1, 2]);
        assert!(try_gather([sum(vec![0])]).await.is_err());
        assert_eq!(race((sum(vec![1, 2]), sum(vec![3]))).await.unwrap(), 3);
        assert_eq!(wait_for(sum(vec![1, 2]), LONG).await.unwrap().unwrap(), 3);
        assert_eq!(catch_cancelled(sum(vec![4])).await.unwrap().unwrap(), 4);
    });
}

#[test]
fn a_closure_form_in_gather_without_a_function_around() {
    spawns(|| async {
        let scopes = (1..4).map(|n| {
            TaskGroup::scope(async move |group| {
                let child = group.create_task(boxed(n))?;
                Ok(child.await??)
            })
        });
        assert_eq!(try_gather(scopes).await.unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_body_that_borrows_and_combines() {
    spawns(|| async {
        let words = [String::from("one"), String::from("two")];
        let lengths = HashMap::from([("one", 3_u32), ("two", 3)]);
        let total = TaskGroup::scope(async |group| {
            let longest = race(words.each_ref().map(|word| async { lengths[word.as_str()] })).await;
            let child = group.create_task(boxed(longest))?;
            let child = timeout(LONG, child).await???;
            let (a, b) = try_gather((boxed(1), boxed(2))).await?;
            let _cleanup = defer(async {});
            Ok(child + a + b)
        });
        assert_eq!(total.await.unwrap(), 6);
    });
}

#[test]
fn of_typed_errors() {
    spawns(|| async {
        let total = TaskGroup::<Refused>::typed_scope(async |group| {
            let Ok(child) = group.create_task(typed(1)) else {
                return Err(Refused(9));
            };
            let Ok(Ok(child)) = child.await else {
                return Err(Refused(8));
            };
            Ok(child)
        });
        assert_eq!(wait_for(total, LONG).await.unwrap().unwrap(), 1);
    });
}

#[test]
fn in_a_group_in_a_group() {
    spawns(|| async {
        let total = TaskGroup::scope(async |outer| {
            let child = outer.create_task(async {
                let inner = TaskGroup::scope(async |inner| {
                    let child = inner.create_task(boxed(1))?;
                    Ok(child.await?? + sum(vec![1]).await?)
                });
                Ok(timeout(LONG, inner).await??)
            })?;
            Ok(child.await??)
        });
        assert_eq!(total.await.unwrap(), 2);
    });
}

#[test]
fn a_value_form_with_a_handle_in_the_children() {
    spawns(|| async {
        let group = TaskGroup::new();
        let handle = group.handle();
        let child = async move {
            handle.create_task(async { race((boxed(1), boxed(2))).await })?;
            Ok(())
        };
        group.create_task(child).unwrap();
        finally(group.join(), async {}).await.unwrap();
    });
}

#[test]
fn children_where_tasks_are_taken() {
    spawns(|| async {
        let total = TaskGroup::scope(async |group| {
            let mut children = (1..7)
                .map(|n| group.create_task(boxed(n)))
                .collect::<Result<Vec<_>, _>>()?;
            let (done, pending) = wait(&children, ReturnWhen::AllCompleted).timeout(LONG).await;
            assert_eq!((done.len(), pending.len()), (6, 0));
            let mut last = children.pop().unwrap();
            assert_eq!(wait_for(&mut last, LONG).await???, 6);
            assert_eq!(wait_for(&children[4], LONG).await???, 5);
            let mut next = children.pop().unwrap();
            assert_eq!(shield(&children[3]).await??, 4);
            assert_eq!(shield(&mut next).await??, 5);
            assert_eq!(race((children.pop().unwrap(), &children[2])).await??, 4);
            let sum: u32 = try_gather(children).await?.into_iter().sum();
            Ok(sum)
        });
        assert_eq!(total.await.unwrap(), 6);
    });
}
