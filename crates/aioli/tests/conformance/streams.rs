//! Streams and servers.

use crate::harness::{conforms, say, secs};
use aioli::{
    Queue, ReadError, StreamReader, StreamWriter, create_task, open_connection, sleep, start_server, wait_for,
};
use std::{io, sync::Arc};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Streams: a line echo server and client; EOF gives b"" from readline; close and wait_closed on both sides.
#[test]
fn streams_echo() {
    async fn serve(mut reader: StreamReader, writer: StreamWriter) {
        loop {
            let line = reader.readline().await.unwrap();
            if line.is_empty() {
                break;
            }
            say!("server read {}", text(&line).trim_end_matches('\n'));
            writer.write(line.to_ascii_uppercase());
            writer.drain().await.unwrap();
        }
        say!("server: end of file, at_eof {}", reader.at_eof());
        writer.close();
        writer.wait_closed().await.unwrap();
        say!("server: closed");
    }

    async fn main() {
        let server = start_server(serve, "127.0.0.1:0").await.unwrap();
        let address = server.local_addr();
        let (mut reader, writer) = open_connection(address).await.unwrap();
        let peername = writer.get_extra_info().peername.unwrap();
        say!("same port {}", peername.as_ip() == Some(address));
        for line in ["one", "two"] {
            writer.write(format!("{line}\n").as_bytes());
            writer.drain().await.unwrap();
            let line = reader.readline().await.unwrap();
            say!("client read {}", text(&line).trim_end_matches('\n'));
        }
        writer.writelines(["thr", "ee\n", "unfinished"]);
        writer.write_eof();
        let rest = reader.read_to_eof().await.unwrap();
        say!("client read the rest: {}", text(&rest).replace('\n', " "));
        say!("client at_eof {}", reader.at_eof());
        writer.close();
        say!("client closing {}", writer.is_closing());
        writer.wait_closed().await.unwrap();
        sleep(secs(0.03)).await;
        server.close();
        server.wait_closed().await;
    }

    conforms("streams_echo", main);
}

/// StreamReader: readexactly, readuntil, read(n); IncompleteReadError keeps the partial data; limits are enforced.
#[test]
fn streams_reads() {
    async fn serve(_reader: StreamReader, writer: StreamWriter) {
        writer.write(b"headBODY;left;over");
        writer.drain().await.unwrap();
        sleep(secs(0.02)).await;
        writer.write([b'x'; 100]);
        writer.write(b"\nshort\nabc");
        writer.close();
    }

    async fn main() {
        let server = start_server(serve, "127.0.0.1:0").await.unwrap();
        let (mut reader, writer) = open_connection(server.local_addr()).limit(32).await.unwrap();
        say!("exactly {}", text(&reader.readexactly(4).await.unwrap()));
        say!("until {}", text(&reader.readuntil(b";").await.unwrap()));
        say!("until {}", text(&reader.readuntil(b";").await.unwrap()));
        let two = reader.readexactly(2).await.unwrap();
        let mut buffer = [0; 100];
        let count = reader.read(&mut buffer).await.unwrap();
        say!("some {} {}", text(&two), text(&buffer[..count]));
        let nothing = reader.readexactly(0).await.unwrap().len();
        say!("zero bytes {nothing} {}", reader.read(&mut []).await.unwrap());
        if let Err(ReadError::LimitOverrun(_)) = reader.readuntil(b"\n").await {
            say!("until: LimitOverrunError, data is kept");
        }
        let long = reader.readexactly(101).await.unwrap();
        say!("exactly ignores the limit {}", long.len());
        say!("line {}", text(&reader.readline().await.unwrap()).trim());
        if let Err(ReadError::Incomplete(error)) = reader.readexactly(10).await {
            let expected = error.expected.unwrap();
            say!("exactly: IncompleteReadError {} {expected}", text(&error.partial));
        }
        let at_eof = reader.at_eof();
        let rest = reader.read_to_eof().await.unwrap();
        say!("at eof {at_eof} read gives {} bytes", rest.len());
        if let Err(ReadError::Incomplete(error)) = reader.readuntil(b"\n").await {
            let expected = error.expected.map_or("None".to_owned(), |count| count.to_string());
            say!("until: IncompleteReadError {} {expected}", error.partial.len());
        }
        writer.close();
        writer.wait_closed().await.unwrap();
    }

    conforms("streams_reads", main);
}

