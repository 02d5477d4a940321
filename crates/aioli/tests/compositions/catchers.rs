//! Catchers and cleanups around combinators, and combinators around them.

use crate::{LONG, boxed, forever, ms, plain, spawns};
use aioli::{
    CancelledError, JoinError, catch_cancelled, create_task, finally, gather, race, shield, sleep, timeout,
    uncancellable,
};
use std::future::Future;

/// A task, once it waits, is cancelled, and this is its outcome.
async fn cancelled_midway<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    let task = create_task(work);
    sleep(ms(1)).await;
    task.cancel();
    task.await
}

#[test]
fn around_a_race() {
    spawns(|| async {
        assert_eq!(catch_cancelled(race((plain(1), plain(2)))).await.unwrap(), 1);
        let outcome = cancelled_midway(async {
            let cancelled = catch_cancelled(race((forever(), plain(3)))).await.unwrap_err();
            cancelled.swallow();
            catch_cancelled(race([plain(1), plain(2)])).await.unwrap()
        });
        assert_eq!(outcome.await.unwrap(), 1);
    });
}

#[test]
fn around_a_race_of_catchers() {
    spawns(|| async {
        let outcome = cancelled_midway(async {
            let branch = || async {
                let cancelled = catch_cancelled(forever()).await.unwrap_err();
                if cancelled.reason().is_some() {
                    return "a reason";
                }
                cancelled.resume().await
            };
            let caught = catch_cancelled(race((branch(), branch()))).await;
            caught.map_err(CancelledError::swallow).is_err()
        });
        assert!(outcome.await.unwrap());
    });
}

#[test]
fn finally_around_gather_and_within_it() {
    spawns(|| async {
        let around = finally(gather((plain(1), plain(2))), async {
            gather((plain(1), plain(2))).await.unwrap();
        });
        assert_eq!(around.await.unwrap(), (1, 2));
        let within = gather([1, 2].map(|n| finally(plain(n), async {})));
        assert_eq!(within.await.unwrap(), [1, 2]);
        let outcome = cancelled_midway(finally(gather([forever(), forever()]), sleep(ms(1))));
        assert!(outcome.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn in_one_another() {
    spawns(|| async {
        let nested = catch_cancelled(finally(uncancellable(timeout(LONG, shield(plain(1)))), sleep(ms(1))));
        assert_eq!(nested.await.unwrap().unwrap().unwrap(), 1);
        let nested = timeout(LONG, catch_cancelled(timeout(LONG, catch_cancelled(boxed(1)))));
        assert_eq!(nested.await.unwrap().unwrap().unwrap().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_token_that_is_held_across_awaits_and_sent_away() {
    spawns(|| async {
        let outcome = cancelled_midway(async {
            let cancelled = catch_cancelled(race((forever(), forever()))).await.unwrap_err();
            let (token, _) = gather((async move { cancelled }, plain(1))).await.unwrap();
            sleep(ms(1)).await;
            token.swallow();
            "swallowed"
        });
        assert_eq!(outcome.await.unwrap(), "swallowed");
    });
}
