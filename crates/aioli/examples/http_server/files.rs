//! From a path to a file, its place under the directory checked, and its bytes.
//!
//! Whatever touches the disk may block, so it happens in `to_thread`: for a small file in one call, which also reads it,
//! for a large one in a call for each piece, of which one is always under way while another is sent. Small files are
//! remembered for a moment, so that one which everybody wants is read once and not by everybody.

use crate::{
    request::{Refusal, Request},
    response::http_date,
};
use aioli::{ToThread, to_thread};
use std::{
    collections::HashMap,
    fmt::Write,
    fs, io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

/// A file up to this size is read when it is found.
const SMALL: u64 = 64 * 1024;

/// For how long, and how many, small files are remembered.
const FRESH: Duration = Duration::from_secs(1);
const REMEMBERED: usize = 256;

/// How much of a larger file is read at a time.
const PIECE: u64 = 256 * 1024;

/// The directory that is served.
pub struct Site {
    /// Without symbolic links or dots.
    root: PathBuf,
    /// Small files by path, and when they were read.
    remembered: Mutex<HashMap<String, (Instant, File)>>,
}

impl Site {
    pub fn new(dir: &Path) -> io::Result<Self> {
        let root = dir.canonicalize()?;
        fs::read_dir(&root)?;
        Ok(Self {
            root,
            remembered: Mutex::default(),
        })
    }

    fn recall(&self, path: &str) -> Option<File> {
        let remembered = self.remembered.lock().unwrap();
        let (read, file) = remembered.get(path)?;
        (read.elapsed() < FRESH).then(|| file.clone())
    }

    fn remember(&self, path: &str, file: &File) {
        let mut remembered = self.remembered.lock().unwrap();
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, (read, _)| read.elapsed() < FRESH);
        }
        if remembered.len() < REMEMBERED {
            remembered.insert(path.to_owned(), (Instant::now(), file.clone()));
        }
    }
}

/// What is at a path.
pub enum Found {
    File(File),
    /// A directory without an index, as HTML.
    Listing(String),
    /// A directory whose path lacks the slash at its end.
    Moved(String),
}

#[derive(Clone)]
pub struct File {
    pub length: u64,
    pub modified: SystemTime,
    pub content_type: &'static str,
    pub content: Content,
}

#[derive(Clone)]
pub enum Content {
    Small(Arc<[u8]>),
    /// To be read as it is sent.
    Large(Arc<fs::File>),
}

/// Looks a request's path up.
pub async fn find(site: &Arc<Site>, request: &Request) -> Result<Found, Refusal> {
    if let Some(file) = site.recall(&request.path) {
        return Ok(Found::File(file));
    }
    let (site, path) = (site.clone(), request.path.clone());
    let found = to_thread(move || look_up(&site, &path)).await;
    found.unwrap_or(Err(Refusal::new(500, "The file could not be looked up.")))
}

fn look_up(site: &Site, path: &str) -> Result<Found, Refusal> {
    // Links and dots are resolved first, and then the place is checked.
    let relative = path.trim_start_matches('/');
    let mut place = site.root.join(relative).canonicalize().map_err(refusal)?;
    if !place.starts_with(&site.root) {
        return Err(Refusal::FORBIDDEN);
    }
    if place.is_dir() {
        if !path.ends_with('/') {
            return Ok(Found::Moved(format!("/{}/", encode(relative))));
        }
        let Ok(index) = place.join("index.html").canonicalize() else {
            return listing(&place, path).map(Found::Listing).map_err(refusal);
        };
        if !index.starts_with(&site.root) {
            return Err(Refusal::FORBIDDEN);
        }
        place = index;
    } else if path.ends_with('/') {
        return Err(Refusal::NOT_FOUND);
    }
    // Opening a pipe or a device may block for ever, or do things.
    if !place.is_file() {
        return Err(Refusal::FORBIDDEN);
    }
    let file = open(&place).map_err(refusal)?;
    if let Content::Small(_) = file.content {
        site.remember(path, &file);
    }
    Ok(Found::File(file))
}

fn open(place: &Path) -> io::Result<File> {
    let handle = fs::File::open(place)?;
    let metadata = handle.metadata()?;
    let mut length = metadata.len();
    let content = if length <= SMALL {
        let mut bytes = vec![0; length as usize];
        // It may have become shorter meanwhile.
        let count = read_at(&handle, &mut bytes, 0)?;
        bytes.truncate(count);
        length = count as u64;
        Content::Small(bytes.into())
    } else {
        Content::Large(Arc::new(handle))
    };
    Ok(File {
        length,
        modified: metadata.modified()?,
        content_type: content_type(place),
        content,
    })
}

fn refusal(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Refusal::FORBIDDEN,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => Refusal::NOT_FOUND,
        _ => Refusal::new(500, "The file could not be read."),
    }
}

/// Reads a file from `offset` until the buffer is full or the file ends.
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// A large file, piece by piece.
pub struct Pieces {
    file: Arc<fs::File>,
    /// What nobody has begun to read.
    rest: Range<u64>,
    /// The piece that is being read.
    ahead: Option<ToThread<io::Result<Vec<u8>>>>,
}

impl Pieces {
    pub fn new(file: Arc<fs::File>, range: Range<u64>) -> Self {
        Self {
            file,
            rest: range,
            ahead: None,
        }
    }

    /// The next piece. While it is sent, the one behind it is read.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(reading) = self.ahead.take().or_else(|| self.begin()) else {
            return Ok(None);
        };
        let piece = reading.await.map_err(|error| io::Error::other(error.to_string()))??;
        self.ahead = self.begin();
        Ok(Some(piece))
    }

    fn begin(&mut self) -> Option<ToThread<io::Result<Vec<u8>>>> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.rest.start;
        let length = PIECE.min(self.rest.end - offset);
        self.rest.start += length;
        let file = self.file.clone();
        Some(to_thread(move || {
            let mut piece = vec![0; length as usize];
            if read_at(&file, &mut piece, offset)? < piece.len() {
                // Its length was promised: all that is left is to end the connection.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(piece)
        }))
    }
}

fn content_type(place: &Path) -> &'static str {
    let extension = place.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "txt" | "md" | "rs" | "toml" | "lock" | "log" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "gz" | "tgz" => "application/gzip",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

/// A directory's names, subdirectories first, as a page of links.
fn listing(place: &Path, path: &str) -> io::Result<String> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        // Links are followed, as they will be when they are clicked on; those that lead nowhere are left out.
        let Ok(metadata) = fs::metadata(entry.path()) else {
            continue;
        };
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        entries.push((!metadata.is_dir(), name, metadata));
    }
    entries.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));

    let title = escape(path);
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body {{ font: 1em sans-serif; margin: 2em }} td {{ padding-right: 2em }}</style>\n\
         <h1>{title}</h1>\n<table>\n"
    );
    if path != "/" {
        page.push_str("<tr><td><a href=\"../\">../</a></td></tr>\n");
    }
    for (is_file, name, metadata) in entries {
        let slash = if is_file { "" } else { "/" };
        let size = if is_file {
            format!("{} bytes", metadata.len())
        } else {
            String::new()
        };
        let modified = metadata.modified().map_or_else(|_| String::new(), http_date);
        let _ = writeln!(
            page,
            "<tr><td><a href=\"./{}{slash}\">{}{slash}</a></td><td>{size}</td><td>{modified}</td></tr>",
            encode(&name),
            escape(&name)
        );
    }
    page.push_str("</table>\n");
    Ok(page)
}

/// Text as it stands in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Percent-encoding of a path.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
