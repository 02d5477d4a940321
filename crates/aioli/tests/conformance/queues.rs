//! Queues.

use crate::harness::{conforms, say, secs};
use aioli::{
    LifoQueue, PriorityQueue, Queue, ReturnWhen, create_task, sleep,
    sync::{GetNowaitError, Order, PutNowaitError, QueueShutDown},
    wait,
};
use futures_lite::future::zip;
use std::fmt::Display;

/// Queue: FIFO; put() blocks when full, get() when empty; the _nowait forms raise; sizes are exact.
#[test]
fn queue_bounded() {
    async fn producer(queue: Queue<u32>) {
        for n in [1, 2, 3, 4] {
            say!("putting {n}");
            queue.put(n).await.unwrap();
            say!("put {n} size {}", queue.len());
        }
    }

    async fn main() {
        let queue = Queue::bounded(2);
        let (empty, full) = (queue.is_empty(), queue.is_full());
        say!("empty {empty} full {full} maxsize {}", queue.maxsize().unwrap());
        if let Err(GetNowaitError::QueueEmpty) = queue.get_nowait() {
            say!("get_nowait: QueueEmpty");
        }

        let task = create_task(producer(queue.clone()));
        sleep(secs(0.01)).await;
        say!("blocked, full {}", queue.is_full());
        if let Err(PutNowaitError::QueueFull(99)) = queue.put_nowait(99) {
            say!("put_nowait: QueueFull");
        }
        for _ in 0..4 {
            say!("got {}", queue.get().await.unwrap());
            sleep(secs(0.01)).await;
        }
        task.await.unwrap();

        let getter = create_task({
            let queue = queue.clone();
            async move { queue.get().await.unwrap() }
        });
        sleep(secs(0.01)).await;
        say!("getter waits, done {}", getter.is_finished());
        queue.put_nowait(5).unwrap();
        say!("getter got {} size {}", getter.await.unwrap(), queue.len());
    }

    conforms("queue_bounded", main);
}

/// A cancelled getter loses nothing: the item stays, or wakes the next getter if it was already assigned.
#[test]
fn queue_cancel_getter() {
    async fn getter(name: &'static str, queue: Queue<&'static str>) {
        match aioli::catch_cancelled(queue.get()).await {
            Ok(item) => say!("{name} got {}", item.unwrap()),
            Err(cancelled) => {
                say!("{name} cancelled");
                cancelled.resume().await
            }
        }
    }

    async fn main() {
        let queue = Queue::new();
        let one = create_task(getter("one", queue.clone()));
        let two = create_task(getter("two", queue.clone()));
        let three = create_task(getter("three", queue.clone()));
        sleep(secs(0.01)).await;

        one.cancel();
        sleep(secs(0.01)).await;
        say!("waiting getter gone");

        queue.put_nowait("item").unwrap();
        two.cancel();
        let tasks = [two, three];
        wait(&tasks, ReturnWhen::AllCompleted).await;
        let [two, three] = &tasks;
        let (two, three) = (two.is_cancelled(), three.is_cancelled());
        say!("cancelled {two} {three} size {}", queue.len());

        let four = [create_task(getter("four", queue.clone()))];
        sleep(secs(0.01)).await;
        queue.put_nowait("kept").unwrap();
        four[0].cancel();
        wait(&four, ReturnWhen::AllCompleted).await;
        say!(
            "nobody else waits: size {} item {}",
            queue.len(),
            queue.get_nowait().unwrap()
        );
    }

    conforms("queue_cancel_getter", main);
}

