//! One task: how it is cancelled, how it cleans up, and how it may object.

use crate::stage::{HOUR, Stage, ms, say};
use aioli::{catch_cancelled, closing, create_task, current_task, defer, finally, sleep};

pub fn being_cancelled(stage: Stage) {
    struct File;
    impl Drop for File {
        fn drop(&mut self) {
            say("worker: a destructor closes the file");
        }
    }

    stage.open(
        "Being cancelled",
        "A worker with an open file wants to sleep for an hour. It is cancelled.",
    );
    stage.play(async {
        let worker = create_task(async {
            let _file = File;
            say("worker: falls asleep");
            sleep(HOUR).await;
            say("worker: wakes up");
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and awaits it");
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("A cancelled task is dropped at the await where it stands. Destructors run, and that is all.");
}

pub fn work_that_is_deferred(stage: Stage) {
    struct Connection;
    impl Connection {
        async fn close(self) {
            sleep(ms(20)).await;
            say("worker: the connection is closed");
        }
    }

    stage.open(
        "Cleaning up takes time: defer and closing",
        "A worker has a connection, whose closing takes 20 ms, and a goodbye to say, which takes 5 ms.",
    );
    stage.play(async {
        let worker = create_task(async {
            let _goodbye = defer(async {
                sleep(ms(5)).await;
                say("worker: goodbye");
            });
            let _connection = closing(Connection, |connection| connection.close());
            sleep(HOUR).await;
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and awaits it");
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("What a dropped future defers is awaited, last guard first, before the task is over.");
}

pub fn catching_and_resuming(stage: Stage) {
    stage.open(
        "Catching: except CancelledError, and raise",
        "A worker catches its cancellation, tidies up for 20 ms, and lets the cancellation go on.",
    );
    stage.play(async {
        let worker = create_task(async {
            if let Err(cancelled) = catch_cancelled(sleep(HOUR)).await {
                say("worker: caught it; tidying up");
                sleep(ms(20)).await;
                say("worker: tidy; the cancellation may go on");
                cancelled.resume().await;
            }
            say("worker: is never here");
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and awaits it");
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("catch_cancelled gives the program a say; resume().await is `raise`, and never returns.");
}

pub fn catching_and_going_on(stage: Stage) {
    stage.open(
        "Catching: except CancelledError, and carry on",
        "A worker is asked to stop while it cannot. It swallows the request and finishes.",
    );
    stage.play(async {
        let worker = create_task(async {
            if let Err(cancelled) = catch_cancelled(sleep(HOUR)).await {
                say("worker: not now");
                cancelled.swallow();
                current_task().unwrap().uncancel();
            }
            sleep(ms(20)).await;
            "the result"
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and awaits it");
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("A request is a request. swallow() ends it, and uncancel() tells the counters that it is dealt with.");
}

pub fn finally_in_any_case(stage: Stage) {
    stage.open(
        "Cleanup in any case: finally",
        "The same work twice: once it has its time, once it is cancelled.",
    );
    stage.play(async {
        for patience in [ms(50), ms(10)] {
            let cleanup = async {
                sleep(ms(5)).await;
                say("worker: cleaned up");
            };
            let worker = create_task(finally(
                async {
                    sleep(ms(30)).await;
                    say("worker: done");
                    42
                },
                cleanup,
            ));
            sleep(patience).await;
            say(format!("main: cancels it: {}", worker.cancel()));
            say(format!("main: got {:?}", worker.await));
        }
    });
    stage.close("finally(work, cleanup) awaits the cleanup, then gives the value or lets the cancellation go on.");
}

pub fn a_token_that_is_dropped(stage: Stage) {
    stage.open(
        "A cancellation that is overlooked",
        "A worker writes `let _ = catch_cancelled(..).await`, as one does.",
    );
    stage.play(async {
        let worker = create_task(async {
            let _ = catch_cancelled(sleep(HOUR)).await;
            say("worker: goes on, as if nothing had happened");
            sleep(ms(20)).await;
            say("worker: is never here");
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and awaits it");
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("A token that is dropped goes on at the next await. To ignore a cancellation one must say so.");
}

pub fn the_second_request(stage: Stage) {
    stage.open(
        "The second request",
        "A worker defers 30 ms of work, and has a handler that takes an hour. It is cancelled three times.",
    );
    stage.play(async {
        let worker = create_task(async {
            let _deferred = defer(async {
                say("worker: deferred work begins");
                sleep(ms(30)).await;
                say("worker: deferred work is done");
            });
            if let Err(cancelled) = catch_cancelled(sleep(HOUR)).await {
                say("worker: the handler begins");
                sleep(HOUR).await;
                say("worker: the handler is done");
                cancelled.resume().await;
            }
        });
        for which in ["first", "second", "third"] {
            sleep(ms(10)).await;
            say(format!("main: {which} request"));
            worker.cancel();
        }
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("A second request interrupts a handler, as in asyncio. Nothing interrupts deferred work.");
}

pub fn reasons_and_counts(stage: Stage) {
    stage.open(
        "Reasons and counts",
        "A worker is told why. It swallows the request, and a look from outside tells how it stands.",
    );
    stage.play(async {
        let worker = create_task(async {
            if let Err(cancelled) = catch_cancelled(sleep(HOUR)).await {
                say(format!("worker: cancelled because of {:?}", cancelled.reason()));
                cancelled.swallow();
            }
            sleep(ms(10)).await;
            say(format!(
                "worker: takes it back, {} left",
                current_task().unwrap().uncancel()
            ));
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and says why");
        worker.cancel_with("the power is going");
        sleep(ms(5)).await;
        say(format!("main: the worker has {} request", worker.cancelling()));
        worker.finished().await;
        say(format!(
            "main: now {}, and it ended as cancelled: {}",
            worker.cancelling(),
            worker.is_cancelled()
        ));
    });
    stage.close("cancelling() counts requests until uncancel() takes them back, swallowed or not, as in asyncio.");
}
