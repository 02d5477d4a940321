//! What speaks HTTP with the web server.

use crate::Running;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

pub struct Reply {
    pub status: u16,
    header: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads a response, whose body has the length that it says.
    pub fn read(from: &mut impl BufRead, has_body: bool) -> Self {
        let mut line = String::new();
        let mut next = || {
            line.clear();
            from.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let status_line = next();
        let (version, status) = status_line.split_once(' ').expect("a status line");
        assert_eq!(version, "HTTP/1.1");
        let status = status[..3].parse().unwrap();
        let mut header = Vec::new();
        loop {
            let line = next();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            header.push((name.to_owned(), value.to_owned()));
        }
        let mut reply = Self {
            status,
            header,
            body: Vec::new(),
        };
        if has_body {
            let length = reply.get("Content-Length").map_or(0, |length| length.parse().unwrap());
            reply.body = vec![0; length];
            from.read_exact(&mut reply.body).unwrap();
        }
        reply
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let field = self.header.iter().find(|(other, _)| other == name);
        field.map(|(_, value)| value.as_str())
    }
}

/// A conversation over one connection.
pub struct Browser(pub BufReader<TcpStream>);

impl Browser {
    pub fn open(server: &Running) -> Self {
        Self(BufReader::new(server.connect()))
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    pub fn ask(&mut self, method: &str, target: &str, header: &str) -> Reply {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: here\r\n{header}\r\n").as_bytes());
        Reply::read(&mut self.0, method != "HEAD")
    }

    pub fn get(&mut self, target: &str) -> Reply {
        self.ask("GET", target, "")
    }

    /// Reads what the server says when nothing more is expected.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }
}
