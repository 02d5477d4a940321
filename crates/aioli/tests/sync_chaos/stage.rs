//! Where a scene is played: its tasks, those who cut them short, and those who watch that it ends.

use crate::dice::Dice;
use aioli::{Task, TaskRef, catch_cancelled, create_task, race, sleep, timeout, to_thread, wait_for, yield_now};
use std::{
    fmt,
    future::{Future, poll_fn},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

/// What a scene has to be played with.
pub struct Stage {
    pub dice: Dice,
    counts: Arc<Counts>,
    tasks: Vec<Task<()>>,
    cast: Arc<Cast>,
}

/// Those actors who may be cancelled.
#[derive(Default)]
struct Cast {
    names: Mutex<Vec<TaskRef>>,
    /// How many of them have not ended.
    left: AtomicUsize,
}

impl Stage {
    pub fn new(dice: Dice, counts: &Arc<Counts>) -> Self {
        Self {
            dice,
            counts: counts.clone(),
            tasks: Vec::new(),
            cast: Arc::default(),
        }
    }

    /// Another one, with a cast of its own.
    pub fn another(&mut self) -> Self {
        Self::new(self.dice.child(), &self.counts)
    }

    /// How many actors there are: few, but now and then more than the library wakes in one go.
    pub fn some(&mut self) -> u64 {
        match self.dice.below(12) {
            0 => 40,
            _ => 1 + self.dice.below(6),
        }
    }

    /// Has a task do this so many times, each time until it is done or [cut short](cut_short), or the task is cancelled.
    pub fn actor<F>(&mut self, steps: u64, act: impl Fn(Dice) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.cast.left.fetch_add(1, SeqCst) == 0 {
            create_task(cancel_at_random(self.dice.child(), self.cast.clone())).detach();
        }
        let (mut dice, counts, left) = (self.dice.child(), self.counts.clone(), Left(self.cast.clone()));
        let task = create_task(async move {
            let _left = left;
            for _ in 0..steps {
                let act = act(dice.child());
                match catch_cancelled(cut_short(&mut dice, act)).await {
                    Ok(true) => counts.ended.fetch_add(1, SeqCst),
                    Ok(false) => counts.dropped.fetch_add(1, SeqCst),
                    Err(cancelled) => {
                        cancelled.swallow();
                        counts.cancelled.fetch_add(1, SeqCst)
                    }
                };
            }
        });
        self.cast.names.lock().unwrap().push(task.task_ref());
        self.tasks.push(task);
    }

    /// Has a task do this, which nobody cancels.
    pub fn steady(&mut self, act: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(create_task(act));
    }

    /// Has a thread do this that is none of the workers.
    pub fn thread(&mut self, act: impl FnOnce() + Send + 'static) {
        self.steady(async move { to_thread(act).await.unwrap() });
    }

    /// Whether all actors have ended; those that are steady do not count.
    pub fn is_quiet(&self) -> bool {
        self.cast.left.load(SeqCst) == 0
    }

    /// Waits until all have ended.
    pub async fn end(&mut self) {
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                assert!(error.is_cancelled(), "{error}");
            }
        }
    }
}

/// Counts an actor off.
struct Left(Arc<Cast>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.left.fetch_sub(1, SeqCst);
    }
}

/// Cancels actors at random, until all have ended.
async fn cancel_at_random(mut dice: Dice, cast: Arc<Cast>) {
    while cast.left.load(SeqCst) != 0 {
        {
            let names = cast.names.lock().unwrap();
            if !names.is_empty() {
                names[dice.below(names.len() as u64) as usize].cancel();
            }
        }
        match dice.below(3) {
            0 => sleep(dice.micros(300)).await,
            _ => stay(&mut dice).await,
        }
    }
}

/// Gives way a few times, or not at all.
pub async fn stay(dice: &mut Dice) {
    for _ in 0..dice.below(4) {
        yield_now().await;
    }
}

/// Waits until something is so that nobody announces.
pub async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        sleep(Duration::from_micros(20)).await;
    }
}

/// Does this to its end, and says true; or drops it at some instant before, and says false.
pub async fn cut_short(dice: &mut Dice, act: impl Future<Output = ()> + Send) -> bool {
    let mut act = Box::pin(act);
    match dice.below(8) {
        0 => timeout(dice.micros(100), act).await.is_ok(),
        1 => wait_for(act, dice.micros(100)).await.is_ok(),
        2 => {
            let done = async {
                act.await;
                true
            };
            let gone = async {
                stay(dice).await;
                false
            };
            race((done, gone)).await
        }
        3..=5 => {
            // When it is woken once more it is dropped instead of polled: that is when it has just been given something.
            let mut polls = dice.below(4);
            poll_fn(move |cx| match polls.checked_sub(1) {
                Some(left) => {
                    polls = left;
                    act.as_mut().poll(cx).map(|()| true)
                }
                None => Poll::Ready(false),
            })
            .await
        }
        _ => {
            act.await;
            true
        }
    }
}

/// What has been played.
#[derive(Default)]
pub struct Counts {
    scenes: AtomicU64,
    ended: AtomicU64,
    dropped: AtomicU64,
    cancelled: AtomicU64,
}

impl Counts {
    pub fn scene(&self) {
        self.scenes.fetch_add(1, SeqCst);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [scenes, ended, dropped, cancelled] =
            [&self.scenes, &self.ended, &self.dropped, &self.cancelled].map(|count| count.load(SeqCst));
        write!(
            f,
            "{scenes} scenes; {ended} steps were done, {dropped} dropped before, {cancelled} cancelled with their task"
        )
    }
}

/// Longer than a round takes, by far.
const FOR_EVER: Duration = Duration::from_secs(30);

/// Ends the process when a scene does not end: who waits for ever cannot be joined.
#[derive(Clone)]
pub struct Watch(Arc<Mutex<Vec<(u64, String, Instant)>>>);

impl Watch {
    pub fn new() -> Self {
        let watch = Self(Arc::default());
        let under_way = Arc::downgrade(&watch.0);
        thread::spawn(move || {
            while let Some(under_way) = under_way.upgrade() {
                let under_way = under_way.lock().unwrap();
                if under_way.iter().any(|(_, _, begun)| begun.elapsed() > FOR_EVER) {
                    let names: Vec<_> = under_way.iter().map(|(_, name, _)| name).collect();
                    eprintln!("sync chaos: somebody waits for ever; under way are {names:?}");
                    process::exit(101);
                }
                drop(under_way);
                thread::sleep(Duration::from_millis(100));
            }
        });
        watch
    }

    /// Something is under way until what comes back is dropped.
    pub fn begin(&self, name: String) -> UnderWay {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, SeqCst);
        self.0.lock().unwrap().push((number, name, Instant::now()));
        UnderWay(self.clone(), number)
    }
}

pub struct UnderWay(Watch, u64);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().retain(|(number, ..)| *number != self.1);
    }
}
