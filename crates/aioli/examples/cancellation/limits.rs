//! What keeps a cancellation in, and what keeps it out: timeouts, shields, and other people's combinators.

use crate::stage::{HOUR, Stage, ms, say};
use aioli::{TimeoutError, catch_cancelled, create_task, defer, shield, sleep, timeout, uncancellable};
use futures_lite::future::or;

pub fn a_timeout(stage: Stage) {
    stage.open("A timeout", "Work that takes an hour gets 10 ms. Its cleanup takes 20.");
    stage.play(async {
        let work = async {
            let _cleanup = defer(async {
                say("work: cleaning up");
                sleep(ms(20)).await;
                say("work: cleaned up");
            });
            sleep(HOUR).await;
        };
        say("main: begins");
        let result = timeout(ms(10), work).await;
        say(format!("main: got {result:?}"));
    });
    stage.close("A timeout cancels its body, waits for the cleanup, and then gives the error: nothing is left behind.");
}

pub fn timeouts_in_timeouts(stage: Stage) {
    stage.open(
        "Timeouts in timeouts",
        "First the inner limit is the shorter one, then the outer one.",
    );
    stage.play(async {
        for (outer, inner) in [(200, 20), (20, 200)] {
            say(format!("main: {outer} ms around {inner} ms"));
            let result = timeout(ms(outer), async {
                match catch_cancelled(timeout(ms(inner), sleep(HOUR))).await {
                    Ok(result) => say(format!("inner: {result:?}")),
                    Err(cancelled) => {
                        say("inner: not me: I am being cancelled");
                        cancelled.resume().await;
                    }
                }
                "goes on"
            });
            say(format!("outer: {:?}", result.await));
        }
    });
    stage.close("A request knows who issued it. Each timeout answers for its own, and only for that.");
}

pub fn a_timeout_with_a_value(stage: Stage) {
    stage.open(
        "A value wins",
        "One body is ready in the very instant in which its time is up. Another one answers to the cancellation.",
    );
    stage.play(async {
        let in_time = timeout(ms(10), async {
            sleep(ms(10)).await;
            "just in time"
        });
        say(format!("main: {:?}", in_time.await));
        let late = timeout(ms(10), async {
            match catch_cancelled(sleep(HOUR)).await {
                Ok(()) => "all of it",
                Err(cancelled) => {
                    cancelled.swallow();
                    "half of it"
                }
            }
        });
        say(format!("main: {:?}", late.await));
    });
    stage.close("TimeoutError means that there is no value. No value that is there is thrown away.");
}

pub fn holding_it_back(stage: Stage) {
    stage.open(
        "Holding it back: uncancellable",
        "A writer writes two halves that belong together. Its time is up in between.",
    );
    stage.play(async {
        let mut book = Vec::new();
        let writing = timeout(ms(10), async {
            // In place, and so it may borrow.
            uncancellable(async {
                book.push("first half");
                sleep(ms(30)).await;
                book.push("second half");
            })
            .await;
            say("writer: both are written");
            sleep(HOUR).await;
        });
        let result = writing.await;
        say(format!("main: {result:?}, and the book has {book:?}"));
    });
    stage.close("uncancellable(..) is finished first; the request waits, and so does the one who cancels.");
}

pub fn a_shield(stage: Stage) {
    stage.open(
        "Letting go: shield",
        "Two wait for the same job. One of them has no patience.",
    );
    stage.play(async {
        let job = create_task(async {
            sleep(ms(30)).await;
            say("job: done");
            42
        });
        let impatient = timeout(ms(10), shield(&job)).await;
        say(format!("main: impatient got {impatient:?}"));
        say(format!("main: patient got {:?}", job.await));
    });
    stage.close("shield(..) lets the waiter go and the task live. uncancellable(..) keeps both.");
}

pub fn somebody_elses_select(stage: Stage) {
    stage.open(
        "Somebody else's select",
        "A combinator that knows nothing of us drops a timeout midway, and the task returns at once.",
    );
    stage.play(async {
        let worker = create_task(async {
            let slow = async {
                let limited = timeout(HOUR, async {
                    let _cleanup = defer(async {
                        say("slow: cleaning up");
                        sleep(ms(30)).await;
                        say("slow: cleaned up");
                    });
                    sleep(HOUR).await;
                });
                limited.await.unwrap_or_else(|TimeoutError| say("slow: out of time"));
                "slow"
            };
            let quick = async {
                sleep(ms(10)).await;
                "quick"
            };
            let winner = or(slow, quick).await;
            say(format!("worker: {winner} won; returning"));
        });
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("The task takes over the cleanup of what a foreign combinator drops, and is not over before that is.");
}
