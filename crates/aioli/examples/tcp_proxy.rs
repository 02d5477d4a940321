//! A TCP proxy: passes on what comes in to another address, and what comes back, and ends gracefully.
//!
//! ```sh
//! cargo run --release --example http_server -- --dir . --port 8000 &
//! cargo run --release --example tcp_proxy -- --listen 127.0.0.1:7000 --to 127.0.0.1:8000 --grace 5
//! curl http://127.0.0.1:7000/
//! ```
//!
//! It prints the address, and serves until Ctrl-C or a `kill`. Then it accepts nobody any more, gives the connections that there are a
//! grace time to finish, 10 seconds unless it is said, or until the signal comes again, and aborts those that are left. It says what
//! became of them.
//!
//! It shows the steps of a graceful shutdown (stop accepting, drain, deadline, abort) as a task group with a time limit; an
//! accept loop that survives what can happen to it; and copying in two directions where each may end before the other.
//! `docs/network.md` explains them.

use aioli::{
    TaskGroup,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, ToAddresses},
    race,
    signal::{Signal, SignalKind, signal},
    sleep, wait_for,
};
use futures_lite::future::try_zip;
use std::{
    env, io,
    net::{Shutdown, SocketAddr},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

const USAGE: &str = "usage: tcp_proxy --listen HOST:PORT --to HOST:PORT [--grace SECONDS]";

/// How long a connection to the other address may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the proxy waits, out of descriptors or memory, before it accepts again.
const BACK_OFF: Duration = Duration::from_millis(100);

struct Arguments {
    listen: String,
    to: String,
    grace: Duration,
}

#[aioli::main]
async fn main() -> ExitCode {
    let Some(arguments) = arguments(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tcp_proxy: {}: {error}", arguments.listen);
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut args: impl Iterator<Item = String>) -> Option<Arguments> {
    let (mut listen, mut to, mut grace) = (None, None, Duration::from_secs(10));
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--listen" => listen = Some(value),
            "--to" => to = Some(value),
            "--grace" => grace = Duration::try_from_secs_f64(value.parse().ok()?).ok()?,
            _ => return None,
        }
    }
    let (listen, to) = (listen?, to?);
    // Whether they are addresses; names are looked up later.
    listen.to_addresses().and(to.to_addresses()).ok()?;
    Some(Arguments { listen, to, grace })
}

async fn serve(arguments: &Arguments) -> io::Result<()> {
    let mut stop = Stop::new()?;
    let listener = TcpListener::bind(&arguments.listen).await?;
    println!("{}", listener.local_addr()?);

    let proxy = Arc::new(Proxy {
        to: arguments.to.clone(),
        open: AtomicUsize::new(0),
    });
    let connections = TaskGroup::new();
    race((accept(&listener, &proxy, &connections), stop.told())).await;

    // Stop accepting: nobody new gets in, and those who try are told so.
    drop(listener);
    let open = proxy.open.load(Relaxed);
    println!("no new connections; {open} may finish");
    // Drain, with a deadline. What is left then is cancelled with the group's `join`, which drops it: that is the abort.
    let drained = async {
        // No child of this group fails.
        let _ = connections.join().await;
    };
    let _ = wait_for(race((drained, stop.told())), arguments.grace).await;
    let aborted = proxy.open.load(Relaxed);
    println!("{} finished, {aborted} aborted", open.saturating_sub(aborted));
    Ok(())
}

/// The signals to stop at.
struct Stop(Signal, Signal);

impl Stop {
    /// Listens from now on.
    fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    async fn told(&mut self) {
        race((self.0.recv(), self.1.recv())).await;
    }
}

struct Proxy {
    to: String,
    /// How many connections are neither finished nor failed.
    open: AtomicUsize,
}

/// Accepts for ever, whatever happens to single connections, and whatever is short at the moment.
async fn accept(listener: &TcpListener, proxy: &Arc<Proxy>, connections: &TaskGroup) {
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                proxy.open.fetch_add(1, Relaxed);
                let proxy = proxy.clone();
                // The group takes children until it is joined.
                let _ = connections.create_task(async move { proxy.pass_on(client, peer).await });
            }
            // It was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // No descriptor or no memory is left. Those who come wait in the backlog until some of those who are there have gone.
            Err(error) => {
                eprintln!("tcp_proxy: {error}");
                sleep(BACK_OFF).await;
            }
        }
    }
}

impl Proxy {
    /// Serves one connection to its end.
    async fn pass_on(&self, client: TcpStream, peer: SocketAddr) {
        if let Err(error) = self.copy_both_ways(client).await {
            eprintln!("tcp_proxy: {peer}: {error}");
        }
        // Not if it is cancelled: that is how those who are aborted are told from the others.
        self.open.fetch_sub(1, Relaxed);
    }

    async fn copy_both_ways(&self, client: TcpStream) -> io::Result<()> {
        // Until all has gone well, an end is a reset: nobody is to take a part for the whole.
        client.set_linger(Some(Duration::ZERO))?;
        let server = wait_for(TcpStream::connect(&self.to), CONNECT).await??;
        server.set_linger(Some(Duration::ZERO))?;
        for stream in [&client, &server] {
            // Whoever sends has decided already what goes together.
            stream.set_nodelay(true)?;
        }
        // Both at the same time, in this task, until both have ended or one has failed.
        try_zip(copy(&client, &server), copy(&server, &client)).await?;
        client.set_linger(None)?;
        server.set_linger(None)
    }
}

/// Copies to the end of one direction, and passes the end on. The other direction may go on for long.
async fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown(Shutdown::Write),
            // A receiver that is slow makes the sender wait: nothing is read meanwhile, and the system's buffers fill up.
            count => to.write_all(&buffer[..count]).await?,
        }
    }
}
