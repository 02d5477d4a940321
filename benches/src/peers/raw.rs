//! No runtime: a level-triggered epoll loop on one thread, with three system calls per request and nothing else. It is
//! the floor of the network rows: what a runtime costs above it is the runtime's.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{SocketFlags, accept_with};

use crate::server;

/// The event data of the listener; connections count up from zero.
const LISTENER: u64 = u64::MAX;

/// Serves TCP echo until the process ends.
///
/// A connection has one request under way, which always fits into the socket's buffer, so a write never has to wait; if
/// it had to, the connection would be closed, and the load would notice.
pub fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    server::announce(listener.local_addr()?)?;

    let mut connections = HashMap::<u64, TcpStream>::new();
    let mut accepted = 0;
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; server::BUFFER];
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                let stream = TcpStream::from(accept_with(&listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?);
                stream.set_nodelay(true)?;
                epoll::add(&epoll, &stream, EventData::new_u64(accepted), EventFlags::IN)?;
                connections.insert(accepted, stream);
                accepted += 1;
            } else if !echo(&connections[&token], &mut buffer) {
                connections.remove(&token);
            }
        }
    }
}

/// Sends back what has come, and returns whether the connection still stands.
fn echo(mut stream: &TcpStream, buffer: &mut [u8]) -> bool {
    match stream.read(buffer) {
        Ok(0) | Err(_) => false,
        Ok(count) => stream.write_all(&buffer[..count]).is_ok(),
    }
}
