//! A crowd: an echo server with many idle connections and some busy ones. Memory stays what it is while they talk, and everything is
//! given back in the end. A binary of its own with one test, because it counts what the process has.
//!
//! `cargo run --release -p aioli-benches -- --crowd` is the long run, with ten times as many, in several processes.

use aioli::{
    Barrier, Builder, StreamReader, StreamWriter, create_task,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    start_server, wait_for,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// How many bytes are allocated.
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all is done by the system's allocator; this only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a round of talking may add, for buffers of the runtime that grow once: far less than a byte for each exchange.
const SLACK: usize = 64 * 1024;

/// Messages of every busy connection between two looks at the memory.
const MESSAGES: usize = 5;

/// Looks at the memory.
const ROUNDS: usize = 40;

const IDLE: usize = 1000;
const BUSY: usize = 50;

/// Longer than it takes.
const LIMIT: Duration = Duration::from_secs(120);

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn echo(mut reader: StreamReader, writer: StreamWriter) {
    let mut buffer = [0; 64];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        writer.write(&buffer[..count]);
        if writer.drain().await.is_err() {
            return;
        }
    }
}

/// What all busy clients share.
struct Talk {
    /// Before each round, and after it: all clients, and who looks at the memory.
    turn: Barrier,
    over: AtomicBool,
}

async fn client(address: SocketAddr, talk: Arc<Talk>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answer = [0; 64];
    loop {
        talk.turn.wait().await.unwrap();
        if talk.over.load(Relaxed) {
            return Ok(());
        }
        for message in 0..MESSAGES {
            let question = [message as u8; 64];
            stream.write_all(&question).await?;
            stream.read_exact(&mut answer).await?;
            assert_eq!(answer, question);
        }
        talk.turn.wait().await.unwrap();
    }
}

async fn idle_ones(address: SocketAddr) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(IDLE);
    while streams.len() < IDLE {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    streams
}

async fn hold_a_crowd() {
    let server = start_server(echo, "127.0.0.1:0").await.unwrap();
    let address = server.local_addr();
    let idle = idle_ones(address).await;
    let talk = Arc::new(Talk {
        turn: Barrier::new(BUSY + 1),
        over: AtomicBool::new(false),
    });
    let clients: Vec<_> = (0..BUSY).map(|_| create_task(client(address, talk.clone()))).collect();
    // The first rounds make what is made once.
    let mut used = Vec::new();
    for _ in 0..ROUNDS {
        talk.turn.wait().await.unwrap();
        talk.turn.wait().await.unwrap();
        used.push(LIVE.load(Relaxed));
    }
    assert_eq!(server.connections(), IDLE + BUSY);
    let (settled, last) = (used[ROUNDS / 4], used[ROUNDS - 1]);
    assert!(last <= settled + SLACK, "memory grows from round to round: {used:?}");

    talk.over.store(true, Relaxed);
    talk.turn.wait().await.unwrap();
    for client in clients {
        client.await.unwrap().unwrap();
    }
    drop(idle);
    server.close();
    server.wait_closed().await;
}

#[test]
fn a_crowd_costs_no_more_with_time_and_nothing_afterwards() {
    // Both ends of each connection are here.
    let needed = 2 * (IDLE + BUSY) as u64 + 100;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        let current = limit.maximum.map_or(needed, |most| most.min(needed));
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                ..limit
            },
        )
        .unwrap();
    }
    let before = open_descriptors();
    for workers in [1, 2] {
        Builder::new().workers(workers).build().unwrap().run(async {
            wait_for(hold_a_crowd(), LIMIT).await.expect("the crowd hangs");
        });
        assert_eq!(open_descriptors(), before);
    }
}
