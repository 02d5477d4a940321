//! A chat room: what one client says, all others read, line by line.
//!
//! ```sh
//! cargo run --release --example chat_server -- --port 7000
//! nc 127.0.0.1 7000
//! ```
//!
//! Without a port, or with port 0, the system picks one. It prints the address, and serves until Ctrl-C or a `kill`; then everybody is
//! told, and has two seconds to take what is on its way. The first line of a client is its nickname; `/who` tells who is there, and
//! `/quit` leaves.
//!
//! It shows how many tasks talk to each other without waiting for each other: every client has a queue of its own, which is
//! bounded. One that does not read loses its place when its queue is full, and nobody else notices more than the notice.
//!
//! | file | what it is |
//! |---|---|
//! | `main` | the command line, and the server from its start to its graceful end |
//! | `room` | who is there, and a queue for each of them |
//! | `client` | one connection: a nickname, what it says, what it is told, and how it ends |

mod client;
mod room;

use aioli::{
    race,
    signal::{SignalKind, signal},
    start_server, wait_for,
};
use room::Room;
use std::{env, io, process::ExitCode, sync::Arc, time::Duration};

const USAGE: &str = "usage: chat_server [--port PORT]";

/// How many bytes a line may have.
const LINE: usize = 1024;

/// How long clients have at the end to take what they were told.
const GRACE: Duration = Duration::from_secs(2);

#[aioli::main]
async fn main() -> ExitCode {
    let Some(port) = port_from(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match serve(port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat_server: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn port_from(mut args: impl Iterator<Item = String>) -> Option<u16> {
    let port = match args.next().as_deref() {
        None => 0,
        Some("--port") => args.next()?.parse().ok()?,
        Some(_) => return None,
    };
    args.next().is_none().then_some(port)
}

async fn serve(port: u16) -> io::Result<()> {
    // Before anybody can know the address, so that no signal is missed.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let room = Arc::new(Room::default());
    let client = {
        let room = room.clone();
        move |reader, writer| client::serve(room.clone(), reader, writer)
    };
    let server = start_server(client, ("127.0.0.1", port)).limit(LINE).await?;
    println!("{}", server.local_addr());

    let signalled = async {
        race((interrupt.recv(), terminate.recv())).await;
        Ok(())
    };
    // When the signal wins, the server is closed: it was serving until it was cancelled.
    race((signalled, server.serve_forever())).await?;
    room.close();
    if wait_for(server.wait_closed(), GRACE).await.is_err() {
        server.abort_clients();
        server.wait_closed().await;
    }
    Ok(())
}
