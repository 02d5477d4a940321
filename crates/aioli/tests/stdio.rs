//! Standard input, output and error. They are the process's, so each program here is this binary, run again for one test with a variable
//! set, and with descriptors that the test has the other ends of.

use aioli::{
    Builder, create_task,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    stdio::{stderr, stdin, stdout},
    wait_for, yield_now,
};
use futures_lite::StreamExt;
use rustix::fs::{OFlags, fcntl_getfl};
use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, Read, Seek, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{Child, Command, Stdio, exit},
    time::Duration,
};

const CHILD: &str = "AIOLI_TEST_STDIO";

/// Runs `program`, on one worker, in the child for the test of this name; in the test itself, gives the command for the child.
fn command<F: Future<Output = ()>>(test: &str, program: impl FnOnce() -> F) -> Command {
    if env::var_os(CHILD).is_some() {
        let before = threads();
        Builder::new().workers(1).build().unwrap().run(async {
            program().await;
            assert_eq!(threads(), before, "it takes no thread");
        });
        exit(77);
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, |threads| threads.count())
}

fn succeeds(mut child: Child) {
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(77), "{status}");
}

/// Without what the test harness prints first.
fn payload(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.split_once(START).expect(&text).1.to_owned()
}

const START: &str = "<start>";

async fn echo() {
    let (mut lines, mut output) = (BufReader::new(stdin().unwrap()).lines(), stdout().unwrap());
    output.write_all(START.as_bytes()).await.unwrap();
    while let Some(line) = lines.next().await {
        output
            .write_all(format!("{}\n", line.unwrap().to_uppercase()).as_bytes())
            .await
            .unwrap();
    }
}

#[test]
fn lines_are_read_as_they_come_until_the_end() {
    let mut child = command("lines_are_read_as_they_come_until_the_end", echo)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = io::BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for word in ["one", "two", "three"] {
        input.write_all(format!("{word}\n").as_bytes()).unwrap();
        // The next one is not sent before this one has come back.
        while !text.contains(&word.to_uppercase()) {
            assert_ne!(output.read_line(&mut text).unwrap(), 0, "{text}");
        }
    }
    drop(input);
    output.read_to_string(&mut text).unwrap();
    assert_eq!(payload(text.as_bytes()), "ONE\nTWO\nTHREE\n");
    succeeds(child);
}

#[test]
fn nobody_waits_for_input_at_the_end_of_a_run() {
    let mut command = command("nobody_waits_for_input_at_the_end_of_a_run", || async {
        let mut input = stdin().unwrap();
        let reader = create_task(async move { input.read(&mut [0; 100]).await.map(drop) });
        // The loop goes on meanwhile.
        assert!(
            wait_for(stdin().unwrap().read(&mut [0]), Duration::from_millis(2))
                .await
                .is_err()
        );
        assert!(!reader.is_finished());
        reader.detach();
    });
    let mut child = command.spawn().unwrap();
    // The input stays open.
    let _input = child.stdin.take();
    succeeds(child);
}

#[test]
fn descriptors_are_left_as_they_are_and_duplicates_given_back() {
    let mut command = command("descriptors_are_left_as_they_are_and_duplicates_given_back", || async {
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        for _ in 0..10 {
            let (mut input, mut output, mut error) = (stdin().unwrap(), stdout().unwrap(), stderr().unwrap());
            assert_eq!(descriptors(), before + 3);
            assert!(wait_for(input.read(&mut [0]), Duration::ZERO).await.is_err());
            output.write_all(b"output").await.unwrap();
            error.write_all(b"").await.unwrap();
            output.close().await.unwrap();
            for fd in [input.as_fd(), output.as_fd(), error.as_fd()] {
                assert!(!fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK));
            }
        }
        assert_eq!(descriptors(), before);
    });
    let mut child = command.spawn().unwrap();
    let _input = child.stdin.take();
    succeeds(child);
}

/// What tells whether bytes are lost, or come twice.
fn numbers() -> String {
    (0..100_000).map(|number| format!("{number}\n")).collect()
}

#[test]
fn the_loop_goes_on_while_the_output_is_full() {
    let mut command = command("the_loop_goes_on_while_the_output_is_full", || async {
        let writer = create_task(async {
            let mut output = stdout().unwrap();
            output.write_all(START.as_bytes()).await.unwrap();
            output.write_all(numbers().as_bytes()).await.unwrap();
        });
        // Nobody reads before this one line, after a while in which nothing more can be written.
        aioli::sleep(Duration::from_millis(20)).await;
        assert!(!writer.is_finished());
        stderr().unwrap().write_all(b"the loop goes on\n").await.unwrap();
        writer.await.unwrap();
    });
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    io::BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "the loop goes on\n");
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert_eq!(payload(&output), numbers());
    succeeds(child);
}

