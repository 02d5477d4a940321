//! Whose the file of a Unix socket is, when others bind or have bound at the same path.

use super::{Directory, run};
use aioli::{
    Builder,
    net::{UnixDatagram, UnixListener},
};
use futures_lite::future::poll_once;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io,
    os::unix,
    panic::catch_unwind,
    pin::pin,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

#[test]
fn a_listener_does_not_notice_who_finds_it_in_use() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = UnixDatagram::bind(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(poll_once(pin!(listener.accept())).await.is_none());
    });
}

#[test]
fn a_socket_that_does_not_listen_yet_is_in_use() {
    run(|| async {
        for kind in [Type::STREAM, Type::SEQPACKET, Type::DGRAM] {
            let directory = Directory::new();
            let path = directory.path("socket");
            let owner = Socket::new(Domain::UNIX, kind, None).unwrap();
            owner.bind(&SockAddr::unix(&path).unwrap()).unwrap();
            for error in [
                UnixListener::bind(&path).unwrap_err(),
                UnixDatagram::bind(&path).unwrap_err(),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
                assert!(error.to_string().contains("in use"), "{error}");
            }
            drop(owner);
            UnixListener::bind(&path).unwrap();
        }
    });
}

#[test]
fn a_datagram_socket_that_talks_to_another_is_in_use() {
    run(|| async {
        let directory = Directory::new();
        let (path, other) = (directory.path("socket"), directory.path("other"));
        let _other = unix::net::UnixDatagram::bind(&other).unwrap();
        let owner = unix::net::UnixDatagram::bind(&path).unwrap();
        owner.connect(&other).unwrap();
        let error = UnixDatagram::bind(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn of_those_who_find_an_abandoned_file_one_has_it() {
    const ROUNDS: usize = 500;
    const BINDERS: usize = 3;
    let directory = Directory::new();
    let path = directory.path("socket");
    let (together, bound, outcomes) = (Barrier::new(BINDERS), AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..BINDERS {
            scope.spawn(|| {
                let mut runner = Builder::new().workers(1).build().unwrap();
                for _ in 0..ROUNDS {
                    if together.wait().is_leader() {
                        drop(unix::net::UnixListener::bind(&path));
                    }
                    together.wait();
                    let listener = runner.run(async { UnixListener::bind(&path) });
                    bound.fetch_add(usize::from(listener.is_ok()), SeqCst);
                    if together.wait().is_leader() {
                        let reached = unix::net::UnixStream::connect(&path).is_ok();
                        outcomes.lock().unwrap().push((bound.swap(0, SeqCst), reached));
                    }
                    together.wait();
                    drop(listener);
                }
            });
        }
    });
    assert_eq!(outcomes.into_inner().unwrap(), [(1, true); ROUNDS]);
}

#[test]
fn somebody_who_holds_the_directory_keeps_nobody_from_binding() {
    run(|| async {
        let directory = Directory::new();
        let held = std::fs::File::open(&directory.0).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let path = directory.path("socket");
        drop(unix::net::UnixListener::bind(&path).unwrap());
        UnixListener::bind(&path).unwrap();
    });
}

#[test]
fn a_datagram_socket_without_a_loop_leaves_no_file() {
    let directory = Directory::new();
    let path = directory.path("socket");
    catch_unwind(|| UnixDatagram::bind(&path)).unwrap_err();
    assert!(!path.exists());
}
