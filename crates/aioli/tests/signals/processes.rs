//! What becomes of the process. Each program here is this binary, run again for one test with a variable set.

use crate::{
    common::{WORKERS, poll_once},
    raise,
    terminal::heed_the_terminal,
};
use aioli::{
    Builder, EventLoop, Runner,
    signal::{SignalKind, ctrl_c, signal},
};
use std::{
    env,
    os::unix::process::ExitStatusExt,
    pin::pin,
    process::{Command, ExitStatus, Stdio, exit},
};

const CHILD: &str = "AIOLI_TEST_SIGNALS";

/// How the program ends. `test` is where it is called.
fn status_of(test: &str, program: fn()) -> ExitStatus {
    if env::var_os(CHILD).is_some() {
        heed_the_terminal();
        program();
        exit(77);
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("processes::{test}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.env(CHILD, "1").status().unwrap()
}

fn runner(workers: usize) -> Runner {
    Builder::new().workers(workers).build().unwrap()
}

fn ended_by(kind: SignalKind) -> impl Fn(ExitStatus) -> bool {
    move |status| status.signal() == Some(kind.as_raw())
}

fn lived(status: ExitStatus) -> bool {
    status.code() == Some(77)
}

#[test]
fn as_long_as_somebody_listens_the_process_lives() {
    let status = status_of("as_long_as_somebody_listens_the_process_lives", || {
        for workers in WORKERS {
            runner(workers).run(async {
                let first = signal(SignalKind::terminate()).unwrap();
                let mut second = signal(SignalKind::terminate()).unwrap();
                raise(SignalKind::terminate());
                drop(first);
                second.recv().await;
                raise(SignalKind::terminate());
            });
        }
    });
    assert!(lived(status), "{status}");
}

#[test]
fn when_nobody_listens_any_more_the_signal_has_its_default_effect() {
    let status = status_of("when_nobody_listens_any_more_the_signal_has_its_default_effect", || {
        runner(1).run(async {
            for _ in 0..3 {
                let mut listener = signal(SignalKind::terminate()).unwrap();
                raise(SignalKind::terminate());
                listener.recv().await;
            }
            raise(SignalKind::terminate());
        });
    });
    assert!(ended_by(SignalKind::terminate())(status), "{status}");
}

#[test]
fn a_handler_that_was_removed_leaves_the_default_effect() {
    let status = status_of("a_handler_that_was_removed_leaves_the_default_effect", || {
        let runner = runner(1);
        let event_loop = runner.event_loop();
        event_loop.add_signal_handler(SignalKind::quit(), || ()).unwrap();
        raise(SignalKind::quit());
        event_loop.remove_signal_handler(SignalKind::quit());
        raise(SignalKind::quit());
    });
    assert!(ended_by(SignalKind::quit())(status), "{status}");
}

#[test]
fn the_end_of_the_loop_leaves_the_default_effect() {
    let status = status_of("the_end_of_the_loop_leaves_the_default_effect", || {
        runner(2).run(async {
            EventLoop::current()
                .add_signal_handler(SignalKind::terminate(), || ())
                .unwrap();
            raise(SignalKind::terminate());
        });
        raise(SignalKind::terminate());
    });
    assert!(ended_by(SignalKind::terminate())(status), "{status}");
}

#[test]
fn what_the_system_ignores_by_default_ends_nothing() {
    let status = status_of("what_the_system_ignores_by_default_ends_nothing", || {
        for kind in [SignalKind::child(), SignalKind::window_change()] {
            runner(1).run(async { drop(signal(kind).unwrap()) });
            raise(kind);
        }
    });
    assert!(lived(status), "{status}");
}

#[test]
fn what_was_ignored_before_is_ignored_again() {
    let status = status_of("what_was_ignored_before_is_ignored_again", || {
        // SAFETY: to ignore a signal harms nobody.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        runner(1).run(async {
            let mut listener = signal(SignalKind::hangup()).unwrap();
            raise(SignalKind::hangup());
            listener.recv().await;
        });
        raise(SignalKind::hangup());
    });
    assert!(lived(status), "{status}");
}