/// A file that is gone with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> (Self, File) {
        let path = env::temp_dir().join(format!("aioli-stdio-{}-{name}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        (Self(path), file)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn regular_files_are_read_and_written_and_leave_others_their_turns() {
    let mut command = command(
        "regular_files_are_read_and_written_and_leave_others_their_turns",
        || async {
            let other = create_task(yield_now());
            let (mut input, mut output) = (stdin().unwrap(), stdout().unwrap());
            output.write_all(START.as_bytes()).await.unwrap();
            let mut buf = [0; 100];
            loop {
                let count = input.read(&mut buf).await.unwrap();
                if count == 0 {
                    break;
                }
                output.write_all(&buf[..count]).await.unwrap();
            }
            assert!(other.is_finished(), "it never gave way");
        },
    );
    let ((_input, mut input), (_output, mut output)) = (Temporary::new("in"), Temporary::new("out"));
    input.write_all(numbers().as_bytes()).unwrap();
    input.rewind().unwrap();
    succeeds(
        command
            .stdin(input)
            .stdout(output.try_clone().unwrap())
            .spawn()
            .unwrap(),
    );
    let mut written = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut written).unwrap();
    assert_eq!(payload(&written), numbers());
}

#[test]
fn the_null_device_is_at_its_end() {
    let mut command = command("the_null_device_is_at_its_end", || async {
        assert_eq!(stdin().unwrap().read(&mut [0; 10]).await.unwrap(), 0);
        stdout().unwrap().write_all(numbers().as_bytes()).await.unwrap();
    });
    succeeds(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
}

#[test]
fn sockets_are_read_and_written() {
    let mut command = command("sockets_are_read_and_written", echo);
    let (near, far) = UnixStream::pair().unwrap();
    let child = command
        .stdin(OwnedFd::from(far.try_clone().unwrap()))
        .stdout(OwnedFd::from(far))
        .spawn()
        .unwrap();
    // It has copies of what the child has.
    drop(command);
    (&near).write_all(b"one\ntwo\n").unwrap();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    let mut output = Vec::new();
    (&near).read_to_end(&mut output).unwrap();
    assert_eq!(payload(&output), "ONE\nTWO\n");
    succeeds(child);
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_read_and_written() {
    let mut command = command("a_terminal_is_read_and_written", echo);
    let (mut master, mut slave) = (0, 0);
    let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
    // SAFETY: the numbers are written, and nothing else is asked for.
    let opened = unsafe { libc::openpty(&mut master, &mut slave, name, settings, size) };
    assert_eq!(opened, 0);
    // SAFETY: both are open, and nobody else's.
    let (mut master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC).unwrap();
    let child = command.stdin(slave.try_clone().unwrap()).stdout(slave).spawn().unwrap();
    drop(command);
    let mut output = Vec::new();
    let mut wait_for_text = |master: &mut File, text: &str| {
        while !String::from_utf8_lossy(&output).contains(text) {
            let mut buf = [0; 1000];
            let count = master.read(&mut buf).unwrap();
            output.extend_from_slice(&buf[..count]);
        }
    };
    wait_for_text(&mut master, START);
    for word in ["one", "two"] {
        master.write_all(format!("{word}\n").as_bytes()).unwrap();
        wait_for_text(&mut master, &word.to_uppercase());
    }
    // The end, as typed.
    master.write_all(&[4]).unwrap();
    succeeds(child);
}

#[test]
fn a_reader_that_has_gone_is_an_error() {
    let mut command = command("a_reader_that_has_gone_is_an_error", || async {
        stdout().unwrap().write_all(START.as_bytes()).await.unwrap();
        // Not before the other end is closed.
        assert_eq!(stdin().unwrap().read(&mut [0]).await.unwrap(), 0);
        let error = stdout().unwrap().write_all(b"hello").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
    let mut child = command.spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut printed = Vec::new();
    while !printed.ends_with(START.as_bytes()) {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        printed.push(byte[0]);
    }
    drop(output);
    drop(child.stdin.take());
    succeeds(child);
}

#[test]
fn several_wait_for_one_input_and_all_of_it_is_read_once() {
    let mut command = command("several_wait_for_one_input_and_all_of_it_is_read_once", || async {
        let readers = (0..3).map(|_| {
            create_task(async {
                let (mut input, mut bytes) = (stdin().unwrap(), Vec::new());
                input.read_to_end(&mut bytes).await.unwrap();
                bytes
            })
        });
        let readers: Vec<_> = readers.collect();
        let mut sum = 0;
        for reader in readers {
            sum += reader.await.unwrap().iter().map(|&byte| u64::from(byte)).sum::<u64>();
        }
        assert_eq!(sum, 7 * 300_000);
    });
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for _ in 0..300 {
        input.write_all(&[7; 1000]).unwrap();
    }
    drop(input);
    succeeds(child);
}

#[test]
fn an_input_that_is_closed_is_an_error() {
    let mut command = command("an_input_that_is_closed_is_an_error", || async {
        // SAFETY: nobody else uses the standard input here.
        unsafe { libc::close(io::stdin().as_raw_fd()) };
        assert_eq!(stdin().unwrap_err().raw_os_error(), Some(libc::EBADF));
    });
    succeeds(command.spawn().unwrap());
}

#[test]
#[should_panic = "no event loop"]
fn without_a_loop_it_panics() {
    let _ = stdin();
}
