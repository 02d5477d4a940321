//! TCP sockets that are not connected yet, and do not listen.

use super::run;
use aioli::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        socket2::{Domain, SockRef, Socket, Type},
    },
};
use futures_lite::StreamExt;
use std::{io, net::SocketAddr, pin::pin, time::Duration};

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[test]
fn options_are_set_before_the_connection_is_made() {
    run(|| async {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let socket = TcpSocket::for_address(any_port()).unwrap();
        socket.bind(any_port()).unwrap();
        let local = socket.local_addr().unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_keepalive(Some(Duration::from_secs(9))).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let stream = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(stream.local_addr().unwrap(), local);
        assert!(stream.nodelay().unwrap());
        assert!(stream.keepalive().unwrap());
        assert_eq!(
            SockRef::from(&stream).tcp_keepalive_time().unwrap(),
            Duration::from_secs(9)
        );
        assert_eq!(stream.linger().unwrap(), Some(Duration::ZERO));
    });
}

#[test]
fn what_is_set_can_be_asked() {
    run(|| async {
        let socket = TcpSocket::new_v4().unwrap();
        assert!(!socket.reuse_address().unwrap());
        socket.set_reuse_address(true).unwrap();
        assert!(socket.reuse_address().unwrap());
        assert!(!socket.reuse_port().unwrap());
        socket.set_reuse_port(true).unwrap();
        assert!(socket.reuse_port().unwrap());
        assert!(!socket.nodelay().unwrap());
        socket.set_nodelay(true).unwrap();
        assert!(socket.nodelay().unwrap());
        assert!(!socket.keepalive().unwrap());
        assert_eq!(socket.linger().unwrap(), None);
        socket.set_send_buffer_size(30_000).unwrap();
        assert!((30_000..=60_000).contains(&socket.send_buffer_size().unwrap()));
        socket.set_recv_buffer_size(30_000).unwrap();
        assert!((30_000..=60_000).contains(&socket.recv_buffer_size().unwrap()));
        assert!(socket.set_only_v6(true).is_err());
    });
}

#[test]
fn one_port_can_be_shared_if_all_agree() {
    run(|| async {
        let shared = |address| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(address).unwrap();
            socket.listen(16).unwrap()
        };
        let first = shared(any_port());
        let address = first.local_addr().unwrap();
        let second = shared(address);
        assert_eq!(second.local_addr().unwrap(), address);
        let alone = TcpSocket::new_v4().unwrap();
        assert_eq!(alone.bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn an_address_of_another_machine_cannot_be_had() {
    run(|| async {
        let socket = TcpSocket::new_v4().unwrap();
        let error = socket.bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn sockets_come_from_elsewhere_and_go_there() {
    run(|| async {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let socket = TcpSocket::from_socket(socket).unwrap();
        socket.bind(any_port()).unwrap();
        let address = socket.local_addr().unwrap();
        let socket = socket.into_socket();
        assert!(socket.nonblocking().unwrap());
        assert_eq!(socket.local_addr().unwrap().as_socket(), Some(address));
        let listener = TcpSocket::from_socket(socket).unwrap().listen(8).unwrap();
        let client = TcpSocket::from_socket(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).unwrap();
        let (client, accepted) = futures_lite::future::zip(client.connect(address), listener.accept()).await;
        assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
    });
}

#[test]
fn options_of_a_connection_can_be_asked() {
    run(|| async {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        stream.set_ttl(7).unwrap();
        assert_eq!(stream.ttl().unwrap(), 7);
        stream.set_send_buffer_size(30_000).unwrap();
        assert!((30_000..=60_000).contains(&stream.send_buffer_size().unwrap()));
        stream.set_recv_buffer_size(30_000).unwrap();
        assert!((30_000..=60_000).contains(&stream.recv_buffer_size().unwrap()));
    });
}

#[test]
fn connections_come_one_after_the_other() {
    run(|| async {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let mut incoming = pin!(listener.incoming());
        for text in ["first", "second"] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.write_all(text.as_bytes()).await.unwrap();
            drop(client);
            let mut got = String::new();
            let mut stream = incoming.next().await.unwrap().unwrap();
            stream.read_to_string(&mut got).await.unwrap();
            assert_eq!(got, text);
        }
    });
}
