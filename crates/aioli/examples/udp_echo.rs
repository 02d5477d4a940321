//! A UDP server that sends back what it receives, and a client to try it with.
//!
//! ```sh
//! cargo run --release --example udp_echo -- --port 7000
//! cargo run --release --example udp_echo -- --to 127.0.0.1:7000 hello "and goodbye"
//! ```
//!
//! The server prints its address, and serves until Ctrl-C or a `kill`; without a port, or with port 0, the system picks one. The client
//! sends each text as a datagram, prints what comes back and after how long, and exits with 1 if something does not.
//!
//! It shows what is different without connections: a datagram may get lost, and its answer too, so the client asks again; and an
//! answer may come late, so it is told from others by a number.

use aioli::{
    net::{ToAddresses, UdpSocket},
    race,
    signal::{SignalKind, signal},
    sleep, wait_for,
};
use std::{
    env, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::{Duration, Instant},
};

const USAGE: &str = "usage: udp_echo [--port PORT]\n       udp_echo --to HOST:PORT TEXT...";

/// No datagram is longer.
const LARGEST: usize = 65_535;

/// How often a client asks before it gives up, and how long it waits for an answer each time.
const ATTEMPTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(1);

enum Mode {
    Server { port: u16 },
    Client { to: String, texts: Vec<String> },
}

#[aioli::main]
async fn main() -> ExitCode {
    let Some(mode) = mode(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = match mode {
        Mode::Server { port } => serve(port).await,
        Mode::Client { to, texts } => ask_all(&to, &texts).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("udp_echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mode(mut args: impl Iterator<Item = String>) -> Option<Mode> {
    match args.next().as_deref() {
        None => Some(Mode::Server { port: 0 }),
        Some("--port") => {
            let port = args.next()?.parse().ok()?;
            args.next().is_none().then_some(Mode::Server { port })
        }
        Some("--to") => {
            let to = args.next()?;
            to.to_addresses().ok()?;
            let texts: Vec<String> = args.collect();
            (!texts.is_empty()).then_some(Mode::Client { to, texts })
        }
        Some(_) => None,
    }
}

async fn serve(port: u16) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let socket = UdpSocket::bind(("127.0.0.1", port)).await?;
    println!("{}", socket.local_addr()?);
    let mut echoed = 0;
    // Nothing is lost when the echoing is cancelled: a datagram that was received is sent back in the same turn, or dropped, as
    // the network may drop it.
    race((echo(&socket, &mut echoed), async { interrupt.recv().await }, async {
        terminate.recv().await
    }))
    .await;
    println!("{echoed} echoed");
    Ok(())
}

async fn echo(socket: &UdpSocket, echoed: &mut u64) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let result = match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) => socket.send_to(&buffer[..length], peer).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(_) => *echoed += 1,
            // It concerns this datagram, or the moment. There is no connection that it could be the end of.
            Err(error) => {
                eprintln!("udp_echo: {error}");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn ask_all(to: &str, texts: &[String]) -> io::Result<()> {
    let addresses = to.to_addresses()?.resolve().await?;
    let Some(&server) = addresses.first() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{to} has no address")));
    };
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // From here on datagrams come from the server alone, and an answer that nobody is there is an error of the socket.
    socket.connect(server).await?;
    for (number, text) in texts.iter().enumerate() {
        let start = Instant::now();
        let echo = ask(&socket, number, text).await?;
        println!("{echo}  ({:.2} ms)", start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}

/// Sends a text, again if need be, until it comes back.
async fn ask(socket: &UdpSocket, number: usize, text: &str) -> io::Result<String> {
    let question = format!("{number} {text}");
    for _ in 0..ATTEMPTS {
        socket.send(question.as_bytes()).await?;
        if let Ok(answer) = wait_for(answer_to(socket, number), PATIENCE).await {
            return answer;
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer to {text:?} in {ATTEMPTS} attempts"),
    ))
}

async fn answer_to(socket: &UdpSocket, number: usize) -> io::Result<String> {
    let (mut buffer, start) = (vec![0; LARGEST], format!("{number} "));
    loop {
        let length = socket.recv(&mut buffer).await?;
        let datagram = String::from_utf8_lossy(&buffer[..length]);
        // Others are late answers to what was asked before.
        if let Some(echo) = datagram.strip_prefix(&start) {
            return Ok(echo.to_owned());
        }
    }
}
