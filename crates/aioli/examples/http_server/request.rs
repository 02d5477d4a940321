//! What a client asks for: reading and checking a request's head.

use aioli::{ReadError, StreamReader, io::AsyncBufReadExt};
use std::io;

/// The most bytes of a request's line, and of all its header lines together.
const LINE_LIMIT: usize = 8 * 1024;
const HEAD_LIMIT: usize = 32 * 1024;

/// The largest request body that is read, to be ignored.
const BODY_LIMIT: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

/// A request that can be answered.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Decoded, beginning with a slash, without the query.
    pub path: String,
    pub keep_alive: bool,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub if_modified_since: Option<String>,
}

/// A request that is not granted: a status, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub reason: &'static str,
}

impl Refusal {
    pub const TIMEOUT: Self = Self::new(408, "The request took too long to arrive.");
    pub const FORBIDDEN: Self = Self::new(403, "This is not to be had.");
    pub const NOT_FOUND: Self = Self::new(404, "There is nothing here.");

    pub const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

const MALFORMED: Refusal = Refusal::new(400, "This is not an HTTP request.");
const LONG_LINE: Refusal = Refusal::new(414, "The address is too long.");
const LONG_HEAD: Refusal = Refusal::new(431, "The header is too large.");

/// Waits for a first byte; `false` if the client has gone instead.
pub async fn begins(reader: &mut StreamReader) -> io::Result<bool> {
    Ok(!reader.fill_buf().await?.is_empty())
}

/// Reads a request, and what body it has.
pub async fn read(reader: &mut StreamReader) -> Result<Request, Refusal> {
    reader.set_limit(LINE_LIMIT);
    let mut first = line(reader, LONG_LINE).await?;
    if first.is_empty() {
        // Some clients send an empty line behind a body.
        first = line(reader, LONG_LINE).await?;
    }
    let mut request = request_line(&first)?;
    let mut left = HEAD_LIMIT;
    let mut body = 0;
    let mut host = false;
    loop {
        let line = line(reader, LONG_HEAD).await?;
        if line.is_empty() {
            break;
        }
        left = left.checked_sub(line.len() + 2).ok_or(LONG_HEAD)?;
        let (name, value) = line.split_once(':').ok_or(MALFORMED)?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(MALFORMED);
        }
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" => host = true,
            "connection" => {
                for option in value.split(',').map(str::trim) {
                    match option {
                        _ if option.eq_ignore_ascii_case("close") => request.keep_alive = false,
                        _ if option.eq_ignore_ascii_case("keep-alive") => request.keep_alive = true,
                        _ => {}
                    }
                }
            }
            "content-length" => body = content_length(value)?,
            "transfer-encoding" => return Err(Refusal::new(411, "Only bodies with a length are read.")),
            "range" => request.range = Some(value.to_owned()),
            "if-range" => request.if_range = Some(value.to_owned()),
            "if-modified-since" => request.if_modified_since = Some(value.to_owned()),
            _ => {}
        }
    }
    if !host && first.ends_with("1.1") {
        return Err(Refusal::new(400, "The Host header is missing."));
    }
    if body > BODY_LIMIT {
        return Err(Refusal::new(413, "The body is too large."));
    }
    reader.readexactly(body).await.map_err(|_| MALFORMED)?;
    Ok(request)
}

fn content_length(value: &str) -> Result<usize, Refusal> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    // Too many digits are too many bytes.
    Ok(value.parse().unwrap_or(usize::MAX))
}

/// A line, without its end.
async fn line(reader: &mut StreamReader, too_long: Refusal) -> Result<String, Refusal> {
    let mut line = match reader.readuntil(b"\n").await {
        Ok(line) => line,
        Err(ReadError::LimitOverrun(_)) => return Err(too_long),
        Err(_) => return Err(MALFORMED),
    };
    line.pop();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| MALFORMED)
}

/// `GET /path?query HTTP/1.1`
fn request_line(line: &str) -> Result<Request, Refusal> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(MALFORMED);
    };
    let keep_alive = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ if version.starts_with("HTTP/") => return Err(Refusal::new(505, "This server speaks HTTP/1.1.")),
        _ => return Err(MALFORMED),
    };
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ if !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            return Err(Refusal::new(405, "Files can only be read."));
        }
        _ => return Err(MALFORMED),
    };
    Ok(Request {
        method,
        path: path(target).ok_or(MALFORMED)?,
        keep_alive,
        range: None,
        if_range: None,
        if_modified_since: None,
    })
}

/// The decoded path of a target, which may be a whole URL.
fn path(target: &str) -> Option<String> {
    let target = match target.strip_prefix("http://").or(target.strip_prefix("https://")) {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let path = target.split(['?', '#']).next()?;
    let path = decode(path)?;
    (path.starts_with('/') && !path.contains('\0')).then_some(path)
}

/// Percent-decoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
