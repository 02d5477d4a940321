//! `race`: the first to finish wins, and the others have cleaned up when it is over. On a virtual clock, on one worker and on
//! several.

mod common;

use aioli::{
    Builder, EventLoop, TimeoutError, catch_cancelled, create_task, current_task, defer, race, sleep, wait_for,
    yield_now,
};
use common::{Log, WORKERS, ms};
use futures_lite::{FutureExt, future::zip};
use std::{
    cell::{Cell, RefCell},
    future::{Future, Ready, pending, poll_fn, ready},
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    thread,
};

/// Runs a program on each number of workers, and compares what it has said.
fn says<F: Future<Output = ()>>(expected: &[&str], program: impl Fn(Log) -> F) {
    for workers in WORKERS {
        let log = Log::default();
        let mut runner = Builder::new().workers(workers).virtual_time(true).build().unwrap();
        runner.run(program(log.clone()));
        assert_eq!(log.lines(), expected, "with {workers} workers");
    }
}

fn check<F: Future<Output = ()>>(program: impl Fn() -> F) {
    says(&[], |_| program());
}

/// How long the loop has run, in virtual milliseconds.
fn clock() -> impl Fn() -> u128 + Clone + Send {
    let start = EventLoop::current().time();
    move || (EventLoop::current().time() - start).as_millis()
}

async fn taking(n: u64) -> u64 {
    sleep(ms(n)).await;
    n
}

/// Sleeps, or else cleans up for some time and says so.
async fn runner(log: Log, name: &'static str, work: u64, cleanup: u64) -> &'static str {
    if let Err(cancelled) = catch_cancelled(sleep(ms(work))).await {
        sleep(ms(cleanup)).await;
        log.add(format!("{name} cleaned up"));
        cancelled.resume().await;
    }
    log.add(format!("{name} finished"));
    name
}

#[test]
fn the_first_to_finish_wins() {
    check(|| async {
        assert_eq!(race((taking(30), taking(10), taking(20))).await, 10);
        assert_eq!(race([30, 10, 20].map(taking)).await, 10);
        assert_eq!(race((1..=100).rev().map(taking).collect::<Vec<_>>()).await, 1);
        assert_eq!(race((ready(1),)).await, 1);
    });
}

#[test]
fn items_may_borrow_and_need_not_be_send() {
    check(|| async {
        let (name, counter) = (String::from("name"), Rc::new(Cell::new(0)));
        let count = async {
            counter.set(counter.get() + 1);
            yield_now().await;
            counter.set(counter.get() + 1);
            &name[..]
        };
        assert_eq!(race((pending(), count)).await, "name");
        assert_eq!(counter.get(), 2);
    });
}

#[test]
fn of_two_that_finish_in_the_same_turn_the_earlier_item_wins() {
    check(|| async {
        assert_eq!(race((ready(1), ready(2))).await, 1);
        let (go, wakers) = (Cell::new(false), RefCell::new(Vec::new()));
        let items = [0, 1, 2].map(|n| {
            let (go, wakers) = (&go, &wakers);
            poll_fn(move |cx| {
                wakers.borrow_mut().push(cx.waker().clone());
                if go.get() { Poll::Ready(n) } else { Poll::Pending }
            })
        });
        let start = async {
            go.set(true);
            // The last is woken first.
            let wakers = wakers.take();
            assert_eq!(wakers.len(), 3);
            wakers.into_iter().rev().for_each(Waker::wake);
        };
        assert_eq!(zip(race(items), start).await.0, 0);
    });
}

#[test]
fn an_item_behind_one_that_is_ready_is_not_begun() {
    says(&["begun 0", "begun 1"], |log| async move {
        let items = [0, 1, 2, 3].map(|n| {
            let log = log.clone();
            async move {
                log.add(format!("begun {n}"));
                if n == 0 {
                    pending::<()>().await;
                }
                n
            }
        });
        assert_eq!(race(items).await, 1);
    });
}

#[test]
fn those_that_lose_clean_up_before_it_is_over() {
    says(
        &["b finished", "a cleaned up", "deferred", "b won at 40"],
        |log| async move {
            let clock = clock();
            let defers = {
                let log = log.clone();
                async move {
                    let _guard = defer(async move {
                        sleep(ms(30)).await;
                        log.add("deferred");
                    });
                    pending().await
                }
            };
            let items = (
                runner(log.clone(), "a", 1000, 20),
                runner(log.clone(), "b", 10, 0),
                defers,
            );
            log.add(format!("{} won at {}", race(items).await, clock()));
        },
    );
}

#[test]
fn what_the_winner_defers_is_done_before_it_is_over_and_the_others_have_lost_meanwhile() {
    says(&["deferred", "winner at 30"], |log| async move {
        let clock = clock();
        let winner = {
            let log = log.clone();
            async move {
                let _guard = defer(async move {
                    sleep(ms(20)).await;
                    log.add("deferred");
                });
                sleep(ms(10)).await;
                "winner"
            }
        };
        let second = async {
            sleep(ms(15)).await;
            "second"
        };
        log.add(format!("{} at {}", race((second, winner)).await, clock()));
    });
}

#[test]
fn one_that_swallows_its_defeat_and_finishes_has_lost_all_the_same() {
    says(&["swallowed", "winner"], |log| async move {
        let stubborn = {
            let log = log.clone();
            async move {
                let cancelled = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                sleep(ms(20)).await;
                cancelled.swallow();
                log.add("swallowed");
                "stubborn"
            }
        };
        let winner = async {
            sleep(ms(10)).await;
            "winner"
        };
        log.add(race((stubborn, winner)).await);
        assert_eq!(current_task().unwrap().cancelling(), 0);
    });
}

#[test]
fn a_task_that_loses_is_cancelled_and_waited_for_and_a_borrowed_one_is_left_alone() {
    says(
        &["given cleaned up", "won at 30", "borrowed finished"],
        |log| async move {
            let clock = clock();
            let given = create_task(runner(log.clone(), "given", 1000, 20));
            let mut borrowed = create_task(runner(log.clone(), "borrowed", 100, 0));
            let winner = async {
                sleep(ms(10)).await;
                "won"
            };
            let items = (
                async { given.await.unwrap() },
                async { (&mut borrowed).await.unwrap() },
                winner,
            );
            log.add(format!("{} at {}", race(items).await, clock()));
            assert_eq!(borrowed.cancelling(), 0);
            borrowed.await.unwrap();
        },
    );
}

#[test]
fn a_cancellation_from_outside_goes_to_the_catchers_inside() {
    says(&["a cleaned up", "b cleaned up", "cancelled at 40"], |log| async move {
        let clock = clock();
        let task = create_task({
            let log = log.clone();
            async move {
                race((
                    runner(log.clone(), "b", 1000, 30),
                    pending(),
                    runner(log.clone(), "a", 1000, 20),
                ))
                .await
            }
        });
        sleep(ms(10)).await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        log.add(format!("cancelled at {}", clock()));
    });
}

#[test]
fn a_limit_around_it_waits_for_the_items() {
    says(&["a cleaned up", "the time was up at 30"], |log| async move {
        let clock = clock();
        let race = race([runner(log.clone(), "a", 1000, 20)]);
        assert_eq!(wait_for(race, ms(10)).await, Err(TimeoutError));
        log.add(format!("{TimeoutError} at {}", clock()));
    });
}

#[test]
fn a_cancellation_while_those_that_lost_clean_up_interrupts_that() {
    says(
        &["b finished", "interrupted at 20", "cancelled true"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let log = log.clone();
                async move {
                    let loser = {
                        let log = log.clone();
                        async move {
                            let lost = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                            let cancelled = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                            log.add(format!("interrupted at {}", clock()));
                            drop(lost);
                            cancelled.resume().await
                        }
                    };
                    race((loser, runner(log, "b", 10, 0))).await;
                    pending::<()>().await;
                }
            });
            sleep(ms(20)).await;
            task.cancel();
            task.finished().await;
            log.add(format!("cancelled {}", task.is_cancelled()));
        },
    );
}