#[test]
fn ctrl_c_that_is_ignored_cancels_and_ends_nothing() {
    let status = status_of("ctrl_c_that_is_ignored_cancels_and_ends_nothing", || {
        // SAFETY: to ignore a signal harms nobody.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
        for workers in WORKERS {
            let mut runner = Builder::new().workers(workers).cancel_on_ctrl_c(true).build().unwrap();
            let outcome = runner.try_run(async {
                raise(SignalKind::interrupt());
                raise(SignalKind::interrupt());
                // Who listens hears of it, and so it has come.
                let mut listener = signal(SignalKind::interrupt()).unwrap();
                raise(SignalKind::interrupt());
                listener.recv().await;
            });
            assert!(outcome.is_ok());
            raise(SignalKind::interrupt());
        }
    });
    assert!(lived(status), "{status}");
}

/// How a child ends that gets the signal before it runs its program.
async fn signalled_early(kind: SignalKind) -> ExitStatus {
    let mut command = aioli::process::Command::new("true");
    // SAFETY: `raise` may be called anywhere.
    unsafe {
        command.pre_exec(move || {
            raise(kind);
            Ok(())
        })
    };
    command.status().await.unwrap()
}

#[test]
fn a_signal_to_a_child_that_runs_no_program_yet_is_the_childs() {
    let status = status_of("a_signal_to_a_child_that_runs_no_program_yet_is_the_childs", || {
        for workers in WORKERS {
            let mut runner = Builder::new().workers(workers).cancel_on_ctrl_c(true).build().unwrap();
            runner.run(async {
                for kind in [SignalKind::user_defined1(), SignalKind::child()] {
                    let mut listener = signal(kind).unwrap();
                    let status = signalled_early(kind).await;
                    if kind == SignalKind::child() {
                        // By default it does nothing. The child's exit sends it to us.
                        assert!(status.success(), "{status}");
                        continue;
                    }
                    assert!(ended_by(kind)(status), "{status}");
                    assert!(poll_once(&mut pin!(listener.recv())).await.is_pending());
                }
                // This one would have cancelled the main task.
                let status = signalled_early(SignalKind::interrupt()).await;
                assert_eq!(status.code(), Some(130), "{status}");
                aioli::yield_now().await;
            });
        }
    });
    assert!(lived(status), "{status}");
}

#[test]
fn ctrl_c_is_heard_once_and_the_next_one_ends_the_process() {
    let status = status_of("ctrl_c_is_heard_once_and_the_next_one_ends_the_process", || {
        runner(1).run(async {
            EventLoop::current().call_soon(|| raise(SignalKind::interrupt()));
            ctrl_c().await.unwrap();
            raise(SignalKind::interrupt());
        });
    });
    assert!(ended_by(SignalKind::interrupt())(status), "{status}");
}

#[test]
fn a_listener_keeps_ctrl_c_from_ending_a_program_between_its_runs() {
    let status = status_of("a_listener_keeps_ctrl_c_from_ending_a_program_between_its_runs", || {
        let mut runner = Builder::new().workers(1).cancel_on_ctrl_c(true).build().unwrap();
        let mut listener = runner.run(async { signal(SignalKind::interrupt()).unwrap() });
        raise(SignalKind::interrupt());
        runner.run(listener.recv());
    });
    assert!(lived(status), "{status}");
}

#[test]
fn ctrl_c_cancels_the_main_task_and_is_heard_by_listeners() {
    let status = status_of("ctrl_c_cancels_the_main_task_and_is_heard_by_listeners", || {
        let mut runner = Builder::new().workers(1).cancel_on_ctrl_c(true).build().unwrap();
        let mut listener = runner.run(async { signal(SignalKind::interrupt()).unwrap() });
        let outcome = runner.try_run(async {
            raise(SignalKind::interrupt());
            std::future::pending::<()>().await
        });
        assert!(outcome.unwrap_err().is_cancelled());
        runner.run(listener.recv());
    });
    assert!(lived(status), "{status}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_stops_a_process_by_default_stops_it_when_nobody_listens() {
    use rustix::process::{Pid, WaitOptions, kill_process, waitpid};
    const TEST: &str = "a_signal_that_stops_a_process_by_default_stops_it_when_nobody_listens";
    if env::var_os(CHILD).is_some() {
        heed_the_terminal();
        let stop = SignalKind::from_raw(libc::SIGTSTP);
        runner(1).run(async { drop(signal(stop).unwrap()) });
        raise(stop);
        exit(77);
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("processes::{TEST}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    command.stdout(Stdio::null()).env(CHILD, "1");
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    assert_eq!(status.stopping_signal(), Some(libc::SIGSTOP));
    kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert!(lived(child.wait().unwrap()));
}
