//! Unix connections and listeners.

use super::{Directory, run};
use aioli::{
    create_task, gather,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    yield_now,
};
use futures_lite::{StreamExt, future::poll_once};
use std::{
    fs,
    future::poll_fn,
    io::{self, IoSlice, IoSliceMut},
    net::Shutdown,
    os::{fd::AsFd, unix},
    pin::{Pin, pin},
};

#[test]
fn bytes_arrive_in_order_and_then_the_end() {
    run(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
        let sent = bytes.clone();
        let sender = create_task(async move { near.write_all(&sent).await });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes);
        sender.await.unwrap().unwrap();
    });
}

#[test]
fn several_buffers_are_moved_in_one_go() {
    run(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b"cdef")];
        assert_eq!(near.write_vectored(&pieces).await.unwrap(), 6);
        let (mut first, mut second) = ([0; 4], [0; 4]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(far.read_vectored(&mut buffers).await.unwrap(), 6);
        assert_eq!((&first, &second[..2]), (b"abcd", &b"ef"[..]));
    });
}

#[test]
fn clients_are_accepted_and_the_file_is_removed() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        let clients = gather((0..20).map(|n| {
            let path = path.clone();
            async move {
                let mut stream = UnixStream::connect(path).await.unwrap();
                stream.write_all(&[n]).await.unwrap();
                stream.read(&mut [0]).await.unwrap()
            }
        }));
        let server = create_task(async move {
            let mut all = Vec::new();
            while all.len() < 20 {
                let (mut stream, peer) = listener.accept().await.unwrap();
                assert!(peer.is_unnamed());
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                all.push(byte[0]);
                stream.write_all(&byte).await.unwrap();
            }
            all.sort_unstable();
            all
        });
        assert_eq!(clients.await.unwrap(), [1; 20]);
        assert!(server.await.unwrap().into_iter().eq(0..20));
        assert!(!path.exists());
    });
}

#[test]
fn hand_written_futures_and_streams_accept_too() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(poll_once(pin!(listener.accept())).await.is_none());
        let first = UnixStream::connect(&path).await.unwrap();
        let (stream, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(first.peer_addr().unwrap().as_pathname(), Some(&*path));
        let _second = UnixStream::connect(&path).await.unwrap();
        pin!(listener.incoming()).next().await.unwrap().unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_are_not_in_the_file_system() {
    run(|| async {
        let name = format!("\0aioli-test-{}-{:?}", std::process::id(), std::thread::current().id());
        let listener = UnixListener::bind(&name).unwrap();
        UnixStream::connect(&name).await.unwrap();
        let error = UnixListener::bind(&name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        let error = UnixStream::connect(&name).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn an_abandoned_socket_is_replaced() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        drop(unix::net::UnixListener::bind(&path).unwrap());
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let listener = UnixListener::bind(&path).unwrap();
        UnixStream::connect(&path).await.unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn a_socket_in_use_is_left_alone() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("in use"), "{error}");
        UnixStream::connect(&path).await.unwrap();
        listener.accept().await.unwrap();
        let datagrams = directory.path("datagrams");
        let _kept = unix::net::UnixDatagram::bind(&datagrams).unwrap();
        let error = UnixListener::bind(&datagrams).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    run(|| async {
        let directory = Directory::new();
        let (file, link) = (directory.path("file"), directory.path("link"));
        fs::write(&file, "precious").unwrap();
        unix::fs::symlink("elsewhere", &link).unwrap();
        for path in [&file, &link, &directory.0] {
            let error = UnixListener::bind(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert!(error.to_string().contains("not a socket"), "{error}");
        }
        assert_eq!(fs::read_to_string(file).unwrap(), "precious");
        assert!(link.is_symlink());
    });
}

#[test]
fn a_file_that_somebody_replaced_is_not_removed() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let first = UnixListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = UnixListener::bind(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).await.unwrap();
        drop(second);
        assert!(!path.exists());
    });
}

#[test]
fn a_file_is_kept_on_demand() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let mut listener = UnixListener::bind(&path).unwrap();
        listener.set_cleanup_socket(false);
        drop(listener);
        assert!(path.exists());
        let listener = UnixListener::bind(&path).unwrap().into_std();
        assert!(path.exists());
        drop(UnixListener::from_std(listener).unwrap());
        assert!(path.exists());
    });
}

