//! A client that reads nothing, writes and closes, and a server that is some way away: its session tickets arrive when the client has
//! written everything. They must not make the system reset the connection, and throw away what is under way.

use super::*;
use aioli::{Protocol, create_connection, create_task, timeout, to_thread, yield_now};
use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

/// More than the server's side of a socket takes while nobody reads, and less than both sides take.
const LENGTH: usize = 1_000_000;

/// A server that answers the beginning of the handshake and then, when it is told to, goes on: sends tickets, and reads.
struct FarServer {
    address: SocketAddr,
    go_on: Sender<()>,
    thread: JoinHandle<io::Result<Vec<u8>>>,
}

impl FarServer {
    fn start(acceptor: &TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (go_on, told) = channel();
        let config = acceptor.config().clone();
        Self {
            address: listener.local_addr().unwrap(),
            go_on,
            thread: thread::spawn(move || serve(listener.accept()?.0, config, told)),
        }
    }

    /// What has arrived in the end.
    async fn got(self) -> io::Result<Vec<u8>> {
        self.go_on.send(()).unwrap();
        to_thread(|| self.thread.join().unwrap()).await.unwrap()
    }
}

fn serve(mut tcp: TcpStream, config: Arc<rustls::ServerConfig>, told: Receiver<()>) -> io::Result<Vec<u8>> {
    let mut tls = rustls::ServerConnection::new(config).unwrap();
    while !tls.wants_write() {
        tls.read_tls(&mut tcp)?;
        tls.process_new_packets().unwrap();
    }
    while tls.wants_write() {
        tls.write_tls(&mut tcp)?;
    }
    told.recv().unwrap();
    let mut all = Vec::new();
    rustls::StreamOwned::new(tls, tcp).read_to_end(&mut all)?;
    Ok(all)
}

/// Everything is the system's.
async fn sent(unsent: impl Fn() -> usize) {
    while unsent() > 0 {
        yield_now().await;
    }
}

#[test]
fn nothing_is_lost_with_a_reader_that_nobody_uses() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = FarServer::start(&acceptor);
        let (reader, writer) = open_connection(server.address).tls(connector).await.unwrap();
        drop(reader);
        writer.write(pattern(LENGTH));
        writer.close();
        sent(|| writer.unsent()).await;
        assert!(server.got().await.unwrap() == pattern(LENGTH));
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn nothing_is_lost_after_a_read_that_was_given_up() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = FarServer::start(&acceptor);
        let (mut reader, writer) = open_connection(server.address).tls(connector).await.unwrap();
        timeout(Duration::ZERO, reader.read(&mut [0; 100])).await.unwrap_err();
        writer.write(pattern(LENGTH));
        writer.close();
        sent(|| writer.unsent()).await;
        assert!(reader.read_to_eof().await.unwrap().is_empty());
        drop(reader);
        assert!(server.got().await.unwrap() == pattern(LENGTH));
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn nothing_is_lost_while_somebody_reads() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = FarServer::start(&acceptor);
        let (mut reader, writer) = open_connection(server.address).tls(connector).await.unwrap();
        let reading = create_task(async move { reader.read_to_eof().await });
        yield_now().await;
        writer.write(pattern(LENGTH));
        writer.close();
        assert!(reading.await.unwrap().unwrap().is_empty());
        assert!(server.got().await.unwrap() == pattern(LENGTH));
        writer.wait_closed().await.unwrap();
    });
}

struct Quiet(Arc<Mutex<Option<Option<io::Error>>>>);

impl Protocol for Quiet {
    fn data_received(&mut self, _: &[u8]) {}

    fn connection_lost(&mut self, error: Option<io::Error>) {
        *self.0.lock().unwrap() = Some(error);
    }
}

#[test]
fn nothing_is_lost_by_a_protocol() {
    run(|| async {
        let (connector, acceptor) = ends();
        let server = FarServer::start(&acceptor);
        let lost = Arc::new(Mutex::new(None));
        let protocol = Quiet(lost.clone());
        let transport = create_connection(|| protocol, server.address)
            .tls(connector)
            .await
            .unwrap();
        // It begins to read.
        for _ in 0..100 {
            yield_now().await;
        }
        transport.write(pattern(LENGTH));
        transport.close();
        sent(|| transport.write_buffer_size()).await;
        assert!(server.got().await.unwrap() == pattern(LENGTH));
        while lost.lock().unwrap().is_none() {
            yield_now().await;
        }
        assert!(matches!(*lost.lock().unwrap(), Some(None)));
    });
}
