//! Handlers that are callbacks of the loop. `SIGRTMIN` and those behind it are kinds enough for a test each.

use crate::{
    common::{Census, Log, WORKERS, run, until},
    raise,
};
use aioli::{Builder, ContextVar, EventLoop, current_task, signal::SignalKind};
use std::{
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

fn kind(test: i32) -> SignalKind {
    SignalKind::from_raw(libc::SIGRTMIN() + test)
}

fn count(calls: &Arc<AtomicUsize>) -> impl FnMut() + Send + 'static {
    let calls = calls.clone();
    move || {
        calls.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_handler_is_called_on_each_signal_as_a_callback() {
    static NAME: ContextVar<&str> = ContextVar::new(|| "nobody");
    for workers in WORKERS {
        run(workers, async {
            NAME.set("ann");
            let calls = Arc::new(AtomicUsize::new(0));
            let mut call = count(&calls);
            let handler = move || {
                assert!(current_task().is_none());
                assert!(EventLoop::try_current().is_some());
                assert_eq!(NAME.get(), "ann");
                call();
            };
            EventLoop::current().add_signal_handler(kind(0), handler).unwrap();
            NAME.set("bob");
            for number in 1..=3 {
                raise(kind(0));
                until(|| calls.load(SeqCst) == number).await;
            }
        });
    }
}

#[test]
fn handlers_are_called_one_at_a_time_and_signals_of_one_kind_coalesce() {
    for workers in WORKERS {
        run(workers, async {
            let calls = Arc::new(AtomicUsize::new(0));
            let busy = Arc::new(AtomicBool::new(false));
            for test in [1, 2] {
                let (busy, mut call) = (busy.clone(), count(&calls));
                let handler = move || {
                    assert!(!busy.swap(true, SeqCst));
                    thread::yield_now();
                    busy.store(false, SeqCst);
                    call();
                };
                EventLoop::current().add_signal_handler(kind(test), handler).unwrap();
            }
            let mut sent = 0;
            while calls.load(SeqCst) < 100 {
                raise(kind(1));
                raise(kind(2));
                sent += 2;
                aioli::yield_now().await;
            }
            assert!(calls.load(SeqCst) <= sent);
        });
    }
}

#[test]
fn a_new_handler_replaces_the_old_one() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let (old, new, census) = (Arc::default(), Arc::new(AtomicUsize::new(0)), Census::default());
            let (mut call, guard) = (count(&old), census.guard());
            let handler = move || {
                let _guard = &guard;
                call();
            };
            event_loop.add_signal_handler(kind(3), handler).unwrap();
            event_loop.add_signal_handler(kind(3), count(&new)).unwrap();
            assert_eq!(census.gone(), 1);
            raise(kind(3));
            until(|| new.load(SeqCst) == 1).await;
            assert_eq!(old.load(SeqCst), 0);
            assert!(event_loop.remove_signal_handler(kind(3)));
            assert!(!event_loop.remove_signal_handler(kind(3)));
        });
    }
}

#[test]
fn a_handler_that_was_removed_is_not_called() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            // Somebody has to listen, or the signal would end the process.
            let mut listener = aioli::signal::signal(kind(4)).unwrap();
            let calls = Arc::default();
            event_loop.add_signal_handler(kind(4), count(&calls)).unwrap();
            raise(kind(4));
            assert!(event_loop.remove_signal_handler(kind(4)));
            let before = calls.load(SeqCst);
            raise(kind(4));
            listener.recv().await;
            let turn = Arc::new(AtomicUsize::new(0));
            event_loop.call_soon(count(&turn));
            until(|| turn.load(SeqCst) == 1).await;
            // With one worker nobody called it before it was removed.
            assert!(calls.load(SeqCst) == before && (workers > 1 || before == 0));
        });
    }
}

#[test]
fn a_handler_may_remove_itself() {
    for workers in WORKERS {
        run(workers, async {
            let mut listener = aioli::signal::signal(kind(5)).unwrap();
            let (calls, census) = (Arc::default(), Census::default());
            let (mut call, guard) = (count(&calls), census.guard());
            let handler = move || {
                let _guard = &guard;
                assert!(EventLoop::current().remove_signal_handler(kind(5)));
                call();
            };
            EventLoop::current().add_signal_handler(kind(5), handler).unwrap();
            raise(kind(5));
            until(|| census.gone() == 1).await;
            raise(kind(5));
            listener.recv().await;
            assert_eq!(calls.load(SeqCst), 1);
        });
    }
}

#[test]
fn a_panic_goes_to_the_exception_handler_and_the_next_signal_calls_it_again() {
    for workers in WORKERS {
        run(workers, async {
            let (log, event_loop) = (Log::default(), EventLoop::current());
            let theirs = log.clone();
            event_loop.set_exception_handler(move |error| theirs.add(error.message()));
            event_loop
                .add_signal_handler(kind(6), || panic!("in the handler"))
                .unwrap();
            for times in 1..=2 {
                raise(kind(6));
                until(|| log.lines().len() == times).await;
            }
            assert_eq!(log.lines(), ["in the handler"; 2]);
        });
    }
}

#[test]
fn a_signal_between_two_runs_waits_for_the_next() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        // From outside the loop, too.
        runner.event_loop().add_signal_handler(kind(7), count(&calls)).unwrap();
        raise(kind(7));
        runner.run(until(|| calls.load(SeqCst) == 1));
        raise(kind(7));
        runner.run(until(|| calls.load(SeqCst) == 2));
    }
}

#[test]
fn the_end_of_the_loop_drops_the_handlers_and_takes_no_more() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let event_loop = runner.event_loop();
        let census = Census::default();
        let handler = || {
            let guard = census.guard();
            move || _ = &guard
        };
        event_loop.add_signal_handler(kind(8), handler()).unwrap();
        runner.run(async {});
        assert_eq!(census.gone(), 0);
        runner.close();
        assert_eq!(census.gone(), 1);
        let error = event_loop.add_signal_handler(kind(8), handler()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot add a signal handler: the event loop has ended"
        );
        assert_eq!(census.gone(), 2);
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[test]
fn a_destructor_that_panics_harms_only_who_drops_it() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let event_loop = runner.event_loop();
        let handler = || {
            let bomb = Bomb;
            move || _ = &bomb
        };
        event_loop.add_signal_handler(kind(9), handler()).unwrap();
        catch_unwind(AssertUnwindSafe(|| event_loop.remove_signal_handler(kind(9)))).unwrap_err();
        assert!(!event_loop.remove_signal_handler(kind(9)));
        event_loop.add_signal_handler(kind(9), handler()).unwrap();
        runner.close();
    }
}

#[test]
fn one_that_replaces_a_handler_whose_destructor_panics_is_called() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let bomb = Bomb;
            event_loop.add_signal_handler(kind(10), move || _ = &bomb).unwrap();
            let calls = Arc::new(AtomicUsize::new(0));
            let replace = || event_loop.add_signal_handler(kind(10), count(&calls));
            catch_unwind(AssertUnwindSafe(replace)).unwrap_err();
            raise(kind(10));
            until(|| calls.load(SeqCst) == 1).await;
        });
    }
}

#[test]
fn a_signal_that_cannot_be_handled_is_an_error() {
    let runner = Builder::new().workers(1).build().unwrap();
    for raw in [libc::SIGKILL, libc::SIGSTOP, -5] {
        let census = Census::default();
        let guard = census.guard();
        let handler = move || _ = &guard;
        let error = runner
            .event_loop()
            .add_signal_handler(SignalKind::from_raw(raw), handler);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(census.gone(), 1);
    }
}
