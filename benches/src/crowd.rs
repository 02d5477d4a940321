//! The crowd: a stream echo server that holds idle connections while others are busy, for as long as one likes. It measures what a
//! row cannot: that memory stays what it is, and that every descriptor comes back.
//!
//! The idle connections are this process's, the busy ones those of a [load](crate::load), and the server is watched from
//! outside, through `/proc`, so that all peers can be.

use std::io::{self, Error};
use std::net::TcpStream;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, iter};

use crate::load::Load;
use crate::rows::Setting;
use crate::server::{Idiom, Server};

const BUSY: usize = 500;

/// Memory that a server may have more of at the end than when all were there: what its allocator makes of it.
const GROWTH: f64 = 1.05;

/// How long the server may take to notice that its clients have gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds a crowd for that many seconds, and says how it went.
pub fn hold(setting: &Setting, seconds: u64) -> io::Result<()> {
    let idle = if setting.quick { 500 } else { 10_000 };
    let server = Server::start(setting, Idiom::Streams, &[])?;
    let process = Process(server.id());
    let (descriptors, kilobytes) = (process.descriptors()?, process.kilobytes()?);
    println!(
        "{}: {descriptors} descriptors and {kilobytes} kB before",
        setting.peer.name()
    );

    let connections = iter::repeat_with(|| TcpStream::connect(server.address()))
        .take(idle)
        .collect::<io::Result<Vec<_>>>()?;
    let (samples, report) = process.watch_during(|warm| {
        let load = Load {
            connections: BUSY,
            bytes: 64,
            warm_up_ms: 2000,
            window_ms: seconds * 1000,
            requests: u64::MAX,
            pause_us: 0,
            reconnect: false,
        };
        load.drive(server.address(), warm)
    })?;
    let (first, last) = match samples[..] {
        [first, .., last] => (first, last),
        _ => return Err(Error::other("the load was over before anything was measured")),
    };
    let each = (first - kilobytes as f64) * 1024.0 / (idle + BUSY) as f64;
    println!(
        "  {:.0} requests/s for {:.0} s; {first:.0} kB in the beginning ({each:.0} bytes for each connection), {last:.0} kB in the end",
        report.requests / report.seconds,
        report.seconds
    );
    let held = process.descriptors()?;
    if held < descriptors + idle {
        return Err(Error::other(format!("only {held} descriptors: connections were lost")));
    }
    drop(connections);
    let left = process.descriptors_when_back_to(descriptors)?;
    println!("  {held} descriptors with the idle connections, {left} after all have gone");
    server.finish()?;
    if left > descriptors {
        return Err(Error::other("not every descriptor was returned"));
    }
    if last > first * GROWTH {
        return Err(Error::other("memory grew"));
    }
    Ok(())
}

/// Another process, seen from outside.
struct Process(u32);

impl Process {
    fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// Waits until it has no more than that many.
    fn descriptors_when_back_to(&self, count: usize) -> io::Result<usize> {
        let start = Instant::now();
        loop {
            let open = self.descriptors()?;
            if open <= count || start.elapsed() > PATIENCE {
                return Ok(open);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has in memory.
    fn kilobytes(&self) -> io::Result<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Error::other("there is no VmRSS"))
    }

    /// Its kilobytes, each second from the moment on at which `work` says that it is warm.
    fn watch_during<T>(
        &self,
        work: impl FnOnce(&mut dyn FnMut() -> io::Result<()>) -> io::Result<T>,
    ) -> io::Result<(Vec<f64>, T)> {
        let (warm, begins) = channel();
        let (over, ends) = channel::<()>();
        thread::scope(|scope| {
            let watching = scope.spawn(move || {
                let mut samples = Vec::new();
                if begins.recv().is_ok() {
                    loop {
                        samples.push(self.kilobytes()? as f64);
                        if let Err(RecvTimeoutError::Disconnected) = ends.recv_timeout(Duration::from_secs(1)) {
                            break;
                        }
                    }
                }
                Ok(samples)
            });
            let done = work(&mut || warm.send(()).map_err(Error::other));
            drop((warm, over));
            let samples: io::Result<Vec<f64>> = watching.join().expect("watching does not panic");
            Ok((samples?, done?))
        })
    }
}
