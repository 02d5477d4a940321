//! Fetches many pages at the same time, with a limit to how many and a timeout for each.
//!
//! ```sh
//! cargo run --release --example http_server -- --dir . --port 8000 &
//! cargo run --release --example crawl -- http://127.0.0.1:8000/ --depth 2 --concurrency 20 --timeout 5
//! ```
//!
//! With `--depth D` it also follows the links of HTML pages, D steps far and on the same host. Only `http://`. Its exit
//! code is 0 if every page was there.

use aioli::{create_task, gather, open_connection, wait_for};
use std::{
    collections::{HashSet, VecDeque},
    env, fmt, io,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const USAGE: &str = "usage: crawl URL... [--concurrency N] [--timeout SECONDS] [--depth D]";

struct Arguments {
    urls: Vec<Url>,
    concurrency: usize,
    timeout: Duration,
    depth: usize,
}

#[aioli::main]
async fn main() -> ExitCode {
    match arguments(env::args().skip(1)) {
        Ok(arguments) => crawl(arguments).await,
        Err(problem) => {
            eprintln!("crawl: {problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn arguments(mut args: impl Iterator<Item = String>) -> Result<Arguments, String> {
    fn value<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<T, String> {
        let value = value.ok_or(format!("{name} needs a value"))?;
        value.parse().map_err(|_| format!("{name} {value:?} makes no sense"))
    }
    let mut arguments = Arguments {
        urls: Vec::new(),
        concurrency: 16,
        timeout: Duration::from_secs(10),
        depth: 0,
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--concurrency" => arguments.concurrency = value::<usize>(&arg, args.next())?.max(1),
            "--timeout" => {
                arguments.timeout = Duration::try_from_secs_f64(value(&arg, args.next())?)
                    .map_err(|error| format!("--timeout: {error}"))?;
            }
            "--depth" => arguments.depth = value(&arg, args.next())?,
            _ if arg.starts_with("--") => return Err(format!("there is no option {arg}")),
            _ => arguments
                .urls
                .push(Url::parse(&arg).ok_or(format!("{arg:?} is not an http:// URL"))?),
        }
    }
    if arguments.urls.is_empty() {
        return Err("there is no URL to fetch".to_owned());
    }
    Ok(arguments)
}

async fn crawl(arguments: Arguments) -> ExitCode {
    let start = Instant::now();
    let (mut pages, mut failed, mut bytes) = (0, 0, 0);
    let mut known = HashSet::new();
    let mut level = arguments.urls;
    level.retain(|url| known.insert(url.clone()));
    println!("{:>6}  {:>10}  {:>8}  url", "status", "bytes", "ms");
    // Level by level: first what was asked for, then what that links to, and so on.
    for depth in 0..=arguments.depth {
        let fetched = fetch_all(level, arguments.concurrency, arguments.timeout).await;
        let mut next = Vec::new();
        for (url, page) in fetched {
            pages += 1;
            match page {
                Ok(page) => {
                    failed += usize::from(page.status >= 400);
                    bytes += page.body.len();
                    if depth < arguments.depth {
                        next.extend(page.links(&url).filter(|link| known.insert(link.clone())));
                    }
                }
                Err(_) => failed += 1,
            }
        }
        level = next;
    }
    println!(
        "{pages} pages, {failed} failed, {bytes} bytes, {:.3} s",
        start.elapsed().as_secs_f64()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Fetches with some workers, who pull from one list.
async fn fetch_all(urls: Vec<Url>, concurrency: usize, limit: Duration) -> Vec<(Url, io::Result<Page>)> {
    let workers = concurrency.min(urls.len());
    let list = Arc::new(Mutex::new(VecDeque::from(urls)));
    let work = |_| {
        let list = list.clone();
        create_task(async move {
            let mut fetched = Vec::new();
            loop {
                let Some(url) = list.lock().unwrap().pop_front() else {
                    return fetched;
                };
                let start = Instant::now();
                let page = wait_for(fetch(&url), limit)
                    .await
                    .unwrap_or_else(|error| Err(error.into()));
                let elapsed = start.elapsed().as_secs_f64() * 1e3;
                match &page {
                    Ok(page) => println!("{:>6}  {:>10}  {elapsed:>8.2}  {url}", page.status, page.body.len()),
                    Err(error) => println!("{:>6}  {:>10}  {elapsed:>8.2}  {url}: {error}", "-", "-"),
                }
                fetched.push((url, page));
            }
        })
    };
    let fetched = gather((0..workers).map(work)).await.expect("no worker panics");
    fetched.into_iter().flatten().collect()
}

struct Page {
    status: u16,
    is_html: bool,
    body: Vec<u8>,
}

/// Fetches a page over a connection of its own. HTTP/1.0, so that its end is the end of the body.
async fn fetch(url: &Url) -> io::Result<Page> {
    let Url { host, port, path } = url;
    let (mut reader, writer) = open_connection((host.as_str(), *port)).await?;
    writer.write(format!("GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nUser-Agent: aioli-crawl\r\n\r\n").as_bytes());
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "this is not an HTTP response");

    let status_line = String::from_utf8(reader.readline().await?).map_err(|_| malformed())?;
    let mut words = status_line.split_whitespace();
    let status = match words.next() {
        Some(version) if version.starts_with("HTTP/1.") => words.next().and_then(|word| word.parse().ok()),
        _ => None,
    };
    let status = status.ok_or_else(malformed)?;
    let (mut length, mut is_html) = (None, false);
    loop {
        let line = reader.readuntil(b"\n").await?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse().map_err(|_| malformed())?),
            "content-type" => is_html = value.trim().starts_with("text/html"),
            _ => {}
        }
    }
    let body = match length {
        // What is missing is missed: the error says how much came.
        Some(length) => reader.readexactly(length).await?,
        None => reader.read_to_eof().await?,
    };
    writer.close();
    Ok(Page { status, is_html, body })
}

impl Page {
    /// Where the links of an HTML page lead, on the same host.
    fn links(&self, base: &Url) -> impl Iterator<Item = Url> {
        let text = if self.is_html {
            String::from_utf8_lossy(&self.body)
        } else {
            "".into()
        };
        let mut links = Vec::new();
        let mut rest = &*text;
        while let Some(at) = rest.find("href=\"") {
            rest = &rest[at + 6..];
            let Some(end) = rest.find('"') else { break };
            links.extend(base.join(&rest[..end].replace("&amp;", "&")));
            rest = &rest[end..];
        }
        links.into_iter()
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Url {
    host: String,
    port: u16,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?.split('#').next()?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        (!host.is_empty() && plain(host) && plain(path)).then(|| Self {
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// Where a link of this page leads; `None` if that is another host, or no page.
    fn join(&self, link: &str) -> Option<Self> {
        let link = link.split('#').next()?;
        if link.contains("://") {
            return Self::parse(link).filter(|url| (&url.host, url.port) == (&self.host, self.port));
        }
        let scheme = link.split(['/', '?']).next()?.contains(':');
        if link.is_empty() || link.starts_with("//") || scheme {
            return None;
        }
        let directory = match link.strip_prefix('/') {
            Some(_) => "",
            None => self.path.split('?').next()?.rsplit_once('/')?.0,
        };
        let mut segments: Vec<&str> = Vec::new();
        let path = format!("{directory}/{}", link.trim_start_matches('/'));
        for segment in path.split('/').skip(1) {
            match segment {
                "." => {}
                ".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
        // `a/.` and `a/..` name directories.
        if link.ends_with("/.") || link.ends_with("..") {
            segments.push("");
        }
        Self::parse(&format!("{}/{}", self.origin(), segments.join("/")))
    }

    fn origin(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("http://[{host}]:{port}")
        } else {
            format!("http://{host}:{port}")
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}
