//! The crawler.

use crate::{Directory, Running, output};

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
