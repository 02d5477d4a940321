//! Unix sockets of others, with names and credentials that are unusual and that everybody may have.

use super::{Directory, run};
use aioli::net::{UnixDatagram, UnixListener, UnixStream};
use std::{
    io::{self, Write},
    mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net},
    },
    path::Path,
};

/// A socket at the longest name that Linux takes: one that fills the address, and leaves no room for the NUL behind it.
fn socket_at_longest_name(directory: &Directory, kind: libc::c_int) -> OwnedFd {
    // SAFETY: all-zero is a value of this plain structure.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let path = directory.path("x".repeat(address.sun_path.len()));
    for (to, &from) in address.sun_path.iter_mut().zip(path.as_os_str().as_bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the new descriptor is ours alone, and the address is as long as it is said to be.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0);
        assert!(socket >= 0);
        let socket = OwnedFd::from_raw_fd(socket);
        let length = mem::size_of_val(&address) as libc::socklen_t;
        assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length), 0);
        socket
    }
}

#[test]
fn a_datagram_from_the_longest_name_arrives() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("receiver");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let sender = net::UnixDatagram::from(socket_at_longest_name(&directory, libc::SOCK_DGRAM));
        sender.send_to(b"hello", &path).unwrap();
        let mut buf = [0; 16];
        // The standard library's addresses have a NUL at the end, for which there is no room.
        let (length, peer) = receiver.peek_from(&mut buf).await.unwrap();
        assert_eq!((length, peer.is_unnamed()), (5, true));
        let (length, peer) = receiver.recv_from(&mut buf).await.unwrap();
        assert_eq!((&buf[..length], peer.is_unnamed()), (&b"hello"[..], true));
    });
}

#[test]
fn a_client_with_the_longest_name_is_accepted() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        let client = socket_at_longest_name(&directory, libc::SOCK_STREAM);
        let client = socket2::Socket::from(client);
        client.connect(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        for peer in [peer, stream.peer_addr().unwrap()] {
            let name = peer.as_pathname().and_then(Path::file_name).unwrap();
            assert!(name.as_bytes().iter().all(|&byte| byte == b'x'));
        }
        (&client).write_all(b"x").unwrap();
        assert_eq!(stream.peek(&mut [0; 8]).await.unwrap(), 1);
        assert!(format!("{stream:?}").contains("xxx"));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_datagram_from_the_longest_abstract_name_arrives() {
    use std::os::linux::net::SocketAddrExt;
    run(|| async {
        let unique = format!("{}-{:?}", std::process::id(), std::thread::current().id());
        let name = format!("{unique:x<107}");
        let sender = UnixDatagram::bind(format!("\0{name}")).unwrap();
        let far = format!("\0{unique}");
        let receiver = UnixDatagram::bind(&far).unwrap();
        sender.connect(&far).unwrap();
        sender.send(b"hello").await.unwrap();
        let (_, peer) = receiver.recv_from(&mut [0; 8]).await.unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
    });
}

#[test]
fn a_socket_without_a_peer_has_no_credentials() {
    run(|| async {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        let stream = UnixStream::from_std(net::UnixStream::from(OwnedFd::from(socket))).unwrap();
        assert_eq!(stream.peer_cred().unwrap_err().kind(), io::ErrorKind::NotConnected);
    });
}