/// Queue.join() waits for task_done() per item, not for an empty queue; one task_done() too many is an error.
#[test]
fn queue_join() {
    async fn worker(queue: Queue<u32>) {
        loop {
            let item = queue.get().await.unwrap();
            sleep(secs(0.02)).await;
            say!("handled {item}");
            queue.task_done().unwrap();
        }
    }

    async fn main() {
        let queue = Queue::new();
        queue.join().await;
        say!("join on a fresh queue returns");
        for n in [1, 2, 3] {
            queue.put_nowait(n).unwrap();
        }
        let task = [create_task(worker(queue.clone()))];
        queue.join().await;
        say!("all handled, size {}", queue.len());
        task[0].cancel();
        wait(&task, ReturnWhen::AllCompleted).await;

        queue.put_nowait(4).unwrap();
        queue.get_nowait().unwrap();
        let waiting = create_task({
            let queue = queue.clone();
            async move { queue.join().await }
        });
        sleep(secs(0.01)).await;
        say!("empty {} join done {}", queue.is_empty(), waiting.is_finished());
        queue.task_done().unwrap();
        waiting.await.unwrap();
        say!("join returned");
        // `ValueError` in asyncio.
        if queue.task_done().is_err() {
            say!("one too many: ValueError");
        }
    }

    conforms("queue_join", main);
}

/// PriorityQueue gives the smallest first, LifoQueue the newest first; both keep maxsize and blocking.
#[test]
fn queue_kinds() {
    async fn fill<T, O: Order<T>>(queue: &Queue<T, O>, items: impl IntoIterator<Item = T>) {
        for item in items {
            assert!(queue.put(item).await.is_ok());
        }
        queue.shutdown(false);
    }

    async fn drain<T, O: Order<T>>(queue: &Queue<T, O>) -> Vec<T> {
        let mut got = Vec::new();
        loop {
            match queue.get().await {
                Ok(item) => got.push(item),
                Err(QueueShutDown(())) => return got,
            }
        }
    }

    async fn kind<O: Order<(u32, &'static str)>>(name: &str, queue: &Queue<(u32, &'static str), O>) {
        fill(queue, [(3, "low"), (1, "high"), (2, "mid"), (1, "also high")]).await;
        say!("{name}");
        for (rank, name) in drain(queue).await {
            say!("  {rank} {name}");
        }
    }

    async fn main() {
        kind("Queue", &Queue::new()).await;
        kind("LifoQueue", &LifoQueue::new()).await;
        kind("PriorityQueue", &PriorityQueue::new()).await;

        let queue = PriorityQueue::bounded(1);
        let ((), got) = zip(fill(&queue, [5, 4, 6]), drain(&queue)).await;
        let got: Vec<_> = got.iter().map(u32::to_string).collect();
        say!("bounded: one at a time keeps arrival order {}", got.join(" "));
    }

    conforms("queue_kinds", main);
}

/// Queue.shutdown(): put fails at once, get drains then fails; immediate drops items; blocked calls wake up.
#[test]
fn queue_shutdown() {
    async fn getter(name: impl Display, queue: Queue<&'static str>) {
        match queue.get().await {
            Ok(item) => say!("{name} got {item}"),
            Err(QueueShutDown(())) => say!("{name} QueueShutDown"),
        }
    }

    async fn putter(name: &'static str, queue: Queue<&'static str>, item: &'static str) {
        match queue.put(item).await {
            Ok(()) => say!("{name} not printed"),
            Err(QueueShutDown(_)) => say!("{name} QueueShutDown"),
        }
    }

    async fn main() {
        let queue = Queue::bounded(2);
        queue.put_nowait("a").unwrap();
        queue.put_nowait("b").unwrap();
        let blocked = create_task(putter("blocked put:", queue.clone(), "c"));
        sleep(secs(0.01)).await;
        queue.shutdown(false);
        blocked.await.unwrap();
        putter("new put:", queue.clone(), "d").await;
        for n in [1, 2, 3] {
            getter(format!("get {n}:"), queue.clone()).await;
        }

        let idle = Queue::new();
        let waiters = [(); 2].map(|()| create_task(getter("blocked get:", idle.clone())));
        sleep(secs(0.01)).await;
        idle.shutdown(false);
        wait(&waiters, ReturnWhen::AllCompleted).await;

        let dropped = Queue::new();
        dropped.put_nowait("x").unwrap();
        dropped.put_nowait("y").unwrap();
        let join = create_task({
            let dropped = dropped.clone();
            async move { dropped.join().await }
        });
        sleep(secs(0.01)).await;
        dropped.shutdown(true);
        join.await.unwrap();
        say!("immediate: join returned, size {}", dropped.len());
        getter("immediate get:", dropped).await;
    }

    conforms("queue_shutdown", main);
}
