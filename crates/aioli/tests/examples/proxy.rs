//! The TCP proxy.

use crate::{LIMIT, Running, example, pattern};
use aioli::net::socket2::SockRef;
use rustix::process::Signal;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

/// A proxy, and the server that it passes on to.
struct Setup {
    proxy: Running,
    server: TcpListener,
}

impl Setup {
    fn new(grace: &str) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Running::start("tcp_proxy", &arguments(&server, grace));
        Self { proxy, server }
    }

    /// A connection, as its client and as the server has it.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.proxy.connect();
        let (server, _) = self.server.accept().unwrap();
        server.set_read_timeout(Some(LIMIT)).unwrap();
        (client, server)
    }
}

fn arguments(server: &TcpListener, grace: &str) -> [&'static str; 6] {
    let to = server.local_addr().unwrap().to_string();
    [
        "--listen",
        "127.0.0.1:0",
        "--to",
        to.leak(),
        "--grace",
        grace.to_owned().leak(),
    ]
}

fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    rest
}

/// Ends it by a reset.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn is_reset(mut stream: &TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::ConnectionReset)
}

#[test]
fn both_ways_end_one_after_the_other() {
    let setup = Setup::new("60");
    let bytes = pattern(3_000_000);
    // Whichever side ends first, the other still has its say.
    for client_first in [true, false] {
        let (client, server) = setup.connect();
        let (mut first, mut second) = if client_first {
            (&client, &server)
        } else {
            (&server, &client)
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                first.write_all(&bytes).unwrap();
                first.shutdown(Shutdown::Write).unwrap();
            });
            assert!(rest(second) == bytes);
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                second.write_all(&bytes[1..]).unwrap();
                second.shutdown(Shutdown::Write).unwrap();
            });
            assert!(rest(first) == bytes[1..]);
        });
    }
}

#[test]
fn a_reset_is_passed_on_as_one() {
    let setup = Setup::new("60");
    let (client, server) = setup.connect();
    reset(client);
    assert!(is_reset(&server));
    let (client, server) = setup.connect();
    reset(server);
    assert!(is_reset(&client));
    // The proxy goes on.
    let (mut client, server) = setup.connect();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&server), b"hello");
}

#[test]
fn a_server_that_is_not_there_costs_the_one_connection() {
    let Setup { proxy, server } = Setup::new("60");
    drop(server);
    assert!(is_reset(&proxy.connect()));
    assert!(is_reset(&proxy.connect()));
    proxy.signal(Signal::INT);
    let ended = proxy.ended();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.errors.matches("refused").count(), 2, "{}", ended.errors);
}

#[test]
fn after_a_signal_connections_may_finish_and_nobody_new_comes() {
    for signal in [Signal::INT, Signal::TERM] {
        let setup = Setup::new("60");
        let connections = [setup.connect(), setup.connect()];
        setup.proxy.signal(signal);
        setup.proxy.output.wait_for("no new connections; 2 may finish\n");
        assert!(TcpStream::connect(&setup.proxy.address).is_err());
        for (number, (mut client, mut server)) in connections.into_iter().enumerate() {
            let bytes = pattern(1_000 + number);
            client.write_all(&bytes).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert!(rest(&server) == bytes);
            server.write_all(b"thank you").unwrap();
            drop(server);
            assert_eq!(rest(&client), b"thank you");
        }
        let ended = setup.proxy.ended();
        assert_eq!(ended.status.code(), Some(0));
        assert!(ended.output.ends_with("2 finished, 0 aborted\n"), "{}", ended.output);
    }
}

#[test]
fn what_is_left_at_the_deadline_or_the_next_signal_is_aborted() {
    for (grace, again) in [("0.05", false), ("60", true)] {
        let setup = Setup::new(grace);
        let connections = [setup.connect(), setup.connect(), setup.connect()];
        setup.proxy.signal(Signal::TERM);
        if again {
            setup.proxy.output.wait_for("no new connections; 3 may finish\n");
            setup.proxy.signal(Signal::TERM);
        }
        for (client, server) in &connections {
            assert!(is_reset(client) && is_reset(server));
        }
        let ended = setup.proxy.ended();
        assert_eq!(ended.status.code(), Some(0));
        assert!(ended.output.ends_with("0 finished, 3 aborted\n"), "{}", ended.output);
    }
}

#[test]
fn out_of_descriptors_it_waits_for_those_who_are_there_to_go() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut shell = Command::new("/bin/sh");
    let program = example("tcp_proxy").get_program().to_owned();
    shell.args(["-c", "ulimit -n 30; exec \"$0\" \"$@\""]).arg(program);
    shell
        .args(arguments(&server, "60"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let proxy = Running::from(&mut shell);
    let crowd: Vec<TcpStream> = (0..40).map(|_| proxy.connect()).collect();
    proxy.errors.wait_for("Too many open files");
    drop(crowd);
    let echo = thread::spawn(move || {
        loop {
            let (mut stream, _) = server.accept().unwrap();
            let mut asked = String::new();
            // Those of the crowd say nothing, or are reset.
            if stream.read_to_string(&mut asked).is_ok() && asked == "hello" {
                return;
            }
        }
    });
    while !echo.is_finished() {
        let mut client = proxy.connect();
        // It may be refused for want of a descriptor while the others go.
        let _ = client
            .write_all(b"hello")
            .and_then(|()| client.shutdown(Shutdown::Write));
        let _ = client.read(&mut [0]);
    }
    echo.join().unwrap();
    proxy.signal(Signal::INT);
    assert_eq!(proxy.ended().status.code(), Some(0));
}
