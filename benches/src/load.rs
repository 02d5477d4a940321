//! The load of the network rows: a process of its own, one thread around a bare epoll, the same for every peer.
//!
//! Each connection sends a message, waits until all of it has come back, and sends the next: so there are always as many
//! requests under way as connections. With a pause, all send at once, and all wait until the last answer has come and the
//! pause is over: so the server goes to sleep in between. If the load reconnects, each message has a connection of its
//! own. After the warm-up the load prints `warm`; at its end, one line with the number of requests since then, the seconds
//! they took, and the 50th and 99th percentile of their latency in microseconds.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::meter;

/// How much load to make.
#[derive(Clone, Copy)]
pub struct Load {
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Bytes of a message.
    pub bytes: usize,
    /// Milliseconds before counting starts.
    pub warm_up_ms: u64,
    /// Milliseconds for which requests are counted, unless `requests` are reached before.
    pub window_ms: u64,
    /// The most requests to count.
    pub requests: u64,
    /// Microseconds between bursts, or zero to send the next message of a connection at once.
    pub pause_us: u64,
    /// Close a connection after one message, and open another. The latency then begins before the connection does.
    pub reconnect: bool,
}

/// What the load saw.
pub struct Report {
    /// Requests answered in the window.
    pub requests: f64,
    /// Length of the window.
    pub seconds: f64,
    /// Median latency in microseconds.
    pub p50_us: f64,
    /// The latency that one request in a hundred exceeded, in microseconds.
    pub p99_us: f64,
}

impl Load {
    /// Runs this load in a process of its own against `address`; calls `warm` when the window opens.
    pub fn drive(&self, address: &str, mut warm: impl FnMut() -> io::Result<()>) -> io::Result<Report> {
        let numbers = [
            self.connections as u64,
            self.bytes as u64,
            self.warm_up_ms,
            self.window_ms,
            self.requests,
            self.pause_us,
            u64::from(self.reconnect),
        ]
        .map(|n| n.to_string());
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--load", address])
            .args(numbers)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut report = None;
        for line in BufReader::new(process.stdout.take().expect("piped")).lines() {
            let line = line?;
            if line == "warm" {
                warm()?;
                continue;
            }
            let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
            if let [requests, seconds, p50_us, p99_us] = numbers[..] {
                report = Some(Report {
                    requests,
                    seconds,
                    p50_us,
                    p99_us,
                });
            }
        }
        process.wait()?;
        report.ok_or_else(|| io::Error::other("the load ended without a report"))
    }

    /// The load that [`Load::drive`] asked for, from the command line.
    pub fn from_arguments(numbers: &[String]) -> Option<Load> {
        let numbers: Vec<u64> = numbers.iter().map_while(|number| number.parse().ok()).collect();
        match numbers[..] {
            [connections, bytes, warm_up_ms, window_ms, requests, pause_us, reconnect] => Some(Load {
                connections: connections as usize,
                bytes: bytes as usize,
                warm_up_ms,
                window_ms,
                requests,
                pause_us,
                reconnect: reconnect != 0,
            }),
            _ => None,
        }
    }

    /// Makes the load in this process, and prints as described above.
    pub fn run(&self, address: &str) -> io::Result<()> {
        let mut message = vec![b'x'; self.bytes];
        message[self.bytes - 1] = b'\n';
        let mut buffer = vec![0; self.bytes];
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let open = |index| -> io::Result<Connection> {
            let connection = Connection::open(address)?;
            let token = EventData::new_u64(index as u64);
            epoll::add(&epoll, &connection.stream, token, EventFlags::IN)?;
            Ok(connection)
        };
        let next = |connection: &mut Connection, index| -> io::Result<()> {
            let begun = Instant::now();
            if self.reconnect {
                *connection = open(index)?;
            }
            connection.send(&message, begun)
        };
        let mut connections = (0..self.connections).map(open).collect::<io::Result<Vec<_>>>()?;
        for connection in &mut connections {
            connection.send(&message, Instant::now())?;
        }

        let mut answered = 0;
        let mut events = Vec::with_capacity(self.connections);
        let mut latencies = Vec::new();
        let mut window = Window::warming_up(self.warm_up_ms);
        loop {
            if window.is_over() {
                if window.warm {
                    break;
                }
                latencies.clear();
                writeln!(io::stdout(), "warm")?;
                window = Window::counting(self.window_ms);
            }
            if window.warm && latencies.len() as u64 >= self.requests {
                break;
            }
            events.clear();
            epoll::wait(&epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let index = event.data.u64() as usize;
                let connection = &mut connections[index];
                if let Some(latency) = connection.receive(&mut buffer)? {
                    latencies.push(latency.as_nanos() as f64);
                    match self.pause_us {
                        0 => next(connection, index)?,
                        _ => answered += 1,
                    }
                }
            }
            if answered == self.connections {
                answered = 0;
                thread::sleep(Duration::from_micros(self.pause_us));
                for (index, connection) in connections.iter_mut().enumerate() {
                    next(connection, index)?;
                }
            }
        }
        let seconds = window.opened.elapsed().as_secs_f64();
        let requests = latencies.len();
        let [p50, p99] = meter::percentiles_us(latencies, [0.5, 0.99]);
        writeln!(io::stdout(), "{requests} {seconds} {p50} {p99}")
    }
}

/// The warm-up, or after it the time for which requests count.
struct Window {
    warm: bool,
    opened: Instant,
    length: Duration,
}

impl Window {
    fn warming_up(milliseconds: u64) -> Window {
        Window {
            warm: false,
            opened: Instant::now(),
            length: Duration::from_millis(milliseconds),
        }
    }

    fn counting(milliseconds: u64) -> Window {
        Window {
            warm: true,
            ..Window::warming_up(milliseconds)
        }
    }

    fn is_over(&self) -> bool {
        self.opened.elapsed() >= self.length
    }
}

/// One connection with at most one request under way.
struct Connection {
    stream: TcpStream,
    begun: Instant,
    missing: usize,
}

impl Connection {
    fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            begun: Instant::now(),
            missing: 0,
        })
    }

    /// The socket's buffer is empty, since the request before was answered, so the message always fits.
    fn send(&mut self, message: &[u8], begun: Instant) -> io::Result<()> {
        self.begun = begun;
        self.missing = message.len();
        self.stream.write_all(message)
    }

    /// Reads a part of the answer; returns the latency when it was the last.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Duration>> {
        match self.stream.read(&mut buffer[..self.missing])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.missing -= count;
                Ok((self.missing == 0).then(|| self.begun.elapsed()))
            }
        }
    }
}