#[test]
fn a_path_that_leads_nowhere_is_an_error() {
    run(|| async {
        let directory = Directory::new();
        let nothing = directory.path("nothing");
        let error = UnixStream::connect(&nothing).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = UnixListener::bind(nothing.join("socket")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let long = directory.path("x".repeat(200));
        for path in ["".as_ref(), "a\0b".as_ref(), long.as_path()] {
            let bind = UnixListener::bind(path).unwrap_err();
            let connect = UnixStream::connect(path).await.unwrap_err();
            for error in [bind, connect] {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
            }
        }
    });
}

#[test]
fn connecting_waits_while_the_backlog_is_full() {
    run(|| async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let listener = UnixListener::from_std(listener).unwrap();
        let mut crowd: Vec<_> = (0..8).map(|_| create_task(UnixStream::connect(path.clone()))).collect();
        // Those that there is room for are there, and the others wait.
        while crowd.iter().all(|client| !client.is_finished()) {
            yield_now().await;
        }
        assert!(crowd.iter().any(|client| !client.is_finished()));
        for _ in 0..8 {
            listener.accept().await.unwrap();
        }
        for client in crowd.drain(..) {
            client.await.unwrap().unwrap();
        }
    });
}

#[test]
fn halves_go_to_different_tasks_and_come_together_again() {
    run(|| async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (mut read, mut write) = near.into_split();
        let writing = create_task(async move {
            write.write_all(b"question").await.unwrap();
            write
        });
        let mut question = [0; 8];
        far.read_exact(&mut question).await.unwrap();
        far.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        read.read_exact(&mut answer).await.unwrap();
        let write = writing.await.unwrap();
        let (other, _) = UnixStream::pair().unwrap();
        let (other_read, other_write) = other.into_split();
        let error = read.reunite(other_write).unwrap_err();
        assert!(error.to_string().contains("different connections"), "{error}");
        drop(other_read);
        let mut near = error.0.reunite(write).unwrap();
        near.write_all(b"still whole").await.unwrap();
        near.close().await.unwrap();
        let mut rest = String::new();
        far.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "still whole");
    });
}

#[test]
fn more_buffers_than_the_system_takes_at_once_are_all_written() {
    run(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let pieces = [IoSlice::new(b"x"); 3_000];
        let mut left = &pieces[..];
        while !left.is_empty() {
            let count = near.write_vectored(left).await.unwrap();
            left = &left[count..];
        }
        drop(near);
        let mut got = Vec::new();
        assert_eq!(far.read_to_end(&mut got).await.unwrap(), 3_000);
    });
}

#[test]
fn a_shut_down_direction_ends_and_the_other_goes_on() {
    run(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        far.write_all(b"still").await.unwrap();
        let mut buf = [0; 5];
        near.read_exact(&mut buf).await.unwrap();
        drop(far);
        assert!(near.take_error().unwrap().is_none());
        assert_eq!(near.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn nothing_waits_that_only_tries() {
    run(|| async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.try_read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(near.try_write(b"hello").unwrap(), 5);
        far.readable().await.unwrap();
        assert_eq!(far.peek(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(poll_fn(|cx| far.poll_peek(cx, &mut buf)).await.unwrap(), 5);
        assert_eq!(far.try_read(&mut buf).unwrap(), 5);
        assert_eq!(&buf[..5], b"hello");
        let mut sent = 0;
        let error = loop {
            match near.try_write(&[0; 10_000]) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(poll_once(pin!(near.writable())).await.is_none());
        let mut rest = vec![0; sent];
        (&far).read_exact(&mut rest).await.unwrap();
        near.writable().await.unwrap();
        near.try_write(b"again").unwrap();
    });
}

#[test]
fn a_descriptor_that_the_peer_passes_does_not_hold_up_the_bytes_behind_it() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    run(|| async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut got = [0; 11];
        // So that it reads when it has been told of the bytes.
        assert!(poll_once(pin!(far.read(&mut got))).await.is_none());
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let passed = [far.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
        sendmsg(&near, &[IoSlice::new(b"with")], &mut control, SendFlags::empty()).unwrap();
        near.try_write(b"without").unwrap();
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"withwithout");
    });
}

#[test]
fn the_peer_is_known() {
    run(|| async {
        let (near, _far) = UnixStream::pair().unwrap();
        let peer = near.peer_cred().unwrap();
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
        assert_eq!(peer.gid, rustix::process::getgid().as_raw());
        #[cfg(target_os = "linux")]
        assert_eq!(peer.pid, Some(std::process::id() as i32));
    });
}

#[test]
fn a_cancelled_read_loses_nothing() {
    run(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        assert!(poll_once(pin!(far.read(&mut buf))).await.is_none());
        assert!(poll_once(pin!(far.readable())).await.is_none());
        near.write_all(b"hello").await.unwrap();
        far.readable().await.unwrap();
        assert_eq!(Pin::new(&mut far).read(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn sockets_go_to_the_standard_library_and_come_back() {
    run(|| async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let near = UnixStream::from_std(near.into_std()).unwrap();
        near.try_write(b"x").unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
#[should_panic(expected = "no event loop runs on this thread")]
fn a_socket_needs_a_loop() {
    let _ = UnixStream::pair();
}

#[test]
fn a_listener_without_a_loop_leaves_no_file() {
    let directory = Directory::new();
    let path = directory.path("socket");
    assert!(std::panic::catch_unwind(|| UnixListener::bind(&path)).is_err());
    assert!(!path.exists());
}
