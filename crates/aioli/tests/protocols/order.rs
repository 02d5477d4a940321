//! The order of callbacks in an undisturbed life, and what a protocol knows.

use crate::{Recorder, Seen, run, serve, until};
use aioli::{
    Protocol, create_connection,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    streams::Address,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

#[test]
fn a_connection_is_made_has_data_an_end_and_is_lost() {
    run(|| async {
        let seen = Seen::default();
        let (server, mut peer) = serve(Recorder::new(&seen)).await;
        peer.write_all(b"hello").await.unwrap();
        seen.until(|record| record.data == b"hello").await;
        assert_eq!(seen.calls(), ["made", "data"]);
        peer.close().await.unwrap();
        assert_eq!(seen.all().await, ["made", "data", "eof", "lost"]);
        assert_eq!(
            peer.read(&mut [0; 1]).await.unwrap(),
            0,
            "it has closed its side as well"
        );
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn an_end_without_data_is_told_too() {
    run(|| async {
        let seen = Seen::default();
        let (_server, peer) = serve(Recorder::new(&seen)).await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "eof", "lost"]);
    });
}

#[test]
fn a_protocol_may_stay_when_the_peer_has_ended() {
    run(|| async {
        let seen = Seen::default();
        let (_server, mut peer) = serve(Recorder::new(&seen).keep_open()).await;
        peer.close().await.unwrap();
        seen.until_called("eof").await;
        let transport = seen.transport();
        assert!(!transport.is_closing());
        transport.write(b"what is ");
        transport.writelines(["left ", "to say"]);
        transport.close();
        assert!(transport.is_closing());
        let mut text = String::new();
        peer.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "what is left to say");
        assert_eq!(seen.all().await, ["made", "eof", "lost"]);
    });
}

#[test]
fn after_write_eof_reading_goes_on() {
    run(|| async {
        let seen = Seen::default();
        let (_server, mut peer) = serve(Recorder::new(&seen)).await;
        seen.until_called("made").await;
        let transport = seen.transport();
        assert!(transport.can_write_eof());
        transport.write(b"question");
        transport.write_eof();
        transport.write(b", which is too late");
        let mut question = String::new();
        peer.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        assert!(transport.is_reading());
        peer.write_all(b"answer").await.unwrap();
        seen.until(|record| record.data == b"answer").await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "data", "eof", "lost"]);
    });
}

#[test]
fn a_client_is_told_of_its_connection_before_it_is_given_the_transport() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let recorder = Recorder::new(&seen).hook(|call, transport| {
            if call == "made" {
                transport.write(b"from the callback");
            }
        });
        let transport = create_connection(|| recorder, address).await.unwrap();
        assert_eq!(seen.calls(), ["made"]);
        transport.write(b", and from the task");
        let (mut peer, client) = listener.accept().await.unwrap();
        let mut text = [0; 36];
        peer.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"from the callback, and from the task");

        let info = transport.get_extra_info();
        assert_eq!(info.peername.as_ref().and_then(Address::as_ip), Some(address));
        transport.close();
        assert_eq!(seen.all().await, ["made", "lost"]);
        // What was once known is known when the connection is gone.
        until(|| format!("{transport:?}").contains("over")).await;
        let sockname = transport.get_extra_info().sockname;
        assert_eq!(sockname.as_ref().and_then(Address::as_ip), Some(client));
    });
}

#[test]
fn nobody_to_connect_to_is_an_error_and_no_protocol_is_made() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let factory = || -> Recorder { unreachable!() };
        let error = create_connection(factory, address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = create_connection(factory, "no address").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn a_protocol_need_not_have_a_type_of_its_own() {
    run(|| async {
        let seen = Seen::default();
        let boxed: Box<dyn Protocol> = Box::new(Recorder::new(&seen));
        let (_server, mut peer) = serve(boxed).await;
        peer.write_all(b"hello").await.unwrap();
        seen.until_called("data").await;
        drop(peer);
        assert_eq!(seen.all().await, ["made", "data", "eof", "lost"]);
    });
}

/// Finds out whether two callbacks overlap, or a thread of its own makes the task run twice.
struct Exclusive(Arc<AtomicUsize>, Arc<AtomicUsize>);

impl Protocol for Exclusive {
    fn data_received(&mut self, data: &[u8]) {
        assert_eq!(self.0.fetch_add(1, SeqCst), 0, "one callback at a time");
        self.1.fetch_add(data.len(), SeqCst);
        std::thread::yield_now();
        self.0.fetch_sub(1, SeqCst);
    }

    fn pause_writing(&mut self) {
        self.data_received(&[]);
    }

    fn resume_writing(&mut self) {
        self.data_received(&[]);
    }
}

#[test]
fn callbacks_never_overlap_whatever_other_threads_do() {
    run(|| async {
        let received = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let protocol = Exclusive(Arc::default(), received.clone());
        let transport = create_connection(|| protocol, listener.local_addr().unwrap())
            .await
            .unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let (mut reader, mut peer) = peer.into_split();
        let stop = Arc::new(AtomicUsize::new(0));
        let meddler = std::thread::spawn({
            let (transport, stop) = (transport.clone(), stop.clone());
            move || {
                while stop.load(SeqCst) == 0 {
                    transport.pause_reading();
                    transport.write(b"x");
                    transport.set_write_buffer_limits(Some(0), None);
                    transport.resume_reading();
                }
            }
        });
        let drain = aioli::create_task(async move { while reader.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {} });
        for _ in 0..1000 {
            peer.write_all(&[0; 1000]).await.unwrap();
        }
        until(|| received.load(SeqCst) == 1_000_000).await;
        stop.store(1, SeqCst);
        aioli::to_thread(move || meddler.join().unwrap()).await.unwrap();
        transport.abort();
        drain.await.unwrap();
    });
}
