//! Several tasks: who is told, in which order they end, and what the program waits for.

use crate::stage::{HOUR, Stage, ms, say};
use aioli::{
    CancelledError, GroupError, TaskGroup, catch_cancelled, create_task, defer, finally, gather, race, sleep, timeout,
    try_gather,
};
use std::future::pending;

/// Never ends by itself, and takes its time to clean up.
async fn busy(name: &'static str, cleanup: u64) {
    finally(pending(), async move {
        sleep(ms(cleanup)).await;
        say(format!("{name}: cleaned up"));
    })
    .await
}

pub fn awaiting_passes_it_on(stage: Stage) {
    stage.open(
        "Awaiting passes it on",
        "A grandparent awaits a parent, which awaits a child. The grandparent is cancelled.",
    );
    stage.play(async {
        let child = create_task(busy("child", 20));
        let parent = create_task(finally(child, async {
            sleep(ms(10)).await;
            say("parent: cleaned up");
        }));
        let grandparent = create_task(finally(parent, async { say("grandparent: cleaned up") }));
        sleep(ms(10)).await;
        say("main: cancels the grandparent, and awaits it");
        grandparent.cancel();
        let ended = grandparent.await.map(|_| ());
        say(format!("main: got {ended:?}"));
    });
    stage.close("A request goes to the innermost task, and comes back out as each of them has cleaned up.");
}

pub fn the_child_objects(stage: Stage) {
    stage.open(
        "The child objects",
        "A parent awaits a child that swallows what is passed on to it.",
    );
    stage.play(async {
        let parent = create_task(async {
            let child = create_task(async {
                let _ = catch_cancelled(sleep(HOUR)).await.map_err(CancelledError::swallow);
                say("child: no. Here is your result");
                42
            });
            let value = child.await;
            say(format!("parent: got {value:?}, and goes on"));
            sleep(ms(10)).await;
        });
        sleep(ms(10)).await;
        say("main: cancels the parent, and awaits it");
        parent.cancel();
        say(format!("main: got {:?}", parent.await));
    });
    stage.close("Whoever handles a request has handled it for all who passed it on.");
}

pub fn dropping_and_looking(stage: Stage) {
    stage.open(
        "Dropping and looking",
        "Two jobs, each awaited for 10 ms: the one by reference, the other one for good.",
    );
    stage.play(async {
        let mut looked_at = create_task(finally(sleep(ms(40)), async { say("first job: ended") }));
        let given = create_task(finally(sleep(ms(60)), async { say("second job: ended") }));
        let _ = timeout(ms(10), &mut looked_at).await;
        say(format!(
            "main: looked. Is the first one asked to stop? {}",
            looked_at.cancelling() > 0
        ));
        let _ = timeout(ms(10), given).await;
        say("main: the second one was mine, and was stopped");
        looked_at.finished().await;
    });
    stage.close("task.await owns the task, and takes it along. (&mut task).await only looks.");
}

pub fn a_gathering_is_cancelled(stage: Stage) {
    stage.open(
        "A gathering is cancelled",
        "Three tasks are gathered. They take 10, 20 and 30 ms to clean up.",
    );
    stage.play(async {
        let all = gather((busy("a", 30), busy("b", 10), busy("c", 20)));
        let result = timeout(ms(10), all).await;
        say(format!("main: got {}", result.map_or("TimeoutError", |_| "values")));
    });
    stage.close("All are told at once, and clean up at the same time. The gathering ends when the last one has.");
}

pub fn the_first_error_of_several(stage: Stage) {
    stage.open(
        "The first error of several",
        "One of two gathered tasks fails. The other one works on.",
    );
    stage.play(async {
        let fails = async {
            sleep(ms(10)).await;
            Err::<u32, _>("out of paper")
        };
        let prints = async {
            sleep(ms(30)).await;
            say("printer: done all the same");
            Ok(7)
        };
        let result = try_gather((fails, prints)).await;
        say(format!("main: got {result:?}"));
        sleep(ms(40)).await;
    });
    stage.close("try_gather gives the first error at once and cancels nobody, as asyncio's gather. Groups do.");
}

pub fn a_race(stage: Stage) {
    stage.open(
        "A race",
        "A hare and a tortoise. The hare, who sleeps, has something to clear away when it loses.",
    );
    stage.play(async {
        let hare = async {
            busy("hare", 20).await;
            "hare"
        };
        let tortoise = async {
            sleep(ms(10)).await;
            say("tortoise: is there");
            "tortoise"
        };
        let winner = race((hare, tortoise)).await;
        say(format!("main: the winner is the {winner}"));
    });
    stage.close("Losers are cancelled and cleaned up before the race is over. Racers are futures, and may borrow.");
}

pub fn a_group_fails(stage: Stage) {
    stage.open(
        "A group fails",
        "Two children are busy and one fails. The body of the group is busy, too.",
    );
    stage.play(async {
        let result = TaskGroup::scope(async |group| {
            group.create_task(busy("child a", 20))?;
            group.create_task(busy("child b", 30))?;
            group.create_task(async {
                sleep(ms(10)).await;
                say("child c: fails");
                Err::<(), _>("no more paper".into())
            })?;
            busy("body", 10).await;
            Ok(())
        });
        say(format!("main: {}", result.await.unwrap_err()));
    });
    stage.close("The first failure cancels all others. The group ends when everybody has, and has all the errors.");
}

pub fn a_group_is_cancelled(stage: Stage) {
    async fn work() -> Result<(), GroupError> {
        TaskGroup::scope(async |group| {
            group.create_task(busy("child a", 10))?;
            group.create_task(busy("child b", 20))?;
            Ok(())
        })
        .await
    }

    stage.open("A group is cancelled", "The task in which a group runs is cancelled.");
    stage.play(async {
        let worker = create_task(async {
            if let Err(cancelled) = catch_cancelled(work()).await {
                say("worker: the group is over");
                cancelled.resume().await;
            }
        });
        sleep(ms(10)).await;
        say("main: cancels the worker, and awaits it");
        worker.cancel();
        say(format!("main: got {:?}", worker.await));
    });
    stage.close("No child outlives its group, whichever way that ends.");
}

pub fn the_end_of_run(stage: Stage) {
    stage.open(
        "The end of run",
        "Main returns while a detached task is busy and another one has work deferred.",
    );
    stage.play(async {
        create_task(busy("detached", 20)).detach();
        create_task(async {
            let _saving = defer(async {
                sleep(ms(30)).await;
                say("saver: saved");
            });
            sleep(HOUR).await;
        })
        .detach();
        sleep(ms(10)).await;
        say("main: returns");
    });
    say("run: returns");
    stage.close("run cancels what is left and waits for it. When it returns, nothing of the program is alive.");
}
