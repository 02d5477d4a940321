//! What a client gets: status, header, and the pages that the server writes itself.

use crate::{
    files::{Content, File, Pieces},
    request::{Refusal, Request},
};
use std::{
    fmt::Write,
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

pub struct Response {
    status: u16,
    /// Header lines, each with its end.
    header: String,
    length: Option<u64>,
    pub body: Body,
}

pub enum Body {
    None,
    Bytes(Vec<u8>),
    Pieces(Pieces),
}

impl Response {
    fn new(status: u16) -> Self {
        Self {
            status,
            header: String::new(),
            length: None,
            body: Body::None,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.header.extend([name, ": ", value, "\r\n"]);
        self
    }

    fn with_bytes(mut self, bytes: Vec<u8>) -> Self {
        self.length = Some(bytes.len() as u64);
        self.body = Body::Bytes(bytes);
        self
    }

    /// Tells the client that the connection ends with this.
    pub fn last(self) -> Self {
        self.with("Connection", "close")
    }

    /// A page of HTML.
    pub fn page(html: String) -> Self {
        Self::new(200)
            .with("Content-Type", "text/html; charset=utf-8")
            .with_bytes(html.into_bytes())
    }

    /// What was asked for is elsewhere.
    pub fn moved(location: String) -> Self {
        Self::new(301).with("Location", &location).with_bytes(Vec::new())
    }

    pub fn refusal(refusal: Refusal) -> Self {
        let Refusal { status, reason } = refusal;
        let response = Self::new(status).with("Content-Type", "text/plain; charset=utf-8");
        let response = if status == 405 {
            response.with("Allow", "GET, HEAD")
        } else {
            response
        };
        response.with_bytes(format!("{status} {}\n{reason}\n", phrase(status)).into_bytes())
    }

    /// A file, or a part of it, or the news that it has not changed.
    pub fn file(file: File, request: &Request) -> Self {
        let modified = http_date(file.modified);
        // Clients send back the date that they were given, so equality is enough.
        if request.if_modified_since.as_ref() == Some(&modified) {
            return Self::new(304).with("Last-Modified", &modified);
        }
        let same_file = request.if_range.as_ref().is_none_or(|date| *date == modified);
        let range = request.range.as_deref().filter(|_| same_file);
        let response = match range.map_or(Wanted::All, |range| wanted(range, file.length)) {
            Wanted::All => Self::new(200).body_of(&file, 0..file.length),
            Wanted::Part(range) => {
                let value = format!("bytes {}-{}/{}", range.start, range.end - 1, file.length);
                Self::new(206).with("Content-Range", &value).body_of(&file, range)
            }
            Wanted::Impossible => {
                let refusal = Refusal::new(416, "The file does not have these bytes.");
                let value = format!("bytes */{}", file.length);
                return Self::refusal(refusal).with("Content-Range", &value);
            }
        };
        response
            .with("Content-Type", file.content_type)
            .with("Last-Modified", &modified)
            .with("Accept-Ranges", "bytes")
    }

    fn body_of(mut self, file: &File, range: Range<u64>) -> Self {
        self.length = Some(range.end - range.start);
        self.body = match &file.content {
            Content::Small(bytes) => Body::Bytes(bytes[range.start as usize..range.end as usize].to_vec()),
            Content::Large(handle) => Body::Pieces(Pieces::new(handle.clone(), range)),
        };
        self
    }

    /// The status line and the header, with the empty line behind them.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nDate: {}\r\n",
            self.status,
            phrase(self.status),
            http_date(SystemTime::now())
        );
        if let Some(length) = self.length {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
        head.push_str(&self.header);
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

enum Wanted {
    All,
    Part(Range<u64>),
    Impossible,
}

/// What a Range header asks for. One that is malformed, or asks for several ranges, may be ignored, and is.
fn wanted(range: &str, length: u64) -> Wanted {
    let bounds = range
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'));
    let Some((first, last)) = bounds else {
        return Wanted::All;
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(count)) if first.trim().is_empty() => length.saturating_sub(count)..length,
        _ => return Wanted::All,
    };
    if range.start < range.end {
        Wanted::Part(range)
    } else {
        Wanted::Impossible
    }
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ];
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March of the year 0, so that leap days come last; 400 years have 146,097 days.
    let since_march = day + 719_468;
    let era_day = since_march % 146_097;
    let year_of_era = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * year_day + 2) / 153;
    let month_day = year_day - (153 * month + 2) / 5 + 1;
    let year = since_march / 146_097 * 400 + year_of_era + u64::from(month >= 10);
    format!(
        "{}, {month_day:02} {} {year} {:02}:{:02}:{:02} GMT",
        DAYS[(day % 7) as usize],
        MONTHS[month as usize],
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}
