//! What a test from outside cannot bring about: a system that takes no more, which the loopback device never says.

use super::{DatagramProtocol, DatagramTransport, create_datagram_endpoint};
use crate::{Builder, net::UdpSocket, wait_for, yield_now};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, call: &str) {
        self.0.lock().unwrap().push(call.to_owned());
    }

    async fn until(&self, calls: &[&str]) {
        while *self.0.lock().unwrap() != calls {
            yield_now().await;
        }
    }
}

impl DatagramProtocol for Seen {
    fn datagram_received(&mut self, _: &[u8], _: SocketAddr) {
        self.note("received");
    }

    fn error_received(&mut self, _: io::Error) {
        self.note("error");
    }

    fn connection_lost(&mut self, _: Option<io::Error>) {
        self.note("lost");
    }

    fn pause_writing(&mut self) {
        self.note("pause");
    }

    fn resume_writing(&mut self) {
        self.note("resume");
    }
}

/// With one worker, so that what is queued in one step is seen as a whole.
fn run<F: Future<Output = ()>>(test: F) {
    let mut runner = Builder::new().workers(1).build().unwrap();
    runner.run(async { wait_for(test, Duration::from_secs(60)).await.expect("the test hangs") });
}

async fn endpoint(seen: &Seen) -> (DatagramTransport, UdpSocket, SocketAddr) {
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = peer.local_addr().unwrap();
    let seen = seen.clone();
    let transport = create_datagram_endpoint(|| seen)
        .local_addr("127.0.0.1:0")
        .await
        .unwrap();
    (transport, peer, address)
}

#[test]
fn what_is_queued_is_sent_in_order_and_the_protocol_is_told() {
    run(async {
        let seen = Seen::default();
        let (transport, peer, address) = endpoint(&seen).await;
        transport.set_write_buffer_limits(Some(20), None);
        for number in 0..4 {
            transport.keep(&[number; 10], Some(address));
        }
        assert_eq!(transport.write_buffer_size(), 4 * 18);
        // Behind those that wait.
        transport.send_to(&[4; 10], Some(address));
        transport.close();
        transport.send_to(&[5; 10], Some(address));
        for number in 0..=4 {
            let mut data = [0; 100];
            let length = peer.recv(&mut data).await.unwrap();
            assert_eq!(data[..length], [number; 10]);
        }
        seen.until(&["pause", "resume", "lost"]).await;
        assert_eq!(transport.write_buffer_size(), 0);
    });
}

#[test]
fn a_queued_datagram_that_cannot_be_sent_does_not_hold_up_the_others() {
    run(async {
        let seen = Seen::default();
        let (transport, peer, address) = endpoint(&seen).await;
        transport.set_write_buffer_limits(Some(100_000), None);
        transport.keep(&[0; 65_535], Some(address));
        transport.keep(b"behind it", Some(address));
        let mut data = [0; 100];
        assert_eq!(peer.recv(&mut data).await.unwrap(), 9);
        seen.until(&["error"]).await;
    });
}

#[test]
fn an_abort_drops_what_is_queued() {
    run(async {
        let seen = Seen::default();
        let (transport, peer, address) = endpoint(&seen).await;
        transport.keep(b"lost", Some(address));
        transport.abort();
        seen.until(&["lost"]).await;
        assert!(peer.try_recv(&mut [0; 100]).is_err());
    });
}
