//! The stage: opens a scene, plays it on a loop of its own, and says what happens when.

use aioli::{Builder, EventLoop};
use std::{
    fmt::Display,
    future::Future,
    io::Write,
    panic,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Longer than any scene takes.
pub const HOUR: Duration = Duration::from_secs(3600);

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The loop of the scene that is being played, and when that began by the loop's clock.
static SCENE: Mutex<Option<(EventLoop, Instant)>> = Mutex::new(None);

/// Says what happens, and when.
pub fn say(what: impl Display) {
    let scene = SCENE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let at = scene
        .as_ref()
        .map_or(0, |(event_loop, start)| (event_loop.time() - *start).as_millis());
    print(format_args!("   +{at:>3} ms  {what}"));
}

pub fn announce(text: &str) {
    print(text);
    // Panics are part of the story, and not of this program's.
    panic::set_hook(Box::new(|info| match info.payload().downcast_ref::<&str>() {
        Some(message) => say(format_args!("(a panic: {message})")),
        None => say(format_args!("(a panic: {info})")),
    }));
}

/// Not `println!`, which panics where nobody reads any more.
fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Where one scene is played.
#[derive(Clone, Copy)]
pub struct Stage {
    number: usize,
}

impl Stage {
    pub fn new(number: usize) -> Self {
        Self { number }
    }

    /// Says what the scene is about, and what is done in it.
    pub fn open(self, title: &str, what: &str) {
        print(format_args!("\n{:>2}. {title}", self.number));
        for line in what.lines() {
            print(format_args!("    {line}"));
        }
    }

    /// Plays `program` to its end, cleanup and all.
    pub fn play(self, program: impl Future<Output = ()>) {
        self.play_on(Builder::new(), program);
    }

    /// As [`play`](Self::play), on a loop that is made as `builder` says.
    pub fn play_on(self, builder: Builder, program: impl Future<Output = ()>) {
        let mut runner = builder
            .virtual_time(true)
            .build()
            .expect("a loop could be made a moment ago");
        let event_loop = runner.event_loop();
        event_loop.set_exception_handler(|error| {
            let who = error.task_name().unwrap_or("a callback");
            say(format_args!("handler: about '{who}': {}", error.message()));
        });
        let start = event_loop.time();
        *SCENE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((event_loop, start));
        runner.run(program);
        // Whatever is left is cancelled now, and waited for.
        drop(runner);
    }

    /// Says what to take away.
    pub fn close(self, moral: &str) {
        for (number, line) in moral.lines().enumerate() {
            print(format_args!("    {} {line}", if number == 0 { "=>" } else { "  " }));
        }
    }
}
