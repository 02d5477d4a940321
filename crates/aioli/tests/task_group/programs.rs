//! Programs as users write them.

use crate::common::{Log, ms, on_all};
use aioli::{BoxError, GroupHandle, TaskGroup, catch_cancelled, create_task, sleep, timeout, yield_now};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

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
