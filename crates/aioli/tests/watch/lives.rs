//! What can be watched, from where, and until when.

use crate::{
    callbacks_are_over,
    common::{Census, WORKERS, run, until},
    counter, pipe,
};
use aioli::{Builder, EventLoop, wait_for, yield_now};
use std::{
    fs::File,
    io::{ErrorKind, Write},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering::SeqCst,
    thread,
    time::Duration,
};

#[test]
fn what_is_always_ready_is_refused_with_advice() {
    let runner = Builder::new().workers(1).build().unwrap();
    for path in ["Cargo.toml", "."] {
        let (file, census) = (File::open(path).unwrap(), Census::default());
        let guard = census.guard();
        let error = runner.event_loop().add_reader(&file, move || _ = &guard).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("`to_thread`"), "{error}");
        assert_eq!(census.gone(), 1);
    }
}

#[test]
fn watches_are_added_from_any_thread_and_wait_for_the_next_run() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let (event_loop, listener) = (runner.event_loop(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (address, accepted) = (listener.local_addr().unwrap(), counter());
        let count = accepted.clone();
        let add = move || {
            let callback = {
                let listener = listener.try_clone().unwrap();
                move || {
                    listener.accept().unwrap();
                    count.fetch_add(1, SeqCst);
                }
            };
            event_loop.add_reader(&listener, callback).unwrap();
            listener
        };
        let _listener = thread::spawn(add).join().unwrap();
        for clients in 1..=3 {
            let _client = TcpStream::connect(address).unwrap();
            runner.run(until(|| accepted.load(SeqCst) == clients));
        }
    }
}

#[test]
fn a_socket_of_the_loops_own_can_be_watched_too() {
    run(2, async {
        let listener = aioli::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, calls) = (listener.accept().await.unwrap().0, counter());
        let seen = calls.clone();
        EventLoop::current()
            .add_reader(&stream, move || _ = seen.fetch_add(1, SeqCst))
            .unwrap();
        callbacks_are_over().await;
        assert_eq!(calls.load(SeqCst), 0);
        client.write_all(b"x").unwrap();
        stream.readable().await.unwrap();
        until(|| calls.load(SeqCst) > 0).await;
        assert!(EventLoop::current().remove_reader(&stream));
    });
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[test]
fn the_end_of_the_loop_drops_the_callbacks_and_takes_no_more() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let (event_loop, census, calls) = (runner.event_loop(), Census::default(), counter());
        let pipes: Vec<(File, File)> = (0..4).map(|_| pipe()).collect();
        for (reader, writer) in &pipes {
            let (guard, bomb, seen) = (census.guard(), Bomb, calls.clone());
            event_loop.add_reader(reader, move || _ = (&guard, &bomb)).unwrap();
            event_loop
                .add_writer(writer, move || _ = seen.fetch_add(1, SeqCst))
                .unwrap();
        }
        runner.run(async {
            until(|| calls.load(SeqCst) > 100).await;
            yield_now().await;
        });
        runner.close();
        assert_eq!(census.gone(), 4);
        let before = calls.load(SeqCst);
        let refused = event_loop.add_reader(&pipes[0].0, || ()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "cannot watch a descriptor: the event loop has ended"
        );
        assert!(!event_loop.remove_writer(&pipes[0].1));
        assert_eq!(calls.load(SeqCst), before);
    }
}

#[test]
fn a_destructor_that_panics_harms_only_who_removes() {
    run(1, async {
        let ((reader, _writer), event_loop) = (pipe(), EventLoop::current());
        let bomb = Bomb;
        event_loop.add_reader(&reader, move || _ = &bomb).unwrap();
        catch_unwind(AssertUnwindSafe(|| event_loop.remove_reader(&reader))).unwrap_err();
        assert!(!event_loop.remove_reader(&reader));
    });
}

#[test]
fn one_that_replaces_a_destructor_that_panics_is_called() {
    run(1, async {
        let ((reader, mut writer), event_loop, calls) = (pipe(), EventLoop::current(), counter());
        let (bomb, seen) = (Bomb, calls.clone());
        event_loop.add_reader(&reader, move || _ = &bomb).unwrap();
        callbacks_are_over().await;
        let replace = || event_loop.add_reader(&reader, move || _ = seen.fetch_add(1, SeqCst));
        catch_unwind(AssertUnwindSafe(replace)).unwrap_err();
        writer.write_all(b"x").unwrap();
        let called = until(|| calls.load(SeqCst) > 0);
        wait_for(called, Duration::from_secs(60)).await.expect("it is deaf");
        assert!(event_loop.remove_reader(&reader));
    });
}

#[test]
fn many_threads_add_and_remove_watches_of_the_same_descriptors() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let (event_loop, calls, census) = (runner.event_loop(), counter(), Census::default());
        let pipes = [pipe(), pipe()];
        pipes.iter().for_each(|(_, writer)| (&*writer).write_all(b"x").unwrap());
        let change = |thread: usize| {
            for round in 0..200 {
                let (reader, writer) = &pipes[(thread + round) % 2];
                let (guards, seen) = ([census.guard(), census.guard()], calls.clone());
                let [first, second] = guards;
                event_loop.add_reader(reader, move || _ = &first).unwrap();
                let callback = move || {
                    _ = &second;
                    seen.fetch_add(1, SeqCst);
                };
                event_loop.add_writer(writer, callback).unwrap();
                if round % 3 > 0 {
                    event_loop.remove_reader(reader);
                    event_loop.remove_writer(writer);
                }
            }
        };
        thread::scope(|scope| {
            let change = &change;
            let threads: Vec<_> = (0..3).map(|thread| scope.spawn(move || change(thread))).collect();
            runner.run(async {
                until(|| threads.iter().all(|thread| thread.is_finished())).await;
                callbacks_are_over().await;
                for (reader, writer) in &pipes {
                    EventLoop::current().remove_reader(reader);
                    EventLoop::current().remove_writer(writer);
                }
                callbacks_are_over().await;
                // Nobody keeps what was removed.
                assert_eq!((census.made(), census.gone()), (1200, 1200));
                let before = calls.load(SeqCst);
                callbacks_are_over().await;
                assert_eq!(calls.load(SeqCst), before);
            });
        });
    }
}
