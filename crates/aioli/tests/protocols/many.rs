//! Many connections, and many hands on one.

use crate::{Recorder, Seen, run};
use aioli::{
    Event, Protocol, Transport, create_connection, create_server, gather, io::AsyncReadExt, net::TcpListener, to_thread,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// How many connections are open at a time: two descriptors each, and 1024 is what a process often may have.
const CROWD: usize = 400;

/// Sends back what it gets.
struct Echo(Option<Transport>, Arc<AtomicUsize>);

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        self.0 = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        self.0.as_ref().unwrap().write(data);
    }

    fn connection_lost(&mut self, _: Option<io::Error>) {
        self.1.fetch_add(1, SeqCst);
    }
}

/// Sends so many bytes, one after the other as they come back, and closes.
struct Asker {
    left: usize,
    transport: Option<Transport>,
    done: Arc<Event>,
}

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"?");
        self.transport = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        assert_eq!(data, b"?");
        self.left -= 1;
        let transport = self.transport.as_ref().unwrap();
        if self.left == 0 {
            transport.close();
        } else {
            transport.write(data);
        }
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        assert!(error.is_none(), "{error:?}");
        assert_eq!(self.left, 0);
        self.done.set();
    }
}

#[test]
fn thousands_of_connections() {
    run(|| async {
        let lost = Arc::new(AtomicUsize::new(0));
        let counter = lost.clone();
        let server = create_server(move || Echo(None, counter.clone()), "127.0.0.1:0")
            .await
            .unwrap();
        let address = server.local_addr();
        for _ in 0..5 {
            let clients = (0..CROWD).map(|_| async move {
                let done = Arc::new(Event::new());
                let asker = Asker {
                    left: 10,
                    transport: None,
                    done: done.clone(),
                };
                create_connection(|| asker, address).await.unwrap();
                done.wait().await;
            });
            gather(clients).await.unwrap();
        }
        server.close();
        server.wait_closed().await;
        assert_eq!(lost.load(SeqCst), 5 * CROWD);
    });
}

/// Counts what it gets.
struct Count(Arc<AtomicUsize>);

impl Protocol for Count {
    fn data_received(&mut self, data: &[u8]) {
        self.0.fetch_add(data.len(), SeqCst);
    }
}

#[test]
fn what_many_threads_write_arrives_whole() {
    const THREADS: usize = 4;
    const RECORDS: usize = 2000;
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let count = Count(Arc::default());
        let transport = create_connection(|| count, listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let writers: Vec<_> = (0..THREADS)
            .map(|number| {
                let transport = transport.clone();
                thread::spawn(move || (0..RECORDS).for_each(|_| transport.write([number as u8; 100])))
            })
            .collect();
        let mut records = [0; THREADS];
        for _ in 0..THREADS * RECORDS {
            let mut record = [0; 100];
            peer.read_exact(&mut record).await.unwrap();
            assert!(record.iter().all(|byte| *byte == record[0]));
            records[record[0] as usize] += 1;
        }
        assert_eq!(records, [RECORDS; THREADS]);
        to_thread(|| writers.into_iter().for_each(|writer| writer.join().unwrap()))
            .await
            .unwrap();
        transport.close();
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    });
}

#[test]
fn an_order_from_a_thread_is_never_lost() {
    run(|| async {
        // Each round hangs if the connection's task misses one of the orders while it goes to wait.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for round in 0..100 {
            let seen = Seen::default();
            let recorder = Recorder::new(&seen);
            let transport = create_connection(|| recorder, listener.local_addr().unwrap())
                .await
                .unwrap();
            let (peer, _) = listener.accept().await.unwrap();
            let next = Seen::default();
            let new = Recorder::new(&next);
            let meddler = thread::spawn(move || {
                for _ in 0..round % 7 {
                    thread::yield_now();
                }
                transport.set_protocol(new);
                for _ in 0..round % 5 {
                    thread::yield_now();
                }
                if round % 2 == 0 {
                    transport.close()
                } else {
                    transport.abort()
                }
            });
            let calls = next.all().await;
            assert_eq!(calls, ["lost"]);
            to_thread(|| meddler.join().unwrap()).await.unwrap();
            drop(peer);
        }
    });
}
