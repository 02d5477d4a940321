//! The chat server.

use crate::Running;
use aioli::net::socket2::{Domain, Socket, Type};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

/// Somebody who chats.
struct Chatter(BufReader<TcpStream>);

impl Chatter {
    /// Connects, and takes a nickname.
    fn join(server: &Running, name: &str) -> Self {
        Self::introduce(server.connect(), name)
    }

    fn introduce(stream: TcpStream, name: &str) -> Self {
        let mut this = Self(BufReader::new(stream));
        assert_eq!(this.hears(), "* your nickname, please");
        this.says(name);
        let hello = this.hears();
        assert!(hello.starts_with(&format!("* hello {name}; here are: ")), "{hello}");
        this
    }

    fn says(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line.
    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// All that is said to the end of the connection.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

fn start() -> Running {
    Running::start("chat_server", &["--port", "0"])
}

#[test]
fn what_one_says_all_others_hear_in_the_same_order() {
    let server = start();
    let mut ann = Chatter::join(&server, "ann");
    let mut bob = Chatter::join(&server, "bob");
    let mut eve = Chatter::join(&server, "eve");
    assert_eq!(ann.hears(), "* bob is here");
    assert_eq!(ann.hears(), "* eve is here");
    assert_eq!(bob.hears(), "* eve is here");
    for number in 0..200 {
        ann.says(&format!("from ann {number}"));
        bob.says(&format!("from bob {number}"));
    }
    ann.says("/quit");
    bob.says("/quit");
    // Who quits is told no more than goodbye, so the third is the one to ask.
    let heard: Vec<String> = (0..402).map(|_| eve.hears()).collect();
    for name in ["ann", "bob"] {
        let said = heard.iter().filter(|line| line.starts_with(&format!("{name}: ")));
        let expected = (0..200).map(|number| format!("{name}: from {name} {number}"));
        assert!(said.cloned().eq(expected), "{heard:?}");
        assert!(heard.contains(&format!("* {name} has left")));
    }
    for quitter in [ann, bob] {
        assert!(quitter.rest().ends_with("* goodbye\n"));
    }
    eve.says("/who");
    assert_eq!(eve.hears(), "* here are: eve");
}

#[test]
fn nicknames_are_checked_and_free_again_when_their_owner_has_left() {
    let server = start();
    let ann = Chatter::join(&server, "ann");
    let mut other = Chatter(BufReader::new(server.connect()));
    assert_eq!(other.hears(), "* your nickname, please");
    for bad in ["", "two words", "a-b", &"x".repeat(21)] {
        other.says(bad);
        assert_eq!(other.hears(), "* a nickname has up to 20 letters and digits", "{bad:?}");
    }
    other.says("ann");
    assert_eq!(other.hears(), "* this nickname is taken");
    other.says("bob");
    assert_eq!(other.hears(), "* hello bob; here are: ann, bob");
    // Without a word.
    drop(ann);
    assert_eq!(other.hears(), "* ann has left");
    Chatter::join(&server, "ann");
    assert_eq!(other.hears(), "* ann is here");
}

#[test]
fn what_could_do_harm_is_left_out_and_long_lines_end_the_talk() {
    let server = start();
    let mut ann = Chatter::join(&server, "ann");
    let mut bob = Chatter::join(&server, "bob");
    assert_eq!(ann.hears(), "* bob is here");
    bob.says("\u{1b}[2Jclear\r");
    assert_eq!(ann.hears(), "bob: [2Jclear");
    bob.says("/help");
    assert_eq!(bob.hears(), "* there are /who and /quit");
    bob.says(&"x".repeat(5000));
    assert_eq!(bob.rest(), "* a line has up to 1024 bytes; goodbye\n");
    assert_eq!(ann.hears(), "* bob has left");
}

#[test]
fn who_does_not_read_is_dropped_and_the_others_go_on() {
    let server = start();
    let mut ann = Chatter::join(&server, "ann");
    let mut bob = Chatter::join(&server, "bob");
    // The system keeps little for this one.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket
        .connect(&server.address.parse::<SocketAddr>().unwrap().into())
        .unwrap();
    let slow = Chatter::introduce(socket.into(), "slow");
    for chatter in [&mut ann, &mut bob] {
        while chatter.hears() != "* slow is here" {}
    }
    let text = "x".repeat(900);
    'talk: for _ in 0..100_000 {
        // Not more than the others can take at a time.
        for _ in 0..100 {
            ann.says(&text);
        }
        let mut heard = 0;
        while heard < 100 {
            match bob.hears().as_str() {
                "* slow fell behind, and is out" => break 'talk,
                line => assert_eq!(line, format!("bob: {text}").replace("bob", "ann")),
            }
            heard += 1;
        }
    }
    // Once it reads, it gets what was on its way, and the word.
    assert!(slow.rest().ends_with("* you fell behind; goodbye\n"));
    bob.says("/who");
    while bob.hears() != "* here are: ann, bob" {}
}

#[test]
fn a_signal_ends_the_room_also_for_those_who_stay() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = start();
        let ann = Chatter::join(&server, "ann");
        // One without a nickname, and one that does not go when it is told to.
        let nobody = Chatter(BufReader::new(server.connect()));
        let stays = Chatter::join(&server, "stays");
        server.signal(signal);
        assert!(ann.rest().ends_with("* the room is closing; goodbye\n"));
        assert!(nobody.rest().ends_with("* the room is closing; goodbye\n"));
        let ended = server.ended();
        assert_eq!((ended.status.code(), &*ended.errors), (Some(0), ""));
        drop(stays);
    }
}
