//! Everything at once, at random: tasks that spawn, join, cancel, drop, defer, call and get woken by foreign threads; and in the
//! end every future, every value and every piece of deferred work is accounted for.
//!
//! * `AIOLI_STRESS_SEED` repeats the choices of a run (its interleaving is the scheduler's); without it the seed is the time,
//!   and is printed.
//! * `AIOLI_STRESS_ROUNDS` says how many executors live and die; a few by default.

mod common;

use aioli_executor::{CancelCause, Handle, JoinError, Scoped, Task, TaskRef, defer, poll_budget, spawn, spawn_local};
use common::*;
use std::{
    env,
    future::{Future, IntoFuture, pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Poll, Waker},
    thread,
    time::SystemTime,
};

/// Marsaglia's xorshift: small, and the same everywhere.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn child(&mut self) -> Self {
        Dice::new(self.next())
    }
}

/// What all tasks of a round share.
#[derive(Clone)]
struct World {
    /// Futures: made with the task, gone when it is over.
    futures: Census,
    /// Values: made by tasks that return, gone when somebody has dropped them.
    values: Census,
    /// Deferred work: made when it is promised, gone when it was done or given up.
    deferred: Census,
    /// Deferred work that was done.
    done: Arc<AtomicUsize>,
    /// Where tasks send their wakers, to be woken by foreign threads, and their handles, to be cancelled.
    wakers: Mailbox<Waker>,
    cancels: Mailbox<TaskRef>,
}

type Work = Pin<Box<dyn Future<Output = CensusGuard> + Send>>;

/// A task that makes some moves.
fn work(world: World, mut dice: Dice, depth: u32) -> Work {
    let guard = world.futures.guard();
    Box::pin(async move {
        let _guard = guard;
        for _ in 0..dice.below(6) {
            a_move(&world, &mut dice, depth).await;
        }
        world.values.guard()
    })
}

fn child(world: &World, dice: &mut Dice, depth: u32) -> Task<CensusGuard> {
    spawn(work(world.clone(), dice.child(), depth - 1))
}

/// Deferred work that takes a few turns.
fn cleanup(world: &World, turns: u64) -> impl Future<Output = ()> + Send + 'static {
    let (guard, done) = (world.deferred.guard(), world.done.clone());
    async move {
        let _guard = guard;
        for _ in 0..turns {
            yield_now().await;
        }
        done.fetch_add(1, SeqCst);
    }
}

async fn a_move(world: &World, dice: &mut Dice, depth: u32) {
    let choice = dice.below(if depth > 0 { 16 } else { 8 });
    match choice {
        0 | 1 => yield_now().await,
        2 => wait_for_a_foreign_wake(world).await,
        3 => {
            let _cleanup = defer(cleanup(world, dice.below(4)));
            yield_now().await;
        }
        4 => {
            let call = Handle::current().unwrap().spawn_blocking({
                let world = world.clone();
                move || world.values.guard()
            });
            if dice.below(3) == 0 {
                call.cancel();
            }
            if dice.below(3) > 0 {
                expect_value_or_cancelled(call.await);
            }
        }
        5 => {
            for _ in 0..200 {
                poll_fn(poll_budget).await;
            }
        }
        6 => {
            // A scope that somebody else's combinator drops, or that is cancelled and finished.
            let mut scope = pin!(Scoped::new(async {
                let _cleanup = defer(cleanup(world, 2));
                pending::<()>().await;
            }));
            let _ = poll_fn(|cx| Poll::Ready(scope.as_mut().poll(cx))).await;
            if dice.below(2) == 0 {
                scope.as_mut().drop_body(&CancelCause::new());
                assert_eq!(scope.await, None);
            }
        }
        7 => {
            let guard = world.futures.guard();
            let local = spawn_local(async move {
                let _guard = guard;
                let local = std::rc::Rc::new(());
                yield_now().await;
                drop(local);
            });
            drop(local);
        }
        8 | 9 => expect_value_or_cancelled(child(world, dice, depth).await),
        10 => child(world, dice, depth).detach(),
        11 => {
            let task = child(world, dice, depth);
            if dice.below(2) == 0 {
                yield_now().await;
            }
            task.cancel();
            if dice.below(2) == 0 {
                expect_value_or_cancelled(task.await);
            }
        }
        12 => {
            let mut join = child(world, dice, depth).join();
            let _ = poll_once(&mut join).await;
        }
        13 => {
            let mut task = child(world, dice, depth);
            let _ = poll_once(&mut (&mut task).into_future()).await;
            expect_value_or_cancelled(task.await);
        }
        14 => {
            let task = child(world, dice, depth);
            world.cancels.send(task.task_ref());
            expect_value_or_cancelled(task.await);
        }
        _ => {
            let tasks: Vec<_> = (0..dice.below(8)).map(|_| child(world, dice, depth)).collect();
            for task in tasks {
                expect_value_or_cancelled(task.await);
            }
        }
    }
}

