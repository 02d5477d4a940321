//! The index: each script, in which order its lines are promised, by which clock it runs, and where its port is.
//!
//! This is the one place that says so; the tests below hold `docs/conformance.md`, the files and the ports to it.

use crate::harness::{Comparison, home};
use std::{collections::BTreeSet, env, fs, process::Command};
use {Clock::*, Order::*};

/// In which order the lines of a port are those of the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The same lines in the same order on one worker; nothing is promised for more.
    Exact,
    /// That, and the same lines in any order on more.
    ExactAndSet,
    /// The same lines in any order, on any number of workers.
    Set,
    /// The same lines in the same order on any number of workers: awaits, or gaps of time, order them.
    Causal,
}

impl Order {
    /// What is to be checked: the numbers of workers, and how.
    pub fn checks(self) -> Vec<(usize, Comparison)> {
        use Comparison::{InOrder, Sorted};
        match self {
            Exact => vec![(1, InOrder)],
            ExactAndSet => vec![(1, InOrder), (2, Sorted), (4, Sorted)],
            Set => vec![(1, Sorted), (2, Sorted), (4, Sorted)],
            Causal => vec![(1, InOrder), (2, InOrder), (4, InOrder)],
        }
    }

    fn in_the_book(self) -> &'static str {
        match self {
            Exact => "exact (one worker)",
            ExactAndSet => "exact (one worker); set",
            Set => "set",
            Causal => "set, causal",
        }
    }
}

/// By which clock a script runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// One that jumps to the next deadline when nothing is ready.
    Virtual,
    /// The system's: for threads, sockets and processes.
    Real,
}

impl Clock {
    fn in_the_book(self) -> &'static str {
        match self {
            Virtual => "virtual",
            Real => "real",
        }
    }
}

/// A row of the index.
#[derive(Clone, Copy)]
pub struct Row {
    script: &'static str,
    pub order: Order,
    pub clock: Clock,
    /// The module that has a test with the script's name.
    port: &'static str,
}

const fn row(script: &'static str, order: Order, clock: Clock, port: &'static str) -> Row {
    Row {
        script,
        order,
        clock,
        port,
    }
}

