//! `Queue`, `LifoQueue` and `PriorityQueue`: each item that was put is got once, or dropped when the queue is shut down at once.

use crate::{
    dice::Dice,
    stage::{Stage, cut_short, stay},
};
use aioli::sync::{LifoQueue, Order, PriorityQueue, Queue};
use futures_lite::StreamExt;
use std::{
    cmp::Ordering,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};

/// What happened to an item, each once at most.
const PUT: u8 = 1;
const GOT: u8 = 2;
const GIVEN_BACK: u8 = 4;
const DROPPED: u8 = 8;

const PRODUCERS: u64 = 5;
const ITEMS: u64 = 8;

/// What happened to each item.
struct Ledger {
    fates: [AtomicU8; PRODUCERS as usize * ITEMS as usize],
    made: AtomicUsize,
    /// How many were reported done.
    done: AtomicUsize,
}

impl Ledger {
    fn item(self: &Arc<Self>, producer: u64) -> Item {
        let (number, ledger) = (self.made.fetch_add(1, SeqCst), self.clone());
        Item {
            producer,
            number,
            ledger,
        }
    }

    fn write(&self, number: usize, what: u8) {
        let before = self.fates[number].fetch_or(what, SeqCst);
        assert_eq!(before & what, 0, "twice: {what} for item {number}, after {before}");
    }

    /// How many items were put.
    fn put(&self) -> usize {
        self.fates.iter().filter(|fate| fate.load(SeqCst) & PUT != 0).count()
    }
}

/// Numbered in the order in which they were made; so are those of each producer.
struct Item {
    producer: u64,
    number: usize,
    ledger: Arc<Ledger>,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.write(self.number, DROPPED);
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

/// A queue, with its books.
struct Desk<O: Order<Item>> {
    queue: Queue<Item, O>,
    ledger: Arc<Ledger>,
    /// The last number that was got of each producer, if there is one consumer, and it gets them in order.
    in_order: Option<[AtomicU64; PRODUCERS as usize]>,
    over: AtomicBool,
}

/// An item that is worked on.
struct Work<'a, O: Order<Item>> {
    desk: &'a Desk<O>,
    _item: Item,
}

impl<O: Order<Item>> Drop for Work<'_, O> {
    fn drop(&mut self) {
        self.desk.ledger.done.fetch_add(1, SeqCst);
        self.desk.queue.task_done().unwrap();
    }
}

impl<O: Order<Item>> Desk<O> {
    fn got(&self, item: Item) -> Work<'_, O> {
        self.ledger.write(item.number, GOT);
        if let Some(last) = &self.in_order {
            let before = last[item.producer as usize].swap(1 + item.number as u64, SeqCst);
            assert!(before <= item.number as u64, "in the order in which they were put");
        }
        Work {
            desk: self,
            _item: item,
        }
    }

    fn was_put(&self, number: usize, given_back: Option<Item>) {
        match given_back {
            None => self.ledger.write(number, PUT),
            Some(item) => {
                assert_eq!(item.number, number);
                self.ledger.write(number, GIVEN_BACK);
            }
        }
    }
}

/// Those bounds say that a task may have it.
impl<O: Order<Item, Store: Send + Sync> + 'static> Desk<O> {
    /// Puts an item in one way or another.
    async fn put(&self, producer: u64, mut dice: Dice) {
        let item = self.ledger.item(producer);
        let number = item.number;
        let given_back = match dice.below(3) {
            0 => self.queue.put_nowait(item).err().map(|error| error.into_item()),
            _ => self.queue.put(item).await.err().map(|error| error.0),
        };
        self.was_put(number, given_back);
        stay(&mut dice).await;
    }

    /// Gets an item in one way or another, and works on it.
    async fn get(&self, mut dice: Dice) {
        let got = match dice.below(4) {
            0 => {
                assert!(self.queue.maxsize().is_none_or(|maxsize| self.queue.len() <= maxsize));
                let Ok(item) = self.queue.get_nowait() else { return };
                Some(item)
            }
            1 => pin!(self.queue.stream()).next().await,
            _ => self.queue.get().await.ok(),
        };
        match got {
            Some(item) => {
                let _work = self.got(item);
                stay(&mut dice).await;
            }
            None => self.over.store(true, SeqCst),
        }
    }
}

pub async fn queue(mut stage: Stage) {
    let queue = match stage.dice.below(4) as usize {
        0 => Queue::new(),
        bound => Queue::bounded(bound),
    };
    let in_order = (stage.dice.below(2) == 0).then(Default::default);
    play(stage, queue, in_order).await;
}

