//! UDP and Unix datagrams.

use super::{Directory, run};
use aioli::{
    Semaphore, create_task,
    net::{UdpSocket, UnixDatagram, unix_address},
    sleep, yield_now,
};
use futures_lite::future::poll_once;
use std::{
    fs,
    future::poll_fn,
    io,
    net::{self, Ipv4Addr, SocketAddr},
    os::unix,
    pin::pin,
    sync::Arc,
    time::Duration,
};

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn datagrams_arrive_one_by_one_with_the_address_of_the_sender() {
    run(|| async {
        let ((near, home), (far, there)) = (udp().await, udp().await);
        let mut buf = [0; 16];
        assert!(poll_once(pin!(far.recv_from(&mut buf))).await.is_none());
        assert_eq!(near.send_to(b"one", there).await.unwrap(), 3);
        assert_eq!(near.send_to(b"", &there).await.unwrap(), 0);
        assert_eq!(poll_fn(|cx| near.poll_send_to(cx, b"three", there)).await.unwrap(), 5);
        assert_eq!(near.try_send_to(b"four", there).unwrap(), 4);
        assert_eq!(far.peek_from(&mut buf).await.unwrap(), (3, home));
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (3, home));
        assert_eq!(&buf[..3], b"one");
        assert_eq!(poll_fn(|cx| far.poll_peek_from(cx, &mut buf)).await.unwrap(), (0, home));
        assert_eq!(poll_fn(|cx| far.poll_recv_from(cx, &mut buf)).await.unwrap(), (0, home));
        far.readable().await.unwrap();
        assert_eq!(far.try_recv_from(&mut buf).unwrap(), (5, home));
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..5], b"foure");
    });
}

