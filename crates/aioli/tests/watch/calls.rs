//! When a watch is called, and what it may do.

use crate::{
    callbacks_are_over,
    common::{Census, Log, WORKERS, ms, run, until},
    counter, pipe,
};
use aioli::{ContextVar, EventLoop, current_task, sleep};
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// A reader that takes one byte at a time.
fn take_bytes(pipe: &File, bytes: &Arc<Mutex<Vec<u8>>>) -> impl FnMut() + Send + 'static {
    let (mut pipe, bytes) = (pipe.try_clone().unwrap(), bytes.clone());
    move || {
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        bytes.lock().unwrap().push(byte[0]);
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
                    assert!(EventLoop::current().remove_reader(&number));
                };
                EventLoop::current().add_reader(theirs.as_fd(), callback).unwrap();
            };
            event_loop.add_reader(number.as_fd(), callback).unwrap();
            writer.write_all(b"abc").unwrap();
            until(|| log.lines().len() == 2).await;
            callbacks_are_over().await;
            assert_eq!(log.lines(), ["first", "second"]);
            assert_eq!(census.gone(), 1);
            assert!(!event_loop.remove_reader(&number));
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
