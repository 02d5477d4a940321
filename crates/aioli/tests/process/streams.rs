//! A child's standard streams.

use crate::{on_all, run};
use aioli::{
    ReadError,
    pipe::pipe,
    process::{Command, Stdio},
};
use std::{
    fs::{self, File},
    io::{self, Seek, Write},
    path::PathBuf,
    process,
};

/// An empty file of this test's own.
fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("aioli-{}-{name}", process::id()));
    File::create(&path).unwrap();
    path
}

#[test]
fn a_dialogue_goes_line_by_line() {
    on_all(|| async {
        let mut process = Command::shell("while read word; do echo got $word; done")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .spawn()?;
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.as_mut().unwrap());
        for n in 0..20 {
            stdin.write(format!("{n}\n").as_bytes());
            stdin.drain().await?;
            assert_eq!(stdout.readline().await?, format!("got {n}\n").as_bytes());
        }
        stdin.close();
        stdin.wait_closed().await?;
        assert_eq!(stdout.readline().await?, b"");
        assert!(stdout.at_eof());
        assert!(process.wait().await?.success());
        Ok(())
    });
}

#[test]
fn the_limit_is_that_of_the_readers() {
    run(1, async {
        let mut process = Command::shell("echo 123456789; echo 1234")
            .stdout(Stdio::PIPE)
            .limit(5)
            .spawn()
            .unwrap();
        let stdout = process.stdout.as_mut().unwrap();
        let error = stdout.readline().await.unwrap_err();
        assert!(matches!(error, ReadError::LimitOverrun(error) if error.limit == 5));
        assert_eq!(stdout.readline().await.unwrap(), b"1234\n");
    });
}

#[test]
fn standard_error_goes_where_standard_output_goes() {
    const SCRIPT: &str = "echo one; echo two >&2; echo three";
    on_all(|| async {
        let output = Command::shell(SCRIPT).stderr(Stdio::STDOUT).output().await?;
        assert_eq!(output.stdout.unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(output.stderr, None);

        let path = scratch("merged");
        let mut command = Command::shell(SCRIPT);
        command.stdout(File::create(&path)?).stderr(Stdio::STDOUT);
        assert!(command.status().await?.success());
        assert_eq!(fs::read(&path)?, b"one\ntwo\nthree\n");
        fs::remove_file(path)?;

        // Both into nothing.
        assert!(command.stdout(Stdio::DEVNULL).status().await?.success());
        Ok(())
    });
}

#[test]
fn files_and_pipes_are_streams_as_often_as_they_are_asked_for() {
    on_all(|| async {
        let path = scratch("input");
        let mut input = File::options().read(true).write(true).open(&path)?;
        input.write_all(b"from a file")?;
        let mut command = Command::new("cat");
        command.stdin(input.try_clone()?);
        for _ in 0..2 {
            input.rewind()?;
            assert_eq!(command.output().await?.stdout.unwrap(), b"from a file");
        }
        fs::remove_file(path)?;

        let (reader, writer) = pipe()?;
        let echo = Command::new("echo")
            .arg("b a")
            .stdout(writer.into_blocking_fd()?)
            .spawn()?;
        let sorted = Command::shell("tr ' ' '\\n' | sort")
            .stdin(reader.into_blocking_fd()?)
            .output()
            .await?;
        assert_eq!(sorted.stdout.unwrap(), b"a\nb\n");
        assert!(echo.wait().await?.success());
        Ok(())
    });
}

#[test]
fn a_pipe_to_one_child_is_not_held_open_by_another() {
    on_all(|| async {
        let mut first = Command::new("cat").stdin(Stdio::PIPE).stdout(Stdio::PIPE).spawn()?;
        let second = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
        // It would not see the end of its input.
        let output = first.communicate("input").await?;
        assert_eq!(output.stdout.unwrap(), b"input");
        drop(second);
        Ok(())
    });
}

#[test]
fn a_writer_hears_that_its_child_is_gone() {
    on_all(|| async {
        let process = Command::new("true").stdin(Stdio::PIPE).spawn()?;
        process.wait().await?;
        let stdin = process.stdin.as_ref().unwrap();
        // A child that another test starts just now has the other end, too, until it runs its program.
        let error = loop {
            stdin.write(b"too late");
            if let Err(error) = stdin.drain().await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn only_standard_error_can_be_merged() {
    run(1, async {
        for command in [
            Command::new("true").stdin(Stdio::STDOUT),
            Command::new("true").stdout(Stdio::STDOUT),
            Command::new("true").stdout(Stdio::STDOUT).stderr(Stdio::STDOUT),
        ] {
            let error = command.spawn().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with("`Stdio::STDOUT` is for"), "{error}");
        }
    });
}
