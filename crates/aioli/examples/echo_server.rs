//! A TCP server that sends back what it receives.
//!
//! ```sh
//! cargo run --release --example echo_server -- --port 7000
//! ```
//!
//! Without a port, or with port 0, the system picks one. It prints the address, and serves until it is killed. To talk
//! to it: `nc 127.0.0.1 7000`.

use aioli::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use std::{env, io, process::ExitCode, time::Duration};

const USAGE: &str = "usage: echo_server [--port PORT]";

#[aioli::main]
async fn main() -> ExitCode {
    let Some(port) = port_from(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match serve(port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_server: port {port}: {error}");
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
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => aioli::create_task(echo(stream)).detach(),
            // Most likely there are too many connections: serve those, and look again.
            Err(error) => {
                eprintln!("echo_server: {error}");
                aioli::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection, until either side ends it.
async fn echo(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
