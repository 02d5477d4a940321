//! What a request finds that does not stand still: frames that open after it came, handlers that open frames of their own, and
//! tokens that leave the scope in which they were taken. On a virtual clock, on one worker and on several.

mod common;

use aioli::{CancelledError, EventLoop, TaskGroup, catch_cancelled, create_task, finally, race, sleep, timeout};
use common::{LONG, Log, check, ms};
use futures_lite::future::zip;
use std::future::Future;

/// Checks what a task says that is cancelled 10 ms after it was created. The last line is the helper's: when it ended.
///
/// A task that the request does not reach waits for an hour, and so ends late, or not as cancelled.
fn check_cancelled<F>(expected: &[&str], body: impl Fn(Log) -> F)
where
    F: Future<Output: Send> + Send + 'static,
{
    check(expected, |log| {
        let body = body(log.clone());
        async move {
            let start = EventLoop::current().time();
            let task = create_task(body);
            sleep(ms(10)).await;
            assert!(task.cancel());
            task.finished().await;
            assert_eq!(task.cancelling(), 1);
            let how = if task.is_cancelled() { "cancelled" } else { "finished" };
            let after = EventLoop::current().time() - start;
            log.add(format!("{how} at {}", after.as_millis()));
        }
    });
}

/// Waits until it is cancelled.
async fn caught() -> CancelledError {
    catch_cancelled(sleep(LONG)).await.unwrap_err()
}

/// An await that is a frame.
async fn awaits_a_task() {
    let _ = create_task(sleep(LONG)).await;
}

// Frames that open after the request came.

/// Cleans up until 30, beside somebody who opens a frame at 20, when the request has come by.
async fn cleans_up_beside_a_late_frame(log: Log) {
    let cleanup = async {
        let token = caught().await;
        sleep(ms(20)).await;
        log.add("clean");
        token.resume().await;
    };
    let late = async {
        sleep(ms(20)).await;
        awaits_a_task().await;
    };
    zip(cleanup, late).await;
}

#[test]
fn a_frame_that_opens_beside_a_cleanup_is_told_when_the_cleanup_is_done() {
    check_cancelled(&["clean", "cancelled at 30"], cleans_up_beside_a_late_frame);
}

#[test]
fn an_outer_catcher_tells_a_frame_that_opened_late_and_acts_after_it() {
    check_cancelled(&["clean", "outer", "cancelled at 30"], |log| async move {
        let inner = catch_cancelled(cleans_up_beside_a_late_frame(log.clone()));
        let token = inner.await.unwrap_err();
        log.add("outer");
        token.resume().await;
    });
}

/// Lets the token of a cancellation go, and awaits a task.
async fn drops_the_token_and_awaits_a_task(log: Log) {
    drop(caught().await);
    log.add("dropped");
    awaits_a_task().await;
    log.add("never");
}

#[test]
fn a_dropped_token_ends_a_task_that_is_awaited_next() {
    check_cancelled(&["dropped", "cancelled at 10"], drops_the_token_and_awaits_a_task);
}

#[test]
fn a_dropped_token_ends_a_task_that_is_awaited_next_in_the_body_of_a_finally() {
    check_cancelled(&["dropped", "clean", "cancelled at 10"], |log| {
        finally(drops_the_token_and_awaits_a_task(log.clone()), async move {
            log.add("clean");
        })
    });
}

#[test]
fn a_dropped_token_ends_a_task_that_is_awaited_next_in_the_body_of_a_group() {
    check_cancelled(&["dropped", "cancelled at 10"], |log| {
        TaskGroup::scope(async |_group| {
            drops_the_token_and_awaits_a_task(log).await;
            Ok(())
        })
    });
}

#[test]
fn a_dropped_token_is_caught_again_by_each_of_the_next_catchers() {
    let expected = ["caught 1", "caught 2", "caught 3", "clean", "cancelled at 10"];
    check_cancelled(&expected, |log| async move {
        let body = async {
            for round in 1..=3 {
                drop(caught().await);
                log.add(format!("caught {round}"));
            }
            sleep(LONG).await;
        };
        finally(body, async { log.add("clean") }).await;
    });
}

