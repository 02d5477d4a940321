//! Streams: what asyncio's do, with one worker and with two.

mod ending;
mod lines;
mod reading;
mod server_control;
mod serving;
mod wakers;
mod writing;

use aioli::{
    Builder, StreamReader, StreamWriter,
    net::{TcpListener, TcpStream},
    open_connection, wait_for,
};
use std::{future::Future, time::Duration};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// More than the system takes without anybody reading.
const MUCH: usize = 16 * 1024 * 1024;

/// Runs a test with one worker and with two; one that hangs fails.
fn run<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for workers in [1, 2] {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(async { wait_for(test(), LIMIT).await.expect("the test hangs") });
    }
}

/// A connection, with streams at one end and a plain socket at the other.
async fn pair() -> (StreamReader, StreamWriter, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (reader, writer) = open_connection(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (reader, writer, peer)
}

/// Bytes in which every misplaced piece shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8)
        .collect()
}

/// A server's handler: says what it hears, louder.
async fn shout(mut reader: StreamReader, writer: StreamWriter) {
    while let Ok(line @ [_, ..]) = reader.readline().await.as_deref() {
        writer.write(line.to_ascii_uppercase());
        if writer.drain().await.is_err() {
            return;
        }
    }
}
