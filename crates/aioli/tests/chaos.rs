//! Ten thousand tasks in nested groups, timeouts, gathers and races, cancelled at random instants: every round ends, the
//! cleanup of each task that began runs exactly once, nothing is alive in the end, and nothing is leaked.
//!
//! `AIOLI_CHAOS_SECONDS` says for how long rounds are begun, two by default; for `AIOLI_CHAOS_SEED` see [`dice`].

#[path = "common/dice.rs"]
mod dice;

use aioli::{
    Builder, CancelledError, TaskGroup, TaskRef, all_tasks, catch_cancelled, closing, create_task, current_task, defer,
    finally, gather_settled, race, shield, sleep, timeout, uncancellable, yield_now,
};
use dice::{Dice, rounds};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const TASKS: usize = 10_000;
const WORKERS: usize = 4;
/// What a task waits for is less away than so many microseconds.
const PAUSE: u64 = 20_000;

/// What all tasks of a round share.
struct World {
    /// For each task that has begun, how often it has cleaned up.
    cleanups: Box<[AtomicU8]>,
    begun: AtomicUsize,
    /// How many tasks were created, begun or not.
    created: AtomicUsize,
    /// Values and futures that are alive.
    alive: AtomicUsize,
    /// Those to be cancelled at random.
    names: Mutex<Vec<TaskRef>>,
    over: AtomicBool,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cleanups: (0..TASKS).map(|_| AtomicU8::new(0)).collect(),
            begun: AtomicUsize::new(0),
            created: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            names: Mutex::new(Vec::new()),
            over: AtomicBool::new(false),
        })
    }

    fn alive(self: &Arc<Self>) -> Alive {
        self.alive.fetch_add(1, SeqCst);
        Alive(self.clone())
    }

    /// As many of `wanted` tasks as there are left to be created.
    fn take(&self, wanted: usize) -> usize {
        let before = self.created.fetch_add(wanted, SeqCst);
        wanted.min(TASKS.saturating_sub(before))
    }

    fn clean(&self, id: usize) {
        self.cleanups[id].fetch_add(1, SeqCst);
    }
}

/// Counted for as long as it is there.
struct Alive(Arc<World>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, SeqCst);
    }
}

type Boxed = Pin<Box<dyn Future<Output = Alive> + Send>>;

/// A task of the round: cleans up in one way or another, however what it does ends.
fn task(world: Arc<World>, mut dice: Dice, depth: u32) -> Boxed {
    let future = world.alive();
    Box::pin(async move {
        let id = world.begun.fetch_add(1, SeqCst);
        let _future = future;
        world.names.lock().unwrap().push(current_task().unwrap());
        let value = world.alive();
        let (cleanup, pause) = (dice.below(5), dice.micros(PAUSE));
        let work = work(world.clone(), dice, depth);
        let world_ = world.clone();
        match cleanup {
            0 => {
                let _clean = defer(async move {
                    sleep(pause).await;
                    world_.clean(id);
                });
                work.await;
            }
            1 => {
                let _resource = closing(world_, move |world: Arc<World>| async move {
                    yield_now().await;
                    world.clean(id);
                });
                work.await;
            }
            2 => {
                finally(work, async {
                    world.clean(id);
                    // A second request may end this.
                    sleep(pause).await;
                })
                .await;
            }
            3 => {
                let ended = catch_cancelled(work).await;
                world.clean(id);
                uncancellable(sleep(pause)).await;
                if let Err(cancelled) = ended {
                    cancelled.resume().await;
                }
            }
            _ => {
                let ended = catch_cancelled(work).await;
                world.clean(id);
                // Dropped or swallowed.
                ended.map_err(CancelledError::swallow).ok();
            }
        }
        value
    })
}

