//! Protocols and transports: which callbacks come, in which order, and what ends a connection; with one worker and with two.

mod buffered;
mod datagrams;
mod ending;
mod failing;
mod flow;
mod many;
mod order;
mod pipes;
mod swapping;

use aioli::{Builder, EventLoop, Protocol, Server, Transport, create_server, net::TcpStream, wait_for, yield_now};
use std::{
    future::Future,
    io, mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// More than the system takes without anybody reading.
const MUCH: usize = 16 * 1024 * 1024;

/// Runs a test with one worker and with two; one that hangs fails.
fn run<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for workers in [1, 2] {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(async { wait_for(test(), LIMIT).await.expect("the test hangs") });
    }
}

/// Bytes in which every misplaced piece shows.
fn pattern(length: usize) -> Vec<u8> {
    static ALL: OnceLock<Vec<u8>> = OnceLock::new();
    let byte = |index: usize| (index ^ (index >> 8) ^ (index >> 16)) as u8;
    ALL.get_or_init(|| (0..MUCH).map(byte).collect())[..length].to_vec()
}

/// What a [`Recorder`] has seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    /// The callbacks, without those that repeat the one before.
    calls: Vec<String>,
    data: Vec<u8>,
    transport: Option<Transport>,
    /// The protocol was dropped.
    dropped: bool,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap()
    }

    fn note(&self, call: impl Into<String>) {
        let (calls, call) = (&mut self.lock().calls, call.into());
        if calls.last() != Some(&call) {
            calls.push(call);
        }
    }

    fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    fn transport(&self) -> Transport {
        self.lock().transport.clone().unwrap()
    }

    /// Gives way until that holds.
    async fn until(&self, condition: impl Fn(&Record) -> bool) {
        until(|| condition(&self.lock())).await;
    }

    async fn until_called(&self, call: &str) {
        self.until(|record| record.calls.iter().any(|seen| seen == call)).await;
    }

    /// Waits for the protocol's end, and gives all its callbacks.
    async fn all(&self) -> Vec<String> {
        self.until(|record| record.dropped).await;
        self.calls()
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

type Hook = Box<dyn FnMut(&str, &Transport) + Send>;

/// Records what it is called for. Its hook is called with each callback's name, and may do anything.
struct Recorder {
    seen: Seen,
    keep_open: bool,
    hook: Option<Hook>,
    transport: Option<Transport>,
}

impl Recorder {
    fn new(seen: &Seen) -> Self {
        Self {
            seen: seen.clone(),
            keep_open: false,
            hook: None,
            transport: None,
        }
    }

    fn keep_open(mut self) -> Self {
        self.keep_open = true;
        self
    }

    fn hook(mut self, hook: impl FnMut(&str, &Transport) + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    fn called(&mut self, name: &str) {
        self.seen.note(name);
        self.run_hook(name);
    }

    fn run_hook(&mut self, name: &str) {
        let transport = self.transport.clone();
        if let (Some(hook), Some(transport)) = (&mut self.hook, transport) {
            hook(name, &transport);
        }
    }
}

impl Protocol for Recorder {
    fn connection_made(&mut self, transport: &Transport) {
        self.seen.lock().transport = Some(transport.clone());
        self.transport = Some(transport.clone());
        self.called("made");
    }

    fn data_received(&mut self, data: &[u8]) {
        self.seen.lock().data.extend_from_slice(data);
        self.called("data");
    }

    fn eof_received(&mut self) -> bool {
        self.called("eof");
        self.keep_open
    }

    fn connection_lost(&mut self, error: Option<io::Error>) {
        self.seen.note(match error {
            None => "lost".to_owned(),
            Some(error) => format!("lost: {:?}", error.kind()),
        });
        self.run_hook("lost");
    }

    fn pause_writing(&mut self) {
        self.called("pause");
    }

    fn resume_writing(&mut self) {
        self.called("resume");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The transport may be the last to know of the connection.
        self.transport = None;
        self.seen.lock().dropped = true;
    }
}

/// A server with one connection, whose protocol is this, and a plain socket at the other end.
async fn serve<P: Protocol>(protocol: P) -> (Server, TcpStream) {
    let protocol = Mutex::new(Some(protocol));
    let factory = move || protocol.lock().unwrap().take().unwrap();
    let server = create_server(factory, "127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(server.local_addr()).await.unwrap();
    (server, peer)
}

/// Has the peer vanish: what it does next is to reset the connection.
fn reset(peer: TcpStream) {
    let peer = peer.into_std();
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
}

/// What the exception handler is told from now on.
fn reports() -> impl Fn() -> Vec<String> {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let heard = reports.clone();
    EventLoop::current().set_exception_handler(move |error| heard.lock().unwrap().push(error.message().to_owned()));
    move || mem::take(&mut *reports.lock().unwrap())
}
