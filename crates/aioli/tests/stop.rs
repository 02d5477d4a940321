//! Ending a run from outside: `stop`, and Ctrl-C.

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use aioli::{Builder, EventLoop, Runner, create_local_task, create_task, defer, yield_now};
use common::{Log, WORKERS, ms};
use std::{future::pending, panic::AssertUnwindSafe, thread};

fn runner(workers: usize) -> Runner {
    Builder::new().workers(workers).build().unwrap()
}

#[test]
fn run_forever_runs_until_stop_is_called_from_anywhere_and_can_run_again() {
    for workers in WORKERS {
        let mut runner = runner(workers);
        let event_loop = runner.event_loop();

        let stopper = event_loop.clone();
        event_loop.call_later(ms(1), move || stopper.stop());
        runner.run_forever();

        let task = event_loop.create_task(async { EventLoop::current().stop() });
        runner.run_forever();
        runner.run(task).unwrap();

        let stopper = event_loop.clone();
        let thread = thread::spawn(move || stopper.stop());
        runner.run_forever();
        thread.join().unwrap();

        assert_eq!(runner.run(async { 42 }), 42);
    }
}

#[test]
fn tasks_that_are_left_when_a_run_is_stopped_go_on_in_the_next() {
    for workers in WORKERS {
        let mut runner = runner(workers);
        let event_loop = runner.event_loop();
        let task = event_loop.create_task(async {
            EventLoop::current().stop();
            aioli::sleep(ms(5)).await;
            EventLoop::current().stop();
            42
        });
        runner.run_forever();
        runner.run_forever();
        assert_eq!(runner.run(task).unwrap(), 42);
    }
}

#[test]
fn nobody_sees_the_main_task_of_run_forever() {
    for workers in WORKERS {
        let mut runner = runner(workers);
        let event_loop = runner.event_loop();
        let task = event_loop.create_task(async {
            yield_now().await;
            let event_loop = EventLoop::current();
            let tasks = event_loop.all_tasks();
            event_loop.stop();
            tasks == [aioli::current_task().unwrap()]
        });
        runner.run_forever();
        assert!(runner.run(task).unwrap());
    }
}

#[test]
fn with_one_worker_what_was_ready_when_stop_was_called_has_its_turn_first() {
    let mut runner = runner(1);
    let event_loop = runner.event_loop();
    let log = Log::default();
    let lines = log.clone();
    event_loop.call_soon(move || {
        let event_loop = EventLoop::current();
        let (before, after) = (lines.clone(), lines.clone());
        event_loop.call_soon(move || before.add("before"));
        event_loop.stop();
        event_loop.call_soon(move || {
            let again = after.clone();
            after.add("behind");
            EventLoop::current().call_soon(move || again.add("too late"));
        });
    });
    runner.run_forever();
    assert_eq!(log.lines()[0], "before");
    assert!(!log.lines().contains(&"too late".to_owned()));
    drop(runner);
}

#[test]
fn stop_before_a_run_ends_it_after_one_round() {
    for workers in WORKERS {
        let mut runner = runner(workers);
        runner.event_loop().stop();
        runner.run_forever();
    }
}

#[test]
fn stop_cancels_the_main_future_of_a_run_which_cleans_up() {
    for workers in WORKERS {
        let mut runner = runner(workers);
        let log = Log::default();
        let outcome = runner.try_run(async {
            let lines = log.clone();
            let _cleanup = defer(async move {
                yield_now().await;
                lines.add("cleaned up");
            });
            EventLoop::current().stop();
            pending::<()>().await;
        });
        assert!(outcome.is_err_and(|error| error.is_cancelled()));
        assert_eq!(log.lines(), ["cleaned up"]);

        let stopped = std::panic::catch_unwind(AssertUnwindSafe(|| {
            runner.run(async {
                EventLoop::current().stop();
                pending::<()>().await
            })
        }));
        assert!(common::message(stopped.unwrap_err()).contains("use `Runner::try_run`"));
        assert_eq!(runner.run(async { 42 }), 42, "and the runner is as good as before");
    }
}

#[test]
fn stop_on_a_closed_loop_does_nothing() {
    let mut runner = runner(2);
    let event_loop = runner.event_loop();
    runner.run(async { create_task(async {}).await.unwrap() });
    runner.close();
    event_loop.stop();
    assert!(event_loop.is_closed());
}

/// Signals go to processes, so each program here is this binary, run again for one test with a variable set.
#[cfg(unix)]
mod ctrl_c {
    use super::{terminal::heed_the_terminal, *};
    use rustix::process::{Signal, getpid, kill_process};
    use std::{
        env, fs,
        process::{Command, Output, exit},
    };

    const CHILD: &str = "AIOLI_TEST_CTRL_C";