pub async fn lifo(mut stage: Stage) {
    let queue = match stage.dice.below(4) as usize {
        0 => LifoQueue::new(),
        bound => LifoQueue::bounded(bound),
    };
    play(stage, Queue::clone(&queue), None).await;
}

pub async fn priority(mut stage: Stage) {
    let queue = match stage.dice.below(4) as usize {
        0 => PriorityQueue::new(),
        bound => PriorityQueue::bounded(bound),
    };
    play(stage, Queue::clone(&queue), None).await;
}

async fn play<O>(mut stage: Stage, queue: Queue<Item, O>, in_order: Option<[AtomicU64; PRODUCERS as usize]>)
where
    O: Order<Item, Store: Send + Sync> + 'static,
{
    let alone = in_order.is_some();
    let desk = Arc::new(Desk {
        queue,
        ledger: Arc::new(Ledger {
            fates: [const { AtomicU8::new(0) }; PRODUCERS as usize * ITEMS as usize],
            made: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        }),
        in_order,
        over: AtomicBool::new(false),
    });
    consumers(&mut stage, &desk, alone);
    let mut producers = stage.another();
    for producer in 0..1 + stage.dice.below(PRODUCERS) {
        let desk = desk.clone();
        if producer == 3 {
            producers.thread(move || {
                for _ in 0..ITEMS {
                    let item = desk.ledger.item(producer);
                    let number = item.number;
                    let given_back = desk.queue.blocking_put(item).err();
                    desk.was_put(number, given_back.map(|error| error.0));
                }
            });
        } else {
            producers.actor(ITEMS, move |dice| {
                let desk = desk.clone();
                async move { desk.put(producer, dice).await }
            });
        }
    }
    for _ in 0..stage.dice.below(3) {
        let desk = desk.clone();
        producers.actor(3, move |_| {
            let desk = desk.clone();
            async move { desk.queue.join().await }
        });
    }
    let immediate = stage.dice.below(3) == 0;
    if immediate || stage.dice.below(2) == 0 {
        stay(&mut stage.dice).await;
        aioli::sleep(stage.dice.micros(300)).await;
        desk.queue.shutdown(immediate);
        producers.end().await;
    } else {
        // Nothing is shut down before all is got, so that nobody is woken by that who had to be before.
        producers.end().await;
        desk.queue.join().await;
        assert_eq!(desk.ledger.done.load(SeqCst), desk.ledger.put(), "all are done");
        assert!(desk.queue.is_empty());
        desk.queue.shutdown(stage.dice.below(2) == 0);
    }
    stage.end().await;
    desk.queue.join().await;
    account(desk, immediate);
}

/// Either one, or several of whom one at least stays to the end.
fn consumers<O>(stage: &mut Stage, desk: &Arc<Desk<O>>, alone: bool)
where
    O: Order<Item, Store: Send + Sync> + 'static,
{
    let (desk_, mut dice) = (desk.clone(), stage.dice.child());
    stage.steady(async move {
        while !desk_.over.load(SeqCst) {
            let get = desk_.get(dice.child());
            cut_short(&mut dice, get).await;
        }
    });
    if alone {
        return;
    }
    for _ in 0..stage.some() - 1 {
        let desk = desk.clone();
        stage.actor(6, move |dice| {
            let desk = desk.clone();
            async move { desk.get(dice).await }
        });
    }
    if stage.dice.below(3) == 0 {
        let desk = desk.clone();
        stage.thread(move || {
            while let Ok(item) = desk.queue.blocking_get() {
                drop(desk.got(item));
            }
        });
    }
}

fn account<O: Order<Item>>(desk: Arc<Desk<O>>, immediate: bool) {
    assert!(
        desk.queue.task_done().is_err(),
        "nothing is unfinished: {:?}",
        desk.queue
    );
    assert!(desk.queue.is_empty() && desk.queue.is_shut_down());
    let ledger = desk.ledger.clone();
    assert!(Arc::into_inner(desk).is_some(), "somebody has the queue");
    for (number, fate) in ledger.fates.iter().take(ledger.made.load(SeqCst)).enumerate() {
        let what = fate.load(SeqCst);
        let fits = match what - DROPPED {
            // Its `put` was cut short; or it was given back; or it came to who wanted it.
            0 | GIVEN_BACK => true,
            PUT => immediate,
            other => other == PUT | GOT,
        };
        assert!(fits, "item {number}: {what}, shut down at once: {immediate}");
    }
}
