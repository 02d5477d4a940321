//! The loop: how it is built, run, run again, run wrongly, and reached from other threads.

mod common;

use aioli::{BuildError, Builder, EventLoop, JoinError, Runner, create_task, current_task};
use common::*;
use std::{
    cell::Cell,
    env,
    error::Error,
    future::pending,
    io,
    panic::{self, AssertUnwindSafe, Location, catch_unwind, panic_any},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let error = Builder::new().workers(0).build().unwrap_err();
    assert!(matches!(error, BuildError::NoWorkers));
    assert!(error.to_string().contains("at least one worker"), "{error}");
    for workers in [16_385, usize::MAX] {
        let error = Builder::new().workers(workers).build().unwrap_err();
        assert!(matches!(error, BuildError::TooManyWorkers(asked) if asked == workers));
        let text = error.to_string();
        assert!(
            text.contains("at most 16384 workers") && text.contains(&workers.to_string()),
            "{text}"
        );
    }
    let error = Builder::new().workers(1).max_blocking_threads(0).build().unwrap_err();
    assert!(matches!(error, BuildError::NoBlockingThreads));
    assert!(error.to_string().contains("at least one thread"), "{error}");
}

#[test]
fn what_the_system_refuses_is_the_source_of_the_error() {
    let error = BuildError::System(io::Error::other("no more threads"));
    assert!(error.to_string().contains("no more threads"));
    assert!(error.source().is_some());
    assert!(BuildError::NoWorkers.source().is_none());
}

/// What a child process, this binary once more, is asked to do in its environment.
const CHILD: &str = "AIOLI_TEST_CHILD";

/// Runs `the_child` in a process of its own.
fn child(workers: &str) -> (bool, String) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_child", "--nocapture"])
        .env("AIOLI_WORKERS", workers)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

/// In the processes that the tests below start, it runs a loop with the number of workers from the environment.
#[test]
fn the_child() {
    if env::var_os(CHILD).is_some() {
        let explicit = Builder::new().workers(2).build().unwrap();
        assert_eq!(explicit.event_loop().workers(), 2, "what the program says comes first");
        println!(
            "it runs with {} workers",
            aioli::run(async { EventLoop::current().workers() })
        );
    }
}

#[test]
fn the_environment_gives_the_number_of_workers() {
    let (success, text) = child("3");
    assert!(success, "{text}");
    assert!(text.contains("it runs with 3 workers"), "{text}");
}

#[test]
fn an_environment_that_makes_no_sense_is_an_error_that_quotes_it() {
    for nonsense in ["abc", "0", "-2", "", "16385", "99999999999999999999"] {
        let (success, text) = child(nonsense);
        assert!(!success, "{nonsense}: {text}");
        assert!(text.contains("cannot start an event loop"), "{text}");
        assert!(
            text.contains(&format!(
                "AIOLI_WORKERS must be a number from 1 to 16384, and is {nonsense:?}"
            )),
            "{text}"
        );
    }
}

#[test]
fn one_run_may_follow_another() {
    assert_eq!(aioli::run(async { 1 }), 1);
    assert_eq!(aioli::run(async { aioli::create_task(async { 2 }).await.unwrap() }), 2);
}

#[test]
fn a_runner_runs_several_mains_and_their_tasks_go_on() {
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let task = runner.run(async {
            aioli::create_task(async {
                aioli::sleep(ms(1)).await;
                7
            })
        });
        assert_eq!(runner.run(task).unwrap(), 7);
        runner.close();
        runner.close();
        assert!(runner.event_loop().is_closed());
        let payload = catch_unwind(AssertUnwindSafe(|| runner.run(async {}))).unwrap_err();
        assert!(message(payload).contains("this runner is closed"));
    }
}

#[test]
fn a_nested_run_says_what_to_do() {
    for workers in WORKERS {
        run(workers, async {
            let payload = catch_unwind(|| aioli::run(async {})).unwrap_err();
            let message = message(payload);
            assert!(
                message.contains("an event loop runs on this thread already"),
                "{message}"
            );
            assert!(message.contains(".await"), "{message}");
            // The outer loop is none the worse for it.
            assert_eq!(aioli::create_task(async { 1 }).await.unwrap(), 1);
        });
    }
}

#[test]
fn a_main_task_is_created_where_run_is_called_and_so_is_the_panic_of_a_nested_run() {
    thread_local! {
        static PANICKED: Cell<Option<(String, u32)>> = const { Cell::new(None) };
    }
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let at = info.location().map(|at| (at.file().to_owned(), at.line()));
        PANICKED.set(at);
        print(info);
    }));
    let location = || async { *current_task().unwrap().location() };
    let mut runner = Builder::new().workers(1).build().unwrap();
    let here = Location::caller();
    let run = aioli::run(location());
    let runner_run = runner.run(location());
    let try_run = runner.try_run(location()).unwrap();
    for (at, line) in [(run, 1), (runner_run, 2), (try_run, 3)] {
        assert_eq!((at.file(), at.line()), (here.file(), here.line() + line));
    }
    runner.run(async {
        let nested = || aioli::run(async {});
        assert!(catch_unwind(nested).is_err());
        assert_eq!(PANICKED.take(), Some((file!().to_owned(), line!() - 2)));
    });
}

#[test]
fn where_no_loop_runs_the_message_says_what_to_do() {
    fn refused<R>(call: impl FnOnce() -> R) {
        let payload = catch_unwind(AssertUnwindSafe(|| drop(call()))).unwrap_err();
        let message = message(payload);
        assert!(message.contains("no event loop runs on this thread"), "{message}");
        assert!(message.contains("EventLoop"), "{message}");
    }
    refused(|| aioli::create_task(async {}));
    refused(|| aioli::create_local_task(async {}));
    refused(|| aioli::to_thread(|| ()));
    refused(|| aioli::gather([async {}]));
    refused(EventLoop::current);
    refused(|| futures_lite::future::block_on(aioli::sleep(ms(1))));
    assert!(EventLoop::try_current().is_none());
    assert!(aioli::current_task().is_none());
}

