//! Protocols.

use crate::harness::{conforms, say, secs};
use aioli::{EventLoop, Promise, Protocol, Transport, create_server, open_connection, sleep};
use std::{
    io,
    sync::{Arc, Mutex},
};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What the script finds in the protocol that was made.
type Made = Arc<Mutex<Option<Transport>>>;

struct Server {
    name: &'static str,
    keep_open: bool,
    gone: Promise<()>,
    transport: Made,
}

impl Protocol for Server {
    fn connection_made(&mut self, transport: &Transport) {
        say!("{} connection_made", self.name);
        *self.transport.lock().unwrap() = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        say!("{} data_received {}", self.name, text(data));
        let reversed: Vec<u8> = data.iter().rev().copied().collect();
        self.transport.lock().unwrap().as_ref().unwrap().write(&reversed);
    }

    fn eof_received(&mut self) -> bool {
        say!("{} eof_received", self.name);
        self.keep_open
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        say!("{} connection_lost {error:?}", self.name);
        self.gone.set_result(()).unwrap();
    }
}

/// Protocol: connection_made, data_received, eof_received, connection_lost in order; pause_reading holds data back.
#[test]
fn protocol_callbacks() {
    async fn main() {
        for (name, keep_open) in [("closing:", false), ("staying:", true)] {
            let gone = EventLoop::current().create_promise();
            let made = Made::default();
            let (promise, transport) = (gone.clone(), made.clone());
            let factory = move || Server {
                name,
                keep_open,
                gone: promise.clone(),
                transport: transport.clone(),
            };
            let server = create_server(factory, "127.0.0.1:0").await.unwrap();
            let (mut reader, writer) = open_connection(server.local_addr()).await.unwrap();
            writer.write(b"abc");
            say!("{name} client read {}", text(&reader.readexactly(3).await.unwrap()));
            let side = made.lock().unwrap().clone().unwrap();
            side.pause_reading();
            writer.write(b"xyz");
            sleep(secs(0.02)).await;
            say!("{name} paused, reading {}", side.is_reading());
            side.resume_reading();
            say!("{name} client read {}", text(&reader.readexactly(3).await.unwrap()));
            writer.write_eof();
            sleep(secs(0.02)).await;
            say!("{name} after eof, lost {}", gone.is_done());
            side.close();
            gone.await.unwrap();
            writer.close();
            server.close();
        }
    }

    conforms("protocol_callbacks", main);
}
