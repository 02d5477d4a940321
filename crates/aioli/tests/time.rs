//! Timers: never early, in order, cheap to drop, and never held up by others.

mod common;

use aioli::{
    EventLoop, MissedTicks, Sleep, create_local_task, create_task, interval, interval_at, sleep, sleep_until, wait_for,
    yield_now,
};
use common::*;
use std::{
    future::{Future, poll_fn},
    panic::catch_unwind,
    pin::{Pin, pin},
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_sleep_is_never_early() {
    for workers in WORKERS {
        run(workers, async {
            let tasks: Vec<_> = (0..200_u64)
                .map(|number| {
                    create_task(async move {
                        let duration = Duration::from_micros(number * 73);
                        let start = Instant::now();
                        sleep(duration).await;
                        let slept = start.elapsed();
                        assert!(slept >= duration, "{slept:?} instead of {duration:?}");
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn one_worker_wakes_sleepers_in_the_order_of_their_deadlines() {
    let log = Log::default();
    run(1, async {
        let start = Instant::now() + ms(5);
        let tasks = [4_u32, 1, 3, 0, 2, 5].map(|number| {
            let log = log.clone();
            create_task(async move {
                sleep_until(start + number * ms(1)).await;
                log.add(number.to_string());
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(log.lines().concat(), "012345");
}

/// How often a future is polled until it is ready.
async fn polls(mut sleep: Sleep) -> usize {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        Pin::new(&mut sleep).poll(cx)
    })
    .await;
    polls
}

#[test]
fn a_sleep_of_zero_gives_way_once() {
    for workers in WORKERS {
        run(workers, async { assert_eq!(polls(sleep(Duration::ZERO)).await, 2) });
    }
    let log = Log::default();
    run(1, async {
        let tasks = ["a", "b"].map(|name| {
            let log = log.clone();
            create_task(async move {
                for _ in 0..3 {
                    log.add(name);
                    sleep(Duration::ZERO).await;
                }
            })
        });
        let other = log.clone();
        let yields = create_task(async move {
            for _ in 0..3 {
                other.add("c");
                yield_now().await;
            }
        });
        for task in tasks {
            task.await.unwrap();
        }
        yields.await.unwrap();
    });
    assert_eq!(log.lines().concat(), "abcabcabc");
}

#[test]
fn a_deadline_in_the_past_is_over_at_once_and_gives_others_a_turn() {
    for workers in WORKERS {
        run(workers, async {
            let now = Instant::now();
            sleep_until(now).await;
            if let Some(past) = now.checked_sub(ms(1)) {
                assert!(polls(sleep_until(past)).await >= 2);
            }
        });
    }
}

#[test]
fn deadlines_centuries_ahead_are_waited_for() {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    for workers in WORKERS {
        run(workers, async {
            for centuries in [1, 5, 6, 10, 100] {
                let Some(deadline) = Instant::now().checked_add(CENTURY * centuries) else {
                    continue;
                };
                let mut far = sleep_until(deadline);
                assert_eq!(far.deadline(), Some(deadline));
                assert!(poll_once(&mut far).await.is_pending());
                sleep(ms(1)).await;
                assert!(poll_once(&mut far).await.is_pending());
            }
        });
    }
}

#[test]
fn a_sleep_for_ever_never_ends_and_can_be_cancelled_and_limited() {
    for workers in WORKERS {
        run(workers, async {
            let mut ever = sleep(Duration::MAX);
            assert_eq!(ever.deadline(), None);
            assert!(poll_once(&mut ever).await.is_pending());
            sleep(ms(1)).await;
            assert!(poll_once(&mut ever).await.is_pending());
            assert!(aioli::wait_for(ever, ms(1)).await.is_err());
            let task = create_task(sleep(Duration::MAX));
            yield_now().await;
            assert!(task.cancel());
            assert!(task.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
#[cfg(target_os = "linux")]
fn far_deadlines_do_not_wake_the_loop() {
    fn own_switches(task: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/self/task/{task}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"))
            .unwrap();
        line.split_whitespace().last().unwrap().parse().unwrap()
    }
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let looped = thread::spawn(move || {
        run(1, async move {
            let sleepers = [Duration::MAX, LONG * 24 * 365 * 50, LONG].map(|duration| create_task(sleep(duration)));
            let end = aioli::to_thread(move || stopped.recv().unwrap());
            yield_now().await;
            let me = std::fs::read_link("/proc/thread-self").unwrap();
            tell.send(me.file_name().unwrap().to_str().unwrap().to_owned()).unwrap();
            end.await.unwrap();
            for sleeper in sleepers {
                sleeper.cancel();
            }
        });
    });
    let task = told.recv().unwrap();
    // It falls asleep; then a good while passes, in which nothing has it wake up.
    let mut asleep = own_switches(&task);
    loop {
        thread::sleep(ms(50));
        let now = own_switches(&task);
        if now == asleep {
            break;
        }
        asleep = now;
    }
    thread::sleep(ms(300));
    assert_eq!(own_switches(&task), asleep);
    stop.send(()).unwrap();
    looped.join().unwrap();
}

#[test]
fn a_sleep_that_is_reset_waits_for_the_new_deadline() {
    for workers in WORKERS {
        run(workers, async {
            let start = Instant::now();
            let mut later = sleep(ms(1));
            assert!(poll_once(&mut later).await.is_pending());
            later.reset(start + ms(10));
            later.await;
            assert!(start.elapsed() >= ms(10));

            let mut sooner = sleep(LONG);
            assert!(poll_once(&mut sooner).await.is_pending());
            sooner.reset(Instant::now() + ms(1));
            sooner.await;

            let mut again = sleep(ms(1));
            (&mut again).await;
            again.reset(Instant::now() + ms(1));
            again.await;
        });
    }
}

#[test]
fn a_dropped_sleep_wakes_nobody() {
    for workers in WORKERS {
        run(workers, async {
            let wakes = Arc::new(CountWakes::default());
            let waker = Waker::from(wakes.clone());
            for _ in 0..100 {
                let mut sleep = sleep(ms(2));
                assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert_eq!(Arc::strong_count(&wakes), 2, "the wheel has given all wakers back");
            sleep(ms(5)).await;
            assert_eq!(wakes.0.load(std::sync::atomic::Ordering::SeqCst), 0);
        });
    }
}

#[derive(Default)]
struct CountWakes(std::sync::atomic::AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn a_sleep_may_be_dropped_on_another_thread_and_after_the_loop() {
    for workers in WORKERS {
        let kept = run(workers, async {
            let mut sleeps = [sleep(LONG), sleep(LONG)];
            for sleep in &mut sleeps {
                assert!(poll_once(sleep).await.is_pending());
            }
            let [elsewhere, kept] = sleeps;
            aioli::to_thread(move || drop(elsewhere)).await.unwrap();
            Some(kept)
        });
        thread::spawn(move || drop(kept)).join().unwrap();
    }
}

#[test]
fn timers_fire_while_many_tasks_run() {
    for workers in WORKERS {
        run(workers, async {
            let busy: Vec<_> = (0..50)
                .map(|_| {
                    create_task(async {
                        loop {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            let mut timers: Vec<_> = (0..20).map(|number| create_task(sleep(ms(number)))).collect();
            timers.push(create_local_task(sleep(ms(3))));
            for timer in timers {
                timer.await.unwrap();
            }
            for task in busy {
                task.cancel();
                assert!(task.await.is_err());
            }
        });
    }
}

#[test]
fn a_worker_that_is_stuck_does_not_hold_up_its_timers() {
    for workers in [2, 4] {
        run(workers, async {
            let waker = Arc::new(Mutex::new(None::<Waker>));
            let (ring, rang) = mpsc::channel();
            let stored = waker.clone();
            let mut polled = false;
            let other = create_task(poll_fn(move |cx| {
                if std::mem::replace(&mut polled, true) {
                    ring.send(()).unwrap();
                    return Poll::Ready(());
                }
                *stored.lock().unwrap() = Some(cx.waker().clone());
                Poll::Pending
            }));
            until(|| waker.lock().unwrap().is_some()).await;
            let waker = waker.lock().unwrap().take().unwrap();
            let stuck = create_task(async move {
                let mut timer = pin!(sleep(ms(5)));
                assert!(timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                // One long poll, in which the other task is woken and runs, because there are other workers.
                rang.recv_timeout(Duration::from_secs(5)).is_ok()
            });
            assert!(stuck.await.unwrap(), "{workers} workers");
            other.await.unwrap();
        });
    }
}

#[test]
fn an_interval_ticks_on_its_grid_for_the_first_time_at_once() {
    for workers in WORKERS {
        run(workers, async {
            let start = Instant::now();
            let mut clock = interval_at(start, ms(2));
            assert_eq!(clock.period(), ms(2));
            for number in 0..5 {
                assert_eq!(clock.tick().await, start + number * ms(2));
                assert!(start.elapsed() >= number * ms(2));
            }
        });
    }
}

#[test]
fn ticks_that_were_missed_are_made_up_for_skipped_or_moved() {
    let period = ms(10);
    let late = |missed| async move {
        // On a machine that is busy even the first tick may come late, and then counts as one that was missed.
        let (start, mut clock) = loop {
            let start = Instant::now();
            let mut clock = interval_at(start, period).with_missed_ticks(missed);
            assert_eq!(clock.tick().await, start);
            if start.elapsed() < period {
                break (start, clock);
            }
        };
        // Nobody waits for the next three.
        thread::sleep(period * 35 / 10);
        let before = Instant::now();
        let second = clock.tick().await;
        if missed != MissedTicks::Delay {
            assert_eq!(second, start + period, "the late one itself is on the grid");
        }
        let after = Instant::now();
        (start, before, after, clock.tick().await)
    };
    run(1, async {
        let (start, _, _, burst) = late(MissedTicks::Burst).await;
        assert_eq!(burst, start + period * 2);
        let (start, before, after, skip) = late(MissedTicks::Skip).await;
        assert!(skip >= start + period * 4 && skip > before && skip <= after + period);
        assert_eq!((skip - start).as_nanos() % period.as_nanos(), 0, "on the grid");
        let (start, _, after, delay) = late(MissedTicks::Delay).await;
        assert!(delay >= start + period * 45 / 10 && delay <= after + period);
    });
}

#[test]
fn a_tick_that_is_dropped_is_not_lost() {
    run(1, async {
        let start = Instant::now();
        let mut clock = interval_at(start, ms(2));
        clock.tick().await;
        {
            let mut tick = pin!(clock.tick());
            assert!(poll_fn(|cx| Poll::Ready(tick.as_mut().poll(cx))).await.is_pending());
        }
        assert_eq!(clock.tick().await, start + ms(2));
    });
}

#[test]
fn an_interval_of_zero_is_refused() {
    let payload = catch_unwind(|| drop(interval(Duration::ZERO))).unwrap_err();
    assert!(message(payload).contains("a period above zero"));
}

#[test]
fn an_interval_without_end_ticks_once() {
    run(1, async {
        let mut clock = interval(Duration::MAX);
        clock.tick().await;
        let never = async {
            clock.tick().await;
        };
        assert!(aioli::wait_for(never, ms(2)).await.is_err());
    });
}

#[test]
fn a_sleep_goes_on_in_another_task_and_on_another_worker() {
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..20 {
                let start = Instant::now();
                let mut sleep = sleep(ms(2));
                assert!(poll_once(&mut sleep).await.is_pending());
                create_task(sleep).await.unwrap();
                assert!(start.elapsed() >= ms(2));
            }
        });
    }
}

#[test]
fn a_clock_that_skips_goes_on_however_many_ticks_were_missed() {
    for workers in WORKERS {
        run(workers, async {
            let now = Instant::now();
            // Ten seconds behind is ten milliards of ticks, more than fit into 32 bits.
            let start = now.checked_sub(Duration::from_secs(10)).unwrap();
            let mut clock = interval_at(start, Duration::from_nanos(1)).with_missed_ticks(MissedTicks::Skip);
            let mut last = wait_for(clock.tick(), Duration::from_secs(20)).await.unwrap();
            assert_eq!(last, start);
            for number in 0..5 {
                let tick = wait_for(clock.tick(), Duration::from_secs(20))
                    .await
                    .expect("it has stopped");
                assert!(
                    tick > last && (number > 0 || tick > now),
                    "those that were missed are forgotten"
                );
                assert!(tick <= Instant::now());
                last = tick;
            }
        });
    }
}

#[test]
fn a_clock_that_moves_late_ticks_does_not_move_those_that_are_met() {
    const PERIOD: Duration = ms(4);
    run(1, async {
        let mut clock = interval(PERIOD).with_missed_ticks(MissedTicks::Delay);
        let mut met = 0;
        while met < 20 {
            let tick = clock.tick().await;
            // Nobody knows how busy the machine is; but this one was in time.
            if tick.elapsed() < PERIOD {
                met += 1;
                assert_eq!(clock.tick().await, tick + PERIOD);
            }
        }
    });
}

/// A waker of somebody else's, which panics.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker");
    }
}

/// A timer that calls such a waker.
fn mined_sleep(duration: Duration) -> Sleep {
    let mut sleep = sleep(duration);
    let waker = Waker::from(Arc::new(Bomb));
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
    sleep
}

/// Calls `f` on another worker than this one, which stands still meanwhile.
fn on_another_worker<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let here = aioli_executor::worker_index();
    let event_loop = EventLoop::current();
    let (tell, told) = mpsc::channel();
    let foreign = thread::spawn(move || {
        let task = async move { tell.send((aioli_executor::worker_index(), f())).unwrap() };
        event_loop.create_task(task).detach();
    });
    let (there, value) = told.recv().unwrap();
    foreign.join().unwrap();
    assert!(here.is_some() && there.is_some() && here != there);
    value
}

#[test]
fn a_foreign_waker_that_panics_in_a_timer_is_reported_and_the_others_go_on() {
    for workers in WORKERS {
        for (elsewhere, idle) in [(false, false), (false, true), (true, false), (true, true)] {
            if elsewhere && workers == 1 {
                continue;
            }
            let reports = Arc::new(Mutex::new(Vec::new()));
            run(workers, async {
                let told = reports.clone();
                EventLoop::current().set_exception_handler(move |panic| {
                    let name = panic.task_name().map(str::to_owned);
                    told.lock().unwrap().push((name, panic.message().to_owned()));
                });
                let make = || mined_sleep(ms(2));
                let mined = if elsewhere { on_another_worker(make) } else { make() };
                // Before, with, and after it.
                let others: Vec<_> = (0..5).map(|number| create_task(sleep(ms(number)))).collect();
                let here = create_local_task(sleep(ms(2)));
                if idle {
                    sleep(ms(5)).await;
                }
                until(|| !reports.lock().unwrap().is_empty()).await;
                for other in others {
                    other.await.unwrap();
                }
                here.await.unwrap();
                // It has fired all the same.
                mined.await;
                sleep(ms(1)).await;
                create_task(sleep(ms(1))).await.unwrap();
            });
            assert_eq!(*reports.lock().unwrap(), [(None, "a foreign waker".to_owned())]);
        }
    }
}