// Handlers are left in peace.

#[test]
fn a_handler_awaits_a_task_in_peace_although_its_sibling_resumes() {
    check_cancelled(&["Ok(())", "cancelled at 20"], |log| async move {
        let handler = async {
            let token = caught().await;
            log.add(format!("{:?}", create_task(sleep(ms(10))).await));
            token.resume().await;
        };
        zip(handler, async { caught().await.resume().await }).await;
    });
}

#[test]
fn a_cleanup_awaits_a_task_in_peace_although_the_cleanup_beside_it_is_done() {
    check_cancelled(&["Ok(())", "cancelled at 20"], |log| async move {
        let cleanup = async { log.add(format!("{:?}", create_task(sleep(ms(10))).await)) };
        zip(finally(sleep(LONG), cleanup), finally(sleep(LONG), async {})).await;
    });
}

// Tokens that leave scopes as their values.

/// An outer catcher around one who takes a token by `take`, and cleans up until 20, and one who resumes at once.
async fn an_outer_catcher_waits<F: Future<Output = CancelledError>>(log: Log, take: impl FnOnce() -> F) {
    let cleanup = async {
        let token = take().await;
        log.add("cleanup begins");
        sleep(ms(10)).await;
        log.add("cleanup ends");
        token.resume().await;
    };
    let both = zip(cleanup, async { caught().await.resume().await });
    let token = catch_cancelled(both).await.unwrap_err();
    log.add("outer");
    token.resume().await;
}

const OUTER_LAST: [&str; 4] = ["cleanup begins", "cleanup ends", "outer", "cancelled at 20"];

#[test]
fn a_token_that_is_the_value_of_a_timeout_is_waited_for() {
    check_cancelled(&OUTER_LAST, |log| {
        an_outer_catcher_waits(log, async || timeout(LONG, caught()).await.unwrap())
    });
}

#[test]
fn a_token_that_is_the_value_of_a_timeout_in_a_timeout_is_waited_for() {
    check_cancelled(&OUTER_LAST, |log| {
        let take = async || timeout(LONG, timeout(LONG, caught())).await.unwrap().unwrap();
        an_outer_catcher_waits(log, take)
    });
}

#[test]
fn a_token_that_is_the_value_of_a_catcher_is_waited_for() {
    check_cancelled(&OUTER_LAST, |log| {
        an_outer_catcher_waits(log, async || catch_cancelled(caught()).await.unwrap())
    });
}

#[test]
fn a_token_that_wins_a_race_is_waited_for() {
    check_cancelled(&OUTER_LAST, |log| {
        an_outer_catcher_waits(log, async || race([caught()]).await)
    });
}

// Timeouts beside a token that is held.

/// One cleans up until 110, beside somebody whose timeout is up at 50; a third one resumes at once.
async fn cleans_up_beside_a_timeout(log: Log) {
    let cleanup = async {
        let token = caught().await;
        log.add("cleanup begins");
        sleep(ms(100)).await;
        log.add("cleanup ends");
        token.resume().await;
    };
    let beside = async {
        let answer = timeout(ms(50), sleep(LONG)).await;
        log.add(format!("{answer:?}"));
        sleep(LONG).await;
    };
    zip(cleanup, zip(async { caught().await.resume().await }, beside)).await;
}

#[test]
fn a_timeout_beside_a_held_token_answers() {
    let expected = [
        "cleanup begins",
        "Err(TimeoutError)",
        "cleanup ends",
        "cancelled at 110",
    ];
    check_cancelled(&expected, cleans_up_beside_a_timeout);
}

#[test]
fn a_timeout_beside_a_held_token_answers_inside_an_outer_catcher() {
    let expected = [
        "cleanup begins",
        "Err(TimeoutError)",
        "cleanup ends",
        "outer",
        "cancelled at 110",
    ];
    check_cancelled(&expected, |log| async move {
        let inner = catch_cancelled(cleans_up_beside_a_timeout(log.clone()));
        let token = inner.await.unwrap_err();
        log.add("outer");
        token.resume().await;
    });
}
