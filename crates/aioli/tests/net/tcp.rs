//! TCP connections and listeners.

use super::run;
use aioli::{
    Builder, Event, EventLoop, create_task, gather,
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    yield_now,
};
use futures_lite::future::{block_on, poll_once};
use std::{
    future::poll_fn,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::{self, Shutdown, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listen().await;
    let near = TcpStream::connect(address).await.unwrap();
    let (far, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, near.local_addr().unwrap());
    (near, far)
}

#[test]
fn bytes_arrive_in_order_and_then_the_end() {
    run(|| async {
        let (mut near, mut far) = pair().await;
        let bytes: Vec<u8> = (0..10_000_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
        let sent = bytes.clone();
        let sender = create_task(async move { near.write_all(&sent).await });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes);
        sender.await.unwrap().unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn one_byte_at_a_time_goes_back_and_forth() {
    run(|| async {
        let (mut near, mut far) = pair().await;
        let echo = create_task(async move {
            let mut byte = [0];
            while far.read(&mut byte).await.unwrap() == 1 {
                far.write_all(&byte).await.unwrap();
            }
        });
        let mut byte = [0];
        for n in 0..1000_u32 {
            near.write_all(&[n as u8]).await.unwrap();
            near.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [n as u8]);
        }
        drop(near);
        echo.await.unwrap();
    });
}

#[test]
fn several_buffers_are_moved_in_one_go() {
    run(|| async {
        let (mut near, mut far) = pair().await;
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cdef")];
        assert_eq!(near.write_vectored(&pieces).await.unwrap(), 6);
        let (mut first, mut second) = ([0; 4], [0; 4]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(far.read_vectored(&mut buffers).await.unwrap(), 6);
        assert_eq!((&first, &second[..2]), (b"abcd", &b"ef"[..]));
    });
}

#[test]
fn a_cancelled_read_or_accept_loses_nothing() {
    run(|| async {
        let (listener, address) = listen().await;
        assert!(poll_once(pin!(listener.accept())).await.is_none());
        let mut near = TcpStream::connect(address).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut buf = [0; 8];
        assert!(poll_once(pin!(far.read(&mut buf))).await.is_none());
        assert!(poll_once(pin!(far.readable())).await.is_none());
        near.write_all(b"hello").await.unwrap();
        far.readable().await.unwrap();
        assert_eq!(far.peek(&mut buf).await.unwrap(), 5);
        assert_eq!(far.read(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"hello");
    });
}

#[test]
fn many_may_accept_on_one_listener() {
    run(|| async {
        let (listener, address) = listen().await;
        let listener = Arc::new(listener);
        let acceptors: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.clone();
                create_task(async move {
                    for _ in 0..25 {
                        let (mut stream, _) = listener.accept().await.unwrap();
                        stream.write_all(b"welcome").await.unwrap();
                    }
                })
            })
            .collect();
        let guests = gather((0..100).map(|_| async move {
            let mut greeting = String::new();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.read_to_string(&mut greeting).await.unwrap();
            greeting
        }));
        assert!(guests.await.unwrap().iter().all(|greeting| greeting == "welcome"));
        gather(acceptors).await.unwrap();
    });
}

#[test]
fn a_crowd_at_the_door_does_not_keep_other_tasks_waiting() {
    let mut runner = Builder::new().workers(1).build().unwrap();
    runner.run(async {
        let (listener, address) = listen().await;
        let crowd: Vec<_> = (0..300).map(|_| net::TcpStream::connect(address).unwrap()).collect();
        // With all of them there no accept has to wait, and still the task gives way.
        let mut accept_all = pin!(async {
            for _ in 0..crowd.len() {
                listener.accept().await.unwrap();
            }
        });
        assert!(poll_once(&mut accept_all).await.is_none());
        accept_all.await;
    });
}

#[test]
fn a_hand_written_future_may_accept() {
    run(|| async {
        let (listener, address) = listen().await;
        let client = create_task(TcpStream::connect(address));
        let (_, peer) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        assert_eq!(client.await.unwrap().unwrap().local_addr().unwrap(), peer);
    });
}

#[test]
fn halves_go_to_different_tasks_and_end_on_their_own() {
    run(|| async {
        let (near, mut far) = pair().await;
        let (mut read, mut write) = near.into_split();
        assert_eq!(
            read.stream().local_addr().unwrap(),
            write.stream().local_addr().unwrap()
        );
        let writing = create_task(async move { write.write_all(b"question").await });
        let mut question = String::new();
        far.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        writing.await.unwrap().unwrap();
        far.write_all(b"answer").await.unwrap();
        drop(far);
        let mut answer = String::new();
        read.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    });
}

#[test]
fn a_shut_down_direction_ends_and_the_other_goes_on() {
    run(|| async {
        let (mut near, mut far) = pair().await;
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        far.write_all(b"still").await.unwrap();
        let mut buf = [0; 5];
        near.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"still");
    });
}

#[test]
fn a_reset_by_the_peer_is_an_error() {
    run(|| async {
        let (near, mut far) = pair().await;
        let near = near.into_std();
        socket2::SockRef::from(&near).set_linger(Some(Duration::ZERO)).unwrap();
        drop(near);
        let error = far.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(far.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_connection_that_nobody_waits_for_is_refused() {
    run(|| async {
        let (listener, address) = listen().await;
        drop(listener);
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn the_first_address_that_answers_is_taken() {
    run(|| async {
        let (closed, dead) = listen().await;
        drop(closed);
        let (listener, address) = listen().await;
        let stream = TcpStream::connect(&[dead, address][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        let bound = TcpListener::bind(&[address, "127.0.0.1:0".parse().unwrap()][..])
            .await
            .unwrap();
        assert_ne!(bound.local_addr().unwrap(), listener.local_addr().unwrap());
    });
}

#[test]
fn names_are_looked_up() {
    run(|| async {
        let (listener, address) = listen().await;
        let stream = TcpStream::connect(("localhost", address.port())).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        drop(listener);
    });
}

#[test]
fn an_address_in_use_is_an_error() {
    run(|| async {
        let (_listener, address) = listen().await;
        let error = TcpListener::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn what_is_no_address_is_an_error_that_quotes_it() {
    run(|| async {
        for text in ["", "localhost", "127.0.0.1:", "127.0.0.1:99999", "1.2.3.4.5"] {
            let bind = TcpListener::bind(text).await.unwrap_err();
            let connect = TcpStream::connect(text).await.unwrap_err();
            for error in [bind, connect] {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
            }
        }
        let none: &[SocketAddr] = &[];
        assert_eq!(
            TcpStream::connect(none).await.unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    });
}

#[test]
fn options_can_be_set() {
    run(|| async {
        let (near, _far) = pair().await;
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        near.set_keepalive(Some(Duration::from_secs(30))).unwrap();
        assert!(socket2::SockRef::from(&near).keepalive().unwrap());
        near.set_keepalive(None).unwrap();
        assert!(!socket2::SockRef::from(&near).keepalive().unwrap());
        assert!(near.take_error().unwrap().is_none());
        near.writable().await.unwrap();
    });
}

#[test]
fn sockets_come_from_the_standard_library_and_go_back() {
    run(|| async {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let client = thread::spawn(move || {
            let mut client = net::TcpStream::connect(address).unwrap();
            client.write_all(b"from outside").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        });
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TcpStream::from_std(stream.into_std()).unwrap();
        let mut buf = [0; 12];
        stream.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"from outside");
        stream.write_all(b"from inside").await.unwrap();
        drop(stream);
        assert_eq!(
            aioli::to_thread(move || client.join().unwrap()).await.unwrap(),
            "from inside"
        );
        assert_eq!(listener.into_std().local_addr().unwrap(), address);
    });
}

#[test]
#[should_panic(expected = "no event loop runs on this thread")]
fn a_socket_needs_a_loop() {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let _ = TcpListener::from_std(listener);
}

/// A waker of somebody else's, which panics.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker");
    }
}

#[test]
fn a_foreign_waker_that_panics_in_a_socket_is_reported_and_the_others_go_on() {
    for workers in [1, 2, 4] {
        for idle in [false, true] {
            let reports = Arc::new(Mutex::new(Vec::new()));
            Builder::new().workers(workers).build().unwrap().run(async {
                let reported = Arc::new(Event::new());
                let (told, tells) = (reports.clone(), reported.clone());
                EventLoop::current().set_exception_handler(move |panic| {
                    let name = panic.task_name().map(str::to_owned);
                    told.lock().unwrap().push((name, panic.message().to_owned()));
                    tells.set();
                });
                let ((mut mined, mut far), (mut other, mut other_far)) = (pair().await, pair().await);
                let waker = Waker::from(Arc::new(Bomb));
                let mut buf = [0; 8];
                let polled = Pin::new(&mut mined).poll_read(&mut Context::from_waker(&waker), &mut buf);
                assert!(polled.is_pending());
                let waits = create_task(async move {
                    let mut buf = [0; 8];
                    let count = other.read(&mut buf).await.unwrap();
                    buf[..count].to_vec()
                });
                // From outside, where nobody waits for what these writes bring about.
                let foreign = thread::spawn(move || {
                    block_on(async {
                        far.write_all(b"mined").await.unwrap();
                        other_far.write_all(b"other").await.unwrap();
                    });
                    (far, other_far)
                });
                // Asleep, or never asleep.
                while !idle && !reported.is_set() {
                    yield_now().await;
                }
                reported.wait().await;
                assert_eq!(waits.await.unwrap(), b"other");
                // It is as ready as if nothing had happened.
                assert_eq!(mined.read(&mut buf).await.unwrap(), 5);
                assert_eq!(&buf[..5], b"mined");
                drop(foreign.join().unwrap());
                assert_eq!(mined.read(&mut buf).await.unwrap(), 0);
            });
            assert_eq!(*reports.lock().unwrap(), [(None, "a foreign waker".to_owned())]);
        }
    }
}