/// Server.close() stops accepting but keeps open connections; wait_closed() waits until those are gone.
#[test]
fn server_close() {
    async fn serve(mut reader: StreamReader, writer: StreamWriter) {
        while let Ok(line @ [_, ..]) = reader.readline().await.as_deref() {
            writer.write(line);
            writer.drain().await.unwrap();
        }
        writer.close();
    }

    async fn main() {
        let server = Arc::new(start_server(serve, "127.0.0.1:0").await.unwrap());
        let address = server.local_addr();
        say!("serving {} sockets {}", server.is_serving(), server.sockets().len());
        let (mut reader, writer) = open_connection(address).await.unwrap();
        writer.write(b"before\n");
        say!("echo {}", text(&reader.readline().await.unwrap()).trim());

        server.close();
        let sockets = server.sockets().len();
        say!("closed: serving {} sockets {sockets}", server.is_serving());
        if let Err(error) = open_connection(address).await {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            say!("new connection refused");
        }
        let waiter = create_task({
            let server = server.clone();
            async move { server.wait_closed().await }
        });
        writer.write(b"after\n");
        let line = reader.readline().await.unwrap();
        say!("old connection still echoes {}", text(&line).trim());
        sleep(secs(0.03)).await;
        say!("wait_closed done {}", waiter.is_finished());

        writer.close();
        writer.wait_closed().await.unwrap();
        wait_for(waiter, secs(1.0)).await.unwrap().unwrap();
        say!("wait_closed returned after the last connection");
        server.close();
        server.wait_closed().await;
        say!("closing twice is fine");
    }

    conforms("server_close", main);
}

/// drain() blocks while the peer does not read, resumes when it does, and fails once the connection is lost.
#[test]
fn drain_backpressure() {
    const CHUNK: usize = 256 * 1024;
    const TOTAL: usize = 64;

    async fn send_all(writer: Arc<StreamWriter>) {
        for _ in 0..TOTAL {
            writer.write(vec![b'x'; CHUNK]);
            writer.drain().await.unwrap();
        }
        say!("sender: all chunks accepted");
    }

    async fn main() {
        let peers = Arc::new(Queue::new());
        let theirs = peers.clone();
        let hand_over = move |reader: StreamReader, writer: StreamWriter| {
            let peers = theirs.clone();
            async move { peers.put((reader, writer)).await.unwrap() }
        };
        let server = start_server(hand_over, "127.0.0.1:0").await.unwrap();
        let (_reader, writer) = open_connection(server.local_addr()).await.unwrap();
        let writer = Arc::new(writer);
        let (mut reader, peer) = peers.get().await.unwrap();

        let task = create_task(send_all(writer.clone()));
        sleep(secs(0.05)).await;
        say!("reader idle, sender done {}", task.is_finished());
        let (_low, high) = writer.write_buffer_limits();
        say!("buffered above the high-water mark {}", writer.unsent() > high);
        let received = reader.readexactly(TOTAL * CHUNK).await.unwrap().len();
        task.await.unwrap();
        say!("received everything {}", received == TOTAL * CHUNK);

        peer.abort();
        let error = loop {
            writer.write(vec![b'y'; CHUNK]);
            if let Err(error) = writer.drain().await {
                break error;
            }
        };
        // What Python calls ConnectionError.
        let expected = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        assert!(expected.contains(&error.kind()), "{error}");
        say!("drain after the peer went away: ConnectionError");
        writer.close();
        server.close();
    }

    conforms("drain_backpressure", main);
}
