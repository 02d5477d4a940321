//! Progress while it works, and how figures are written.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// Where it is piped to, progress is a line every so many ticks.
const TICKS_PER_LINE: usize = 25;

/// What has been done of what there is to do.
pub struct Progress {
    all_answers: usize,
    all_timers: usize,
    answers: AtomicUsize,
    timers: AtomicUsize,
    connections: AtomicUsize,
    most_connections: AtomicUsize,
    finished: AtomicBool,
    on_terminal: bool,
}

impl Progress {
    pub fn new(answers: usize, timers: usize) -> Self {
        Self {
            all_answers: answers,
            all_timers: timers,
            answers: AtomicUsize::new(0),
            timers: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            most_connections: AtomicUsize::new(0),
            finished: AtomicBool::new(false),
            on_terminal: io::stdout().is_terminal(),
        }
    }

    pub fn answered(&self) {
        self.answers.fetch_add(1, Relaxed);
    }

    pub fn slept(&self) {
        self.timers.fetch_add(1, Relaxed);
    }

    /// A connection that lasts until the guard is dropped.
    pub fn connected(self: &Arc<Self>) -> Connected {
        let now = self.connections.fetch_add(1, Relaxed) + 1;
        self.most_connections.fetch_max(now, Relaxed);
        Connected(self.clone())
    }

    pub fn answers(&self) -> usize {
        self.answers.load(Relaxed)
    }

    pub fn most_connections(&self) -> usize {
        self.most_connections.load(Relaxed)
    }

    pub fn finish(&self) {
        self.finished.store(true, Relaxed);
    }

    pub fn is_finished(&self) -> bool {
        self.finished.load(Relaxed)
    }

    /// On a terminal in place, elsewhere now and then as a line.
    pub fn show(&self, tick: usize) {
        let (answers, timers) = (self.answers(), self.timers.load(Relaxed));
        let share = (answers + timers) as f64 / (self.all_answers + self.all_timers) as f64;
        let text = format!(
            "{:3.0} %  {} connected, {} answers, {} timers",
            share * 100.0,
            grouped(self.connections.load(Relaxed)),
            grouped(answers),
            grouped(timers)
        );
        if self.on_terminal {
            let done = (share * 30.0) as usize;
            print!(
                "\r\x1b[K  {:━<done$}{:─<rest$}  {text}",
                "",
                "",
                rest = 30_usize.saturating_sub(done)
            );
            let _ = io::stdout().flush();
        } else if tick % TICKS_PER_LINE == 0 {
            println!("  {text}");
        }
    }

    /// Takes the line on the terminal away.
    pub fn clear(&self) {
        if self.on_terminal {
            print!("\r\x1b[K");
        }
    }
}

pub struct Connected(Arc<Progress>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

/// How some durations are distributed.
pub struct Quantiles {
    median: Duration,
    p99: Duration,
    most: Duration,
}

impl Quantiles {
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |share: f64| {
            let index = (durations.len() as f64 * share) as usize;
            durations.get(index).or(durations.last()).copied().unwrap_or_default()
        };
        Self {
            median: at(0.5),
            p99: at(0.99),
            most: at(1.0),
        }
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, p99, most } = *self;
        write!(
            f,
            "p50 {}, p99 {}, at most {}",
            millis(median),
            millis(p99),
            millis(most)
        )
    }
}

/// A duration in milliseconds.
pub fn millis(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    let digits = if duration.subsec_micros() % 1000 == 0 || millis >= 100.0 {
        0
    } else {
        2
    };
    format!("{millis:.digits$} ms")
}

/// A number with its thousands apart.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
