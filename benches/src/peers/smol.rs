//! smol: an `Executor` run by N threads, the calling one among them, each inside `block_on` and so driving async-io.
//!
//! `smol::spawn` knows one global executor that can be neither sized nor stopped, so the executor of a run is found
//! through a thread-local of each of its threads, which costs what tokio pays for its own context.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::DerefMut;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::async_channel::{self as channel, Receiver, Sender};
use ::async_lock::{Barrier, Mutex, Semaphore};
use ::event_listener::{Event, listener};
use ::smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use ::smol::net::{TcpListener, TcpStream};
use ::smol::process::{Command, Stdio};
use ::smol::{Executor, Task, Timer, block_on, future, unblock};

use super::{NetPeer, Peer, ProcessPeer, Spawner, SyncPeer};
use crate::server;

/// smol with an executor of our own.
pub struct Smol;

thread_local! {
    static EXECUTOR: RefCell<Option<Arc<Executor<'static>>>> = const { RefCell::new(None) };
}

/// Runs `future` and, beside it, the tasks of `executor` on this thread.
fn work<T>(executor: &Arc<Executor<'static>>, future: impl Future<Output = T>) -> T {
    EXECUTOR.set(Some(executor.clone()));
    let output = block_on(executor.run(future));
    EXECUTOR.set(None);
    output
}

impl Peer for Smol {
    type Spawner = Arc<Executor<'static>>;
    type Join<T: Send + 'static> = Task<T>;

    fn run<F>(workers: usize, main: impl FnOnce(Self::Spawner) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let executor = Arc::new(Executor::new());
        let (stop, stopped) = channel::bounded::<()>(1);
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| work(&executor, stopped.recv()));
            }
            let main = executor.spawn(main(executor.clone()));
            let output = work(&executor, main);
            drop(stop);
            output
        })
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        EXECUTOR.with_borrow(|executor| executor.as_ref().expect("inside a run").spawn(future))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        Self::spawn(future).detach();
    }

    async fn cancel_all<F>(futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks: Vec<_> = futures.into_iter().map(Self::spawn).collect();
        Self::yield_now().await;
        // It begins when this is polled, so all of them are, before the first is waited for.
        let mut ends = Vec::with_capacity(tasks.len());
        for task in tasks {
            let mut end = Box::pin(task.cancel());
            if future::poll_once(&mut end).await.is_none() {
                ends.push(end);
            }
        }
        for end in ends {
            end.await;
        }
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        future::yield_now()
    }

    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    fn timeout<F>(duration: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future<Output: Send> + Send,
    {
        future::or(async { Some(future.await) }, async move {
            Timer::after(duration).await;
            None
        })
    }

    fn run_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> + Send {
        unblock(job)
    }
}

impl NetPeer for Smol {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }

    fn serve_streams() -> impl Future<Output = io::Result<()>> + Send {
        server::accept::<Self, _>(|stream| async {
            let (mut reader, mut writer) = (BufReader::new(stream.clone()), BufWriter::new(stream));
            let mut buffer = vec![0; server::BUFFER];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                if write_and_flush(&mut writer, &buffer[..count]).await.is_err() {
                    return;
                }
            }
        })
    }

    fn serve_lines() -> impl Future<Output = io::Result<()>> + Send {
        server::accept::<Self, _>(|stream| async {
            let (mut reader, mut writer) = (BufReader::new(stream.clone()), BufWriter::new(stream));
            let mut line = Vec::new();
            while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
                if write_and_flush(&mut writer, &line).await.is_err() {
                    return;
                }
                line.clear();
            }
        })
    }
}

impl SyncPeer for Smol {
    type Lock = Mutex<usize>;
    type Semaphore = Semaphore;
    type Sender = Sender<usize>;
    type Receiver = Receiver<usize>;
    type Event = Event;
    type Barrier = Barrier;

    fn new_lock() -> Mutex<usize> {
        Mutex::new(0)
    }

    fn lock(lock: &Mutex<usize>) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send {
        lock.lock()
    }

    fn new_semaphore(permits: usize) -> Semaphore {
        Semaphore::new(permits)
    }

    fn acquire(semaphore: &Semaphore) -> impl Future<Output: Send> + Send {
        semaphore.acquire()
    }

    fn new_queue(capacity: usize) -> (Sender<usize>, Receiver<usize>) {
        channel::bounded(capacity)
    }

    async fn send(sender: &Sender<usize>, number: usize) {
        sender.send(number).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Receiver<usize>) -> usize {
        receiver.recv().await.expect("a sender lives")
    }

    fn new_event() -> Event {
        Event::new()
    }

    async fn wait(event: &Event, in_line: impl FnOnce() + Send) {
        listener!(event => notified);
        in_line();
        notified.await;
    }

    fn broadcast(event: &Event) {
        event.notify(usize::MAX);
    }

    fn new_barrier(parties: usize) -> Barrier {
        Barrier::new(parties)
    }

    async fn arrive(barrier: &Barrier) {
        barrier.wait().await;
    }
}

impl ProcessPeer for Smol {
    async fn run_program(program: &'static str) -> io::Result<bool> {
        Ok(Command::new(program)
            .stdin(Stdio::null())
            .spawn()?
            .status()
            .await?
            .success())
    }

    async fn read_program(program: &'static str, argument: &'static str) -> io::Result<Vec<u8>> {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command.spawn()?.output().await?.stdout)
    }
}

async fn write_and_flush(writer: &mut BufWriter<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

impl Spawner for Arc<Executor<'static>> {
    fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(future).detach();
    }
}
