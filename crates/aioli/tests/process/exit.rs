//! Waiting for the exit, and signals.

use crate::{common::until, on_all, run};
use aioli::{
    create_task, gather,
    process::{Command, Process, ProcessLookupError, Stdio},
    signal::SignalKind,
    wait_for,
};
use std::{io, os::unix::process::ExitStatusExt, thread, time::Duration};

/// One that runs until it is killed.
fn forever() -> io::Result<Process> {
    Command::new("sleep").arg("1000").spawn()
}

#[test]
fn any_number_of_tasks_wait_and_see_the_same() {
    on_all(|| async {
        let process = Command::shell("read line; exit 7").stdin(Stdio::PIPE).spawn()?;
        let waits: Vec<_> = (0..10).map(|_| create_task(process.wait())).collect();
        aioli::yield_now().await;
        assert_eq!(process.returncode(), None);
        process.stdin.as_ref().unwrap().write(b"go\n");
        for status in gather(waits).await.unwrap() {
            assert_eq!(status?.code(), Some(7));
        }
        // And again, when it is over.
        assert_eq!(process.wait().await?.code(), Some(7));
        assert_eq!(process.returncode(), Some(7));
        Ok(())
    });
}

#[test]
fn a_wait_goes_on_when_the_process_is_dropped() {
    on_all(|| async {
        let mut process = Command::shell("read line; exit 3").stdin(Stdio::PIPE).spawn()?;
        let stdin = process.stdin.take().unwrap();
        let wait = create_task(process.wait());
        drop(process);
        stdin.write(b"\n");
        assert_eq!(wait.await.unwrap()?.code(), Some(3));
        Ok(())
    });
}

#[test]
fn a_cancelled_wait_leaves_the_child_alone() {
    on_all(|| async {
        let process = forever()?;
        let wait = create_task(process.wait());
        aioli::yield_now().await;
        wait.cancel();
        assert!(wait.await.is_err());
        assert!(wait_for(process.wait(), Duration::from_millis(5)).await.is_err());
        assert_eq!(process.returncode(), None);
        process.kill()?;
        assert_eq!(process.wait().await?.signal(), Some(libc::SIGKILL));
        Ok(())
    });
}

#[test]
fn an_exit_is_noticed_though_nobody_waits() {
    on_all(|| async {
        let process = Command::shell("exit 4").spawn()?;
        until(|| process.returncode().is_some()).await;
        assert_eq!(process.returncode(), Some(4));
        Ok(())
    });
}

#[test]
fn signals_end_a_child_and_are_its_negative_code() {
    on_all(|| async {
        for (signal, sent) in [
            (libc::SIGKILL, Process::kill as fn(&Process) -> _),
            (libc::SIGTERM, Process::terminate),
            (libc::SIGUSR1, |process| process.send_signal(libc::SIGUSR1)),
            #[cfg(target_os = "linux")]
            (libc::SIGRTMIN() + 1, |process| {
                process.send_signal(libc::SIGRTMIN() + 1)
            }),
        ] {
            let process = forever()?;
            sent(&process)?;
            let status = process.wait().await?;
            assert_eq!((status.code(), status.signal()), (None, Some(signal)));
            assert_eq!(process.returncode(), Some(-signal));
        }
        Ok(())
    });
}

#[test]
fn a_child_whose_exit_was_noticed_gets_no_signals() {
    on_all(|| async {
        let process = Command::new("true").spawn()?;
        process.wait().await?;
        for result in [process.kill(), process.terminate(), process.send_signal(libc::SIGHUP)] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert_eq!(error.to_string(), format!("process {} has exited", process.id()));
            let inner = error.into_inner().unwrap().downcast::<ProcessLookupError>().unwrap();
            assert_eq!(*inner, ProcessLookupError { id: process.id() });
        }
        Ok(())
    });
}

#[test]
fn what_is_no_signal_is_refused() {
    run(1, async {
        let process = forever().unwrap();
        for number in [-1, 32, 33, 65, 1000, i32::MIN] {
            let error = process.send_signal(number).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{number}");
        }
        assert_eq!(process.returncode(), None);
        process.kill().unwrap();
        process.wait().await.unwrap();
    });
}

