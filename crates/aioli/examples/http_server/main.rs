//! A web server for the files of a directory: HTTP/1.1 with keep-alive, pipelining, byte ranges and directory listings, with TLS
//! if it is given a certificate.
//!
//! ```sh
//! cargo run --release --example http_server -- --dir . --port 8000
//! ```
//!
//! Without a port, or with port 0, the system picks one. It prints the address, and serves until Ctrl-C or a `kill`: then it accepts
//! nobody any more, ends connections that wait for a request, and gives the others ten seconds. It listens on this machine
//! only.
//!
//! With TLS, here by a certificate that is made on the spot, and that only those trust who are told to:
//!
//! ```sh
//! openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem \
//!     -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
//! cargo run --release --features tls --example http_server -- --dir . --port 8443 --cert cert.pem --key key.pem
//! curl --cacert cert.pem https://localhost:8443/
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `main` | the command line, the server's start and end, and one connection from its first request to its last |
//! | `identity` | a certificate and its key, for TLS |
//! | `request` | what a client asks for: reading and checking a request's head |
//! | `response` | what it gets: status, header, and the pages that the server writes itself |
//! | `files` | from a path to a file, its place under the directory checked, and its bytes |

mod files;
mod identity;
mod request;
mod response;

use aioli::{
    Event, StreamReader, StreamWriter,
    io::AsyncWriteExt,
    race,
    signal::{SignalKind, signal},
    wait_for,
};
use files::{Found, Site};
use identity::Identity;
use request::{Method, Request};
use response::{Body, Response};
use std::{env, io, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

const USAGE: &str = "usage: http_server --dir DIR [--port PORT] [--cert FILE --key FILE]";

/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(30);

/// How long a client may take over a request's head and body, once it has begun.
const REQUEST: Duration = Duration::from_secs(10);

/// How long a client may take to receive one piece of a file.
const PIECE: Duration = Duration::from_secs(30);

/// How long a refused client gets to read why.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long requests that are under way have at the end.
const GRACE: Duration = Duration::from_secs(10);

struct Arguments {
    dir: PathBuf,
    port: u16,
    /// The files of the certificate and of the key.
    identity: Option<(PathBuf, PathBuf)>,
}

/// What all connections share.
struct Shared {
    site: Arc<Site>,
    /// No further requests are taken.
    ending: Event,
}

#[aioli::main]
async fn main() -> ExitCode {
    let Some(arguments) = arguments(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (site, identity) = match prepare(&arguments) {
        Ok(prepared) => prepared,
        Err(problem) => {
            eprintln!("http_server: {problem}");
            return ExitCode::from(2);
        }
    };
    match serve(site, arguments.port, identity).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_server: port {}: {error}", arguments.port);
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut args: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut dir, mut port, mut cert, mut key) = (None, 0, None, None);
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--dir" => dir = Some(PathBuf::from(value)),
            "--port" => port = value.parse().ok()?,
            "--cert" => cert = Some(PathBuf::from(value)),
            "--key" => key = Some(PathBuf::from(value)),
            _ => return None,
        }
    }
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return None,
    };
    Some(Arguments {
        dir: dir?,
        port,
        identity,
    })
}

/// What has to be there before anything is served.
fn prepare(arguments: &Arguments) -> Result<(Site, Option<Identity>), String> {
    let dir = &arguments.dir;
    let site = Site::new(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let identity = match &arguments.identity {
        Some((cert, key)) => Some(Identity::read(cert, key)?),
        None => None,
    };
    Ok((site, identity))
}

async fn serve(site: Site, port: u16, identity: Option<Identity>) -> io::Result<()> {
    // Before anybody can know the address, so that no signal is missed.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shared = Arc::new(Shared {
        site: Arc::new(site),
        ending: Event::new(),
    });
    let client = {
        let shared = shared.clone();
        move |reader, writer| {
            let shared = shared.clone();
            // What goes wrong from here on is the client's affair: the connection just ends.
            async move { drop(converse(&shared, reader, writer).await) }
        }
    };
    let start = aioli::start_server(client, ("127.0.0.1", port));
    let (server, scheme) = match identity {
        Some(identity) => (identity.serve(start).await?, "https"),
        None => (start.await?, "http"),
    };
    println!("{scheme}://{}/", server.local_addr());

    let signalled = async {
        race((interrupt.recv(), terminate.recv())).await;
        Ok(())
    };
    // When the signal wins, the server is closed: it was serving until it was cancelled.
    race((signalled, server.serve_forever())).await?;
    shared.ending.set();
    if wait_for(server.wait_closed(), GRACE).await.is_err() {
        server.abort_clients();
        server.wait_closed().await;
    }
    Ok(())
}

/// Answers one request after the other, until either side has had enough.
async fn converse(shared: &Shared, mut reader: StreamReader, mut writer: StreamWriter) -> io::Result<()> {
    let Shared { site, ending } = shared;
    loop {
        let ended = async {
            ending.wait().await;
            Ok(false)
        };
        // Pipelined requests are in the reader's buffer already, and this returns at once.
        let Ok(more) = wait_for(race((request::begins(&mut reader), ended)), IDLE).await else {
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
        let last = !request.keep_alive || ending.is_set();
        if last {
            response = response.last();
        }
        respond(&mut writer, request.method, response).await?;
        if last {
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
