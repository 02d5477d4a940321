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
        settle("one for each", || descriptors() == with_them + 4).await;
        assert!(event_loop.remove_reader(&near));
        settle("the writer has its own", || descriptors() == with_them + 3).await;
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
    assert!(!EventLoop::current().remove_reader(&number) && !EventLoop::current().remove_writer(&number));
    // SAFETY: it is not used but for its number.
    let closed = unsafe { BorrowedFd::borrow_raw(number) };
    assert!(EventLoop::current().add_reader(closed, || ()).is_err());
    assert_eq!(log.lines().len(), 1);
}

async fn one_that_was_closed_can_be_removed() {
    let before = descriptors();
    let ((reader, writer), log) = (pipe(), told());
    let number = reader.as_raw_fd();
    EventLoop::current().add_reader(&reader, || ()).unwrap();
    drop(reader);
    assert!(EventLoop::current().remove_reader(&number));
    drop(writer);
    settle("as before", || descriptors() == before).await;
    assert!(log.lines().is_empty());
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
    EventLoop::current()
        .add_reader(&new, || unreachable!("it is closed"))
        .unwrap();
    let other = new.try_clone().unwrap();
    let new = replace(new, old);
    rustix::io::write(&other, &1u64.to_ne_bytes()).unwrap();
    settle("told", || log.lines() == expected(new.as_raw_fd())).await;
}

/// Whether or not the system tells that it is another.
async fn an_eventfd_that_replaces_another_can_be_watched() {
    let before = descriptors();
    let make = || eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let (old, new, event_loop, _log) = (make(), make(), EventLoop::current(), told());
    event_loop.add_reader(&old, || unreachable!("it is closed")).unwrap();
    let new = replace(old, new);
    let calls = Arc::new(AtomicUsize::new(0));
    let (seen, reader) = (calls.clone(), new.try_clone().unwrap());
    let callback = move || {
        rustix::io::read(&reader, &mut [0; 8]).unwrap();
        seen.fetch_add(1, SeqCst);
    };
    event_loop.add_reader(&new, callback).unwrap();
    rustix::io::write(&new, &1u64.to_ne_bytes()).unwrap();
    settle("called", || calls.load(SeqCst) == 1).await;
    assert!(event_loop.remove_reader(&new));
    drop(new);
    settle("as before", || descriptors() == before).await;
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

/// Has a system call fail on this thread, and on those that it starts, if its number is `call` and its second argument `argument`, when
/// there is one.
fn forbid(call: libc::c_long, argument: Option<u32>) {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    /// Where the filter finds the number of the call, and the low half of the second argument.
    const CALL: u32 = 0;
    const ARGUMENT: u32 = if cfg!(target_endian = "little") { 24 } else { 28 };
    let load = |from| (BPF_LD | BPF_W | BPF_ABS, 0, from);
    let skip_unless = |value, count| (BPF_JMP | BPF_JEQ | BPF_K, count, value);
    let give = |action| (BPF_RET | BPF_K, 0, action);
    let mut program = vec![load(CALL)];
    match argument {
        Some(argument) => program.extend([skip_unless(call as u32, 3), load(ARGUMENT), skip_unless(argument, 1)]),
        None => program.push(skip_unless(call as u32, 1)),
    }
    program.extend([
        give(libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        give(libc::SECCOMP_RET_ALLOW),
    ]);
    let mut program: Vec<_> = program
        .into_iter()
        .map(|(code, jf, k)| libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf,
            k,
        })
        .collect();
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program is there until the call returns, which copies it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program),
            0
        );
    }
}

fn all(tells_eventfds_apart: bool) {
    let at_first = descriptors();
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(removal_gives_the_descriptor_back());
        runner.run(one_that_was_closed_is_noticed());
        runner.run(one_that_was_closed_can_be_removed());
        runner.run(a_number_that_stands_for_something_else_is_noticed());
        runner.run(a_number_that_stands_for_something_else_can_be_watched_anew());
        if tells_eventfds_apart {
            runner.run(an_eventfd_is_told_from_another());
        }
        runner.run(an_eventfd_that_replaces_another_can_be_watched());
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

#[test]
#[cfg(target_os = "linux")]
fn descriptors_that_are_closed_are_noticed_and_all_are_given_back() {
    /// What Linux has from 6.10 on.
    const F_DUPFD_QUERY: i32 = 1024 + 3;
    // SAFETY: these only ask.
    let (can_query, can_compare) = unsafe {
        let process = libc::c_long::from(libc::getpid());
        (
            libc::fcntl(0, F_DUPFD_QUERY, 0) == 1,
            libc::syscall(libc::SYS_kcmp, process, process, 0_i64, 0_i64, 0_i64) == 0,
        )
    };
    all(can_query || can_compare);
    // And with the older ways.
    let older = move || {
        forbid(libc::SYS_fcntl, Some(F_DUPFD_QUERY as u32));
        all(can_compare);
        forbid(libc::SYS_kcmp, None);
        all(false);
    };
    std::thread::spawn(older).join().unwrap();
}
