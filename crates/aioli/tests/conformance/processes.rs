//! Subprocesses.

use crate::harness::{conforms, say, secs};
use aioli::{
    create_task,
    process::{Process, ProcessLookupError, Stdio, create_subprocess_exec, create_subprocess_shell},
    wait_for,
};
use std::io;

/// Subprocess: communicate feeds stdin and reads both pipes; exit codes; DEVNULL; STDOUT; missing program.
#[test]
fn subprocess_communicate() {
    fn decode(bytes: Option<Vec<u8>>) -> String {
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    async fn wait(process: &Process) -> i32 {
        process.wait().await.unwrap();
        process.returncode().unwrap()
    }

    async fn main() {
        let mut proc = create_subprocess_exec("cat")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .await
            .unwrap();
        say!("running, returncode {:?}", proc.returncode());
        let output = proc.communicate("hello").await.unwrap();
        say!(
            "cat said {} stderr {:?} returncode {}",
            decode(output.stdout),
            output.stderr,
            proc.returncode().unwrap()
        );

        let mut proc = create_subprocess_shell("echo out; echo err >&2; exit 3")
            .stdout(Stdio::PIPE)
            .stderr(Stdio::PIPE)
            .await
            .unwrap();
        let output = proc.communicate("").await.unwrap();
        say!(
            "stdout {} stderr {} code {}",
            decode(output.stdout).trim(),
            decode(output.stderr).trim(),
            proc.returncode().unwrap()
        );
        say!("wait again {}", wait(&proc).await);

        let mut proc = create_subprocess_shell("echo out; echo err >&2")
            .stdout(Stdio::PIPE)
            .stderr(Stdio::STDOUT)
            .await
            .unwrap();
        let merged = decode(proc.communicate("").await.unwrap().stdout);
        say!("merged {}", merged.split_whitespace().collect::<Vec<_>>().join(" "));

        let proc = create_subprocess_shell("echo gone")
            .stdout(Stdio::DEVNULL)
            .await
            .unwrap();
        say!("no pipes {:?} {:?} code {}", proc.stdout, proc.stdin, wait(&proc).await);

        let mut proc = create_subprocess_shell("read a; echo got $a; read b; echo got $b")
            .stdin(Stdio::PIPE)
            .stdout(Stdio::PIPE)
            .await
            .unwrap();
        let (stdin, stdout) = (proc.stdin.as_ref().unwrap(), proc.stdout.as_mut().unwrap());
        for word in ["one", "two"] {
            stdin.write(format!("{word}\n").as_bytes());
            stdin.drain().await.unwrap();
            say!("dialogue: {}", decode(stdout.readline().await.ok()).trim());
        }
        say!("code {}", wait(&proc).await);

        if let Err(error) = create_subprocess_exec("./no-such-program").await {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            say!("missing program: FileNotFoundError");
        }
    }

    conforms("subprocess_communicate", main);
}

/// Subprocess: kill, terminate and send_signal give the negative signal number; a timed-out wait leaves it running.
#[test]
fn subprocess_kill() {
    async fn wait(process: &Process) -> i32 {
        process.wait().await.unwrap();
        process.returncode().unwrap()
    }

    async fn main() {
        let proc = create_subprocess_exec("sleep").arg("10").await.unwrap();
        if wait_for(proc.wait(), secs(0.05)).await.is_err() {
            say!("wait timed out, returncode {:?}", proc.returncode());
        }
        proc.kill().unwrap();
        say!("killed {}", wait(&proc).await == -libc::SIGKILL);
        if let Err(error) = proc.kill() {
            assert!(error.into_inner().unwrap().is::<ProcessLookupError>());
            say!("killing it again: ProcessLookupError");
        }

        let proc = create_subprocess_exec("sleep").arg("10").await.unwrap();
        proc.terminate().unwrap();
        say!("terminated {}", wait(&proc).await == -libc::SIGTERM);

        let mut proc =
            create_subprocess_shell("trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.01; done")
                .stdout(Stdio::PIPE)
                .await
                .unwrap();
        let mut stdout = proc.stdout.take().unwrap();
        say!("child says {}", line(stdout.readline().await.unwrap()));
        let waits = [0; 2].map(|_| create_task(proc.wait()));
        proc.send_signal(libc::SIGUSR1).unwrap();
        say!("child says {}", line(stdout.readline().await.unwrap()));
        let mut codes = Vec::new();
        for wait in waits {
            codes.push(wait.await.unwrap().unwrap().code().unwrap());
        }
        say!("both waiters see {} {}", codes[0], codes[1]);
    }

    fn line(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap().trim().to_owned()
    }

    conforms("subprocess_kill", main);
}
