//! Runs a port as the index says (how many workers, which clock, in which order) and compares what it said with what
//! CPython printed.
//!
//! A port says a line with `say!`, from whatever thread of its loop. Each run has a log of its own: the threads of a loop, its
//! workers and those for blocking calls, learn it when they start.

use crate::index::{self, Clock};
use aioli::{Builder, Runner};
use std::{
    cell::RefCell,
    fmt::{self, Write},
    fs,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// `print()`: adds a line to the log of this run.
macro_rules! say {
    ($($line:tt)*) => {
        $crate::harness::say_line(format!($($line)*))
    };
}
pub(crate) use say;

/// Seconds, as the scripts count time.
pub fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The error that most scripts raise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueError(pub &'static str);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ValueError {}

/// Checks the port of a script that ends with `asyncio.run(main())`.
pub fn conforms<F: Future<Output = ()>>(script: &str, main: impl Fn() -> F) {
    program_conforms(script, |setting| setting.run(main()));
}

/// Checks the port of a script that does more than that outside of its loop.
pub fn program_conforms(script: &str, program: impl Fn(&Setting)) {
    let row = index::row_of(script);
    let printed = trace(script);
    for (workers, comparison) in row.order.checks() {
        let setting = Setting {
            workers,
            clock: row.clock,
            log: Log::default(),
        };
        LOG.set(Some(setting.log.clone()));
        program(&setting);
        LOG.set(None);
        if let Some(difference) = compare(&printed, &setting.log.lines(), comparison) {
            panic!("`{script}` on {workers} worker(s), {comparison:?}:\n{difference}");
        }
    }
}

/// How the lines of both sides are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    InOrder,
    /// After both sides were sorted.
    Sorted,
}

/// What one run of a port is run in.
pub struct Setting {
    workers: usize,
    clock: Clock,
    log: Log,
}

impl Setting {
    /// `asyncio.run()`.
    pub fn run<F: Future>(&self, main: F) -> F::Output {
        self.runner().run(main)
    }

    /// `asyncio.Runner()`.
    pub fn runner(&self) -> Runner {
        let log = self.log.clone();
        Builder::new()
            .workers(self.workers)
            .virtual_time(self.clock == Clock::Virtual)
            .on_thread_start(move || LOG.set(Some(log.clone())))
            .build()
            .unwrap()
    }
}

/// What a run has said so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

thread_local! {
    /// The log of the run that this thread takes part in.
    static LOG: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// What `say!` does.
pub fn say_line(line: String) {
    LOG.with_borrow(|log| {
        let log = log.as_ref().expect("`say!` is for threads of a conformance run");
        log.0.lock().unwrap().push(line);
    });
}

/// Where scripts, traces and ports are.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What CPython printed, in Rust's spelling.
fn trace(script: &str) -> Vec<String> {
    let path = home().join("traces").join(script).with_extension("out");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(in_rust).collect()
}

/// Python's `True` and `False` are Rust's `true` and `false`; `None` is `None`, printed with `{:?}`. Whole words only.
fn in_rust(line: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        out.push_str(match piece {
            "True" => "true",
            "False" => "false",
            _ => piece,
        });
        rest = behind;
    }
    out
}

/// `None` if they are the same, or else both sides, with the first difference marked.
fn compare(printed: &[String], said: &[String], comparison: Comparison) -> Option<String> {
    let (mut printed, mut said) = (printed.to_vec(), said.to_vec());
    if comparison == Comparison::Sorted {
        printed.sort();
        said.sort();
    }
    if printed == said {
        return None;
    }
    let lines = printed.len().max(said.len());
    let first = (0..lines).find(|&n| printed.get(n) != said.get(n));
    let width = printed
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0)
        .max(7);
    let mut out = format!("   {:width$} | aioli\n", "CPython");
    for n in 0..lines {
        let mark = if Some(n) == first { "->" } else { "  " };
        let side = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
        writeln!(out, "{mark} {:width$} | {}", side(&printed), side(&said)).unwrap();
    }
    Some(out)
}

#[test]
fn whole_words_of_python_become_words_of_rust() {
    assert_eq!(in_rust("done True, False: x=None"), "done true, false: x=None");
    assert_eq!(in_rust("Trueish unFalse True_"), "Trueish unFalse True_");
}

#[test]
fn the_first_difference_is_marked() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(compare(&lines("a b"), &lines("a b"), Comparison::InOrder), None);
    assert_eq!(compare(&lines("a b"), &lines("b a"), Comparison::Sorted), None);
    let difference = compare(&lines("a b c"), &lines("a c"), Comparison::InOrder).unwrap();
    assert_eq!(
        difference.lines().collect::<Vec<_>>(),
        [
            "   CPython | aioli",
            "   a       | a",
            "-> b       | c",
            "   c       | "
        ]
    );
}
