//! The TCP echo server of the network rows, written in one of several ways, as a process of its own; and the handle by
//! which a row controls it.
//!
//! Protocol, in lines of text: the server prints its address. Whatever line comes on its standard input it answers with
//! the processor time it has used, in nanoseconds. At the end of its standard input it ends. A thread of its own does
//! this, blocked but for the few microseconds of an answer, so it does not disturb the runtime.

use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use crate::meter;
use crate::peers::NetPeer;
use crate::rows::Setting;

/// Bytes of the buffer a connection reads into.
pub const BUFFER: usize = 16 << 10;

/// How an echo server is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Idiom {
    /// Reads from the socket and writes to it.
    Sockets,
    /// Through a buffered reader and a buffered writer.
    Streams,
    /// Through the same two, line by line.
    Lines,
    /// In callbacks; by sockets where a runtime has no such thing.
    Protocol,
}

impl Idiom {
    const ALL: [Idiom; 4] = [Idiom::Sockets, Idiom::Streams, Idiom::Lines, Idiom::Protocol];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Idiom::Sockets => "sockets",
            Idiom::Streams => "streams",
            Idiom::Lines => "lines",
            Idiom::Protocol => "protocol",
        }
    }

    /// The idiom of that name.
    pub fn named(name: &str) -> Option<Idiom> {
        Idiom::ALL.into_iter().find(|idiom| idiom.name() == name)
    }
}

/// Serves TCP echo with this peer until the process ends.
pub fn serve<P: NetPeer>(workers: usize, idiom: Idiom) -> io::Result<()> {
    P::run(workers, move |_| async move {
        match idiom {
            Idiom::Sockets => accept::<P, _>(echo::<P>).await,
            Idiom::Streams => P::serve_streams().await,
            Idiom::Lines => P::serve_lines().await,
            Idiom::Protocol => P::serve_protocol().await,
        }
    })
}

/// Accepts connections, and handles each in a task of its own.
pub async fn accept<P, F>(handler: fn(P::Stream) -> F) -> io::Result<()>
where
    P: NetPeer,
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = P::listen().await?;
    announce(address)?;
    loop {
        let stream = P::accept(&listener).await?;
        P::spawn_detached(handler(stream));
    }
}

/// Sends back what comes, until the client hangs up.
pub async fn echo<P: NetPeer>(mut stream: P::Stream) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(count @ 1..) = P::read(&mut stream, &mut buffer).await {
        if P::write_all(&mut stream, &buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Prints the address and starts to obey standard input, as the protocol above says.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{address}")?;
    thread::spawn(move || {
        for _ in io::stdin().lines() {
            writeln!(output, "{}", meter::cpu_time().as_nanos()).expect("the row listens");
        }
        process::exit(0)
    });
    Ok(())
}

/// A running server process. Dropping it ends the process, by closing its standard input.
pub struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    /// Starts the server of this setting's peer, written in this idiom, behind the words of `wrapper` if there are any (a tracer), and waits
    /// until it listens. With a wrapper, standard error is kept for [`Server::finish`].
    pub fn start(setting: &Setting, idiom: Idiom, wrapper: &[&str]) -> io::Result<Server> {
        let program = env::current_exe()?;
        let mut command = match wrapper {
            [] => Command::new(program),
            [tracer, arguments @ ..] => {
                let mut command = Command::new(tracer);
                command.args(arguments).arg(program).stderr(Stdio::piped());
                command
            }
        };
        command.args([
            "--serve",
            setting.peer.name(),
            idiom.name(),
            "--workers",
            &setting.workers.to_string(),
        ]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let mut server = Server {
            process,
            input,
            output,
            address: String::new(),
        };
        server.address = server.line()?;
        Ok(server)
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The processor time it has used so far.
    pub fn cpu_time(&mut self) -> io::Result<Duration> {
        writeln!(self.input, "cpu")?;
        let nanoseconds = self.line()?.parse().map_err(io::Error::other)?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Ends the server and returns what it (and its wrapper) wrote to standard error.
    pub fn finish(self) -> io::Result<String> {
        let Server { mut process, input, .. } = self;
        drop(input);
        let mut errors = String::new();
        if let Some(mut stream) = process.stderr.take() {
            stream.read_to_string(&mut errors)?;
        }
        process.wait()?;
        Ok(errors)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let mut errors = String::new();
            if let Some(stream) = &mut self.process.stderr {
                stream.read_to_string(&mut errors)?;
            }
            return Err(io::Error::other(format!("the server has gone: {}", errors.trim())));
        }
        Ok(line.trim_end().to_owned())
    }
}