#[test]
fn dropped_by_a_foreign_combinator_it_leaves_deferred_work_to_the_task() {
    says(
        &["dropped at 10", "deferred 0", "deferred 1", "end at 50"],
        |log| async move {
            let clock = clock();
            let task = create_task({
                let (log, clock) = (log.clone(), clock.clone());
                async move {
                    let items = [0, 1].map(|n| {
                        let log = log.clone();
                        async move {
                            let _guard = defer(async move {
                                sleep(ms(20)).await;
                                log.add(format!("deferred {n}"));
                            });
                            pending::<()>().await;
                        }
                    });
                    race(items).or(sleep(ms(10))).await;
                    log.add(format!("dropped at {}", clock()));
                }
            });
            task.await.unwrap();
            log.add(format!("end at {}", clock()));
        },
    );
}

#[test]
fn races_in_races() {
    says(&["inner cleaned up", "outer"], |log| async move {
        let inner = race((runner(log.clone(), "inner", 1000, 20), pending()));
        let outer = async {
            sleep(ms(10)).await;
            "outer"
        };
        let name = race((inner, outer)).await;
        log.add(name);
    });
}

#[test]
fn an_item_that_never_rests_does_not_keep_others_from_running() {
    check(|| async {
        let busy = async {
            loop {
                yield_now().await;
            }
        };
        let flag = Rc::new(Cell::new(false));
        let theirs = flag.clone();
        let other = aioli::create_local_task(async move { theirs.set(true) });
        let sees = async {
            while !flag.get() {
                yield_now().await;
            }
        };
        race((busy, sees)).await;
        other.await.unwrap();
    });
}

