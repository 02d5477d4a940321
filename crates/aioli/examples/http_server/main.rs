//! A web server for the files of a directory: HTTP/1.1 with keep-alive, pipelining, byte ranges and directory listings.
//!
//! ```sh
//! cargo run --release --example http_server -- --dir . --port 8000
//! ```
//!
//! Without a port, or with port 0, the system picks one. It prints the address, and serves until it is killed. It listens
//! on this machine only.
//!
//! | file | what it is |
//! |---|---|
//! | `main` | the command line, and one connection from its first request to its last |
//! | `request` | what a client asks for: reading and checking a request's head |
//! | `response` | what it gets: status, header, and the pages that the server writes itself |
//! | `files` | from a path to a file, its place under the directory checked, and its bytes |

mod files;
mod request;
mod response;

use aioli::{StreamReader, StreamWriter, io::AsyncWriteExt, wait_for};
use files::{Found, Site};
use request::{Method, Request};
use response::{Body, Response};
use std::{env, io, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

const USAGE: &str = "usage: http_server --dir DIR [--port PORT]";

/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(30);

/// How long a client may take over a request's head and body, once it has begun.
const REQUEST: Duration = Duration::from_secs(10);

/// How long a client may take to receive one piece of a file.
const PIECE: Duration = Duration::from_secs(30);

/// How long a refused client gets to read why.
const FAREWELL: Duration = Duration::from_secs(2);

struct Arguments {
    dir: PathBuf,
    port: u16,
}

#[aioli::main]
async fn main() -> ExitCode {
    let Some(arguments) = arguments(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let site = match Site::new(&arguments.dir) {
        Ok(site) => Arc::new(site),
        Err(error) => {
            eprintln!("http_server: {}: {error}", arguments.dir.display());
            return ExitCode::from(2);
        }
    };
    match serve(site, arguments.port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_server: port {}: {error}", arguments.port);
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut args: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut dir, mut port) = (None, 0);
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--dir" => dir = Some(PathBuf::from(value)),
            "--port" => port = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(Arguments { dir: dir?, port })
}

async fn serve(site: Arc<Site>, port: u16) -> io::Result<()> {
    let client = move |reader, writer| {
        let site = site.clone();
        // What goes wrong from here on is the client's affair: the connection just ends.
        async move { drop(converse(&site, reader, writer).await) }
    };
    let server = aioli::start_server(client, ("127.0.0.1", port)).await?;
    println!("http://{}/", server.local_addr());
    server.serve_forever().await
}

/// Answers one request after the other, until either side has had enough.
async fn converse(site: &Arc<Site>, mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    loop {
        // Pipelined requests are in the reader's buffer already, and this returns at once.
        let Ok(more) = wait_for(request::begins(&mut reader), IDLE).await else {
            return Ok(());
        };
        if !more? {
            return Ok(());
        }
        let read = wait_for(request::read(&mut reader), REQUEST);
        let request = match read.await.unwrap_or(Err(request::Refusal::TIMEOUT)) {
            Ok(request) => request,
            Err(refusal) => {
                let response = Response::refusal(refusal).last();
                respond(&mut writer, Method::Get, response).await?;
                return farewell(reader, writer).await;
            }
        };
        let mut response = answer(site, &request).await;
        if !request.keep_alive {
            response = response.last();
        }
        respond(&mut writer, request.method, response).await?;
        if !request.keep_alive {
            return farewell(reader, writer).await;
        }
    }
}

async fn answer(site: &Arc<Site>, request: &Request) -> Response {
    match files::find(site, request).await {
        Ok(Found::File(file)) => Response::file(file, request),
        Ok(Found::Listing(page)) => Response::page(page),
        Ok(Found::Moved(location)) => Response::moved(location),
        Err(refusal) => Response::refusal(refusal),
    }
}

async fn respond(writer: &mut StreamWriter, method: Method, response: Response) -> io::Result<()> {
    let mut head = response.head();
    match response.body {
        _ if method == Method::Head => send(writer, &head).await,
        Body::Bytes(bytes) => {
            // One system call for both.
            head.extend_from_slice(&bytes);
            send(writer, &head).await
        }
        Body::Pieces(mut pieces) => {
            send(writer, &head).await?;
            while let Some(piece) = pieces.next().await? {
                // The next piece is read from the disk while this one is sent.
                send(writer, &piece).await?;
            }
            Ok(())
        }
        Body::None => send(writer, &head).await,
    }
}

async fn send(writer: &mut StreamWriter, bytes: &[u8]) -> io::Result<()> {
    wait_for(writer.write_all(bytes), PIECE).await?
}

/// Ends a connection so that the client reads the last response even if it is still sending: closing at once would make
/// the system throw the response away with what was not read.
async fn farewell(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    writer.write_eof();
    let mut rest = [0; 4096];
    let _ = wait_for(
        async { while matches!(reader.read(&mut rest).await, Ok(1..)) {} },
        FAREWELL,
    )
    .await;
    Ok(())
}
