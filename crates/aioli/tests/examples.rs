//! The examples, run as a user would run them. `cargo test` builds them beside the tests; with a selection of targets it
//! does not, and `cargo build --examples` has to come first.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
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

/// A server that is killed when the test is over.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts it, and reads its address from the one line that it prints.
    fn start(name: &str, args: &[&str]) -> Self {
        let mut child = example(name).args(args).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

struct Reply {
    status: u16,
    header: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    /// Reads a response, whose body has the length that it says.
    fn read(from: &mut impl BufRead, has_body: bool) -> Self {
        let mut line = String::new();
        let mut next = || {
            line.clear();
            from.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let status_line = next();
        let (version, status) = status_line.split_once(' ').expect("a status line");
        assert_eq!(version, "HTTP/1.1");
        let status = status[..3].parse().unwrap();
        let mut header = Vec::new();
        loop {
            let line = next();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            header.push((name.to_owned(), value.to_owned()));
        }
        let mut reply = Self {
            status,
            header,
            body: Vec::new(),
        };
        if has_body {
            let length = reply.get("Content-Length").map_or(0, |length| length.parse().unwrap());
            reply.body = vec![0; length];
            from.read_exact(&mut reply.body).unwrap();
        }
        reply
    }

    fn get(&self, name: &str) -> Option<&str> {
        let field = self.header.iter().find(|(other, _)| other == name);
        field.map(|(_, value)| value.as_str())
    }
}

/// A conversation over one connection.
struct Browser(BufReader<TcpStream>);

impl Browser {
    fn open(server: &Running) -> Self {
        Self(BufReader::new(server.connect()))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn ask(&mut self, method: &str, target: &str, header: &str) -> Reply {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: here\r\n{header}\r\n").as_bytes());
        Reply::read(&mut self.0, method != "HEAD")
    }

    fn get(&mut self, target: &str) -> Reply {
        self.ask("GET", target, "")
    }

    /// Reads what the server says when nothing more is expected.
    fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }
}

#[test]
fn the_tour_ends_well() {
    let output = output("tour", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "service",
        "latency",
        "timeouts",
        "timers",
        "callbacks",
        "348,513 primes",
        "heard \"thank you\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_scenes_on_cancellation_are_the_same_on_any_number_of_workers() {
    let play = |workers: &str, scenes: &[&str]| {
        let output = example("cancellation")
            .env("AIOLI_WORKERS", workers)
            .args(scenes)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && complaints.is_empty(),
            "with {workers} workers: {text}{complaints}"
        );
        text
    };
    let story = play("1", &[]);
    for line in [
        "   + 10 ms  worker: a destructor closes the file",
        "   + 35 ms  worker: goodbye",
        "   + 50 ms  worker: deferred work is done",
        "   + 40 ms  outer: Err(TimeoutError)",
        "   + 40 ms  slow: cleaned up",
        "   + 40 ms  grandparent: cleaned up",
        "   + 30 ms  main: the winner is the tortoise",
        "   + 40 ms  main: the group failed: no more paper",
        "   + 40 ms  run: returns",
        "   + 30 ms  main: 3 errors:",
        "   + 10 ms  main: kept twice: the promise is done already",
    ] {
        assert!(story.lines().any(|said| said == line), "{line}: {story}");
    }
    assert!(!story.contains("is never here"), "{story}");
    for workers in ["2", "4"] {
        assert_eq!(play(workers, &[]), story, "with {workers} workers");
    }
    // Some of them by number, in that order.
    let some = play("2", &["9", "1"]);
    let (first, second) = (some.find("\n 9. A timeout\n"), some.find("\n 1. Being cancelled\n"));
    assert!(first.is_some() && first < second && !some.contains("\n 2. "), "{some}");
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

#[test]
fn the_echo_server_echoes_to_several_at_a_time() {
    let server = Running::start("echo_server", &["--port", "0"]);
    let bytes = pattern(50_000);
    let mut streams: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&bytes[number..]).unwrap();
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut got = vec![0; bytes.len() - number];
        stream.read_exact(&mut got).unwrap();
        assert!(got == bytes[number..]);
    }
    let again = output("echo_server", &["--port", server.address.rsplit(':').next().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("in use"));
}

#[test]
fn files_arrive_byte_for_byte() {
    let dir = Directory::new();
    let large = pattern(3_000_001);
    dir.write("large.bin", &large);
    dir.write("small.txt", b"small");
    dir.write("empty", b"");
    dir.write("with space & \u{e4}.html", b"<p>");
    let server = Running::start("http_server", &["--dir", dir.path()]);

    // All over one connection.
    let mut browser = Browser::open(&server);
    for _ in 0..2 {
        let reply = browser.get("/large.bin");
        assert_eq!(
            (reply.status, reply.get("Content-Type")),
            (200, Some("application/octet-stream"))
        );
        assert!(reply.body == large);
    }
    let reply = browser.get("/small.txt?a=query");
    assert_eq!((reply.status, &*reply.body), (200, &b"small"[..]));
    assert_eq!(reply.get("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(browser.get("/empty").body, b"");
    assert_eq!(browser.get("/with%20space%20&%20%c3%a4.html").body, b"<p>");
    assert_eq!(browser.get("http://here/small.txt").body, b"small");

    let reply = browser.ask("HEAD", "/large.bin", "");
    assert_eq!((reply.status, reply.get("Content-Length")), (200, Some("3000001")));
    assert_eq!(browser.get("/small.txt").status, 200);
}

#[test]
fn parts_of_files_and_unchanged_files() {
    let dir = Directory::new();
    let large = pattern(1_000_000);
    dir.write("large", &large);
    dir.write("small", b"0123456789");
    let server = Running::start("http_server", &["--dir", dir.path()]);
    let mut browser = Browser::open(&server);
    let mut part = |target: &str, range: &str| {
        let reply = browser.ask("GET", target, &format!("Range: {range}\r\n"));
        let content_range = reply.get("Content-Range").map(str::to_owned);
        (reply.status, content_range, reply.body)
    };
    let of_small = |range: &str| Some(format!("bytes {range}/10"));
    assert_eq!(part("/small", "bytes=2-4"), (206, of_small("2-4"), b"234".to_vec()));
    assert_eq!(part("/small", "bytes=7-"), (206, of_small("7-9"), b"789".to_vec()));
    assert_eq!(part("/small", "bytes=-3"), (206, of_small("7-9"), b"789".to_vec()));
    assert_eq!(part("/small", "bytes=5-500"), (206, of_small("5-9"), b"56789".to_vec()));
    assert_eq!(
        part("/small", "bytes=-500"),
        (206, of_small("0-9"), b"0123456789".to_vec())
    );
    for impossible in ["bytes=10-", "bytes=99999999999-", "bytes=-0"] {
        let (status, range, _) = part("/small", impossible);
        assert_eq!((status, range), (416, of_small("*")), "{impossible}");
    }
    for ignored in ["bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes="] {
        assert_eq!(
            part("/small", ignored),
            (200, None, b"0123456789".to_vec()),
            "{ignored}"
        );
    }
    let (status, _, body) = part("/large", "bytes=300000-899999");
    assert_eq!(status, 206);
    assert!(body == large[300_000..900_000]);

    let modified = browser.get("/small").get("Last-Modified").unwrap().to_owned();
    let reply = browser.ask("GET", "/small", &format!("If-Modified-Since: {modified}\r\n"));
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    let reply = browser.ask("GET", "/small", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    assert_eq!(reply.status, 200);
    let reply = browser.ask(
        "GET",
        "/small",
        &format!("If-Range: {modified}\r\nRange: bytes=0-0\r\n"),
    );
    assert_eq!(reply.status, 206);
    let reply = browser.ask("GET", "/small", "If-Range: \"other\"\r\nRange: bytes=0-0\r\n");
    assert_eq!(reply.status, 200);
}

#[test]
fn directories_are_listed_or_show_their_index() {
    let dir = Directory::new();
    dir.write("a&b.txt", b"");
    dir.write("sub/index.html", b"the index");
    let server = Running::start("http_server", &["--dir", dir.path()]);
    let mut browser = Browser::open(&server);
    let reply = browser.get("/");
    assert_eq!(reply.get("Content-Type"), Some("text/html; charset=utf-8"));
    let page = String::from_utf8(reply.body).unwrap();
    assert!(page.contains("<a href=\"./a%26b.txt\">a&amp;b.txt</a>"), "{page}");
    assert!(page.contains("<a href=\"./sub/\">sub/</a>"), "{page}");
    let reply = browser.get("/sub");
    assert_eq!((reply.status, reply.get("Location")), (301, Some("/sub/")));
    assert_eq!(browser.get("/sub/").body, b"the index");
    assert_eq!(browser.get("/sub/index.html/").status, 404);
}

#[test]
fn nothing_outside_the_directory_is_served() {
    let dir = Directory::new();
    dir.write("secret", b"secret");
    dir.write("site/page", b"page");
    std::os::unix::fs::symlink(dir.0.join("secret"), dir.0.join("site/link")).unwrap();
    std::os::unix::fs::symlink(dir.0.join("site/page"), dir.0.join("site/good-link")).unwrap();
    std::os::unix::fs::symlink(dir.0.join("secret"), dir.0.join("site/index.html")).unwrap();
    let server = Running::start("http_server", &["--dir", dir.0.join("site").to_str().unwrap()]);
    let mut browser = Browser::open(&server);
    for target in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/site/../../secret",
        "//../secret",
        "/./../secret",
        "/link",
        "/",
        "/..",
        "/%2fetc/passwd",
    ] {
        let reply = browser.get(target);
        assert!([403, 404].contains(&reply.status), "{target}: {}", reply.status);
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{target}");
    }
    assert_eq!(browser.get("/good-link").body, b"page");
    assert_eq!(browser.get("/../site/page").body, b"page");
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let dir = Directory::new();
    dir.write("page", b"page");
    let server = Running::start("http_server", &["--dir", dir.path()]);
    let long = "x".repeat(9_000);
    let many = "A: b\r\n".repeat(10_000);
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET page HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("GET /page HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /page HTTP/1.1\r\nHost h\r\n\r\n".to_owned(), 400),
        (
            "GET /page HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n".to_owned(),
            400,
        ),
        ("GET /page HTTP/2.0\r\nHost: h\r\n\r\n".to_owned(), 505),
        (
            "POST /page HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody".to_owned(),
            405,
        ),
        (
            "GET /page HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            411,
        ),
        (
            "GET /page HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
            413,
        ),
        (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), 414),
        (format!("GET /page HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET /page HTTP/1.1\r\nHost: h\r\n{many}\r\n"), 431),
    ] {
        let mut browser = Browser::open(&server);
        browser.send(request.as_bytes());
        let reply = Reply::read(&mut browser.0, true);
        let shown = &request[..request.len().min(80)];
        assert_eq!(reply.status, status, "{shown:?}");
        assert_eq!(reply.get("Connection"), Some("close"), "{shown:?}");
        assert_eq!(reply.get("Allow").is_some(), status == 405);
        assert_eq!(browser.rest(), b"", "{shown:?}");
    }
    assert_eq!(Browser::open(&server).get("/nothing").status, 404);
}

#[test]
fn connections_are_kept_and_requests_may_be_pipelined() {
    let dir = Directory::new();
    dir.write("page", b"page");
    dir.write("large", &pattern(500_000));
    let server = Running::start("http_server", &["--dir", dir.path()]);
    let mut browser = Browser::open(&server);
    let mut requests = String::new();
    for _ in 0..50 {
        requests += "GET /page HTTP/1.1\r\nHost: h\r\n\r\nHEAD /page HTTP/1.1\r\nHost: h\r\n\r\n";
        requests += "GET /large HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n...";
    }
    requests += "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut sender = browser.0.get_ref().try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(requests.as_bytes()).unwrap());
    for _ in 0..50 {
        assert_eq!(Reply::read(&mut browser.0, true).body, b"page");
        assert_eq!(Reply::read(&mut browser.0, false).get("Content-Length"), Some("4"));
        assert!(Reply::read(&mut browser.0, true).body == pattern(500_000));
    }
    let last = Reply::read(&mut browser.0, true);
    assert_eq!((&*last.body, last.get("Connection")), (&b"page"[..], Some("close")));
    assert_eq!(browser.rest(), b"");
    sending.join().unwrap();

    // HTTP/1.0 closes unless it is asked not to.
    let mut browser = Browser::open(&server);
    browser.send(b"GET /page HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /page HTTP/1.0\r\n\r\n");
    assert_eq!(Reply::read(&mut browser.0, true).body, b"page");
    assert_eq!(Reply::read(&mut browser.0, true).body, b"page");
    assert_eq!(browser.rest(), b"");
}

#[test]
fn a_crawl_finds_every_page_and_says_which_fail() {
    let dir = Directory::new();
    dir.write(
        "index.html",
        b"<a href=\"one.html\">1</a> <a href=\"/sub/\">2</a> <a href=\"http://elsewhere/\">3</a>",
    );
    dir.write(
        "one.html",
        b"<a href=\"index.html#top\">back</a> <a href=\"missing\">nothing</a>",
    );
    dir.write(
        "sub/index.html",
        b"<a href=\"../one.html\">1</a> <a href=\"deep.txt\">4</a> <a href=\"mailto:a@b\">5</a>",
    );
    dir.write("sub/deep.txt", b"deep");
    let server = Running::start("http_server", &["--dir", dir.path()]);
    let root = format!("http://{}/", server.address);

    let alone = output("crawl", &[&root]);
    assert!(alone.status.success());
    let text = String::from_utf8(alone.stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("1 pages, 0 failed"), "{text}");

    let all = output(
        "crawl",
        &[&root, "--depth", "5", "--concurrency", "3", "--timeout", "60"],
    );
    let text = String::from_utf8(all.stdout).unwrap();
    for name in ["", "one.html", "sub/", "index.html", "sub/deep.txt", "missing"] {
        let url = format!("  {root}{name}");
        assert_eq!(
            text.lines().filter(|line| line.ends_with(&url)).count(),
            1,
            "{name}: {text}"
        );
    }
    assert!(text.contains("6 pages, 1 failed"), "{text}");
    assert_eq!(all.status.code(), Some(1));
}

#[test]
fn a_crawl_gives_up_on_what_is_slow_or_gone() {
    // Accepts nobody, but the system does.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let silent_url = format!("http://{}/", silent.local_addr().unwrap());
    let output = output("crawl", &[&silent_url, &format!("http://{gone}/"), "--timeout", "0.05"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the time was up"), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(text.contains("2 pages, 2 failed"), "{text}");
}
