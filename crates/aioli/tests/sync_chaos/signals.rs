//! `Event` and `Condition`: each call is answered before the next one, so none can be lost and made good by another.

use crate::{
    dice::Dice,
    stage::{Stage, stay, until},
};
use aioli::{
    sync::{Condition, Event, Lock},
    to_thread,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

/// Rung so often, by whoever has the event wake those who listen.
#[derive(Default)]
struct Bell {
    event: Event,
    rung: AtomicU64,
}

/// The last number: those who hear it listen no more.
const LAST: u64 = u64::MAX;

impl Bell {
    /// Waits until it is rung more often than that.
    async fn hear(&self, heard: u64) -> u64 {
        loop {
            let ringing = self.event.wait();
            let rung = self.rung.load(SeqCst);
            if rung > heard {
                return rung;
            }
            ringing.await;
        }
    }

    fn ring(&self, number: u64, way: u64) {
        self.rung.store(number, SeqCst);
        match way {
            0 => self.event.pulse(),
            1 => {
                self.event.set();
                self.event.clear();
            }
            _ => self.event.set(),
        }
    }
}

pub async fn event(mut stage: Stage) {
    let bell = Arc::new(Bell::default());
    let quiet = stage.dice.below(2) == 0;
    for _ in 0..stage.some() {
        let bell = bell.clone();
        stage.actor(6, move |mut dice| {
            let bell = bell.clone();
            async move {
                match dice.below(6) {
                    0 if !quiet => bell.event.pulse(),
                    1 if !quiet => bell.event.clear(),
                    _ => drop(bell.hear(bell.rung.load(SeqCst)).await),
                }
            }
        });
    }
    let heard: Vec<_> = (0..1 + stage.dice.below(4))
        .map(|_| Arc::new(AtomicU64::new(0)))
        .collect();
    for heard in &heard {
        let (bell, heard) = (bell.clone(), heard.clone());
        stage.steady(async move {
            while heard.load(SeqCst) != LAST {
                let rung = bell.hear(heard.load(SeqCst)).await;
                heard.store(rung, SeqCst);
            }
        });
    }
    let mut dice = stage.dice.child();
    let mut number = 0;
    while !stage.is_quiet() || number < 3 {
        number += 1;
        stay(&mut dice).await;
        let way = dice.below(3);
        match dice.below(16) {
            0 => {
                let bell = bell.clone();
                to_thread(move || bell.ring(number, way)).await.unwrap();
            }
            _ => bell.ring(number, way),
        }
        until(|| heard.iter().all(|heard| heard.load(SeqCst) == number)).await;
        bell.event.clear();
    }
    bell.ring(LAST, dice.below(3));
    stage.end().await;
    let account = format!("{:?}", bell.event);
    assert!(account.contains("waiters: 0"), "{account}");
}

#[derive(Default)]
struct Letters {
    there: u64,
    taken: u64,
    closed: bool,
}

#[derive(Default)]
struct Mailbox {
    letters: Lock<Letters>,
    posted: Condition,
}

impl Mailbox {
    /// Waits for a letter and takes it; says false when there will be none any more.
    async fn take(&self, mut dice: Dice) -> bool {
        let mut letters = self.letters.lock().await;
        let answered = |letters: &mut Letters| letters.there != 0 || letters.closed;
        if dice.below(2) == 0 {
            letters = self.posted.wait_for(letters, answered).await;
        } else {
            while !answered(&mut letters) {
                letters = self.posted.wait(letters).await;
            }
        }
        let is_there = letters.there != 0;
        letters.there -= u64::from(is_there);
        letters.taken += u64::from(is_there);
        drop(letters);
        stay(&mut dice).await;
        is_there
    }

    fn post(&self, mut letters: impl std::ops::DerefMut<Target = Letters>, count: u64, way: u64) {
        letters.there += count;
        if way < 3 {
            drop(letters);
            self.notify(count, way);
        } else {
            self.notify(count, way - 3);
        }
    }

    /// As many calls as there are letters, or one for so many, or one for all.
    fn notify(&self, count: u64, way: u64) {
        match way {
            0 => (0..count).for_each(|_| self.posted.notify(1)),
            1 => self.posted.notify(count as usize),
            _ => self.posted.notify_all(),
        }
    }
}

pub async fn condition(mut stage: Stage) {
    let mailbox = Arc::new(Mailbox::default());
    for _ in 0..stage.some() {
        let mailbox = mailbox.clone();
        stage.actor(6, move |mut dice| {
            let mailbox = mailbox.clone();
            async move { while mailbox.take(dice.child()).await && dice.below(2) == 0 {} }
        });
    }
    for _ in 0..1 + stage.dice.below(3) {
        let (mailbox, mut dice) = (mailbox.clone(), stage.dice.child());
        stage.steady(async move { while mailbox.take(dice.child()).await {} });
    }
    let mut dice = stage.dice.child();
    let mut posted = 0;
    while !stage.is_quiet() || posted < 3 {
        let (count, way) = (1 + dice.below(3), dice.below(6));
        posted += count;
        stay(&mut dice).await;
        match dice.below(16) {
            0 => {
                let mailbox = mailbox.clone();
                let post = move || mailbox.post(mailbox.letters.blocking_lock(), count, way);
                to_thread(post).await.unwrap();
            }
            _ => mailbox.post(mailbox.letters.lock().await, count, way),
        }
        // Nobody is notified again before all of these are taken.
        loop {
            let letters = mailbox.letters.lock().await;
            if letters.there == 0 {
                assert_eq!(letters.taken, posted);
                break;
            }
            drop(letters);
            until(|| !mailbox.letters.is_locked()).await;
        }
    }
    mailbox.letters.lock().await.closed = true;
    mailbox.posted.notify_all();
    stage.end().await;
    let account = format!("{:?}", mailbox.posted);
    assert!(
        account.contains("waiters: 0") && !mailbox.letters.is_locked(),
        "{account}"
    );
}
