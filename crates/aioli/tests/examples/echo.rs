//! The echo servers, by TCP and by UDP.

use crate::{LIMIT, Running, output, pattern};
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    thread,
};

#[test]
fn the_echo_server_echoes_to_several_at_a_time() {
    let server = Running::start("echo_server", &["--port", "0"]);
    let bytes = pattern(50_000);
    let mut streams: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&bytes[number..]).unwrap();
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut got = vec![0; bytes.len() - number];
        stream.read_exact(&mut got).unwrap();
        assert!(got == bytes[number..]);
    }
    let again = output("echo_server", &["--port", server.address.rsplit(':').next().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("in use"));
}

#[test]
fn the_udp_server_sends_datagrams_back_and_counts_them() {
    let server = Running::start("udp_echo", &["--port", "0"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.connect(&server.address).unwrap();
    let largest = pattern(65_507);
    for datagram in [&b"hello"[..], b"", &largest] {
        socket.send(datagram).unwrap();
        let mut buffer = vec![0; 65_535];
        let length = socket.recv(&mut buffer).unwrap();
        assert!(&buffer[..length] == datagram);
    }
    let asked = output("udp_echo", &["--to", &server.address, "one", "two words"]);
    assert!(asked.status.success());
    let text = String::from_utf8(asked.stdout).unwrap();
    let echoes: Vec<&str> = text.lines().filter_map(|line| line.split("  (").next()).collect();
    assert_eq!(echoes, ["one", "two words"], "{text}");
    server.signal(Signal::TERM);
    let ended = server.ended();
    assert_eq!((ended.status.code(), &*ended.output), (Some(0), "5 echoed\n"));
}

#[test]
fn the_udp_client_asks_again_and_passes_over_late_answers() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = thread::spawn(move || output("udp_echo", &["--to", &address, "first", "second"]));
    let mut buffer = [0; 100];
    let (length, peer) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"0 first");
    // As if that was lost: it comes again. Then there are two answers, and the second is late.
    let (length, _) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"0 first");
    server.send_to(b"0 first", peer).unwrap();
    server.send_to(b"0 first", peer).unwrap();
    let (length, _) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"1 second");
    server.send_to(b"1 second", peer).unwrap();
    let asked = client.join().unwrap();
    let text = String::from_utf8(asked.stdout).unwrap();
    assert!(
        asked.status.success() && text.starts_with("first  (") && text.contains("\nsecond  ("),
        "{text}"
    );
}

#[test]
fn the_udp_client_says_when_nobody_is_there() {
    let gone = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let asked = output("udp_echo", &["--to", &gone, "hello"]);
    assert_eq!(asked.status.code(), Some(1));
    let text = String::from_utf8(asked.stderr).unwrap();
    assert!(text.contains("refused") || text.contains("no answer"), "{text}");
}
