//! Watches of foreign descriptors: callbacks that are called as long as one is ready.

mod common;

use aioli::{Builder, ContextVar, EventLoop, current_task, sleep, yield_now};
use common::{Census, Log, WORKERS, ms, run, until};
use rustix::pipe::{PipeFlags, pipe_with};
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::AsFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

fn pipe() -> (File, File) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

fn counter() -> Arc<AtomicUsize> {
    Arc::default()
}

/// A reader that takes one byte at a time.
fn take_bytes(pipe: &File, bytes: &Arc<Mutex<Vec<u8>>>) -> impl FnMut() + Send + 'static {
    let (mut pipe, bytes) = (pipe.try_clone().unwrap(), bytes.clone());
    move || {
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        bytes.lock().unwrap().push(byte[0]);
    }
}

/// Waits until all callbacks that were posted before have been called, and what they have posted.
async fn callbacks_are_over() {
    for _ in 0..3 {
        let over = Arc::new(AtomicBool::new(false));
        let set = over.clone();
        EventLoop::current().call_soon(move || set.store(true, SeqCst));
        until(|| over.load(SeqCst)).await;
    }
}

#[test]
fn a_reader_is_called_as_a_callback_as_long_as_there_is_something_to_read() {
    static NAME: ContextVar<&str> = ContextVar::new(|| "nobody");
    for workers in WORKERS {
        run(workers, async {
            let (reader, mut writer) = pipe();
            let bytes = Arc::default();
            NAME.set("ann");
            let mut take = take_bytes(&reader, &bytes);
            let callback = move || {
                assert!(current_task().is_none());
                assert!(EventLoop::try_current().is_some());
                assert_eq!(NAME.get(), "ann");
                take();
            };
            EventLoop::current().add_reader(&reader, callback).unwrap();
            NAME.set("bob");
            callbacks_are_over().await;
            assert!(bytes.lock().unwrap().is_empty());
            for round in 1..=3 {
                // One event for all of them.
                writer.write_all(b"hello").unwrap();
                until(|| bytes.lock().unwrap().len() == 5 * round).await;
            }
            assert_eq!(*bytes.lock().unwrap(), b"hellohellohello");
            assert!(EventLoop::current().remove_reader(&reader));
        });
    }
}

#[test]
fn a_watch_that_is_always_ready_leaves_others_their_turns() {
    for workers in WORKERS {
        run(workers, async {
            let (reader, mut writer) = pipe();
            let (reads, writes) = (counter(), counter());
            let event_loop = EventLoop::current();
            let (r, w) = (reads.clone(), writes.clone());
            writer.write_all(b"nobody reads this").unwrap();
            event_loop
                .add_reader(&reader, move || _ = r.fetch_add(1, SeqCst))
                .unwrap();
            event_loop
                .add_writer(&writer, move || _ = w.fetch_add(1, SeqCst))
                .unwrap();
            sleep(ms(2)).await;
            let (mut near, far) = (UnixStream::pair().unwrap(), counter());
            let seen = far.clone();
            event_loop
                .add_reader(&near.1, move || _ = seen.fetch_add(1, SeqCst))
                .unwrap();
            near.0.write_all(b"x").unwrap();
            until(|| far.load(SeqCst) > 0).await;
            let before = (reads.load(SeqCst), writes.load(SeqCst));
            until(|| reads.load(SeqCst) > before.0 && writes.load(SeqCst) > before.1).await;
            assert!(event_loop.remove_reader(&reader) && event_loop.remove_writer(&writer));
            assert!(event_loop.remove_reader(&near.1));
        });
    }
}

#[test]
fn a_writer_is_called_while_there_is_room() {
    for workers in WORKERS {
        run(workers, async {
            let (near, mut far) = UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            let written = counter();
            let theirs = written.clone();
            let mut stream = near.try_clone().unwrap();
            let callback = move || match stream.write(&[7; 10_000]) {
                Ok(count) => _ = theirs.fetch_add(count, SeqCst),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            };
            EventLoop::current().add_writer(&near, callback).unwrap();
            let mut read = 0;
            let mut buf = vec![0; 1 << 20];
            while read < 3_000_000 {
                until(|| written.load(SeqCst) > read).await;
                read += far.read(&mut buf).unwrap();
            }
            // Nobody reads any more: it is full, and then the writer is left alone.
            loop {
                let before = written.load(SeqCst);
                sleep(ms(1)).await;
                callbacks_are_over().await;
                if written.load(SeqCst) == before {
                    break;
                }
            }
            assert!(EventLoop::current().remove_writer(&near));
        });
    }
}

#[test]
fn reader_and_writer_of_one_descriptor_are_never_called_at_once() {
    for workers in WORKERS {
        run(workers, async {
            let (near, far) = UnixStream::pair().unwrap();
            (&far).write_all(b"x").unwrap();
            let (busy, calls) = (Arc::new(AtomicBool::new(false)), [counter(), counter()]);
            let callback = |direction: usize| {
                let (busy, calls) = (busy.clone(), calls[direction].clone());
                move || {
                    assert!(!busy.swap(true, SeqCst), "two at once");
                    thread::yield_now();
                    busy.store(false, SeqCst);
                    calls.fetch_add(1, SeqCst);
                }
            };
            let event_loop = EventLoop::current();
            event_loop.add_reader(&near, callback(0)).unwrap();
            event_loop.add_writer(&near, callback(1)).unwrap();
            until(|| calls.iter().all(|calls| calls.load(SeqCst) > 50)).await;
            assert!(event_loop.remove_reader(&near));
            // The other direction goes on.
            let before = calls[1].load(SeqCst);
            until(|| calls[1].load(SeqCst) > before).await;
            assert!(event_loop.remove_writer(&near));
        });
    }
}

