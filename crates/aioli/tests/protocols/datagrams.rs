//! UDP with callbacks.

use crate::{reports, run, until};
use aioli::{
    Builder, DatagramProtocol, DatagramTransport, create_datagram_endpoint, net::UdpSocket, to_thread, yield_now,
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

/// What came, as text.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn note(&self, call: String) {
        self.0.lock().unwrap().push(call);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    async fn until(&self, calls: &[&str]) {
        until(|| self.all() == calls).await;
    }
}

/// Panics in the callback of this name.
struct Recorder(Calls, &'static str);

impl Recorder {
    fn called(&self, name: &str, rest: &str) {
        self.0.note(format!("{name}{rest}"));
        assert_ne!(name, self.1, "on purpose");
    }
}

impl DatagramProtocol for Recorder {
    fn connection_made(&mut self, _: &DatagramTransport) {
        self.called("made", "");
    }

    fn datagram_received(&mut self, data: &[u8], _: SocketAddr) {
        self.called("got", &format!(" {}", String::from_utf8_lossy(data)));
    }

    fn error_received(&mut self, error: io::Error) {
        self.called("error", &format!(": {:?}", error.kind()));
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.called("lost", &format!(": {:?}", error.map(|error| error.kind())));
    }
}

fn local(transport: &DatagramTransport) -> SocketAddr {
    transport.get_extra_info().sockname.unwrap().as_ip().unwrap()
}

async fn endpoint(calls: &Calls) -> DatagramTransport {
    let recorder = Recorder(calls.clone(), "");
    create_datagram_endpoint(|| recorder)
        .local_addr("127.0.0.1:0")
        .await
        .unwrap()
}

#[test]
fn datagrams_come_and_go_also_empty_ones() {
    run(|| async {
        let calls = Calls::default();
        let transport = endpoint(&calls).await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(calls.all(), ["made"]);
        peer.send_to(b"hello", local(&transport)).await.unwrap();
        calls.until(&["made", "got hello"]).await;
        peer.send_to(b"", local(&transport)).await.unwrap();
        calls.until(&["made", "got hello", "got "]).await;

        let mut data = [0; 100];
        transport.send_to(b"to you", Some(peer.local_addr().unwrap()));
        assert_eq!(peer.recv_from(&mut data).await.unwrap(), (6, local(&transport)));
        transport.send_to(b"", Some(peer.local_addr().unwrap()));
        assert_eq!(peer.recv_from(&mut data).await.unwrap(), (0, local(&transport)));

        assert!(!transport.is_closing());
        let end = transport.clone();
        to_thread(move || end.close()).await.unwrap();
        assert!(transport.is_closing());
        calls.until(&["made", "got hello", "got ", "lost: None"]).await;
        // Nothing any more, and no harm.
        transport.send_to(b"too late", Some(peer.local_addr().unwrap()));
        transport.abort();
        assert!(peer.try_recv(&mut data).is_err());
        // The address is free again.
        until(|| std::net::UdpSocket::bind(local(&transport)).is_ok()).await;
    });
}

#[test]
fn a_remote_address_is_the_only_one() {
    run(|| async {
        let calls = Calls::default();
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = peer.local_addr().unwrap();
        let recorder = Recorder(calls.clone(), "");
        let transport = create_datagram_endpoint(|| recorder)
            .remote_addr(address)
            .await
            .unwrap();
        assert_eq!(transport.get_extra_info().peername.unwrap().as_ip(), Some(address));
        let mut data = [0; 100];
        for target in [None, Some(address)] {
            transport.send_to(b"hello", target);
            assert_eq!(peer.recv_from(&mut data).await.unwrap(), (5, local(&transport)));
        }
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        transport.send_to(b"hello", Some(stranger.local_addr().unwrap()));
        calls.until(&["made", "error: InvalidInput"]).await;
        stranger.send_to(b"unheard", local(&transport)).await.unwrap();
        peer.send_to(b"heard", local(&transport)).await.unwrap();
        calls.until(&["made", "error: InvalidInput", "got heard"]).await;
        transport.abort();
        calls
            .until(&["made", "error: InvalidInput", "got heard", "lost: None"])
            .await;
    });
}

#[test]
fn errors_are_told_and_the_socket_lives_on() {
    run(|| async {
        let calls = Calls::default();
        let transport = endpoint(&calls).await;
        let own = local(&transport);
        transport.send_to(b"to nobody", None);
        calls.until(&["made", "error: InvalidInput"]).await;
        transport.send_to(&[0; 65_535], Some(own));
        until(|| calls.all().len() == 3).await;
        transport.send_to(b"to myself", Some(own));
        until(|| calls.all().last().unwrap() == "got to myself").await;
        transport.close();

        // Nobody is there: the system says so to who has a remote address.
        let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        let calls = Calls::default();
        let recorder = Recorder(calls.clone(), "");
        let transport = create_datagram_endpoint(|| recorder)
            .remote_addr(address)
            .await
            .unwrap();
        transport.send_to(b"anybody?", None);
        calls.until(&["made", "error: ConnectionRefused"]).await;
        assert!(!transport.is_closing());
        transport.abort();
    });
}

#[test]
fn a_panic_in_any_callback_closes_the_socket() {
    run(|| async {
        for name in ["got", "error", "lost"] {
            let reports = reports();
            let calls = Calls::default();
            let recorder = Recorder(calls.clone(), name);
            let transport = create_datagram_endpoint(|| recorder)
                .local_addr("127.0.0.1:0")
                .await
                .unwrap();
            match name {
                "got" => transport.send_to(b"", Some(local(&transport))),
                "error" => transport.send_to(b"", None),
                _ => transport.close(),
            }
            until(|| calls.all().last().unwrap().starts_with("lost")).await;
            let lost = if name == "lost" {
                "lost: None"
            } else {
                "lost: Some(Other)"
            };
            assert_eq!(calls.all().last().unwrap(), lost);
            assert!(transport.is_closing());
            let mut told = reports();
            while told.is_empty() {
                yield_now().await;
                told = reports();
            }
            assert_eq!(told.len(), 1);
        }
        let reports = reports();
        let calls = Calls::default();
        let recorder = Recorder(calls.clone(), "made");
        let made = create_datagram_endpoint(|| recorder).local_addr("127.0.0.1:0").await;
        assert!(made.unwrap_err().to_string().contains("connection_made"));
        assert_eq!(calls.all(), ["made", "lost: Some(Other)"]);
        assert_eq!(reports().len(), 1);
    });
}

#[test]
fn addresses_that_do_not_fit_are_errors() {
    run(|| async {
        let factory = || -> Recorder { unreachable!() };
        let invalid = |made: io::Result<DatagramTransport>| made.unwrap_err().kind() == io::ErrorKind::InvalidInput;
        assert!(invalid(create_datagram_endpoint(factory).await));
        assert!(invalid(create_datagram_endpoint(factory).local_addr("here").await));
        let mixed = create_datagram_endpoint(factory)
            .local_addr("127.0.0.1:0")
            .remote_addr("[::1]:9");
        assert!(invalid(mixed.await));

        let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let again = create_datagram_endpoint(factory).local_addr(taken.local_addr().unwrap());
        assert_eq!(again.await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn two_sockets_may_share_a_port_if_both_want_it() {
    run(|| async {
        let (first, second) = (Calls::default(), Calls::default());
        let (one, other) = (Recorder(first.clone(), ""), Recorder(second.clone(), ""));
        let one = create_datagram_endpoint(|| one)
            .local_addr("127.0.0.1:0")
            .reuse_port(true)
            .await
            .unwrap();
        let other = create_datagram_endpoint(|| other)
            .local_addr(local(&one))
            .reuse_port(true)
            .await
            .unwrap();
        one.close();
        first.until(&["made", "lost: None"]).await;
        other.send_to(b"still here", Some(local(&other)));
        second.until(&["made", "got still here"]).await;
    });
}

#[test]
fn with_broadcast_the_remote_address_is_where_datagrams_go() {
    run(|| async {
        let calls = Calls::default();
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let recorder = Recorder(calls.clone(), "");
        let transport = create_datagram_endpoint(|| recorder)
            .local_addr("127.0.0.1:0")
            .remote_addr(peer.local_addr().unwrap())
            .broadcast(true)
            .await
            .unwrap();
        transport.send_to(b"hello", None);
        assert_eq!(peer.recv(&mut [0; 100]).await.unwrap(), 5);
        // Others answer.
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        stranger.send_to(b"here", local(&transport)).await.unwrap();
        calls.until(&["made", "got here"]).await;
    });
}

#[test]
fn a_loop_that_ends_tells_its_protocols() {
    for workers in [1, 2] {
        let calls = Calls::default();
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let transport = runner.run(endpoint(&calls));
        drop(runner);
        assert_eq!(calls.all(), ["made", "lost: Some(ConnectionAborted)"]);
        assert!(transport.is_closing());
    }
}
