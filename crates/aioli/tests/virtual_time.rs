//! The virtual clock: it stands still while anything is left to do, and then jumps to the next timer; so what a program does
//! with time happens in the same order every time, on any number of workers.

mod common;

use aioli::{
    Builder, EventLoop, Runner, TimeoutError, create_local_task, create_task, gather, interval, sleep, sleep_until,
    to_thread, wait_for, yield_now,
};
use common::{Log, WORKERS, ms};
use std::{
    future::Future,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn runner(workers: usize) -> Runner {
    Builder::new().workers(workers).virtual_time(true).build().unwrap()
}

fn run<F: Future>(workers: usize, main: F) -> F::Output {
    runner(workers).run(main)
}

fn now() -> Instant {
    EventLoop::current().time()
}

#[test]
fn sleeping_takes_no_time_and_exactly_as_long_as_it_says() {
    for workers in WORKERS {
        let before = Instant::now();
        run(workers, async {
            let start = now();
            sleep(DAY).await;
            assert_eq!(now() - start, DAY);
            sleep(Duration::from_micros(1)).await;
            assert_eq!(now() - start, DAY + Duration::from_micros(1));
            sleep_until(start + 2 * DAY).await;
            assert_eq!(now() - start, 2 * DAY);
        });
        assert!(before.elapsed() < DAY);
    }
}

#[test]
fn the_clock_stands_still_while_a_task_gives_way_or_computes() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let sleeper = create_task(async {
                sleep(ms(1)).await;
                now()
            });
            for _ in 0..1000 {
                yield_now().await;
            }
            let real = Instant::now();
            while real.elapsed() < ms(5) {
                std::hint::spin_loop();
            }
            assert_eq!(now(), start);
            assert_eq!(sleeper.await.unwrap() - start, ms(1));
        });
    }
}

#[test]
fn the_clock_stands_still_while_a_call_is_made_in_a_thread() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
            let sleeper = create_task(async {
                sleep(ms(1)).await;
                now()
            });
            let call = {
                let (entered, leave) = (entered.clone(), leave.clone());
                to_thread(move || {
                    entered.wait();
                    leave.wait();
                })
            };
            let call = create_task(async move {
                call.await.unwrap();
                now()
            });
            // From a thread of no loop's, as somebody has to let the call go on when all workers may be asleep.
            let releaser = std::thread::spawn(move || {
                entered.wait();
                std::thread::sleep(ms(5));
                leave.wait();
            });
            assert_eq!(call.await.unwrap(), start);
            assert_eq!(sleeper.await.unwrap() - start, ms(1));
            releaser.join().unwrap();
        });
    }
}

#[test]
fn the_clock_goes_on_when_a_call_that_nobody_waits_for_is_over() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            for _ in 0..100 {
                // Awaited by nobody, so that its end wakes nobody.
                let _call = to_thread(|| ());
                sleep(ms(1)).await;
            }
            assert_eq!(now() - start, ms(100));
        });
    }
}

#[test]
fn the_clock_stands_still_between_two_runs() {
    for workers in WORKERS {
        let mut runner = runner(workers);
        let (start, left) = runner.run(async {
            let left = create_task(async {
                sleep(ms(1)).await;
                now()
            });
            yield_now().await;
            (now(), left)
        });
        std::thread::sleep(ms(2));
        assert_eq!(runner.event_loop().time(), start);
        assert!(!left.is_finished());
        let woken = runner.run(async {
            assert_eq!(now(), start);
            left.await.unwrap()
        });
        assert_eq!(woken - start, ms(1));
    }
}

#[test]
fn deadlines_that_have_passed_do_not_move_the_clock_and_let_others_run_first() {
    for workers in WORKERS {
        run(workers, async {
            sleep(ms(5)).await;
            let start = now();
            sleep_until(start - ms(1)).await;
            sleep_until(start).await;
            sleep(Duration::ZERO).await;
            assert_eq!(now(), start);
        });
    }
}