#[test]
fn the_end_and_a_failure_are_something_to_hear_of() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let ((reader, writer), ends) = (pipe(), counter());
            let (mut stream, seen) = (reader.try_clone().unwrap(), ends.clone());
            let callback = move || {
                assert_eq!(stream.read(&mut [0]).unwrap(), 0);
                seen.fetch_add(1, SeqCst);
            };
            event_loop.add_reader(&reader, callback).unwrap();
            callbacks_are_over().await;
            drop(writer);
            until(|| ends.load(SeqCst) > 1).await;
            assert!(event_loop.remove_reader(&reader));

            // One that fills up, and whose reader then goes away.
            let ((reader, writer), failed) = (pipe(), counter());
            let (mut stream, seen) = (writer.try_clone().unwrap(), failed.clone());
            let callback = move || {
                if let Err(error) = stream.write(&[0; 4096]) {
                    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                    seen.fetch_add(1, SeqCst);
                }
            };
            event_loop.add_writer(&writer, callback).unwrap();
            sleep(ms(2)).await;
            drop(reader);
            until(|| failed.load(SeqCst) > 0).await;
            assert!(event_loop.remove_writer(&writer));
        });
    }
}

#[test]
fn a_new_reader_replaces_the_old_one() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let ((reader, mut writer), census) = (pipe(), Census::default());
            let (guard, bytes) = (census.guard(), Arc::default());
            let old = move || {
                _ = &guard;
                panic!("the old one was called");
            };
            event_loop.add_reader(&reader, old).unwrap();
            event_loop.add_reader(&reader, take_bytes(&reader, &bytes)).unwrap();
            assert_eq!(census.gone(), 1);
            writer.write_all(b"new").unwrap();
            until(|| *bytes.lock().unwrap() == b"new").await;
            assert!(event_loop.remove_reader(&reader));
            assert!(!event_loop.remove_reader(&reader));
            assert!(!event_loop.remove_writer(&reader));
        });
    }
}

#[test]
fn a_reader_that_was_removed_is_not_called_and_can_be_added_again() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let ((reader, mut writer), calls) = (pipe(), counter());
            for round in 1..=3 {
                writer.write_all(b"x").unwrap();
                let seen = calls.clone();
                event_loop
                    .add_reader(&reader, move || _ = seen.fetch_add(1, SeqCst))
                    .unwrap();
                until(|| calls.load(SeqCst) > 0).await;
                assert!(event_loop.remove_reader(&reader));
                callbacks_are_over().await;
                let before = calls.swap(0, SeqCst);
                callbacks_are_over().await;
                assert_eq!(calls.load(SeqCst), 0, "after {before} calls in round {round}");
            }
            // With one worker, one whose turn has not come is never called.
            if workers == 1 {
                event_loop.add_reader(&reader, || unreachable!()).unwrap();
                event_loop.remove_reader(&reader);
                callbacks_are_over().await;
            }
        });
    }
}

#[test]
fn a_reader_may_remove_and_replace_itself() {
    for workers in WORKERS {
        run(workers, async {
            let ((reader, mut writer), log, census) = (pipe(), Log::default(), Census::default());
            let (mut first, guard) = (reader.try_clone().unwrap(), census.guard());
            let second = reader.try_clone().unwrap();
            let lines = log.clone();
            let (number, event_loop) = (Arc::new(reader), EventLoop::current());
            let theirs = number.clone();
            let callback = move || {
                _ = &guard;
                first.read_exact(&mut [0]).unwrap();
                lines.add("first");
                let (lines, mut second, number) = (lines.clone(), second.try_clone().unwrap(), theirs.clone());
                let callback = move || {
                    second.read_exact(&mut [0]).unwrap();
                    lines.add("second");
                    assert!(EventLoop::current().remove_reader(number.as_fd()));
                };
                EventLoop::current().add_reader(theirs.as_fd(), callback).unwrap();
            };
            event_loop.add_reader(number.as_fd(), callback).unwrap();
            writer.write_all(b"abc").unwrap();
            until(|| log.lines().len() == 2).await;
            callbacks_are_over().await;
            assert_eq!(log.lines(), ["first", "second"]);
            assert_eq!(census.gone(), 1);
            assert!(!event_loop.remove_reader(number.as_fd()));
        });
    }
}

#[test]
fn a_panic_goes_to_the_exception_handler_and_the_watch_goes_on() {
    for workers in WORKERS {
        run(workers, async {
            let (log, event_loop) = (Log::default(), EventLoop::current());
            let theirs = log.clone();
            event_loop.set_exception_handler(move |error| theirs.add(error.message()));
            let (reader, mut writer) = pipe();
            let bytes = Arc::default();
            let mut take = take_bytes(&reader, &bytes);
            let callback = move || {
                take();
                panic!("in the reader");
            };
            event_loop.add_reader(&reader, callback).unwrap();
            for times in 1..=2 {
                writer.write_all(b"x").unwrap();
                until(|| log.lines().len() == times).await;
            }
            assert_eq!(log.lines(), ["in the reader"; 2]);
            assert!(event_loop.remove_reader(&reader));
        });
    }
}

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
