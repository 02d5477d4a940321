//! What a command says, and what is wrong with it.

use crate::{common::message, on_all, run};
use aioli::process::{Command, Stdio, create_subprocess_exec, create_subprocess_shell};
use std::{io, panic::catch_unwind, process};

async fn stdout_of(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::DEVNULL).output().await?;
    assert!(output.status.success());
    Ok(String::from_utf8(output.stdout.unwrap()).unwrap())
}

#[test]
fn arguments_environment_and_directory_are_the_childs() {
    on_all(|| async {
        let mut echo = Command::shell("echo $0 $1 $2; pwd; echo $GREETING $NAME; echo ${REMOVED-gone}");
        echo.args(["zero", "one two"]).arg("three").current_dir("/");
        echo.env("GREETING", "hello")
            .envs([("NAME", "world"), ("REMOVED", "still here")])
            .env_remove("REMOVED");
        assert_eq!(
            stdout_of(&mut echo).await?,
            "zero one two three\n/\nhello world\ngone\n"
        );

        let mut env = Command::new("/usr/bin/env");
        env.env("BEFORE", "1").env_clear().env("AFTER", "2");
        assert_eq!(stdout_of(&mut env).await?, "AFTER=2\n");

        let mut renamed = Command::new("/bin/sh");
        renamed.arg0("my-shell").args(["-c", "echo $0"]);
        assert_eq!(stdout_of(&mut renamed).await?, "my-shell\n");
        Ok(())
    });
}

#[test]
fn a_process_group_can_be_of_the_childs_own() {
    on_all(|| async {
        let mut process = Command::shell("ps -o pgid= -p $$ || cut -d ' ' -f 5 /proc/$$/stat")
            .process_group(0)
            .stdout(Stdio::PIPE)
            .spawn()?;
        let group = process.communicate("").await?.stdout.unwrap();
        assert_eq!(String::from_utf8(group).unwrap().trim(), process.id().to_string());
        Ok(())
    });
}

#[test]
fn a_command_is_started_when_it_is_awaited_and_as_often_as_it_is() {
    on_all(|| async {
        let mut process = create_subprocess_exec("echo").arg("one").stdout(Stdio::PIPE).await?;
        assert_eq!(process.communicate("").await?.stdout.unwrap(), b"one\n");
        let process = create_subprocess_shell("exit 3").await?;
        assert_eq!(process.wait().await?.code(), Some(3));

        let mut command = Command::new("echo");
        command.arg("again").stdout(Stdio::PIPE);
        for mut process in [(&mut command).await?, command.spawn()?, command.await?] {
            assert_eq!(process.communicate("").await?.stdout.unwrap(), b"again\n");
        }
        Ok(())
    });
}

#[test]
fn a_command_of_the_standard_library_keeps_its_streams() {
    run(1, async {
        let mut std = process::Command::new("cat");
        std.stdin(process::Stdio::piped()).stdout(process::Stdio::piped());
        let mut process = Command::from(std).spawn().unwrap();
        assert_eq!(process.communicate("kept").await.unwrap().stdout.unwrap(), b"kept");
    });
}

/// One that writes `out` to its standard output, which is a pipe, and `err` to its standard error, which is nothing.
fn std_command() -> process::Command {
    let mut std = process::Command::new("sh");
    std.args(["-c", "echo out; echo err >&2"])
        .stdout(process::Stdio::piped())
        .stderr(process::Stdio::null());
    std
}

#[test]
fn a_command_of_the_standard_library_keeps_its_streams_from_start_to_start() {
    run(1, async {
        let mut command = Command::from(std_command());
        command.stdin(Stdio::PIPE).stderr(Stdio::PIPE);
        for _ in 0..2 {
            let output = command.spawn().unwrap().communicate("").await.unwrap();
            assert_eq!(output.stdout.as_deref(), Some(&b"out\n"[..]));
            assert_eq!(output.stderr.as_deref(), Some(&b"err\n"[..]));
        }
    });
}

#[test]
fn what_a_command_of_the_standard_library_does_not_tell_has_to_be_set() {
    run(1, async {
        let mut command = Command::from(std_command());
        let error = command.stderr(Stdio::STDOUT).spawn().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let output = command.stdout(Stdio::PIPE).output().await.unwrap();
        assert_eq!(output.stdout.as_deref(), Some(&b"out\nerr\n"[..]));

        let output = Command::from(std_command()).output().await.unwrap();
        assert_eq!(output.stderr.as_deref(), Some(&b"err\n"[..]));
    });
}

#[test]
fn what_cannot_be_started_says_why() {
    run(1, async {
        let fails = |command: &mut Command| {
            command
                .stdin(Stdio::PIPE)
                .stdout(Stdio::PIPE)
                .spawn()
                .unwrap_err()
                .kind()
        };
        assert_eq!(fails(&mut Command::new("./no-such-program")), io::ErrorKind::NotFound);
        assert_eq!(
            fails(&mut Command::new("no-such-program-in-path")),
            io::ErrorKind::NotFound
        );
        assert_eq!(
            fails(&mut Command::new("./Cargo.toml")),
            io::ErrorKind::PermissionDenied
        );
        assert_eq!(fails(&mut Command::new("/")), io::ErrorKind::PermissionDenied);
        assert_eq!(
            fails(Command::new("true").current_dir("/no/such/place")),
            io::ErrorKind::NotFound
        );
        assert_eq!(
            fails(Command::new("true").arg("nul\0in it")),
            io::ErrorKind::InvalidInput
        );
    });
}

#[test]
fn a_function_may_run_before_the_program() {
    run(1, async {
        let mut command = Command::shell("umask");
        // SAFETY: `umask` may be called anywhere.
        unsafe {
            command.pre_exec(|| {
                libc::umask(0o027);
                Ok(())
            })
        };
        assert_eq!(stdout_of(&mut command).await.unwrap().trim_start_matches('0'), "27\n");

        let mut command = Command::new("true");
        // SAFETY: it does nothing.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EDOM))) };
        let error = command.spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDOM));
    });
}

#[test]
fn outside_a_loop_nothing_is_started() {
    let panic = catch_unwind(|| Command::new("./no-such-program").spawn().map(drop)).unwrap_err();
    let text = message(panic);
    assert!(text.contains("no event loop"), "{text}");
}
