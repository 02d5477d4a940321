//! What watches do with descriptors: those that were closed behind the loop are noticed, and all are given back. One test at a time, alone
//! in its process, whose descriptors it counts, and whose numbers it uses again.

mod common;

use aioli::{Builder, EventLoop};
use common::{Log, WORKERS};
use rustix::{
    event::{EventfdFlags, eventfd},
    pipe::{PipeFlags, pipe_with},
};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

fn pipe() -> (File, File) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Gives way until it holds: a watch that another worker takes a turn of is gone when that is over.
async fn settle(what: &str, condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < limit, "never: {what}");
        aioli::yield_now().await;
    }
}

fn told() -> Log {
    let log = Log::default();
    let theirs = log.clone();
    EventLoop::current().set_exception_handler(move |error| theirs.add(error.to_string()));
    log
}

fn expected(number: RawFd) -> Vec<String> {
    vec![format!(
        "file descriptor {number} was closed while it was watched, and is not watched any more: call `remove_reader` and \
         `remove_writer` before closing it"
    )]
}

async fn removal_gives_the_descriptor_back() {
    let before = descriptors();
    let ((reader, writer), event_loop) = (pipe(), EventLoop::current());
    let (near, _far) = UnixStream::pair().unwrap();
    let with_them = descriptors();
    for _ in 0..10 {
        event_loop.add_reader(&reader, || ()).unwrap();
        event_loop.add_reader(&reader, || ()).unwrap();
        event_loop.add_writer(&writer, || ()).unwrap();
        event_loop.add_reader(&near, || ()).unwrap();
        event_loop.add_writer(&near, || ()).unwrap();
        settle("one for each", || descriptors() == with_them + 3).await;
        assert!(event_loop.remove_reader(&near));
        settle("the writer still needs it", || descriptors() == with_them + 3).await;
        assert!(
            event_loop.remove_writer(&near) && event_loop.remove_reader(&reader) && event_loop.remove_writer(&writer)
        );
        settle("none", || descriptors() == with_them).await;
    }
    assert!(
        event_loop
            .add_reader(File::open("/etc/passwd").unwrap(), || ())
            .is_err()
    );
    drop((reader, writer, near, _far));
    settle("as before", || descriptors() == before).await;
}

async fn one_that_was_closed_is_noticed() {
    let before = descriptors();
    let ((reader, mut writer), log) = (pipe(), told());
    let number = reader.as_raw_fd();
    EventLoop::current()
        .add_reader(&reader, || unreachable!("it is closed"))
        .unwrap();
    EventLoop::current().add_writer(&reader, || ()).unwrap();
    drop(reader);
    // The duplicate is what it goes to.
    writer.write_all(b"x").unwrap();
    settle("told", || log.lines() == expected(number)).await;
    drop(writer);
    settle("as before", || descriptors() == before).await;
    // SAFETY: it is not used but for its number.
    let closed = unsafe { BorrowedFd::borrow_raw(number) };
    assert!(!EventLoop::current().remove_reader(closed) && !EventLoop::current().remove_writer(closed));
    assert!(EventLoop::current().add_reader(closed, || ()).is_err());
    assert_eq!(log.lines().len(), 1);
}

/// Gives `new` the number of `old`, which is closed.
fn replace(old: impl IntoRawFd, new: impl Into<OwnedFd>) -> OwnedFd {
    // SAFETY: the number is ours, given up by its owner.
    let mut number = unsafe { OwnedFd::from_raw_fd(old.into_raw_fd()) };
    rustix::io::dup2(new.into(), &mut number).unwrap();
    number
}

async fn a_number_that_stands_for_something_else_is_noticed() {
    let before = descriptors();
    let ((old, mut old_writer), (new, mut new_writer), log) = (pipe(), pipe(), told());
    EventLoop::current()
        .add_reader(&old, || unreachable!("it is closed"))
        .unwrap();
    new_writer.write_all(b"not for the old reader").unwrap();
    let new = replace(old, new);
    old_writer.write_all(b"x").unwrap();
    settle("told", || log.lines() == expected(new.as_raw_fd())).await;
    drop((new, new_writer, old_writer));
    settle("as before", || descriptors() == before).await;
}