fn expect_value_or_cancelled(outcome: Result<CensusGuard, JoinError>) {
    match outcome {
        Ok(_) | Err(JoinError::Cancelled) => {}
        Err(JoinError::Panicked(panic)) => panic.resume(),
    }
}

async fn wait_for_a_foreign_wake(world: &World) {
    let mut asked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        world.wakers.send(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

/// One executor: tasks from inside and from outside, some of which are left when it ends.
fn round(workers: usize, mut dice: Dice) {
    let (wakers, cancels) = (Mailbox::new(), Mailbox::new());
    let foreign = [
        thread::spawn({
            let wakers = wakers.clone();
            move || wakers.serve(Waker::wake)
        }),
        thread::spawn({
            let cancels = cancels.clone();
            move || {
                cancels.serve(|task: TaskRef| {
                    task.cancel();
                });
            }
        }),
    ];
    let world = World {
        futures: Census::default(),
        values: Census::default(),
        deferred: Census::default(),
        done: Arc::default(),
        wakers,
        cancels,
    };
    let (mut executor, reports) = reporting(workers);
    let spawner = {
        let (handle, world, mut dice) = (executor.handle().clone(), world.clone(), dice.child());
        thread::spawn(move || {
            for _ in 0..50 {
                let task = handle.spawn(work(world.clone(), dice.child(), 2));
                if dice.below(3) == 0 {
                    task.cancel();
                }
                if dice.below(2) == 0 {
                    thread::yield_now();
                }
            }
        })
    };
    executor
        .run(async {
            let tasks: Vec<_> = (0..20).map(|_| spawn(work(world.clone(), dice.child(), 4))).collect();
            for task in tasks {
                // The rest is left to itself.
                if dice.below(4) > 0 {
                    expect_value_or_cancelled(task.await);
                }
            }
        })
        .unwrap();
    drop(executor);
    spawner.join().unwrap();
    let World {
        futures,
        values,
        deferred,
        done,
        wakers,
        cancels,
    } = world;
    wakers.close();
    cancels.close();
    foreign.into_iter().for_each(|thread| thread.join().unwrap());

    assert_eq!(reports.messages(), [""; 0], "no task panics");
    assert_eq!(futures.made(), futures.gone(), "futures");
    assert_eq!(values.made(), values.gone(), "values");
    assert_eq!(deferred.made(), deferred.gone(), "deferred work");
    assert_eq!(
        deferred.made(),
        done.load(SeqCst),
        "deferred work was done, and not only dropped"
    );
}

fn setting(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, and is {value:?}")),
    )
}

#[test]
fn everything_at_once_is_accounted_for() {
    let seed = setting("AIOLI_STRESS_SEED").unwrap_or_else(|| {
        let since = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    });
    let rounds = setting("AIOLI_STRESS_ROUNDS").unwrap_or(150);
    println!("AIOLI_STRESS_SEED={seed} AIOLI_STRESS_ROUNDS={rounds}");
    let mut dice = Dice::new(seed);
    for _ in 0..rounds {
        for workers in WORKERS {
            round(workers, dice.child());
        }
    }
}
