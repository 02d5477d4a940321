//! Children that outlive their handle, their task or their loop: they go on, and leave no zombie.

use crate::{
    LIMIT,
    common::{WORKERS, until},
    on_all, run,
};
use aioli::{
    Builder, EventLoop, create_task, defer,
    process::{Command, Process, Stdio},
    to_thread, wait_for,
};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Whether there is no such child of ours any more, not even as a zombie.
pub fn is_gone(id: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
        return true;
    };
    // The name may hold anything, but the last parenthesis ends it: state, parent.
    let parent = stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap();
    parent != std::process::id().to_string()
}

/// For somebody outside of all loops.
pub fn wait_until_gone(id: u32) {
    let begin = Instant::now();
    while !is_gone(id) {
        assert!(begin.elapsed() < LIMIT, "process {id} is left");
        thread::yield_now();
    }
}

/// Lives until the file is closed, and writes a line when it is.
fn until_told() -> io::Result<(Process, File, File)> {
    let (input, told) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (heard, output) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let process = Command::shell("read line; echo lived")
        .stdin(input)
        .stdout(output)
        .spawn()?;
    Ok((process, told.into(), heard.into()))
}

#[test]
fn a_child_goes_on_without_its_handle_and_is_waited_for() {
    on_all(|| async {
        let (process, told, mut heard) = until_told()?;
        let id = process.id();
        drop(process);
        aioli::yield_now().await;
        assert!(!is_gone(id));
        drop(told);
        let text = aioli::to_thread(move || io::read_to_string(&mut heard))
            .await
            .unwrap()?;
        assert_eq!(text, "lived\n");
        until(|| is_gone(id)).await;
        Ok(())
    });
}

#[test]
fn a_child_goes_on_without_its_loop_and_is_waited_for() {
    for workers in [1, 2] {
        let (process, mut told, mut heard) = run(workers, async { until_told().unwrap() });
        let wait = process.wait();
        assert_eq!(process.returncode(), None);
        told.write_all(b"\n").unwrap();
        let mut text = String::new();
        heard.read_to_string(&mut text).unwrap();
        assert_eq!(text, "lived\n");
        wait_until_gone(process.id());
        // Another loop may wait for it, and one that came later.
        assert!(run(1, wait).unwrap().success());
        assert_eq!(process.returncode(), Some(0));
        assert_eq!(process.kill().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_child_that_exits_while_nothing_runs_is_found_when_the_loop_closes() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    let (process, told, mut heard) = runner.run(async { until_told().unwrap() });
    drop(told);
    heard.read_to_string(&mut String::new()).unwrap();
    runner.close();
    wait_until_gone(process.id());
    while process.returncode().is_none() {
        thread::yield_now();
    }
    assert_eq!(process.returncode(), Some(0));
}

#[test]
fn a_child_that_exits_while_nothing_runs_is_found_by_the_next_run() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    let (process, told, mut heard) = runner.run(async { until_told().unwrap() });
    drop(told);
    heard.read_to_string(&mut String::new()).unwrap();
    assert!(runner.run(process.wait()).unwrap().success());
}

/// Has a loop end while one of its threads is in `call`, which waits for a child that exits when the tasks of the loop are over.
fn end_during(workers: usize, call: fn(Process)) {
    let (over, end) = mpsc::channel();
    thread::spawn(move || {
        run(workers, async {
            let (process, told, _) = until_told().unwrap();
            let (begin, begun) = mpsc::channel();
            to_thread(move || {
                begin.send(()).unwrap();
                call(process);
            })
            .detach();
            until(|| begun.try_recv().is_ok()).await;
            let event_loop = EventLoop::current();
            thread::spawn(move || {
                while !event_loop.is_closed() {
                    thread::yield_now();
                }
                drop(told);
            });
        });
        over.send(()).unwrap();
    });
    end.recv_timeout(LIMIT).expect("the loop ends");
}

#[test]
fn a_loop_ends_while_a_call_that_blocks_waits_for_a_child() {
    for workers in WORKERS {
        end_during(workers, |process| {
            assert!(futures_lite::future::block_on(process.wait()).is_ok());
        });
        end_during(workers, |process| {
            assert!(run(1, process.wait()).is_ok());
        });
    }
}

#[test]
fn loops_that_close_give_away_many_children() {
    let waits: Vec<_> = (0..5)
        .flat_map(|n| {
            run(2, async {
                let children = (0..10).map(|_| Command::new("sleep").arg("1000").kill_on_drop(n % 2 == 0).spawn());
                let children: Vec<_> = children.map(Result::unwrap).collect();
                for process in &children[5..] {
                    process.kill().unwrap();
                }
                children
            })
        })
        .collect();
    for process in &waits {
        let _ = process.kill();
    }
    for process in waits {
        let (id, wait) = (process.id(), process.wait());
        drop(process);
        run(1, wait).unwrap();
        assert!(is_gone(id));
    }
}

#[test]
fn a_child_is_killed_with_its_handle_if_that_was_asked_for() {
    on_all(|| async {
        let process = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
        let wait = process.wait();
        drop(process);
        let status = wait.await?;
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(libc::SIGKILL)
        );
        // One that has exited is past caring.
        let process = Command::new("true").kill_on_drop(true).spawn()?;
        process.wait().await?;
        drop(process);
        Ok(())
    });
}

#[test]
fn a_child_is_killed_with_its_task_if_that_was_asked_for() {
    on_all(|| async {
        let (tell, told) = std::sync::mpsc::channel();
        let task = create_task(async move {
            let process = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
            tell.send(process.wait()).unwrap();
            process.wait().await
        });
        let wait = aioli::to_thread(move || told.recv().unwrap()).await.unwrap();
        task.cancel();
        assert!(task.await.is_err());
        assert!(!wait.await?.success());
        Ok(())
    });
}

#[test]
fn a_cancelled_task_can_ask_its_child_to_end_and_wait_for_it() {
    on_all(|| async {
        let mut command = Command::shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
        let mut process = command.stdout(Stdio::PIPE).spawn()?;
        let mut stdout = process.stdout.take().unwrap();
        assert_eq!(stdout.readline().await?, b"ready\n");
        let process = Arc::new(process);
        let theirs = process.clone();
        let task = create_task(async move {
            let waited = theirs.wait();
            let _stop = defer(async move {
                let _ = theirs.terminate();
                if wait_for(theirs.wait(), Duration::from_secs(60)).await.is_err() {
                    let _ = theirs.kill();
                }
            });
            waited.await
        });
        aioli::yield_now().await;
        task.cancel();
        let outcome = task.await;
        if outcome.is_err() {
            assert_eq!(process.returncode(), Some(0));
            assert_eq!(stdout.readline().await?, b"bye\n");
        }
        // A task that was cancelled before its first poll has deferred nothing.
        let _ = process.kill();
        Ok(())
    });
}
