//! The runner of commands.

use crate::{Directory, LIMIT, example};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    fs,
    process::{Child, Output},
    thread,
    time::{Duration, Instant},
};

/// A directory with a file of commands, where they run.
struct Jobs(Directory);

impl Jobs {
    fn new(text: &str) -> Self {
        let dir = Directory::new();
        dir.write("jobs", text.as_bytes());
        Self(dir)
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut command = example("make_j");
        command.args(args).current_dir(&self.0.0).spawn().unwrap()
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.spawn(args).wait_with_output().unwrap();
        let [output, errors] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (status.code(), output, errors)
    }

    /// Waits until there is a file with a line in it, and gives that.
    fn wait_for_line(&self, name: &str) -> String {
        let start = Instant::now();
        loop {
            match fs::read_to_string(self.0.0.join(name)) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => assert!(start.elapsed() < LIMIT, "{name} is not written"),
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until no process has the id that is in a file.
    fn wait_until_gone(&self, name: &str) {
        let pid = Pid::from_raw(self.wait_for_line(name).parse().unwrap()).unwrap();
        let start = Instant::now();
        while test_kill_process(pid).is_ok() {
            assert!(start.elapsed() < LIMIT, "{name}: {pid:?} is still there");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn what_is_needed_comes_first_and_each_target_once() {
    let jobs = Jobs::new(
        "# A diamond.\n\
         top: left right\n  cat log > result\n\
         left: base\n  echo left >> log\n\
         right: base\n  echo right >> log\n\n\
         base:\n\techo base >> log\n\techo base again >> log\n\
         echo bare: a command\n",
    );
    for _ in 0..3 {
        let (code, output, errors) = jobs.run(&["-j", "3", "jobs"]);
        assert_eq!((code, &*errors), (Some(0), ""));
        assert!(output.contains("echo bare: a command\nbare: a command\n"), "{output}");
        assert!(output.contains("[5/5] "), "{output}");
        let result = fs::read_to_string(jobs.0.0.join("result")).unwrap();
        let lines: Vec<&str> = result.lines().collect();
        assert_eq!((&lines[..2], lines.len()), (&["base", "base again"][..], 4));
        fs::remove_file(jobs.0.0.join("log")).unwrap();
    }
    // Only what is asked for, and what that needs.
    let (code, output, _) = jobs.run(&["jobs", "left"]);
    assert_eq!((code, &*output), (Some(0), "[1/2] base\n[2/2] left\n"));
}

#[test]
fn commands_run_at_the_same_time_and_their_output_is_kept_together() {
    // Each waits for the other in the middle.
    let jobs = Jobs::new(
        "pipes:\n  mkfifo one two\n\
         a: pipes\n  echo a1; echo > one; cat two; echo a2 >&2\n  echo a3\n\
         b: pipes\n  echo b1; cat one; echo > two; echo b2\n",
    );
    let (code, output, errors) = jobs.run(&["-j", "2", "jobs"]);
    assert_eq!((code, &*errors), (Some(0), ""));
    assert!(output.contains("] a\na1\n\na2\na3\n"), "{output}");
    assert!(output.contains("] b\nb1\n\nb2\n"), "{output}");
}

#[test]
fn no_more_run_at_a_time_than_are_allowed_in_the_order_of_the_file() {
    let commands: Vec<String> = (1..=20)
        .map(|n| format!("mkdir taken && rmdir taken; echo {n}"))
        .collect();
    let jobs = Jobs::new(&commands.join("\n"));
    let (code, output, _) = jobs.run(&["-j", "1", "jobs"]);
    assert_eq!(code, Some(0));
    // And one at a time, in the order of the file.
    let said = (1..)
        .zip(&commands)
        .map(|(n, command)| format!("[{n}/20] {command}\n{n}\n"));
    assert_eq!(output, said.collect::<String>());
}

#[test]
fn the_first_failure_stops_what_runs() {
    // Two that would run on: one that ignores to be asked, and one that has children of its own.
    let jobs = Jobs::new(
        "deaf:\n  trap '' TERM; echo $$ > deaf; while :; do sleep 1; done\n\
         parent:\n  sleep 1000 & echo $! > child; wait; echo never\n\
         last: fails\n  touch last\n\
         fails:\n  echo before; until test -s deaf && test -s child; do sleep 0.01; done; exit 3\n",
    );
    let (code, output, errors) = jobs.run(&["-j", "4", "jobs"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        (&*output, &*errors),
        ("[1/4] fails\nbefore\n", "make_j: *** [fails] Error 3\n")
    );
    jobs.wait_until_gone("deaf");
    jobs.wait_until_gone("child");
    assert!(!jobs.0.0.join("last").exists());
}

#[test]
fn with_k_goes_on_what_does_not_need_what_failed() {
    let jobs = Jobs::new(
        "bad:\n  echo out; kill -9 $$\n  echo never\n\
         needs: bad\n  touch needs\n\
         needs-that: needs good\n  touch needs-that\n\
         good:\n  touch good\n",
    );
    let (code, output, errors) = jobs.run(&["-k", "-j", "1", "jobs"]);
    assert_eq!(code, Some(2));
    assert_eq!(output, "[1/4] bad\nout\n[2/4] good\n");
    for said in [
        "[bad] Killed by signal 9",
        "[needs] Not made because of bad",
        "[needs-that] Not made because of needs",
    ] {
        assert!(errors.contains(said), "{said}: {errors}");
    }
    assert!(jobs.0.0.join("good").exists() && !jobs.0.0.join("needs").exists());
}

#[test]
fn a_signal_stops_everything() {
    for signal in [Signal::INT, Signal::TERM] {
        let jobs = Jobs::new("sleep 1000 & echo $! > child; wait\n");
        let make = jobs.spawn(&["jobs"]);
        jobs.wait_for_line("child");
        kill_process(Pid::from_child(&make), signal).unwrap();
        let ended = make.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130));
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "make_j: interrupted\n");
        jobs.wait_until_gone("child");
    }
}

#[test]
fn files_that_make_no_sense_are_refused_and_nothing_runs() {
    for (text, args, said) in [
        ("a: b\nb: a\n", &["jobs"][..], "needs itself"),
        ("a: b\n", &["jobs"], "no target \"b\", which a needs"),
        ("a:\na:\n", &["jobs"], "two targets \"a\""),
        ("  touch ran\n", &["jobs"], "line 1: an indented command"),
        ("touch ran\n  touch ran\n", &["jobs"], "line 2: an indented command"),
        ("touch ran\n", &["jobs", "other"], "no target \"other\""),
        ("touch ran\n", &["missing"], "missing: No such file"),
    ] {
        let jobs = Jobs::new(text);
        let (code, output, errors) = jobs.run(args);
        assert_eq!((code, &*output), (Some(2), ""), "{text:?}");
        assert!(errors.contains(said), "{text:?}: {errors}");
        assert!(!jobs.0.0.join("ran").exists());
    }
}
