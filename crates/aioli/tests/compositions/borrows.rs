//! What runs in place and borrows, in a task that borrows nothing.

use crate::{LONG, boxed, forever, ms, plain, spawns};
use aioli::{
    BoxError, ReturnWhen, Task, TimeoutError, as_completed, catch_cancelled, create_task, finally, gather, race,
    shield, sleep, timeout, try_gather, uncancellable, wait, wait_for,
};
use std::{
    fmt::Display,
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
};

#[test]
fn a_race_of_branches_that_borrow_locals() {
    spawns(|| async {
        let name = String::from("hare");
        let mut lines = Vec::new();
        let winner = race((
            async {
                lines.push(name.len());
                sleep(ms(2)).await;
                lines.push(0);
                name.as_str()
            },
            async {
                sleep(ms(1)).await;
                &name[1..]
            },
        ))
        .await;
        assert_eq!((winner, lines), ("are", vec![4]));
    });
}

#[test]
fn limits_and_cleanups_that_borrow_locals() {
    spawns(|| async {
        let mut log = Vec::new();
        let name = String::from("x");
        let limited = timeout(ms(1), finally(forever(), async { log.push(name.as_str()) }));
        assert_eq!(limited.await, Err(TimeoutError));
        uncancellable(async { log.push(&name) }).await;
        catch_cancelled(async { log.push(&name) }).await.unwrap();
        wait_for(async { log.push(&name) }, None).await.unwrap();
        assert_eq!(log.len(), 4);
    });
}

#[test]
fn a_race_over_a_slice_and_through_a_reference() {
    async fn longest(words: &[&str]) -> usize {
        let lengths: Vec<_> = words
            .iter()
            .map(|word| async { plain(word.len() as u32).await })
            .collect();
        race(lengths).await as usize
    }
    async fn of_a_trait<D: Display + Sync + ?Sized>(what: &D) -> String {
        race((async { what.to_string() }, async { pending().await })).await
    }
    spawns(|| async {
        assert_eq!(longest(&["three", "to"]).await, 2);
        assert_eq!(of_a_trait("text").await, "text");
        assert_eq!(timeout(LONG, of_a_trait(&5)).await.unwrap(), "5");
        let what: Arc<dyn Display + Send + Sync> = Arc::new(7);
        assert_eq!(catch_cancelled(of_a_trait(&*what)).await.unwrap(), "7");
    });
}

#[test]
fn tasks_awaited_by_reference() {
    spawns(|| async {
        let (mut one, two) = (create_task(plain(1)), create_task(plain(2)));
        assert_eq!(race((&mut one, &two)).await.unwrap(), 1);
        assert_eq!(gather((two, plain(3))).await.unwrap(), (2, 3));
        let tasks: Vec<Task<u32>> = (1..3).map(|n| create_task(plain(n))).collect();
        let (done, pending) = wait(&tasks, ReturnWhen::FirstCompleted).timeout(LONG).await;
        assert_eq!((done.len(), pending.len()), (1, 1));
        assert_eq!(catch_cancelled(shield(&tasks[1])).await.unwrap().unwrap(), 2);
    });
}

#[test]
fn waiting_for_borrowed_tasks_under_limits() {
    spawns(|| async {
        let tasks = [1, 2].map(|n| create_task(boxed(n)));
        let (done, _) = timeout(LONG, wait(&tasks, ReturnWhen::AllCompleted)).await.unwrap();
        assert_eq!(done.len(), 2);
        let names = tasks.each_ref().map(|task| task.task_ref());
        race((wait(&names, ReturnWhen::FirstCompleted), pending())).await;
        let mut outcomes = as_completed(tasks);
        while let Some(outcome) = timeout(LONG, outcomes.next()).await.unwrap() {
            outcome.unwrap().unwrap();
        }
    });
}

#[test]
fn tasks_that_are_looked_at_under_limits() {
    spawns(|| async {
        let mut task = create_task(boxed(1));
        assert_eq!(timeout(ms(0), &mut task).await.unwrap_err(), TimeoutError);
        assert!(
            race((async { Some((&mut task).await) }, async { None }))
                .await
                .is_none()
        );
        assert_eq!(catch_cancelled(&mut task).await.unwrap().unwrap().unwrap(), 1);
        let values: Arc<[Task<u32>]> = (1..3).map(|n| create_task(plain(n))).collect();
        let theirs = values.clone();
        let looker = async move { (&theirs[0]).await.unwrap() + timeout(LONG, &theirs[1]).await.unwrap().unwrap() };
        assert_eq!(
            gather((looker, async move { (&values[1]).await.unwrap() }))
                .await
                .unwrap(),
            (3, 2)
        );
    });
}

/// As `#[async_trait]` has it.
trait Service: Send + Sync {
    fn call<'a>(&'a self, question: &'a str) -> Pin<Box<dyn Future<Output = Result<&'a str, BoxError>> + Send + 'a>>;
}

struct Echo(String);

impl Service for Echo {
    fn call<'a>(&'a self, question: &'a str) -> Pin<Box<dyn Future<Output = Result<&'a str, BoxError>> + Send + 'a>> {
        Box::pin(async move {
            let both = race((timeout(LONG, async { &*self.0 }), async { Ok(question) }));
            Ok(both.await?)
        })
    }
}

#[test]
fn a_service_behind_a_trait_object() {
    async fn first<'a>(services: &'a [Box<dyn Service>], question: &'a str) -> Result<&'a str, BoxError> {
        let calls = services.iter().map(|service| timeout(LONG, service.call(question)));
        catch_cancelled(race(calls.collect::<Vec<_>>()))
            .await
            .map_err(|_| "cancelled")??
    }
    spawns(|| async {
        let services: Arc<[Box<dyn Service>]> = Arc::new([Box::new(Echo("one".into())), Box::new(Echo("two".into()))]);
        assert_eq!(timeout(LONG, first(&services, "?")).await.unwrap().unwrap(), "one");
        let theirs = services.clone();
        let asked = async move { first(&theirs, "?").await.map(str::to_owned) };
        let twice = async move { services[1].call("?").await.map(str::to_owned) };
        assert_eq!(try_gather((asked, twice)).await.unwrap(), ("one".into(), "two".into()));
    });
}
