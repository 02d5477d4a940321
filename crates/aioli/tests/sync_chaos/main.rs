//! Every primitive of [`aioli::sync`], used by tasks that are cut short at random instants: nobody waits for ever, and at the
//! end of each scene every permit, lock, notification, index and item is accounted for.
//!
//! A [scene](stage) is a small play about one primitive; each ends with its account. A round is many of them, several at a time, on
//! one loop of four workers. Scenes are short so that nothing that is lost is made good by what comes later.
//!
//! `AIOLI_CHAOS_SECONDS` says for how long rounds are begun, one by default; for `AIOLI_CHAOS_SEED` see [`dice`].

mod barrier;
#[path = "../common/dice.rs"]
mod dice;
mod locks;
mod once;
mod queues;
mod semaphores;
mod signals;
mod stage;

use aioli::{Builder, create_task};
use dice::{Dice, rounds};
use stage::{Counts, Stage, Watch};
use std::{future::Future, pin::Pin, sync::Arc};

const WORKERS: usize = 4;
/// How many scenes are played at a time.
const LANES: u64 = 6;
/// How many are played one after the other, in each round.
const SCENES: u64 = 20;

type Scene = (&'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

fn scene(mut stage: Stage) -> Scene {
    match stage.dice.below(12) {
        0 => ("Lock", Box::pin(locks::lock(stage))),
        1 => ("RwLock", Box::pin(locks::rw_lock(stage))),
        2 => ("Semaphore", Box::pin(semaphores::semaphore(stage))),
        3 => ("BoundedSemaphore", Box::pin(semaphores::bounded(stage))),
        4 => ("OnceCell", Box::pin(once::once_cell(stage))),
        5 => ("Promise", Box::pin(once::promise(stage))),
        6 => ("Event", Box::pin(signals::event(stage))),
        7 => ("Condition", Box::pin(signals::condition(stage))),
        8 => ("Barrier", Box::pin(barrier::barrier(stage))),
        9 => ("Queue", Box::pin(queues::queue(stage))),
        10 => ("LifoQueue", Box::pin(queues::lifo(stage))),
        _ => ("PriorityQueue", Box::pin(queues::priority(stage))),
    }
}

fn round(seed: u64, watch: &Watch, counts: &Arc<Counts>) {
    let mut dice = Dice::new(seed);
    let _round = watch.begin(format!("round with seed {seed}"));
    Builder::new().workers(WORKERS).build().unwrap().run(async {
        let lane = |mut dice: Dice| {
            let (watch, counts) = (watch.clone(), counts.clone());
            create_task(async move {
                for _ in 0..SCENES {
                    let (name, scene) = scene(Stage::new(dice.child(), &counts));
                    let _scene = watch.begin(name.to_owned());
                    scene.await;
                    counts.scene();
                }
            })
        };
        let lanes: Vec<_> = (0..LANES).map(|_| lane(dice.child())).collect();
        for lane in lanes {
            lane.await.unwrap();
        }
    });
}

#[test]
fn whoever_is_cut_short_loses_nothing_and_keeps_nobody_waiting() {
    let (watch, counts) = (Watch::new(), Arc::new(Counts::default()));
    let rounds = rounds("sync chaos", 1, |seed| round(seed, &watch, &counts));
    println!("sync chaos: {rounds} rounds, {counts}");
}
