//! Protocols by TLS: the callbacks are those of any other connection.

use crate::{Authority, run};
use aioli::{Event, Protocol, Transport, create_connection, create_server};
use std::{
    io,
    sync::{Arc, Mutex},
};

#[derive(Default)]
struct Shout(Option<Transport>);

impl Protocol for Shout {
    fn connection_made(&mut self, transport: &Transport) {
        assert!(transport.get_extra_info().tls.is_some());
        self.0 = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        self.0.as_ref().unwrap().write(data.to_ascii_uppercase());
    }

    /// Half-closed, it says goodbye.
    fn eof_received(&mut self) -> bool {
        let transport = self.0.as_ref().unwrap();
        transport.write(b"!");
        transport.close();
        true
    }
}

#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    over: Arc<Event>,
}

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }
}

impl Protocol for Log {
    fn connection_made(&mut self, transport: &Transport) {
        self.note("made");
        transport.write(b"hello");
        transport.write_eof();
    }

    fn data_received(&mut self, data: &[u8]) {
        let mut lines = self.lines.lock().unwrap();
        // What was sent in one piece may come in two.
        match lines.last_mut() {
            Some(line) if line != "made" => line.push_str(&String::from_utf8_lossy(data)),
            _ => lines.push(String::from_utf8_lossy(data).into_owned()),
        }
    }

    fn eof_received(&mut self) -> bool {
        self.note("end");
        false
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.note(format!("lost {error:?}"));
        self.over.set();
    }
}

#[test]
fn protocols_do_not_notice() {
    let authority = Authority::new();
    run(|| async {
        let acceptor = authority.issue(|_| {}).acceptor();
        let server = create_server(Shout::default, "127.0.0.1:0")
            .tls(acceptor)
            .await
            .unwrap();
        let log = Log::default();
        let protocol = log.clone();
        create_connection(|| protocol, server.local_addr())
            .tls(authority.connector())
            .await
            .unwrap();
        log.over.wait().await;
        assert_eq!(*log.lines.lock().unwrap(), ["made", "HELLO!", "end", "lost None"]);
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn a_protocol_is_not_made_for_a_server_that_is_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    run(|| async {
        let acceptor = stranger.issue(|_| {}).acceptor();
        let server = create_server(Shout::default, "127.0.0.1:0")
            .tls(acceptor)
            .await
            .unwrap();
        aioli::EventLoop::current().set_exception_handler(|_| {});
        let made = create_connection(|| -> Log { unreachable!("nobody to talk to") }, server.local_addr())
            .tls(authority.connector())
            .await;
        assert_eq!(made.unwrap_err().kind(), io::ErrorKind::InvalidData);
    });
}
