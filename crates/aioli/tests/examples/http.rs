//! The web server.

use crate::{
    Directory, Running,
    browser::{Browser, Reply},
    pattern,
};
use rustix::process::Signal;
use std::io::{BufRead, Write};

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
fn a_signal_ends_idle_connections_at_once_and_lets_requests_finish() {
    let dir = Directory::new();
    dir.write("large", &pattern(20_000_000));
    for signal in [Signal::INT, Signal::TERM] {
        let server = Running::start("http_server", &["--dir", dir.path()]);
        let (mut idle, mut busy) = (Browser::open(&server), Browser::open(&server));
        assert_eq!(idle.get("/nothing").status, 404);
        busy.send(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n");
        // It has begun to arrive, and more than the system keeps is to come.
        assert!(!busy.0.fill_buf().unwrap().is_empty());
        server.signal(signal);
        assert_eq!(idle.rest(), b"");
        assert!(Reply::read(&mut busy.0, true).body == pattern(20_000_000));
        assert_eq!(busy.rest(), b"");
        let ended = server.ended();
        assert_eq!((ended.status.code(), &*ended.errors), (Some(0), ""));
    }
}
