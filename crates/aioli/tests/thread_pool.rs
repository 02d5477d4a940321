//! Pools of the program's own, and calls that are taken back.

mod common;

use aioli::{
    Builder, ContextVar, EventLoop, JoinError, ThreadPool, create_task, current_task, sleep, to_thread, wait_for,
    yield_now,
};
use common::{Census, LONG, Log, WORKERS, ms, run, until};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Keeps a pool of one thread busy until `release` is called.
struct Busy {
    go: mpsc::Sender<()>,
    call: aioli::ToThread<()>,
}

impl Busy {
    async fn new(pool: Option<&ThreadPool>) -> Self {
        let ((begin, begun), (go, gone)) = (mpsc::channel(), mpsc::channel::<()>());
        let call = EventLoop::current().run_in_executor(pool, move || {
            begin.send(()).unwrap();
            gone.recv().unwrap();
        });
        until(|| begun.try_recv().is_ok()).await;
        Self { go, call }
    }

    async fn release(self) {
        self.go.send(()).unwrap();
        self.call.await.unwrap();
    }
}

#[test]
fn calls_are_made_on_the_threads_of_the_pool_that_is_named() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            let pool = ThreadPool::named("database", 2);
            let name = || thread::current().name().map(str::to_owned);
            let mine = event_loop.run_in_executor(&pool, name).await.unwrap();
            assert_eq!(mine.as_deref(), Some("database"));
            let default = event_loop.run_in_executor(None, name).await.unwrap();
            assert_eq!(default.as_deref(), Some("aioli-blocking"));
            let outside = event_loop.run_in_executor(&pool, || current_task().is_none());
            assert!(outside.await.unwrap());
        });
    }
}

#[test]
fn a_pool_makes_as_many_calls_at_a_time_as_it_has_threads() {
    for workers in WORKERS {
        run(workers, async {
            for threads in [1, 3] {
                let pool = ThreadPool::new(threads);
                assert_eq!(pool.max_threads(), threads);
                let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                // They wait for one another, so that as many are under way as there are threads.
                let meeting = Arc::new(Barrier::new(threads));
                let calls: Vec<_> = (0..threads * 10)
                    .map(|_| {
                        let (now, most, meeting) = (now.clone(), most.clone(), meeting.clone());
                        EventLoop::current().run_in_executor(&pool, move || {
                            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                            meeting.wait();
                            now.fetch_sub(1, SeqCst);
                        })
                    })
                    .collect();
                for call in calls {
                    call.await.unwrap();
                }
                assert_eq!(most.load(SeqCst), threads);
            }
        });
    }
}

#[test]
fn a_call_has_a_copy_of_the_context_only_in_to_thread() {
    static NAME: ContextVar<&str> = ContextVar::new(|| "nobody");
    run(1, async {
        NAME.set("ann");
        let event_loop = EventLoop::current();
        assert_eq!(to_thread(|| NAME.get()).await.unwrap(), "ann");
        assert_eq!(event_loop.run_in_executor(None, || NAME.get()).await.unwrap(), "nobody");
    });
}

#[test]
fn calls_come_from_any_thread() {
    let pool = ThreadPool::new(1);
    run(2, async {
        let event_loop = EventLoop::current();
        let thread = thread::spawn(move || event_loop.run_in_executor(&pool, || 6 * 7));
        let call = to_thread(|| thread.join().unwrap()).await.unwrap();
        assert_eq!(call.await.unwrap(), 42);
    });
}

#[test]
fn a_queued_call_that_is_cancelled_is_over_at_once_and_never_made() {
    for workers in WORKERS {
        run(workers, async {
            let (pool, census) = (ThreadPool::new(1), Census::default());
            let busy = Busy::new(Some(&pool)).await;
            let called = Arc::new(AtomicBool::new(false));
            let call = {
                let (guard, called) = (census.guard(), called.clone());
                EventLoop::current().run_in_executor(&pool, move || {
                    let _guard = guard;
                    called.store(true, SeqCst);
                })
            };
            assert!(!call.is_finished());
            assert!(call.cancel());
            assert_eq!(census.gone(), 1);
            assert!(call.is_finished() && !call.cancel());
            assert!(matches!(call.await, Err(JoinError::Cancelled)));
            busy.release().await;
            pool.shutdown();
            assert!(!called.load(SeqCst));
        });
    }
}

