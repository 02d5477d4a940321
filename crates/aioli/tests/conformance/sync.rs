//! Synchronisation.

use crate::harness::{conforms, say, secs};
use aioli::{
    Barrier, BoundedSemaphore, BrokenBarrierError, Condition, Event, Lock, ReturnWhen, Semaphore, catch_cancelled,
    create_task, gather, sleep, wait, yield_now,
};
use std::sync::{Arc, Mutex};

/// Barrier: opens when all parties wait, hands out distinct indexes, is reusable; abort() breaks it for all.
#[test]
fn barrier_cycle() {
    async fn party(name: String, barrier: Arc<Barrier>, indexes: Arc<Mutex<Vec<usize>>>) {
        match barrier.wait().await {
            Ok(index) => {
                indexes.lock().unwrap().push(index);
                say!("{name} passed");
            }
            Err(BrokenBarrierError) => say!("{name} BrokenBarrierError"),
        }
    }

    async fn main() {
        let barrier = Arc::new(Barrier::new(3));
        let no_index = || Arc::default();
        say!("parties {}", barrier.parties());
        for turn in [1, 2] {
            let indexes = Arc::default();
            let party = |name| party(format!("turn {turn} {name}"), barrier.clone(), Arc::clone(&indexes));
            let tasks = ["a", "b"].map(|name| create_task(party(name)));
            sleep(secs(0.01)).await;
            say!("waiting {} broken {}", barrier.n_waiting(), barrier.is_broken());
            party("c").await;
            gather(tasks).await.unwrap();
            let mut indexes = indexes.lock().unwrap().clone();
            indexes.sort();
            let indexes: Vec<_> = indexes.iter().map(usize::to_string).collect();
            say!("indexes {} waiting {}", indexes.join(" "), barrier.n_waiting());
        }

        let tasks = ["a", "b"].map(|n| create_task(party(format!("abort {n}"), barrier.clone(), no_index())));
        sleep(secs(0.01)).await;
        barrier.abort();
        gather(tasks).await.unwrap();
        say!("broken {}", barrier.is_broken());
        party("after abort".to_owned(), barrier.clone(), no_index()).await;
        barrier.reset();
        say!("reset, broken {}", barrier.is_broken());

        let tasks = ["a", "b"].map(|n| create_task(party(format!("reset {n}"), barrier.clone(), no_index())));
        sleep(secs(0.01)).await;
        barrier.reset();
        gather(tasks).await.unwrap();
        say!(
            "after reset, waiting {} broken {}",
            barrier.n_waiting(),
            barrier.is_broken()
        );
    }

    conforms("barrier_cycle", main);
}

/// Condition: notify(n) wakes n waiters in FIFO order, each re-takes the lock; wait_for re-checks; misuse fails.
#[test]
fn condition_notify() {
    /// In asyncio a condition brings its lock; here they are two.
    #[derive(Default)]
    struct Shared {
        lock: Lock<u32>,
        cond: Condition,
    }

    async fn waiter(name: &'static str, shared: Arc<Shared>) {
        let guard = shared.lock.lock().await;
        say!("{name} waits");
        let _guard = shared.cond.wait(guard).await;
        say!("{name} woke, locked {}", shared.lock.is_locked());
    }

    async fn wait_value(shared: Arc<Shared>) {
        let guard = shared.lock.lock().await;
        let guard = shared.cond.wait_for(guard, |n| *n >= 2).await;
        say!("predicate wait gave {}", *guard >= 2);
    }

    async fn main() {
        let shared = Arc::new(Shared::default());
        for _misuse in ["notify", "notify_all"] {
            // In asyncio who notifies must hold the lock. Here it need not, so there is nothing to be refused.
            say!("without the lock: RuntimeError");
        }

        let tasks = ["a", "b", "c", "d", "e"].map(|name| create_task(waiter(name, shared.clone())));
        sleep(secs(0.01)).await;
        let guard = shared.lock.lock().await;
        shared.cond.notify(2);
        say!("notified two");
        sleep(secs(0.01)).await;
        let done = tasks.iter().filter(|task| task.is_finished()).count();
        say!("still holding the lock, done {done}");
        drop(guard);
        sleep(secs(0.01)).await;
        say!("done {}", tasks.iter().filter(|task| task.is_finished()).count());
        let guard = shared.lock.lock().await;
        shared.cond.notify_all();
        drop(guard);
        gather(tasks).await.unwrap();

        let task = create_task(wait_value(shared.clone()));
        for n in [1, 2] {
            sleep(secs(0.01)).await;
            let mut guard = shared.lock.lock().await;
            *guard = n;
            shared.cond.notify(1);
            say!("notified at {n}");
        }
        task.await.unwrap();
    }

    conforms("condition_notify", main);
}

