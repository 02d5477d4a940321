//! What children cost this process: no descriptor, no thread and no zombie is left of them, whatever becomes of those who started
//! them. One test at a time, since it counts what the process has.

mod common;

use aioli::{
    process::{Command, Process, Stdio, watch_by_sigchld},
    wait_for,
};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, setrlimit, waitid},
};
use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

/// What is passed when something is left, or a test hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<F: Future>(workers: usize, main: F) -> F::Output {
    common::run(workers, async { wait_for(main, LIMIT).await.expect("the test hangs") })
}

fn entries(folder: &str) -> usize {
    // The descriptor that is read with is one of them.
    fs::read_dir(folder).unwrap().count()
}

fn descriptors() -> usize {
    entries("/proc/self/fd")
}

fn threads() -> usize {
    entries("/proc/self/task")
}

/// Whether there is a child, running or dead.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::All, options) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, Errno::CHILD);
            false
        }
    }
}

/// What is there when nothing runs.
#[derive(PartialEq, Debug)]
struct Census {
    descriptors: usize,
    threads: usize,
    children: bool,
}

fn census() -> Census {
    Census {
        descriptors: descriptors(),
        threads: threads(),
        children: has_children(),
    }
}

/// Waits until everything is as it was.
fn settles_at(before: &Census) {
    let begin = Instant::now();
    while census() != *before {
        assert!(begin.elapsed() < LIMIT, "{:?} is left of {before:?}", census());
        thread::yield_now();
    }
}

fn with_pipes(command: &mut Command) -> Process {
    let streams = command.stdin(Stdio::PIPE).stdout(Stdio::PIPE).stderr(Stdio::PIPE);
    streams.spawn().unwrap()
}

/// Children in all the ways in which they end.
fn children_come_and_go(workers: usize) {
    let before = census();
    run(workers, async {
        let within = descriptors();
        for _ in 0..10 {
            let mut cat = with_pipes(&mut Command::new("cat"));
            cat.communicate("some input").await.unwrap();
            drop(cat);
            let dropped = with_pipes(&mut Command::new("cat"));
            let exit = dropped.wait();
            drop(dropped);
            exit.await.unwrap();
            let merged = Command::shell("echo x >&2").stderr(Stdio::STDOUT).output().await;
            assert_eq!(merged.unwrap().stdout.unwrap(), b"x\n");
            with_pipes(&mut Command::new("true")).wait().await.unwrap();
            Command::new("./no-such-program")
                .stdin(Stdio::PIPE)
                .spawn()
                .unwrap_err();
            Command::new("true")
                .stdout(Stdio::PIPE)
                .stdin(Stdio::STDOUT)
                .spawn()
                .unwrap_err();
        }
        // What a stream has left to do, it does in a task.
        while descriptors() != within || has_children() {
            // Where the orphans' thread waits for children, its descriptors are there with it.
            aioli::yield_now().await;
        }
        for _ in 0..10 {
            drop(with_pipes(Command::new("sleep").arg("1000").kill_on_drop(true)));
            drop(with_pipes(&mut Command::shell("sleep 0.05")));
        }
    });
    settles_at(&before);
}

/// With no descriptor to be had, a child that has been started cannot be watched.
fn without_descriptors() {
    let before = census();
    let limit = getrlimit(Resource::Nofile);
    run(1, async {
        let current = Some(100);
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
        let mut files: Vec<File> = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        // None for what there is to be; none, then one after the other.
        for free in 0..8 {
            for stream in [Stdio::INHERIT, Stdio::PIPE] {
                let spawned = Command::new("sleep")
                    .arg("1000")
                    .stdin(stream)
                    .kill_on_drop(true)
                    .spawn();
                match spawned {
                    Err(error) => assert_eq!(Errno::from_io_error(&error), Some(Errno::MFILE), "{free}"),
                    Ok(process) => {
                        process.kill().unwrap();
                        assert!(!process.wait().await.unwrap().success());
                    }
                }
                while has_children() {
                    aioli::yield_now().await;
                }
            }
            files.pop();
        }
        files.clear();
        assert!(Command::new("true").status().await.unwrap().success());
        setrlimit(Resource::Nofile, limit).unwrap();
    });
    settles_at(&before);
}

/// Nor is what was there for a child left behind when one thing was missing that the child needed.
fn without_one_descriptor() {
    let limit = getrlimit(Resource::Nofile);
    run(1, async {
        let within = census();
        let mut failed = 0;
        for free in 0..12 {
            // The lowest number that is not used: others below the limit may be, and then fewer are free.
            let low = u64::try_from(File::open("/dev/null").unwrap().as_raw_fd()).unwrap();
            let current = Some(low + free);
            setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
            let spawned = Command::new("true").spawn();
            setrlimit(Resource::Nofile, limit).unwrap();
            match spawned {
                Ok(process) => assert!(process.wait().await.unwrap().success()),
                Err(_) => failed += 1,
            }
            settles_at(&within);
        }
        assert!((1..12).contains(&failed));
    });
}

/// Where the system waits for children itself, nobody knows how they exit; but that they do, everybody is told.
fn where_sigchld_is_ignored() {
    // SAFETY: there is no handler that this could replace, or it is replaced back below.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    run(2, async {
        for _ in 0..20 {
            let process = Command::new("true").spawn().unwrap();
            let error = process.wait().await.unwrap_err();
            assert!(error.to_string().contains("ignores SIGCHLD"), "{error}");
            assert_eq!(process.returncode(), Some(255));
            assert!(process.kill().is_err());
        }
    });
    // SAFETY: as it was.
    unsafe { libc::signal(libc::SIGCHLD, before) };
}

/// On Linux the signal is left alone.
fn no_handler_of_sigchld_is_needed() {
    let status = run(2, async {
        let output = Command::new("true").output().await.unwrap();
        assert!(output.status.success());
        fs::read_to_string("/proc/self/status").unwrap()
    });
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    assert_eq!(caught & (1 << (libc::SIGCHLD - 1)), 0);
}

#[test]
fn nothing_is_left_of_children() {
    // What the process gets once and keeps, it has after this.
    no_handler_of_sigchld_is_needed();
    let before = census();
    where_sigchld_is_ignored();
    settles_at(&before);
    for workers in [1, 2] {
        children_come_and_go(workers);
    }
    without_descriptors();
    without_one_descriptor();

    watch_by_sigchld();
    for workers in [1, 2] {
        children_come_and_go(workers);
    }
    without_descriptors();
    without_one_descriptor();
}