#[test]
fn a_deadline_that_has_passed_ends_what_never_rests() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let busy = async {
                loop {
                    yield_now().await;
                }
            };
            let passed = sleep_until(start);
            let task = create_task(busy);
            passed.await;
            assert!(task.cancel());
            assert_eq!(now(), start);
        });
    }
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines_whatever_lies_between_them() {
    for workers in WORKERS {
        run(workers, async {
            let log = Log::default();
            let start = now();
            // From a microsecond to a year, each less than a wheel's tick of real time from its neighbours, or far away.
            let mut micros: Vec<u64> = (1..200).chain((0..38).map(|power| 1000 + (1 << power))).collect();
            micros.extend((1..50).map(|hour| hour * 3_600_000_000));
            let expected: Vec<String> = {
                let mut sorted = micros.clone();
                sorted.sort_unstable();
                sorted.iter().map(u64::to_string).collect()
            };
            // In an order of creation that has nothing to do with that of the deadlines.
            let mut order: Vec<usize> = (0..micros.len()).collect();
            order.sort_by_key(|place| (place * 7919) % 1009);
            let sleepers = order.into_iter().map(|place| {
                let (log, micros) = (log.clone(), micros[place]);
                async move {
                    sleep(Duration::from_micros(micros)).await;
                    assert_eq!(now() - start, Duration::from_micros(micros));
                    log.add(micros.to_string());
                }
            });
            gather(sleepers.collect::<Vec<_>>()).await.unwrap();
            assert_eq!(log.lines(), expected);
        });
    }
}

#[test]
fn timers_of_one_deadline_fire_in_the_order_in_which_they_were_registered() {
    run(1, async {
        let log = Log::default();
        let sleepers = (0..100).map(|number| {
            let log = log.clone();
            async move {
                sleep(ms(10)).await;
                log.add(number.to_string());
            }
        });
        gather(sleepers.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(
            log.lines(),
            (0..100).map(|number| number.to_string()).collect::<Vec<_>>()
        );
    });
}

#[test]
fn a_timer_that_was_cancelled_does_not_move_the_clock() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let task = create_task(sleep(DAY));
            yield_now().await;
            task.cancel();
            assert!(task.await.is_err());
            assert_eq!(wait_for(async { 42 }, DAY).await, Ok(42));
            sleep(ms(1)).await;
            assert_eq!(now() - start, ms(1));
        });
    }
}

#[test]
fn an_interval_ticks_on_the_virtual_clock() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let mut clock = interval(ms(10));
            for tick in 0..5 {
                assert_eq!(clock.tick().await, start + tick * ms(10));
                assert_eq!(now(), start + tick * ms(10));
            }
            let late = clock.with_missed_ticks(aioli::MissedTicks::Skip);
            let mut clock = late;
            sleep(ms(35)).await;
            assert_eq!(clock.tick().await, start + ms(50));
            assert_eq!(clock.tick().await, start + ms(80));
        });
    }
}

#[test]
fn a_limit_in_virtual_time_is_up_at_once_where_nothing_happens() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            assert_eq!(wait_for(std::future::pending::<()>(), DAY).await, Err(TimeoutError));
            assert_eq!(now() - start, DAY);
        });
    }
}

#[test]
fn cleanup_at_the_end_of_a_run_has_its_time() {
    for workers in WORKERS {
        let log = Log::default();
        let mut runner = runner(workers);
        let event_loop = runner.event_loop();
        let start = runner.run(async {
            let log = log.clone();
            let _task = create_task(async move {
                let _cleanup = aioli::defer(async move {
                    sleep(DAY).await;
                    log.add("cleaned up");
                });
                std::future::pending::<()>().await;
            });
            yield_now().await;
            sleep(ms(1)).await;
            now()
        });
        runner.close();
        assert_eq!(log.lines(), ["cleaned up"]);
        assert_eq!(event_loop.time() - start, DAY);
    }
}