#[test]
fn no_signal_asks_whether_the_child_is_there() {
    on_all(|| async {
        let process = Command::new("sleep").arg("1000").process_group(0).spawn()?;
        process.send_signal(0)?;
        process.send_signal_to_group(0)?;
        process.kill()?;
        assert_eq!(process.wait().await?.signal(), Some(libc::SIGKILL));
        assert_eq!(process.send_signal(0).unwrap_err().kind(), io::ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn a_signal_to_the_group_reaches_what_the_child_has_started() {
    on_all(|| async {
        let mut process = Command::shell("sleep 1000 & echo ready; wait")
            .process_group(0)
            .stdout(Stdio::PIPE)
            .spawn()?;
        let mut stdout = process.stdout.take().unwrap();
        assert_eq!(stdout.readline().await?, b"ready\n");
        process.send_signal_to_group(SignalKind::terminate())?;
        assert_eq!(process.wait().await?.signal(), Some(libc::SIGTERM));
        // Nobody has the pipe any more.
        assert_eq!(stdout.read_to_eof().await?, b"");
        let error = process.send_signal_to_group(SignalKind::terminate()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn one_who_leads_no_group_cannot_be_sent_a_signal_to_it() {
    run(1, async {
        let process = forever().unwrap();
        let error = process.send_signal_to_group(SignalKind::terminate()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("process_group(0)"), "{error}");
        process.kill().unwrap();
        process.wait().await.unwrap();
    });
}

#[test]
fn a_child_that_ignores_sigterm_can_still_be_killed() {
    on_all(|| async {
        let mut process = Command::shell("trap '' TERM; echo ready; while :; do sleep 0.01; done")
            .stdout(Stdio::PIPE)
            .spawn()?;
        let mut stdout = process.stdout.take().unwrap();
        assert_eq!(stdout.readline().await?, b"ready\n");
        process.terminate()?;
        assert!(wait_for(process.wait(), Duration::from_millis(20)).await.is_err());
        process.kill()?;
        assert_eq!(process.wait().await?.signal(), Some(libc::SIGKILL));
        Ok(())
    });
}

#[test]
fn a_wait_is_for_the_exit_alone_and_not_for_the_pipes() {
    on_all(|| async {
        let mut process = Command::shell("sleep 1000 & echo $!").stdout(Stdio::PIPE).spawn()?;
        let line = process.stdout.as_mut().unwrap().readline().await?;
        assert!(process.wait().await?.success());
        // The grandchild has the pipe: there is no end of the output.
        let communicating = wait_for(process.communicate(""), Duration::from_millis(5)).await;
        assert!(communicating.is_err());
        let grandchild = String::from_utf8(line).unwrap();
        assert!(Command::new("kill").arg(grandchild.trim()).status().await?.success());
        assert_eq!(process.communicate("").await?.stdout.unwrap(), b"");
        Ok(())
    });
}

#[test]
fn a_process_can_be_waited_for_on_another_loop() {
    run(2, async {
        let mut process = Command::shell("read line; exit 9").stdin(Stdio::PIPE).spawn().unwrap();
        let stdin = process.stdin.take().unwrap();
        let elsewhere = thread::spawn(move || run(1, async move { process.wait().await.unwrap().code() }));
        stdin.write(b"\n");
        let code = aioli::to_thread(|| elsewhere.join().unwrap()).await.unwrap();
        assert_eq!(code, Some(9));
    });
}

#[test]
fn hundreds_of_children_each_have_their_own_status() {
    on_all(|| async {
        let slots = std::sync::Arc::new(aioli::Semaphore::new(16));
        let children = (0..100).map(|n| {
            let slots = slots.clone();
            async move {
                let _slot = slots.acquire().await;
                let output = Command::shell(format!("echo {n}; exit {}", n % 50)).output().await?;
                io::Result::Ok((output.status.code(), output.stdout))
            }
        });
        for (n, outcome) in gather(children).await.unwrap().into_iter().enumerate() {
            assert_eq!(outcome?, (Some(n as i32 % 50), Some(format!("{n}\n").into_bytes())));
        }
        Ok(())
    });
}
