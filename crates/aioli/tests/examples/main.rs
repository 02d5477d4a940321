//! The examples, run as a user would run them. `cargo test` builds them beside the tests; with a selection of targets it
//! does not, and `cargo build --examples` has to come first.

mod browser;
mod chat;
mod crawl;
mod echo;
mod http;
mod https;
mod make;
mod proxy;
mod tour;

use rustix::process::{Pid, Signal, kill_process};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(60);

fn example(name: &str) -> Command {
    // target/debug/deps/this-test
    let this = env::current_exe().unwrap();
    let profile = this.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --examples`",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn output(name: &str, args: &[&str]) -> Output {
    example(name).args(args).output().unwrap()
}

/// A program that goes on until it is told to end, or the test is over: then it is killed.
struct Running {
    child: Child,
    /// The first line that it prints: where it serves.
    address: String,
    output: Transcript,
    errors: Transcript,
}

/// What is left of it.
struct Ended {
    status: ExitStatus,
    /// Without the first line.
    output: String,
    errors: String,
}

impl Running {
    /// Starts it, and reads its address from the first line that it prints.
    fn start(name: &str, args: &[&str]) -> Self {
        Self::from(example(name).args(args))
    }

    fn from(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .trim_start_matches("http://")
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned();
        Self {
            output: Transcript::of(output),
            errors: Transcript::of(BufReader::new(child.stderr.take().unwrap())),
            child,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for it to end by itself.
    fn ended(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(start.elapsed() < LIMIT, "it does not end"),
            }
            thread::sleep(Duration::from_millis(2));
        };
        Ended {
            status,
            output: self.output.complete(),
            errors: self.errors.complete(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program prints. A thread reads it, so that the program never waits for a reader.
struct Transcript {
    text: Arc<(Mutex<String>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Transcript {
    fn of(mut from: impl BufRead + Send + 'static) -> Self {
        let text = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            let mut line = String::new();
            while from.read_line(&mut line).unwrap() > 0 {
                shared.0.lock().unwrap().push_str(&line);
                shared.1.notify_all();
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    /// Waits until there is a certain text in it.
    fn wait_for(&self, part: &str) {
        let (text, changed) = &*self.text;
        let waited = changed.wait_timeout_while(text.lock().unwrap(), LIMIT, |text| !text.contains(part));
        let (text, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "there is no {part:?}: {text}");
    }

    fn complete(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.text.0.lock().unwrap().clone()
    }
}

/// A directory that is removed when the test is over.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("aioli-examples-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Bytes in which every misplaced piece shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8)
        .collect()
}

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    for (name, args) in [
        ("tour", &["fast"][..]),
        ("cancellation", &["first"]),
        ("cancellation", &["1", "99"]),
        ("echo_server", &["--port", "many"]),
        ("echo_server", &["--port"]),
        ("http_server", &[]),
        ("http_server", &["--dir"]),
        ("http_server", &["--dir", "/does/not/exist"]),
        ("http_server", &["--dir", ".", "--port", "65536"]),
        ("http_server", &["--dir", ".", "--cert", "cert.pem"]),
        ("chat_server", &["--port"]),
        ("chat_server", &["--port", "1", "2"]),
        ("tcp_proxy", &[]),
        ("tcp_proxy", &["--listen", "127.0.0.1:0"]),
        ("tcp_proxy", &["--listen", "127.0.0.1:0", "--to", "nowhere"]),
        (
            "tcp_proxy",
            &["--listen", "127.0.0.1:0", "--to", "here:1", "--grace", "-1"],
        ),
        ("make_j", &[]),
        ("make_j", &["-j", "0", "file"]),
        ("make_j", &["-x", "file"]),
        ("udp_echo", &["--port", "65536"]),
        ("udp_echo", &["--to", "127.0.0.1:1"]),
        ("udp_echo", &["--to", "127.0.0.1", "text"]),
        ("crawl", &[]),
        ("crawl", &["ftp://here/"]),
        ("crawl", &["http://here/", "--depth", "-1"]),
        ("crawl", &["http://here/", "--timeout", "NaN"]),
    ] {
        let output = output(name, args);
        assert_eq!(output.status.code(), Some(2), "{name} {args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains("usage: ") || text.contains("/does/not/exist"),
            "{name} {args:?}: {text}"
        );
    }
}