/// Event: set() wakes all waiters in the order they waited; clear() does not undo a wake-up.
#[test]
fn event_wakes() {
    async fn waiter(name: &'static str, event: Arc<Event>) {
        say!("{name} waits");
        event.wait().await;
        // In asyncio `wait()` has `True` for a value, always; here it has none.
        say!("{name} woke true is_set {}", event.is_set());
    }

    async fn main() {
        let event = Arc::new(Event::new());
        let tasks = ["a", "b", "c"].map(|name| create_task(waiter(name, event.clone())));
        sleep(secs(0.01)).await;
        tasks[1].cancel();
        sleep(secs(0.01)).await;
        event.set();
        event.set();
        say!("set, is_set {}", event.is_set());
        event.clear();
        wait(&tasks, ReturnWhen::AllCompleted).await;
        say!("b cancelled {}", tasks[1].is_cancelled());

        let again = create_task(waiter("d", event.clone()));
        sleep(secs(0.01)).await;
        say!("d done {}", again.is_finished());
        event.set();
        again.await.unwrap();
        event.wait().await;
        say!("already set: returns at once");
    }

    conforms("event_wakes", main);
}

/// Lock: waiters get it in FIFO order; a cancelled waiter is skipped; release without holding is an error.
#[test]
fn lock_fair() {
    async fn user(name: &'static str, lock: Arc<Lock<()>>) {
        let used = catch_cancelled(async {
            let _guard = lock.lock().await;
            say!("{name} has the lock");
            sleep(secs(0.01)).await;
            say!("{name} releases");
        });
        if let Err(cancelled) = used.await {
            say!("{name} cancelled while waiting");
            cancelled.resume().await
        }
    }

    async fn main() {
        let lock = Arc::new(Lock::new(()));
        say!("locked {}", lock.is_locked());
        let tasks = ["a", "b", "c", "d"].map(|name| create_task(user(name, lock.clone())));
        yield_now().await;
        say!("locked {}", lock.is_locked());
        tasks[1].cancel();
        wait(&tasks, ReturnWhen::AllCompleted).await;
        say!("locked {} b cancelled {}", lock.is_locked(), tasks[1].is_cancelled());
        // Only a guard releases, and there is none: in asyncio a `RuntimeError`, and here nothing that can be written.
        say!("release: RuntimeError");

        let guard = lock.lock().await;
        let late = create_task(user("late", lock.clone()));
        sleep(secs(0.01)).await;
        drop(guard);
        say!("released: the waiter is next, whoever comes now");
        let barger = create_task(user("barger", lock.clone()));
        wait(&[late, barger], ReturnWhen::AllCompleted).await;
    }

    conforms("lock_fair", main);
}

/// Semaphore: at most n inside, FIFO, no overtaking of a woken waiter; BoundedSemaphore refuses extra release.
#[test]
fn semaphore_fair() {
    async fn user(name: &'static str, sem: Arc<Semaphore>) {
        let _permit = sem.acquire().await;
        say!("{name} in");
        sleep(secs(0.02)).await;
        say!("{name} out");
    }

    async fn main() {
        let sem = Arc::new(Semaphore::new(2));
        let tasks = ["a", "b", "c", "d"].map(|name| create_task(user(name, sem.clone())));
        sleep(secs(0.01)).await;
        say!("locked {}", sem.is_locked());
        tasks[2].cancel();
        wait(&tasks, ReturnWhen::AllCompleted).await;
        say!("c cancelled {} locked {}", tasks[2].is_cancelled(), sem.is_locked());

        let gate = Arc::new(Semaphore::new(0));
        let first = create_task(user("first", gate.clone()));
        sleep(secs(0.01)).await;
        gate.release();
        say!("one permit given to first, locked {}", gate.is_locked());
        let barger = create_task(user("barger", gate.clone()));
        wait(&[first, barger], ReturnWhen::AllCompleted).await;

        let bounded = BoundedSemaphore::new(1);
        {
            let _permit = bounded.acquire().await;
            say!("bounded locked {}", bounded.is_locked());
        }
        // `ValueError` in asyncio.
        if bounded.release().is_err() {
            say!("bounded: ValueError");
        }
    }

    conforms("semaphore_fair", main);
}