#[test]
fn one_who_waits_for_a_call_need_not_wait_for_a_thread_to_be_cancelled() {
    for workers in WORKERS {
        run(workers, async {
            let (pool, census) = (ThreadPool::new(1), Census::default());
            let busy = Busy::new(Some(&pool)).await;
            let guard = census.guard();
            let queued = EventLoop::current().run_in_executor(&pool, move || drop(guard));
            // The only thread is busy all the time.
            assert!(wait_for(queued, ms(1)).await.is_err());
            assert_eq!(census.gone(), 1);
            // Nor for the call itself, if it has begun.
            let task = create_task(busy.call);
            yield_now().await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            busy.go.send(()).unwrap();
        });
    }
}

#[test]
fn a_call_that_has_begun_is_not_taken_back() {
    for workers in WORKERS {
        run(workers, async {
            let pool = ThreadPool::new(1);
            let busy = Busy::new(Some(&pool)).await;
            assert!(!busy.call.cancel());
            busy.release().await;
        });
    }
}

#[test]
fn calls_behind_one_that_was_taken_back_are_made_in_order() {
    run(1, async {
        let (pool, log) = (ThreadPool::new(1), Log::default());
        let busy = Busy::new(Some(&pool)).await;
        let calls: Vec<_> = (0..10)
            .map(|number| {
                let log = log.clone();
                EventLoop::current().run_in_executor(&pool, move || log.add(number.to_string()))
            })
            .collect();
        for number in [0, 4, 9] {
            assert!(calls[number].cancel());
        }
        busy.release().await;
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.is_err(), [0, 4, 9].contains(&number));
        }
        assert_eq!(log.lines().concat(), "1235678");
    });
}

#[test]
fn a_detached_call_is_made() {
    for workers in WORKERS {
        run(workers, async {
            let (pool, made) = (ThreadPool::new(1), Arc::new(AtomicBool::new(false)));
            let busy = Busy::new(Some(&pool)).await;
            let theirs = made.clone();
            EventLoop::current()
                .run_in_executor(&pool, move || theirs.store(true, SeqCst))
                .detach();
            busy.release().await;
            until(|| made.load(SeqCst)).await;
        });
    }
}

#[test]
fn a_panic_goes_to_the_loop_that_asked_for_the_call() {
    let pool = ThreadPool::new(1);
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let (event_loop, theirs) = (EventLoop::current(), log.clone());
            event_loop.set_exception_handler(move |error| theirs.add(error.message()));
            let seen = event_loop.run_in_executor(&pool, || panic!("seen"));
            assert!(seen.await.unwrap_err().is_panic());
            event_loop.run_in_executor(&pool, || panic!("unseen")).detach();
            event_loop.run_in_executor(&pool, || ()).await.unwrap();
        });
        assert_eq!(log.lines(), ["unseen"]);
    }
}

#[test]
fn a_virtual_clock_stands_still_while_a_call_is_queued_or_made() {
    for workers in WORKERS {
        let pool = ThreadPool::new(1);
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(async {
            let event_loop = EventLoop::current();
            let start = event_loop.time();
            let late = create_task(sleep(LONG));
            let calls = [(); 3].map(|()| event_loop.run_in_executor(&pool, || thread::sleep(ms(2))));
            for call in calls {
                call.await.unwrap();
            }
            assert_eq!(event_loop.time(), start);
            // One that is taken back keeps it no longer than the one before.
            let calls = [(); 2].map(|()| event_loop.run_in_executor(&pool, || thread::sleep(ms(2))));
            calls[1].cancel();
            late.await.unwrap();
            assert_eq!(event_loop.time(), start + LONG);
        });
    }
}