async fn a_number_that_stands_for_something_else_can_be_watched_anew() {
    let before = descriptors();
    let ((old, old_writer), (new, mut new_writer), log) = (pipe(), pipe(), told());
    let event_loop = EventLoop::current();
    event_loop.add_reader(&old, || unreachable!("it is closed")).unwrap();
    event_loop.add_writer(&old, || unreachable!("it is closed")).unwrap();
    let new = replace(old, new);
    let calls = Arc::new(AtomicUsize::new(0));
    let (seen, mut reader) = (calls.clone(), File::from(new.try_clone().unwrap()));
    let callback = move || {
        reader.read_exact(&mut [0]).unwrap();
        seen.fetch_add(1, SeqCst);
    };
    event_loop.add_reader(&new, callback).unwrap();
    assert_eq!(log.lines(), expected(new.as_raw_fd()));
    assert!(!event_loop.remove_writer(&new), "it was the old one's");
    new_writer.write_all(b"abc").unwrap();
    settle("called", || calls.load(SeqCst) == 3).await;
    assert!(event_loop.remove_reader(&new));
    drop((new, new_writer, old_writer));
    settle("as before", || descriptors() == before).await;
    assert_eq!(log.lines().len(), 1);
}

/// They are all one file to `fstat`; where the system cannot tell them apart there is nothing to be noticed.
async fn an_eventfd_is_told_from_another() {
    let make = |count| eventfd(count, EventfdFlags::CLOEXEC).unwrap();
    let (old, new, log) = (make(1), make(0), told());
    // SAFETY: it only asks.
    let can_tell = unsafe { libc::fcntl(old.as_raw_fd(), 1027, new.as_raw_fd()) } == 0;
    if can_tell {
        EventLoop::current().add_writer(&new, || ()).unwrap();
        EventLoop::current().remove_writer(&new);
        EventLoop::current()
            .add_reader(&new, || unreachable!("it is closed"))
            .unwrap();
        let other = new.try_clone().unwrap();
        let new = replace(new, old);
        rustix::io::write(&other, &1u64.to_ne_bytes()).unwrap();
        settle("told", || log.lines() == expected(new.as_raw_fd())).await;
    }
}

/// Closes its own descriptor, and does not say so.
async fn a_callback_that_closes_its_descriptor_is_called_once() {
    let before = descriptors();
    let ((reader, mut writer), log) = (pipe(), told());
    let (number, calls) = (reader.as_raw_fd(), Arc::new(AtomicUsize::new(0)));
    // SAFETY: the callback owns it, and closes it when it is called.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let (seen, mut reader) = (calls.clone(), Some(reader));
    let callback = move || {
        drop(reader.take());
        seen.fetch_add(1, SeqCst);
    };
    EventLoop::current().add_reader(borrowed.as_fd(), callback).unwrap();
    writer.write_all(b"x").unwrap();
    settle("told", || log.lines() == expected(number)).await;
    assert_eq!(calls.load(SeqCst), 1);
    drop(writer);
    settle("as before", || descriptors() == before).await;
}

#[test]
#[cfg(target_os = "linux")]
fn descriptors_that_are_closed_are_noticed_and_all_are_given_back() {
    let at_first = descriptors();
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(removal_gives_the_descriptor_back());
        runner.run(one_that_was_closed_is_noticed());
        runner.run(a_number_that_stands_for_something_else_is_noticed());
        runner.run(a_number_that_stands_for_something_else_can_be_watched_anew());
        runner.run(an_eventfd_is_told_from_another());
        runner.run(a_callback_that_closes_its_descriptor_is_called_once());
        // Some that the end of the loop finds, one of them closed.
        let ((reader, writer), event_loop) = (pipe(), runner.event_loop());
        event_loop.add_reader(&reader, || ()).unwrap();
        event_loop.add_writer(&writer, || ()).unwrap();
        drop(reader);
        runner.close();
        drop(writer);
        // The handle does not keep any.
        drop(runner);
        drop(event_loop);
        assert_eq!(descriptors(), at_first);
    }
}