/// What a task does: waits, or has others work for it.
fn work(world: Arc<World>, mut dice: Dice, depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let children = if depth == 0 {
            0
        } else {
            world.take(5 + dice.below(60) as usize)
        };
        if children == 0 {
            return leaf(&mut dice).await;
        }
        let tasks: Vec<_> = (0..children)
            .map(|_| task(world.clone(), dice.child(), depth - 1))
            .collect();
        match dice.below(6) {
            0 | 1 => {
                let _ = TaskGroup::scope(async |group| {
                    for task in tasks {
                        group.create_task(async move { drop(task.await) })?;
                    }
                    sleep(dice.micros(PAUSE)).await;
                    match dice.below(4) {
                        0 => Err("the body fails")?,
                        1 => group.cancel(),
                        _ => {}
                    }
                    Ok(())
                })
                .await;
            }
            2 => drop(timeout(dice.micros(PAUSE) * 2, gather_settled(tasks)).await),
            3 => drop(race(tasks).await),
            4 => {
                for task in tasks {
                    let limit = dice.micros(PAUSE);
                    let task = create_task(task);
                    let _ = match dice.below(3) {
                        0 => timeout(limit, task).await.map(|ended| ended.is_ok()),
                        1 => timeout(limit, shield(task)).await.map(|ended| ended.is_ok()),
                        _ => timeout(limit, uncancellable(task)).await.map(|ended| ended.is_ok()),
                    };
                    if dice.below(8) == 0 {
                        break;
                    }
                }
            }
            _ => {
                // Some are detached, and end by themselves or with the loop.
                let tasks: Vec<_> = tasks.into_iter().map(create_task).collect();
                sleep(dice.micros(PAUSE)).await;
                for (n, task) in tasks.into_iter().enumerate() {
                    match n % 4 {
                        0 => drop(task),
                        1 => drop(task.join()),
                        2 => {
                            task.cancel_with("no longer needed");
                            let _ = task.await;
                        }
                        _ => drop(futures_lite::future::poll_once(task.join()).await),
                    }
                }
            }
        }
    })
}

async fn leaf(dice: &mut Dice) {
    match dice.below(4) {
        0 => {}
        1 => yield_now().await,
        2 => drop(current_task().unwrap().cancel()),
        _ => drop(timeout(dice.micros(PAUSE), sleep(dice.micros(PAUSE))).await),
    }
    sleep(dice.micros(PAUSE)).await;
}

/// Cancels at random until the round is over.
async fn cancel_at_random(world: Arc<World>, mut dice: Dice) {
    while !world.over.load(SeqCst) {
        {
            let names = world.names.lock().unwrap();
            for _ in 0..dice.below(40) {
                if !names.is_empty() {
                    names[dice.below(names.len() as u64) as usize].cancel();
                }
            }
        }
        sleep(Duration::from_micros(dice.below(2_000))).await;
    }
}

fn round(seed: u64) -> usize {
    let world = World::new();
    let mut dice = Dice::new(seed);
    let mut runner = Builder::new().workers(WORKERS).build().unwrap();
    let canceller = Dice::new(dice.next());
    runner.run(async {
        let canceller = create_task(cancel_at_random(world.clone(), canceller));
        while world.created.load(SeqCst) < TASKS {
            let root = TaskGroup::scope(async |group| {
                for _ in 0..world.take(10) {
                    let task = task(world.clone(), dice.child(), 3);
                    group.create_task(async move { drop(task.await) })?;
                }
                Ok(())
            });
            // Whatever its children came to.
            let _ = timeout(Duration::from_secs(1), root).await;
        }
        world.over.store(true, SeqCst);
        canceller.await.unwrap();
    });
    drop(runner);
    let begun = world.begun.load(SeqCst);
    for id in 0..begun {
        assert_eq!(
            world.cleanups[id].load(SeqCst),
            1,
            "cleanups of task {id} of {begun}, seed {seed}"
        );
    }
    world.names.lock().unwrap().clear();
    assert_eq!(world.alive.load(SeqCst), 0, "alive in the end, seed {seed}");
    assert_eq!(Arc::strong_count(&world), 1, "leaked, seed {seed}");
    begun
}

#[test]
fn every_task_cleans_up_exactly_once_and_nothing_is_left() {
    let mut begun = 0;
    let rounds = rounds("chaos", 2, |seed| begun += round(seed));
    println!("chaos: {rounds} rounds, {begun} tasks began, each cleaned up once");
}

#[test]
fn a_quiet_loop_has_no_tasks_but_main() {
    Builder::new().workers(WORKERS).build().unwrap().run(async {
        let _ = gather_settled(vec![create_task(async {}), create_task(async {})]).await;
        // The last one may still be on its way out.
        while all_tasks().len() > 1 {
            yield_now().await;
        }
    });
}