#[test]
fn a_loop_is_reached_from_other_threads() {
    for workers in WORKERS {
        run(workers, async {
            let event_loop = EventLoop::current();
            assert_eq!(event_loop, EventLoop::current());
            assert_eq!(event_loop.workers(), workers);
            assert!(!event_loop.is_closed());
            let thread = thread::spawn(move || {
                assert!(EventLoop::try_current().is_none());
                event_loop.create_task(async {
                    aioli::sleep(ms(1)).await;
                    EventLoop::current().workers()
                })
            });
            let task = aioli::to_thread(move || thread.join().unwrap()).await.unwrap();
            assert_eq!(task.await.unwrap(), workers);
        });
    }
}

#[test]
fn a_closed_loop_takes_no_tasks() {
    for workers in WORKERS {
        let event_loop = run(workers, async { EventLoop::current() });
        assert!(event_loop.is_closed());
        let task = event_loop.create_task(async { unreachable!("the loop is closed") });
        assert!(task.is_finished());
        assert!(event_loop.all_tasks().is_empty());
        assert!(run(workers, task.join()).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_panic_of_main_comes_out_of_run() {
    for workers in WORKERS {
        let payload = catch_unwind(|| run(workers, async { panic_any(42_u8) })).unwrap_err();
        assert_eq!(*payload.downcast::<u8>().unwrap(), 42);
    }
}

#[test]
fn a_main_that_is_cancelled_is_an_error() {
    let cancelled = || async {
        aioli::current_task().unwrap().cancel();
        pending::<()>().await;
    };
    for workers in WORKERS {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        assert!(matches!(runner.try_run(cancelled()), Err(JoinError::Cancelled)));
        let payload = catch_unwind(AssertUnwindSafe(|| runner.run(cancelled()))).unwrap_err();
        assert!(message(payload).contains("the main future was cancelled"));
        assert_eq!(runner.try_run(async { 7 }).unwrap(), 7);
    }
}

#[test]
fn main_borrows_and_need_not_be_send() {
    let name = String::from("borrowed");
    let shared = std::rc::Rc::new(&name);
    let length = aioli::run(async {
        aioli::yield_now().await;
        shared.len()
    });
    assert_eq!(length, name.len());
}

#[test]
fn what_is_left_is_cancelled_and_cleans_up_with_timers() {
    for workers in WORKERS {
        let (started, cleaned) = (Census::default(), Census::default());
        run(workers, async {
            for _ in 0..10 {
                let (started, cleaned) = (started.clone(), cleaned.clone());
                let task = aioli::create_task(async move {
                    let _cleanup = aioli::defer(async move {
                        aioli::sleep(ms(2)).await;
                        drop(cleaned.guard());
                    });
                    drop(started.guard());
                    aioli::sleep(LONG).await;
                });
                task.detach();
            }
            until(|| started.made() == 10).await;
        });
        assert_eq!(cleaned.gone(), 10);
    }
}

#[test]
fn threads_have_names_and_hooks() {
    let (started, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (first, last) = (started.clone(), stopped.clone());
    let mut runner: Runner = Builder::new()
        .workers(3)
        .thread_name("crunch")
        .on_thread_start(move || {
            first.fetch_add(1, SeqCst);
        })
        .on_thread_stop(move || {
            last.fetch_add(1, SeqCst);
        })
        .build()
        .unwrap();
    let name = runner.run(async {
        aioli::to_thread(|| thread::current().name().map(str::to_owned))
            .await
            .unwrap()
    });
    assert_eq!(name.as_deref(), Some("crunch-blocking"));
    drop(runner);
    assert_eq!(
        (started.load(SeqCst), stopped.load(SeqCst)),
        (3, 3),
        "two workers and one for the call"
    );
}

#[test]
fn the_exception_handler_is_told_of_panics_that_nobody_looks_at() {
    for workers in WORKERS {
        let log = Log::default();
        run(workers, async {
            let theirs = log.clone();
            EventLoop::current().set_exception_handler(move |panic| theirs.add(panic.message()));
            let task = aioli::create_task(async { panic!("unseen") });
            let name = task.task_ref();
            task.detach();
            until(|| name.is_finished()).await;
        });
        assert_eq!(log.lines(), ["unseen"]);
    }
}

#[test]
fn all_tasks_are_those_that_are_not_over() {
    run(1, async {
        let me = aioli::current_task().unwrap();
        assert!(EventLoop::current().all_tasks() == [me.clone()]);
        let task = aioli::create_task(aioli::sleep(LONG));
        assert!(EventLoop::current().all_tasks() == [me.clone(), task.task_ref()]);
        task.cancel();
        assert!(task.await.is_err());
        assert!(EventLoop::current().all_tasks() == [me]);
    });
}

#[test]
fn a_runner_that_is_dropped_inside_another_loop_ends_its_tasks_all_the_same() {
    let census = Census::default();
    let mut inner = Builder::new().workers(1).build().unwrap();
    let guard = census.guard();
    inner.run(async {
        create_task(async move {
            let _guard = guard;
            pending::<()>().await;
        })
        .detach();
    });
    run(1, async {
        let other = create_task(async { 7 });
        drop(inner);
        assert_eq!((census.made(), census.gone()), (1, 1));
        assert_eq!(other.await.unwrap(), 7);
    });
}
