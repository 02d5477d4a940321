//! What a listener hears.

use crate::{
    common::{WORKERS, ms, poll_once, run, until},
    raise,
};
use aioli::{
    create_task,
    signal::{SignalKind, signal},
    wait_for,
};
use futures_lite::StreamExt;
use std::{
    future::poll_fn,
    io::ErrorKind,
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
};

#[test]
fn a_signal_that_came_before_anybody_waited_is_heard() {
    for workers in WORKERS {
        run(workers, async {
            let mut listener = signal(SignalKind::user_defined1()).unwrap();
            raise(SignalKind::user_defined1());
            listener.recv().await;
        });
    }
}

#[test]
fn one_who_waits_is_woken() {
    for workers in WORKERS {
        run(workers, async {
            let mut listener = signal(SignalKind::user_defined2()).unwrap();
            let waiting = Arc::new(AtomicUsize::new(0));
            let seen = waiting.clone();
            let task = create_task(async move {
                let mut recv = pin!(listener.recv());
                poll_fn(|cx| {
                    let poll = recv.as_mut().poll(cx);
                    seen.fetch_add(1, SeqCst);
                    poll
                })
                .await;
            });
            until(|| waiting.load(SeqCst) > 0).await;
            let sender = thread::spawn(|| raise(SignalKind::user_defined2()));
            task.await.unwrap();
            sender.join().unwrap();
        });
    }
}

#[test]
fn every_listener_of_every_loop_hears_each_signal() {
    let ready = Barrier::new(3);
    thread::scope(|scope| {
        for workers in [1, 2] {
            let ready = &ready;
            scope.spawn(move || {
                run(workers, async {
                    let mut listeners = [(); 3].map(|()| signal(SignalKind::hangup()).unwrap());
                    for _ in 0..10 {
                        ready.wait();
                        for listener in &mut listeners {
                            listener.recv().await;
                        }
                    }
                });
            });
        }
        for _ in 0..10 {
            ready.wait();
            raise(SignalKind::hangup());
        }
    });
}

#[test]
fn signals_that_came_together_are_heard_as_one() {
    for workers in WORKERS {
        run(workers, async {
            let mut listener = signal(SignalKind::alarm()).unwrap();
            // More than the socket to the loop has room for.
            for _ in 0..1000 {
                raise(SignalKind::alarm());
            }
            listener.recv().await;
            let mut recv = Box::pin(listener.recv());
            assert_eq!(poll_once(&mut recv).await, Poll::Pending);
            raise(SignalKind::alarm());
            recv.await;
        });
    }
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    for workers in WORKERS {
        run(workers, async {
            let mut listener = signal(SignalKind::window_change()).unwrap();
            assert!(wait_for(listener.recv(), ms(1)).await.is_err());
            raise(SignalKind::window_change());
            listener.recv().await;
        });
    }
}

#[test]
fn a_listener_is_a_stream_without_an_end() {
    run(1, async {
        let mut listener = signal(SignalKind::io()).unwrap();
        assert_eq!(listener.kind(), SignalKind::io());
        for _ in 0..3 {
            raise(SignalKind::io());
            assert_eq!(listener.next().await, Some(()));
        }
    });
}

#[test]
fn a_task_that_waits_for_a_signal_can_be_cancelled() {
    for workers in WORKERS {
        run(workers, async {
            let mut listener = signal(SignalKind::from_raw(libc::SIGURG)).unwrap();
            let task = create_task(async move { listener.recv().await });
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn one_who_hears_signal_after_signal_gives_way() {
    run(1, async {
        let mut listener = signal(SignalKind::from_raw(libc::SIGTTIN)).unwrap();
        let other = create_task(async {});
        let mut heard = 0;
        while !other.is_finished() {
            raise(SignalKind::from_raw(libc::SIGTTIN));
            listener.recv().await;
            heard += 1;
            assert!(heard < 1000, "it never gives way");
        }
    });
}

#[test]
fn what_cannot_be_listened_for_is_an_error_that_says_why() {
    run(1, async {
        for raw in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGILL, libc::SIGFPE] {
            let kind = SignalKind::from_raw(raw);
            let error = signal(kind).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let expected = format!(
                "cannot listen for {kind}: it cannot be handled by a program, or not in a way that lets it go on"
            );
            assert_eq!(error.to_string(), expected);
        }
        for raw in [0, -1, 128, 1000, i32::MAX, i32::MIN] {
            let error = signal(SignalKind::from_raw(raw)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("cannot listen for signal {raw}: ")),
                "{error}"
            );
        }
    });
}

#[test]
#[should_panic = "no event loop"]
fn without_a_loop_it_panics() {
    let _ = signal(SignalKind::quit());
}