    /// What the program prints and how it exits. `test` is where it is called.
    fn output_of(test: &str, program: fn()) -> Output {
        if env::var_os(CHILD).is_some() {
            heed_the_terminal();
            program();
            exit(0);
        }
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", &format!("ctrl_c::{test}"), "--nocapture", "--test-threads=1"]);
        command.env(CHILD, "1").output().unwrap()
    }

    fn said(output: &Output) -> Vec<String> {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        // The test harness prints the test's name in front, on the same line.
        let lines = text
            .lines()
            .filter_map(|line| line.split_once("say: ").map(|(_, said)| said.to_owned()));
        lines.collect()
    }

    fn say(text: &str) {
        println!("say: {text}");
    }

    fn ctrl_c() {
        kill_process(getpid(), Signal::INT).unwrap();
    }

    /// The signal may arrive on another thread. It is this one that does not get to its end, then.
    fn outlive() {
        thread::sleep(ms(20_000));
        say("still here");
    }

    fn interruptible(workers: usize) -> Runner {
        Builder::new().workers(workers).cancel_on_ctrl_c(true).build().unwrap()
    }

    #[test]
    fn the_first_one_cancels_main_which_cleans_up() {
        let output = output_of("the_first_one_cancels_main_which_cleans_up", || {
            for workers in WORKERS {
                let mut runner = interruptible(workers);
                // The second run is as interruptible as the first.
                for _ in 0..2 {
                    let outcome = runner.try_run(async {
                        let _cleanup = defer(async {
                            aioli::sleep(ms(1)).await;
                            say("cleaned up");
                        });
                        ctrl_c();
                        pending::<()>().await;
                    });
                    say(&format!("cancelled {}", outcome.unwrap_err().is_cancelled()));
                }
            }
        });
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(said(&output), ["cleaned up", "cancelled true"].repeat(6));
    }

    #[test]
    fn the_second_one_ends_the_process() {
        let output = output_of("the_second_one_ends_the_process", || {
            let _ = interruptible(1).try_run(async {
                let _cleanup = defer(async {
                    say("cleaning up");
                    ctrl_c();
                    outlive();
                });
                ctrl_c();
                pending::<()>().await;
            });
        });
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(said(&output), ["cleaning up"]);
    }

    #[test]
    fn one_outside_a_run_ends_the_process() {
        let output = output_of("one_outside_a_run_ends_the_process", || {
            let mut runner = interruptible(1);
            runner.run(async {});
            say("the run is over");
            ctrl_c();
            outlive();
        });
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(said(&output), ["the run is over"]);
    }

    #[test]
    fn it_ends_run_forever() {
        let output = output_of("it_ends_run_forever", || {
            for workers in WORKERS {
                let mut runner = interruptible(workers);
                // Pinned to this thread's worker, so that it waits for the run that comes next.
                runner.run(async { create_local_task(async { ctrl_c() }).detach() });
                runner.run_forever();
                say("over");
            }
        });
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(said(&output), ["over"; 3]);
    }

    #[test]
    fn it_reaches_a_main_future_that_never_gives_way_for_long() {
        let output = output_of("it_reaches_a_main_future_that_never_gives_way_for_long", || {
            for workers in WORKERS {
                let outcome = interruptible(workers).try_run(async {
                    ctrl_c();
                    loop {
                        yield_now().await;
                    }
                });
                say(&format!(
                    "cancelled {}",
                    matches!(outcome, Err::<(), _>(error) if error.is_cancelled())
                ));
            }
        });
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(said(&output), ["cancelled true"; 3]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn it_takes_no_thread() {
        let output = output_of("it_takes_no_thread", || {
            let threads = || fs::read_dir("/proc/self/task").unwrap().count();
            let before = threads();
            let outcome = interruptible(1).try_run(async {
                say(&format!("more threads {}", threads() - before));
                ctrl_c();
                pending::<()>().await;
            });
            say(&format!("cancelled {}", outcome.unwrap_err().is_cancelled()));
        });
        assert_eq!(said(&output), ["more threads 0", "cancelled true"]);
    }

    #[test]
    fn without_the_option_the_signal_ends_the_process_as_ever() {
        let output = output_of("without_the_option_the_signal_ends_the_process_as_ever", || {
            let _ = runner(1).try_run(async {
                ctrl_c();
                pending::<()>().await;
            });
        });
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(Signal::INT.as_raw()));
    }

    #[test]
    fn a_main_function_that_is_interrupted_cleans_up_and_ends_the_process() {
        #[aioli::main(workers = 1, cancel_on_ctrl_c = true)]
        async fn program() {
            let _goodbye = defer(async { say("goodbye") });
            EventLoop::current().call_soon(ctrl_c);
            pending().await
        }
        let output = output_of(
            "a_main_function_that_is_interrupted_cleans_up_and_ends_the_process",
            program,
        );
        assert_eq!(
            (output.status.code(), said(&output)),
            (Some(130), vec!["goodbye".to_owned()])
        );
    }
}