#[test]
fn only_items_that_were_woken_are_polled() {
    check(|| async {
        let polls = RefCell::new([0; 100]);
        let items: Vec<_> = (0..100)
            .map(|n| {
                let polls = &polls;
                async move {
                    let mut sleep = std::pin::pin!(sleep(ms(10 + n)));
                    poll_fn(|cx| {
                        polls.borrow_mut()[n as usize] += 1;
                        sleep.as_mut().poll(cx)
                    })
                    .await;
                    if n < 99 {
                        pending().await
                    }
                }
            })
            .collect();
        race(items).await;
        assert_eq!(*polls.borrow(), [2; 100]);
    });
}

/// Never ends, leaves its waker, and counts how often it is polled.
async fn counted(polls: &Cell<usize>, waker: &RefCell<Option<Waker>>) {
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        *waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

#[test]
fn an_item_that_is_woken_many_times_is_polled_once() {
    check(|| async {
        let (polls, waker) = (Cell::new(0), RefCell::new(None));
        let wakes = async {
            yield_now().await;
            for _ in 0..1000 {
                waker.borrow().iter().for_each(Waker::wake_by_ref);
                waker.borrow().clone().into_iter().for_each(Waker::wake);
            }
            yield_now().await;
            yield_now().await;
        };
        race((counted(&polls, &waker), wakes)).await;
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn an_item_that_is_woken_before_and_after_its_turn_is_polled_once_in_each() {
    check(|| async {
        let (polls, waker) = (Cell::new(0), RefCell::new(None));
        let wakes_for_ten_turns = || async {
            for _ in 0..10 {
                yield_now().await;
                waker.borrow().iter().for_each(Waker::wake_by_ref);
            }
            yield_now().await;
            yield_now().await;
        };
        race((wakes_for_ten_turns(), counted(&polls, &waker), wakes_for_ten_turns())).await;
        assert_eq!(polls.get(), 1 + 10);
    });
}

#[test]
fn no_wake_up_from_another_thread_is_lost() {
    const WAKES: usize = 10_000;
    check(|| async {
        let (count, waker) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let thread = {
            let (count, waker) = (count.clone(), waker.clone());
            thread::spawn(move || {
                for _ in 0..WAKES {
                    count.fetch_add(1, Relaxed);
                    let waker = waker.lock().unwrap().clone();
                    waker.into_iter().for_each(Waker::wake);
                }
            })
        };
        let counts = poll_fn(|cx| {
            *waker.lock().unwrap() = Some(cx.waker().clone());
            match count.load(Relaxed) {
                WAKES => Poll::Ready(()),
                _ => Poll::Pending,
            }
        });
        race((pending(), counts)).await;
        thread.join().unwrap();
    });
}

#[test]
fn a_panic_of_an_item_goes_on() {
    says(&["the task panicked: oh", "deferred"], |log| async move {
        let defers = {
            let log = log.clone();
            async move {
                let _guard = defer(async move {
                    sleep(ms(10)).await;
                    log.add("deferred");
                });
                pending().await
            }
        };
        let panics = async {
            yield_now().await;
            panic!("oh")
        };
        let outcome: Result<(), _> = AssertUnwindSafe(race((defers, panics))).catch_unwind().await;
        log.add(format!("the task panicked: {}", common::message(outcome.unwrap_err())));
        sleep(ms(20)).await;
    });
}

#[test]
fn a_panic_in_the_cleanup_of_one_that_lost_goes_on() {
    check(|| async {
        let task = create_task(async {
            let loser = async {
                let _token = catch_cancelled(sleep(ms(1000))).await.unwrap_err();
                panic!("cleanup")
            };
            race((loser, sleep(ms(10)))).await;
        });
        assert_eq!(task.await.unwrap_err().to_string(), "the task panicked: cleanup");
    });
}

#[test]
fn ten_thousand_items() {
    check(|| async {
        let cleaned = Rc::new(Cell::new(0));
        let items = (0..10_000_u64).map(|n| {
            let cleaned = cleaned.clone();
            async move {
                if let Err(cancelled) = catch_cancelled(sleep(ms(20_000 - n))).await {
                    sleep(ms(1)).await;
                    cleaned.set(cleaned.get() + 1);
                    cancelled.resume().await;
                }
                n
            }
        });
        assert_eq!(race(items.collect::<Vec<_>>()).await, 9_999);
        assert_eq!(cleaned.get(), 9_999);
    });
}

#[test]
fn both_sides_of_a_task_may_race() {
    check(|| async {
        let (one, other) = zip(race((taking(1), taking(2))), race((taking(4), taking(3)))).await;
        assert_eq!((one, other), (1, 3));
    });
}

#[test]
#[should_panic(expected = "race() was given no items")]
fn a_race_of_nobody_is_a_mistake() {
    drop(race(Vec::<Ready<()>>::new()));
}
