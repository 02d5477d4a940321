//! `communicate`: input, output and exit in one.

use crate::{common::poll_once, on_all, run};
use aioli::{
    StreamWriter,
    process::{Command, Process, Stdio, create_subprocess_exec},
    wait_for,
};
use std::{io, pin::pin, time::Duration};

/// More than pipes and buffers hold.
fn much() -> Vec<u8> {
    (0..3 << 20).map(|n: u32| (n % 253) as u8).collect()
}

#[test]
fn much_goes_both_ways_at_once() {
    on_all(|| async {
        let mut tee = create_subprocess_exec("tee")
            .arg("/dev/stderr")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .stderr(Stdio::PIPE)
            .await?;
        let output = tee.communicate(much()).await?;
        assert!(output.status.success());
        assert!(output.stdout.unwrap() == much());
        assert!(output.stderr.unwrap() == much());
        Ok(())
    });
}

#[test]
fn a_child_need_not_read_its_input() {
    on_all(|| async {
        let mut process = Command::shell("exec <&-; echo done; exit 5")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .spawn()?;
        let output = process.communicate(much()).await?;
        assert_eq!(
            (output.status.code(), output.stdout.unwrap()),
            (Some(5), b"done\n".to_vec())
        );
        Ok(())
    });
}

#[test]
fn a_child_that_closes_everything_is_still_waited_for() {
    on_all(|| async {
        let mut process = Command::shell("exec <&- >&- 2>&-; sleep 0.02; exit 6")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .stderr(Stdio::PIPE)
            .spawn()?;
        let output = process.communicate(much()).await?;
        assert_eq!(output.status.code(), Some(6));
        assert_eq!((output.stdout, output.stderr), (Some(vec![]), Some(vec![])));
        Ok(())
    });
}

#[test]
fn a_child_that_is_killed_ends_it() {
    on_all(|| async {
        let mut process = Command::shell("echo before; exec sleep 1000")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .spawn()?;
        assert!(
            wait_for(process.communicate(much()), Duration::from_millis(20))
                .await
                .is_err()
        );
        process.kill()?;
        let output = process.communicate("").await?;
        assert_eq!(process.returncode(), Some(-libc::SIGKILL));
        assert!([&b""[..], b"before\n"].contains(&&*output.stdout.unwrap()));
        Ok(())
    });
}

#[test]
fn what_was_read_before_it_was_cancelled_is_given_by_the_next() {
    on_all(|| async {
        let mut process = Command::shell("echo one; echo err >&2; exec 2>&-; exec cat")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .stderr(Stdio::PIPE)
            .spawn()?;
        let stdin = process.stdin.take().unwrap();
        // The standard error comes to its end in one of these, and the standard output does not.
        for _ in 0..10 {
            let cut_short = wait_for(process.communicate(""), Duration::from_millis(2)).await;
            assert!(cut_short.is_err());
        }
        stdin.write(b"two\n");
        drop(stdin);
        let output = process.communicate("").await?;
        assert_eq!(output.stdout.unwrap(), b"one\ntwo\n");
        assert_eq!(output.stderr.unwrap(), b"err\n");
        Ok(())
    });
}

#[test]
fn input_goes_on_when_it_is_cancelled() {
    on_all(|| async {
        let mut process = Command::shell("sleep 0.02; exec cat")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .spawn()?;
        // The first poll takes the input. (With a limit, that may have passed before there is one.)
        assert!(poll_once(&mut pin!(process.communicate(much()))).await.is_pending());
        let stdout = process.communicate("").await?.stdout.unwrap();
        assert!(stdout == much(), "{} bytes of {}", stdout.len(), much().len());
        Ok(())
    });
}

#[test]
fn streams_that_are_no_pipes_or_were_taken_out_are_left_out() {
    on_all(|| async {
        let mut process = Command::shell("echo out; echo err >&2")
            .stdout(Stdio::PIPE)
            .stderr(Stdio::PIPE)
            .spawn()?;
        let mut stderr = process.stderr.take().unwrap();
        let output = process.communicate("").await?;
        assert_eq!((output.stdout, output.stderr), (Some(b"out\n".to_vec()), None));
        assert_eq!(stderr.readline().await?, b"err\n");

        let mut process = Command::new("true").spawn()?;
        let output = process.communicate("").await?;
        assert_eq!((output.stdout, output.stderr), (None, None));
        Ok(())
    });
}

#[test]
fn input_for_a_child_without_a_pipe_is_refused() {
    run(1, async {
        let mut process = Command::new("cat").stdin(Stdio::DEVNULL).spawn().unwrap();
        let error = process.communicate("lost").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("stdin(Stdio::PIPE)"), "{error}");
        assert!(process.communicate("").await.unwrap().status.success());
    });
}

#[test]
fn input_for_a_child_whose_input_was_closed_is_refused() {
    on_all(|| async {
        let cat = || Command::new("cat").stdin(Stdio::PIPE).stdout(Stdio::PIPE).spawn();
        let refuses = async |process: &mut Process| {
            let error = process.communicate("lost").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains("was closed before"), "{error}");
        };
        let mut process = cat()?;
        assert_eq!(process.communicate("one").await?.stdout.unwrap(), b"one");
        refuses(&mut process).await;
        assert_eq!(process.communicate("").await?.stdout.unwrap(), b"");

        for close in [StreamWriter::write_eof, StreamWriter::close] {
            let mut process = cat()?;
            close(process.stdin.as_ref().unwrap());
            refuses(&mut process).await;
            assert_eq!(process.communicate("").await?.stdout.unwrap(), b"");
        }
        Ok(())
    });
}