#[test]
fn a_connected_socket_needs_no_address_and_hears_only_its_peer() {
    run(|| async {
        let ((near, home), (far, there), (other, _)) = (udp().await, udp().await, udp().await);
        assert_eq!(near.peer_addr().unwrap_err().kind(), io::ErrorKind::NotConnected);
        near.connect(there).await.unwrap();
        far.connect(home).await.unwrap();
        assert_eq!(near.peer_addr().unwrap(), there);
        other.send_to(b"stranger", there).await.unwrap();
        let mut buf = [0; 16];
        near.send(b"one").await.unwrap();
        poll_fn(|cx| near.poll_send(cx, b"two")).await.unwrap();
        near.try_send(b"three").unwrap();
        assert_eq!(far.peek(&mut buf).await.unwrap(), 3);
        assert_eq!(far.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(poll_fn(|cx| far.poll_recv(cx, &mut buf)).await.unwrap(), 3);
        far.readable().await.unwrap();
        assert_eq!(far.try_recv(&mut buf).unwrap(), 5);
        assert_eq!(&buf[..5], b"three");
        assert_eq!(far.try_recv(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(
            far.try_recv_from(&mut buf).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    });
}

#[test]
fn a_client_needs_only_the_address_of_the_server() {
    run(|| async {
        let (server, there) = udp().await;
        let client = UdpSocket::connect_to(there).await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), there);
        client.send(b"hello").await.unwrap();
        let mut buf = [0; 16];
        let (length, peer) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!((length, peer), (5, client.local_addr().unwrap()));
        // Where IPv6 is turned off there is nothing to bind to.
        if let Ok(server) = UdpSocket::bind("[::1]:0").await {
            let there = server.local_addr().unwrap();
            let client = UdpSocket::connect_to(there).await.unwrap();
            assert_eq!(client.peer_addr().unwrap(), there);
        }
        let error = UdpSocket::connect_to("nonsense").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn a_buffer_that_is_too_short_gets_the_beginning() {
    run(|| async {
        let ((near, home), (far, there)) = (udp().await, udp().await);
        near.send_to(b"long", there).await.unwrap();
        near.send_to(b"next", there).await.unwrap();
        let mut buf = [0; 2];
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (2, home));
        assert_eq!(&buf, b"lo");
        far.recv(&mut buf).await.unwrap();
        assert_eq!(&buf, b"ne");
    });
}

#[test]
fn datagrams_that_go_wrong_are_errors() {
    run(|| async {
        let (near, home) = udp().await;
        let (gone, nobody) = udp().await;
        drop(gone);
        let error = near.send(b"to whom?").await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
        let error = near.send_to(&[0; 70_000], home).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        assert!(
            near.send_to(b"other family", "[::1]:9".parse::<SocketAddr>().unwrap())
                .await
                .is_err()
        );
        let error = UdpSocket::bind(home).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = UdpSocket::bind("nonsense").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        near.connect(nobody).await.unwrap();
        near.send(b"anybody?").await.unwrap();
        let error = near.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(near.take_error().unwrap().is_none());
    });
}

#[test]
fn one_socket_sends_and_receives_in_different_tasks() {
    run(|| async {
        let ((near, _), (far, there)) = (udp().await, udp().await);
        near.connect(there).await.unwrap();
        let echo = create_task(async move {
            let mut buf = [0; 16];
            for _ in 0..200 {
                let (length, peer) = far.recv_from(&mut buf).await.unwrap();
                far.send_to(&buf[..length], peer).await.unwrap();
            }
        });
        let near = Arc::new(near);
        let (sender, next) = (near.clone(), Arc::new(Semaphore::new(1)));
        let permits = next.clone();
        let sending = create_task(async move {
            for n in 0..200_u8 {
                permits.acquire().await.forget();
                sender.send(&[n]).await.unwrap();
            }
        });
        let mut buf = [0; 16];
        for n in 0..200_u8 {
            assert_eq!(near.recv(&mut buf).await.unwrap(), 1);
            assert_eq!(buf[0], n);
            next.release();
        }
        sending.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn options_can_be_set() {
    run(|| async {
        let (socket, _) = udp().await;
        assert!(!socket.broadcast().unwrap());
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(9).unwrap();
        assert_eq!(socket.ttl().unwrap(), 9);
        assert!(socket.multicast_loop_v4().unwrap());
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        socket.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
        socket.set_send_buffer_size(30_000).unwrap();
        assert!((30_000..=60_000).contains(&socket.send_buffer_size().unwrap()));
        socket.set_recv_buffer_size(30_000).unwrap();
        assert!((30_000..=60_000).contains(&socket.recv_buffer_size().unwrap()));
        let error = socket
            .join_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let socket = UdpSocket::from_std(socket.into_std()).unwrap();
        socket.writable().await.unwrap();
    });
}

#[test]
fn a_group_hears_what_is_sent_to_it_until_it_is_left() {
    run(|| async {
        let group = Ipv4Addr::new(224, 0, 0, 251);
        let receiver = UdpSocket::from_std(net::UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
        let (sender, _) = udp().await;
        receiver.join_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        sender.set_multicast_interface_v4(Ipv4Addr::LOCALHOST).unwrap();
        let to = SocketAddr::from((group, receiver.local_addr().unwrap().port()));
        sender.send_to(b"all of you", to).await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(receiver.recv(&mut buf).await.unwrap(), 10);
        receiver.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        assert!(receiver.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).is_err());
    });
}

#[test]
fn unix_datagrams_have_paths_for_addresses() {
    run(|| async {
        let directory = Directory::new();
        let (near, far) = (directory.path("near"), directory.path("far"));
        let (one, other) = (UnixDatagram::bind(&near).unwrap(), UnixDatagram::bind(&far).unwrap());
        let unbound = UnixDatagram::unbound().unwrap();
        let there = unix_address(&far).unwrap();
        let mut buf = [0; 16];
        one.send_to(b"hello", &there).await.unwrap();
        let (length, peer) = other.peek_from(&mut buf).await.unwrap();
        assert_eq!((length, peer.as_pathname()), (5, Some(&*near)));
        let (length, peer) = other.recv_from(&mut buf).await.unwrap();
        other.send_to(&buf[..length], peer).await.unwrap();
        assert_eq!(one.recv(&mut buf).await.unwrap(), 5);
        unbound.connect(&far).unwrap();
        assert_eq!(unbound.peer_addr().unwrap().as_pathname(), Some(&*far));
        unbound.send(b"from nobody").await.unwrap();
        let (length, peer) = other.recv_from(&mut buf).await.unwrap();
        assert_eq!(length, 11);
        assert!(peer.is_unnamed());
        assert!(unbound.local_addr().unwrap().is_unnamed());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn unix_datagrams_may_have_abstract_names() {
    use std::os::linux::net::SocketAddrExt;
    run(|| async {
        let name = format!("aioli-test-{}-{:?}", std::process::id(), std::thread::current().id());
        let (one, other) = (
            UnixDatagram::bind(format!("\0{name}")).unwrap(),
            UnixDatagram::unbound().unwrap(),
        );
        other.connect(format!("\0{name}")).unwrap();
        one.connect(format!("\0{name}")).unwrap();
        one.send(b"to myself").await.unwrap();
        let (_, peer) = one.recv_from(&mut [0; 16]).await.unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        assert_eq!(other.peer_addr().unwrap().as_abstract_name(), Some(name.as_bytes()));
    });
}

#[test]
fn sending_waits_until_the_receiver_has_room() {
    const COUNT: u32 = 2_000;
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("receiver");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let address = unix_address(&path).unwrap();
        let connected = UnixDatagram::unbound().unwrap();
        connected.connect(&path).unwrap();
        let unconnected = UnixDatagram::unbound().unwrap();
        let first = create_task(async move {
            for n in 0..COUNT {
                connected.send(&n.to_le_bytes()).await.unwrap();
            }
        });
        let full = UnixDatagram::unbound().unwrap();
        let probe = address.clone();
        // It waits before anything is received.
        while full.try_send_to(b"", &probe).is_ok() {
            yield_now().await;
        }
        let second = create_task(async move {
            for n in 0..100_u32 {
                unconnected.send_to(&n.to_be_bytes(), &address).await.unwrap();
            }
        });
        assert!(!first.is_finished());
        let mut buf = [0; 8];
        let mut received = 0;
        while received < COUNT + 100 {
            // The empty ones have only filled the queue.
            received += u32::from(receiver.recv(&mut buf).await.unwrap() == 4);
        }
        first.await.unwrap();
        second.await.unwrap();
    });
}

#[test]
fn a_sender_that_is_not_connected_finds_that_there_is_room_again() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("receiver");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let address = unix_address(&path).unwrap();
        let full = UnixDatagram::unbound().unwrap();
        while full.try_send_to(b"one of many", &address).is_ok() {}
        let late = UnixDatagram::unbound().unwrap();
        let mut sending = pin!(late.send_to(b"last", &address));
        // Events that only say that the socket is new come in this time, and do not help it.
        for _ in 0..3 {
            assert!(poll_once(&mut sending).await.is_none());
            sleep(Duration::from_millis(5)).await;
        }
        while receiver.try_recv(&mut [0; 16]).is_ok() {}
        sending.await.unwrap();
        assert_eq!(receiver.recv(&mut [0; 16]).await.unwrap(), 4);
    });
}

#[test]
fn an_abandoned_datagram_socket_is_replaced_and_one_in_use_is_not() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        drop(UnixDatagram::bind(&path).unwrap());
        assert!(path.exists());
        let unbound = UnixDatagram::unbound().unwrap();
        let address = unix_address(&path).unwrap();
        let error = unbound.send_to(b"x", &address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let socket = UnixDatagram::bind(&path).unwrap();
        unbound.send_to(b"x", &address).await.unwrap();
        let error = UnixDatagram::bind(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(socket.recv(&mut [0; 8]).await.unwrap(), 1);
        let stream = directory.path("stream");
        let _listener = unix::net::UnixListener::bind(&stream).unwrap();
        assert_eq!(
            UnixDatagram::bind(&stream).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        fs::remove_file(&path).unwrap();
        let error = unbound.send_to(b"x", &address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = unbound.connect(directory.path("nothing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = unbound.send(b"to whom?").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    });
}
