//! Protocols that take over a connection from another.

use crate::{Recorder, Seen, run, serve};
use aioli::{BufferedProtocol, io::AsyncWriteExt, to_thread};

/// Reads single bytes.
struct Single(Seen, [u8; 1]);

impl BufferedProtocol for Single {
    fn get_buffer(&mut self, _: usize) -> &mut [u8] {
        &mut self.1
    }

    fn buffer_updated(&mut self, count: usize) {
        self.0.lock().data.extend_from_slice(&self.1[..count]);
        self.0.note("byte");
    }
}

#[test]
fn the_next_callback_is_the_new_protocols() {
    run(|| async {
        let (first, second) = (Seen::default(), Seen::default());
        let new = second.clone();
        let recorder = Recorder::new(&first).hook(move |call, transport| {
            if call == "data" {
                transport.set_protocol(Recorder::new(&new));
            }
        });
        let (_server, mut peer) = serve(recorder).await;
        peer.write_all(b"one").await.unwrap();
        assert_eq!(first.all().await, ["made", "data"]);
        peer.write_all(b"two").await.unwrap();
        second.until_called("data").await;
        drop(peer);
        // It is not told that the connection is made, and the old one not that it is lost.
        assert_eq!(second.all().await, ["data", "eof", "lost"]);
        assert_eq!(first.calls(), ["made", "data"]);
        assert_eq!(second.lock().data, b"two");
    });
}

#[test]
fn a_waiting_connection_takes_a_protocol_from_any_thread() {
    run(|| async {
        let (first, second, third) = (Seen::default(), Seen::default(), Seen::default());
        let (_server, mut peer) = serve(Recorder::new(&first)).await;
        first.until_called("made").await;
        let (transport, new) = (first.transport(), Single(second.clone(), [0]));
        to_thread(move || transport.set_protocol(new)).await.unwrap();
        // Without a byte from the peer.
        assert_eq!(first.all().await, ["made"]);
        peer.write_all(b"one by one").await.unwrap();
        second.until(|record| record.data == b"one by one").await;
        assert_eq!(second.calls(), ["byte"]);
        first.transport().set_protocol(Recorder::new(&third));
        drop(peer);
        assert_eq!(third.all().await, ["eof", "lost"]);
    });
}

#[test]
fn of_two_that_are_set_in_one_callback_the_last_counts() {
    run(|| async {
        let (first, second, third) = (Seen::default(), Seen::default(), Seen::default());
        let news = [second.clone(), third.clone()];
        let recorder = Recorder::new(&first).hook(move |call, transport| {
            if call == "data" {
                for new in &news {
                    transport.set_protocol(Recorder::new(new));
                }
                transport.close();
            }
        });
        let (_server, mut peer) = serve(recorder).await;
        peer.write_all(b"one").await.unwrap();
        assert_eq!(third.all().await, ["lost"]);
        assert!(second.all().await.is_empty());
        assert_eq!(first.calls(), ["made", "data"]);
    });
}