/// The end of the loop goes on on worker 0, which has to get up to cancel what the last cleanup left behind, on another worker. The
/// clock must not be faster.
#[test]
fn what_cleanup_leaves_behind_is_cancelled_before_the_clock_moves() {
    for workers in [2, 4] {
        for _ in 0..100 {
            let log = Log::default();
            run(workers, async {
                let (event_loop, lines) = (EventLoop::current(), log.clone());
                let ready = Arc::new(AtomicBool::new(false));
                let is_ready = ready.clone();
                let pinned = async move {
                    let _cleanup = aioli::defer(async move {
                        create_task(async move {
                            sleep(ms(1)).await;
                            lines.add("slept");
                        })
                        .detach();
                        yield_now().await;
                    });
                    is_ready.store(true, SeqCst);
                    std::future::pending::<()>().await;
                };
                // Main keeps worker 0 to itself meanwhile, so that another one takes it.
                let create = move || event_loop.create_task(async { create_local_task(pinned).detach() });
                let created = std::thread::spawn(create).join().unwrap();
                while !ready.load(SeqCst) {
                    std::thread::yield_now();
                }
                created.await.unwrap();
            });
            assert!(log.lines().is_empty(), "on {workers} workers");
        }
    }
}

#[test]
fn a_real_clock_beside_a_virtual_one_stays_real() {
    run(1, async {
        let there = std::thread::spawn(|| {
            Builder::new().workers(1).build().unwrap().run(async {
                let (start, real) = (now(), Instant::now());
                sleep(ms(5)).await;
                assert!(real.elapsed() >= ms(5));
                assert!(now() - start >= ms(5));
            });
        });
        to_thread(move || there.join().unwrap()).await.unwrap();
    });
}

/// What happened, and when by the virtual clock, in microseconds.
type Trace = Vec<(u64, usize)>;

/// Thousands of tasks that sleep and go on in tasks pinned to their worker, which sleep too; each with deadlines of its own.
fn storm(workers: usize) -> Trace {
    const TASKS: usize = 1500;
    let trace = Arc::new(std::sync::Mutex::new(Trace::new()));
    let pinned = Arc::new(AtomicUsize::new(0));
    run(workers, async {
        let start = now();
        let at = move |micros: u64| start + Duration::from_micros(micros);
        let note = {
            let trace = trace.clone();
            move |event: usize| {
                let micros = (now() - start).as_micros() as u64;
                trace.lock().unwrap().push((micros, event));
            }
        };
        // The deadlines are a permutation, so that no two are the same.
        let slot = |event: usize| ((event * 4799) % (3 * TASKS) + 1) as u64;
        let tasks = (0..TASKS).map(|number| {
            let (note, pinned) = (note.clone(), pinned.clone());
            async move {
                sleep_until(at(slot(number))).await;
                note(number);
                let (noted, inner) = (note.clone(), pinned.clone());
                let local = create_local_task(async move {
                    sleep_until(at(5000 + slot(TASKS + number))).await;
                    noted(TASKS + number);
                    inner.fetch_add(1, SeqCst);
                });
                local.await.unwrap();
                sleep_until(at(10_000 + slot(2 * TASKS + number))).await;
                note(2 * TASKS + number);
            }
        });
        gather(tasks.collect::<Vec<_>>()).await.unwrap();
    });
    assert_eq!(pinned.load(SeqCst), TASKS);
    let trace = trace.lock().unwrap().clone();
    assert_eq!(trace.len(), 3 * TASKS);
    trace
}

#[test]
fn thousands_of_tasks_take_the_same_course_on_any_number_of_workers() {
    let once = storm(1);
    assert!(
        once.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "each event has its own instant"
    );
    for workers in WORKERS {
        assert!(storm(workers) == once, "another course on {workers} workers");
    }
}

/// A chain of hand-overs between pinned tasks on several workers, each of which has to be over before the clock moves: the
/// timer that is next would be noted too early otherwise.
#[test]
fn the_clock_waits_for_a_worker_that_was_woken_for_a_pinned_task() {
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let chain = Arc::new(AtomicUsize::new(0));
            for round in 1..=200 {
                let alarm = create_task(async move {
                    sleep(ms(1)).await;
                    now()
                });
                // Main is pinned to worker 0; whoever runs this wakes it by name.
                let chain = chain.clone();
                let link = create_task(async move {
                    yield_now().await;
                    chain.fetch_add(1, SeqCst)
                });
                assert_eq!(link.await.unwrap(), round - 1);
                assert_eq!(now() - start, (round as u32 - 1) * ms(1));
                assert_eq!(alarm.await.unwrap() - start, round as u32 * ms(1));
            }
        });
    }
}