const INDEX: &[Row] = &[
    // Tasks and cancellation
    row("awaited_swallows_cancel", Causal, Virtual, "tasks"),
    row("cancel_before_start", Exact, Virtual, "tasks"),
    row("cancel_during_cleanup", ExactAndSet, Virtual, "tasks"),
    row("cancel_propagates", Causal, Virtual, "tasks"),
    row("cancel_while_sleeping", Exact, Virtual, "tasks"),
    row("suppress_uncancel", Causal, Virtual, "tasks"),
    row("task_exception", Causal, Virtual, "tasks"),
    row("task_lifecycle", ExactAndSet, Virtual, "tasks"),
    // shield
    row("shield_cancel", Causal, Virtual, "shield"),
    row("shield_cleanup", Causal, Virtual, "shield"),
    // wait_for and timeout
    row("timeout_nested", Causal, Virtual, "timeouts"),
    row("timeout_reschedule", Causal, Virtual, "timeouts"),
    row("wait_for_outer_cancelled", Causal, Virtual, "timeouts"),
    row("wait_for_shield", Causal, Virtual, "timeouts"),
    row("wait_for_swallow", Causal, Virtual, "timeouts"),
    row("wait_for_timeout", Causal, Virtual, "timeouts"),
    row("wait_for_zero", Causal, Virtual, "timeouts"),
    // TaskGroup
    row("taskgroup_child_failure", Causal, Virtual, "task_group"),
    row("taskgroup_closed", Causal, Virtual, "task_group"),
    row("taskgroup_nested", Causal, Virtual, "task_group"),
    row("taskgroup_outer_cancel", Causal, Virtual, "task_group"),
    row("taskgroup_results", ExactAndSet, Virtual, "task_group"),
    // gather, wait, as_completed
    row("as_completed_order", Causal, Virtual, "gather"),
    row("gather_cancel", Causal, Virtual, "gather"),
    row("gather_exception", Causal, Virtual, "gather"),
    row("gather_results", Causal, Virtual, "gather"),
    row("wait_modes", Causal, Virtual, "gather"),
    row("wait_timeout", Causal, Virtual, "gather"),
    // Futures, callbacks, timers, exception handler
    row("call_later_order", ExactAndSet, Virtual, "callbacks"),
    row("call_soon_order", Exact, Virtual, "callbacks"),
    row("exception_handler", ExactAndSet, Virtual, "callbacks"),
    row("future_callbacks", Exact, Virtual, "callbacks"),
    row("future_states", Causal, Virtual, "callbacks"),
    // Queues
    row("queue_bounded", ExactAndSet, Virtual, "queues"),
    row("queue_cancel_getter", Exact, Virtual, "queues"),
    row("queue_join", Causal, Virtual, "queues"),
    row("queue_kinds", Causal, Virtual, "queues"),
    row("queue_shutdown", Causal, Virtual, "queues"),
    // Synchronisation
    row("barrier_cycle", ExactAndSet, Virtual, "sync"),
    row("condition_notify", ExactAndSet, Virtual, "sync"),
    row("event_wakes", Exact, Virtual, "sync"),
    row("lock_fair", Exact, Virtual, "sync"),
    row("semaphore_fair", Exact, Virtual, "sync"),
    // Streams, servers, protocols
    row("drain_backpressure", Causal, Real, "streams"),
    row("protocol_callbacks", Causal, Real, "protocols"),
    row("server_close", Causal, Real, "streams"),
    row("streams_echo", Set, Real, "streams"),
    row("streams_reads", Causal, Real, "streams"),
    // Subprocesses
    row("subprocess_communicate", Causal, Real, "processes"),
    row("subprocess_kill", Causal, Real, "processes"),
    // Threads
    row("threadsafe_submit", Causal, Real, "threads"),
    row("to_thread_basic", Causal, Real, "threads"),
    // Context variables, run(), introspection
    row("contextvars_copy", ExactAndSet, Virtual, "context"),
    row("names_and_current", ExactAndSet, Virtual, "context"),
    row("run_leftovers", Causal, Virtual, "context"),
];

/// The row of a script.
pub fn row_of(script: &str) -> Row {
    let found = INDEX.iter().find(|row| row.script == script);
    *found.unwrap_or_else(|| panic!("`{script}` is not in the index"))
}

fn scripts() -> BTreeSet<String> {
    INDEX.iter().map(|row| row.script.to_owned()).collect()
}

#[test]
fn no_script_is_listed_twice() {
    assert_eq!(scripts().len(), INDEX.len());
}

/// The names, without it, of the files in `folder` that have this extension. All must have it.
fn names_in(folder: &str, extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(home().join(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .map(|name| match name.strip_suffix(extension) {
            Some(stem) => stem.to_owned(),
            None => panic!("{folder}/{name} does not belong there"),
        })
        .collect()
}

#[test]
fn each_script_is_in_the_index_and_has_a_trace() {
    assert_eq!(names_in("scripts", ".py"), scripts());
    assert_eq!(names_in("traces", ".out"), scripts());
}

#[test]
fn each_script_has_a_port() {
    let this = env::current_exe().unwrap();
    let list = Command::new(this).arg("--list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let tests: BTreeSet<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for row in INDEX {
        let found = tests.iter().find(|test| test.ends_with(&format!("::{}", row.script)));
        assert_eq!(found, Some(&&*format!("{}::{}", row.port, row.script)));
    }
}

#[test]
fn the_book_has_the_same_index() {
    let book = fs::read_to_string(home().join("../../../../docs/conformance.md")).unwrap();
    // `| script | pins down | order | clock | port |`
    let rows = book.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ");
        let script = cells.next()?.strip_suffix('`')?;
        let [_pins_down, order, clock, port] = [cells.next()?, cells.next()?, cells.next()?, cells.next()?];
        Some([script, order, clock, port].map(str::to_owned))
    });
    let expected = INDEX.iter().map(|row| {
        let port = format!("`{}`", row.port);
        let (order, clock) = (row.order.in_the_book(), row.clock.in_the_book());
        [row.script.to_owned(), order.to_owned(), clock.to_owned(), port]
    });
    assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