#[test]
fn shutdown_waits_for_the_calls_that_are_there_and_takes_no_more() {
    for workers in WORKERS {
        run(workers, async {
            let (pool, made) = (ThreadPool::new(2), Arc::new(AtomicUsize::new(0)));
            for _ in 0..20 {
                let made = made.clone();
                let call = move || {
                    thread::yield_now();
                    made.fetch_add(1, SeqCst);
                };
                EventLoop::current().run_in_executor(&pool, call).detach();
            }
            let theirs = pool.clone();
            to_thread(move || theirs.shutdown()).await.unwrap();
            assert_eq!(made.load(SeqCst), 20);
            let refused = EventLoop::current().run_in_executor(&pool, || ());
            assert!(refused.is_finished());
            assert!(refused.await.unwrap_err().is_cancelled());
            pool.shutdown();
        });
    }
}

#[test]
fn everybody_who_shuts_a_pool_down_waits_for_its_calls() {
    run(1, async {
        let (pool, made) = (ThreadPool::new(2), Arc::new(AtomicBool::new(false)));
        let (go, gone) = mpsc::channel::<()>();
        let theirs = made.clone();
        let call = EventLoop::current().run_in_executor(&pool, move || {
            gone.recv().unwrap();
            theirs.store(true, SeqCst);
        });
        let begun = Arc::new(Barrier::new(5));
        let all = [(); 4].map(|()| {
            let (pool, made, begun) = (pool.clone(), made.clone(), begun.clone());
            thread::spawn(move || {
                begun.wait();
                pool.shutdown();
                assert!(made.load(SeqCst));
            })
        });
        begun.wait();
        for _ in 0..1000 {
            // One who does not wait comes back meanwhile.
            thread::yield_now();
        }
        go.send(()).unwrap();
        for one in all {
            one.join().unwrap();
        }
        call.await.unwrap();
    });
}

#[test]
fn threads_of_a_pool_may_shut_it_down() {
    run(1, async {
        let (pool, meeting) = (ThreadPool::new(2), Arc::new(Barrier::new(2)));
        let calls = [(); 2].map(|()| {
            let (theirs, meeting) = (pool.clone(), meeting.clone());
            EventLoop::current().run_in_executor(&pool, move || {
                meeting.wait();
                theirs.shutdown();
            })
        });
        // And somebody else at the same time.
        to_thread(move || pool.shutdown()).await.unwrap();
        for call in calls {
            call.await.unwrap();
        }
    });
}

#[test]
fn a_pool_without_a_handle_makes_the_calls_that_it_has() {
    for workers in WORKERS {
        run(workers, async {
            let pool = ThreadPool::new(1);
            let busy = Busy::new(Some(&pool)).await;
            let calls = [1, 2, 3].map(|number| EventLoop::current().run_in_executor(&pool, move || number));
            drop(pool);
            busy.release().await;
            for (call, number) in calls.into_iter().zip(1..) {
                assert_eq!(call.await.unwrap(), number);
            }
        });
    }
}

#[test]
fn the_end_of_the_loop_does_not_wait_for_a_pool_of_the_programs_own() {
    let pool = ThreadPool::new(1);
    for workers in WORKERS {
        let (go, gone) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        run(workers, async {
            let call = move || {
                gone.recv().unwrap();
                tell.send(()).unwrap();
            };
            EventLoop::current().run_in_executor(&pool, call).detach();
        });
        go.send(()).unwrap();
        told.recv().unwrap();
    }
    pool.shutdown();
}

#[test]
#[should_panic = "a thread pool needs at least one thread"]
fn a_pool_without_threads_cannot_be() {
    ThreadPool::new(0);
}

#[test]
#[cfg(target_os = "linux")]
fn the_threads_of_a_pool_without_a_handle_end() {
    const NAME: &str = "pool-left-alone";
    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == NAME).count()
    }
    run(1, async {
        let pool = ThreadPool::named(NAME, 1);
        let clone = pool.clone();
        let seen = EventLoop::current().run_in_executor(&pool, threads);
        assert_eq!(seen.await.unwrap(), 1);
        drop(pool);
        assert_eq!(EventLoop::current().run_in_executor(&clone, threads).await.unwrap(), 1);
        // Long before they would leave for want of work.
        let limit = Instant::now() + Duration::from_secs(8);
        drop(clone);
        while threads() > 0 {
            assert!(Instant::now() < limit, "they are still there");
            yield_now().await;
        }
    });
}
