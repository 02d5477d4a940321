//! Descriptors are returned, however a connection with a protocol ends. Alone in its process, whose descriptors it counts.

use aioli::{
    Builder, DatagramProtocol, Protocol, Transport, connect_read_pipe, connect_write_pipe, create_connection,
    create_datagram_endpoint, create_server, pipe::pipe, wait_for, yield_now,
};
use std::{
    fs, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(60);

fn open() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Ends in one of several ways, by its number, and keeps its transport.
struct Ends {
    way: usize,
    transport: Option<Transport>,
    lost: Arc<AtomicUsize>,
}

impl Protocol for Ends {
    fn connection_made(&mut self, transport: &Transport) {
        self.transport = Some(transport.clone());
        transport.write([1; 1000]);
        match self.way {
            0 => transport.close(),
            1 => transport.abort(),
            2 => panic!("on purpose"),
            _ => {}
        }
    }

    fn data_received(&mut self, _: &[u8]) {
        match self.way {
            3 => self.transport.as_ref().unwrap().close(),
            4 => self.transport.as_ref().unwrap().abort(),
            _ => panic!("on purpose"),
        }
    }

    fn connection_lost(&mut self, _: Option<io::Error>) {
        self.lost.fetch_add(1, SeqCst);
    }
}

impl DatagramProtocol for Ends {
    fn datagram_received(&mut self, _: &[u8], _: SocketAddr) {
        panic!("on purpose");
    }

    fn connection_lost(&mut self, _: Option<io::Error>) {
        self.lost.fetch_add(1, SeqCst);
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

async fn all_ways(kept: &mut Vec<Transport>) {
    let lost = Arc::new(AtomicUsize::new(0));
    let new = |way, lost: &Arc<AtomicUsize>| Ends {
        way,
        transport: None,
        lost: lost.clone(),
    };
    let made = Arc::new(AtomicUsize::new(0));
    let (counted, heard) = (made.clone(), lost.clone());
    let factory = move || new(counted.fetch_add(1, SeqCst) % 6, &heard);
    let server = create_server(factory, "127.0.0.1:0").await.unwrap();
    for way in 0..60 {
        let client = new(way % 6, &lost);
        // One that panics when the connection is made gives an error.
        kept.extend(create_connection(|| client, server.local_addr()).await);
    }
    // Not before all are accepted.
    until(|| made.load(SeqCst) == 60).await;
    server.close();
    server.wait_closed().await;
    until(|| lost.load(SeqCst) == 120).await;

    for way in 0..6 {
        let (reader, writer) = pipe().unwrap();
        let output = new(way, &lost);
        kept.extend(connect_write_pipe(|| output, writer));
        kept.extend(connect_read_pipe(|| new(3 + way % 3, &lost), reader));
    }
    until(|| lost.load(SeqCst) == 132).await;

    for _ in 0..10 {
        let endpoint = new(5, &lost);
        let transport = create_datagram_endpoint(|| endpoint)
            .local_addr("127.0.0.1:0")
            .await
            .unwrap();
        transport.send_to(b"", transport.get_extra_info().sockname.unwrap().as_ip());
    }
    until(|| lost.load(SeqCst) == 142).await;
}

#[test]
fn every_descriptor_is_returned() {
    for workers in [1, 2] {
        let before = open();
        let mut kept = Vec::new();
        let mut runner = Builder::new().workers(workers).build().unwrap();
        let event_loop = runner.run(async {
            let event_loop = aioli::EventLoop::current();
            event_loop.set_exception_handler(|_| {});
            event_loop
        });
        let idle = open();
        runner.run(async {
            for _ in 0..3 {
                wait_for(all_ways(&mut kept), LIMIT).await.expect("the test hangs");
            }
            // The transports that are left hold nothing.
            wait_for(until(|| open() == idle), LIMIT)
                .await
                .expect("descriptors are left");
        });
        assert!(kept.len() > 100);
        drop((runner, event_loop));
        assert_eq!(open(), before);
    }
}
