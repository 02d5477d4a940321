//! tokio, with either of its schedulers.
//!
//! The main future runs as a task (`spawn` inside `block_on`), because the thread in `block_on` is not a worker of the
//! multi-thread scheduler and would not show what a task sees.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::DerefMut;
use std::process::Stdio;
use std::time::Duration;

use ::tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::process::Command;
use ::tokio::runtime::{Builder, Handle};
use ::tokio::sync::{
    Barrier, Mutex, Notify, Semaphore,
    mpsc::{self, Receiver, Sender},
};
use ::tokio::task::{self, JoinHandle};
use ::tokio::time;

use super::{Joined, NetPeer, Peer, ProcessPeer, Spawner, SyncPeer};
use crate::server;

/// tokio with one of its two schedulers.
pub struct Tokio<const MULTI_THREAD: bool>;

/// The work-stealing scheduler.
pub type MultiThread = Tokio<true>;
/// The scheduler that lives on the calling thread alone.
pub type CurrentThread = Tokio<false>;

impl<const MULTI_THREAD: bool> Peer for Tokio<MULTI_THREAD> {
    type Spawner = Handle;
    type Join<T: Send + 'static> = Joined<JoinHandle<T>>;

    fn run<F>(workers: usize, main: impl FnOnce(Handle) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut builder = if MULTI_THREAD {
            Builder::new_multi_thread()
        } else {
            Builder::new_current_thread()
        };
        let runtime = builder
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("tokio starts");
        let main = main(runtime.handle().clone());
        runtime.block_on(async { Self::spawn(main).await })
    }

    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Joined(task::spawn(future))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        task::spawn(future);
    }

    async fn cancel_all<F>(futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks: Vec<_> = futures.into_iter().map(task::spawn).collect();
        Self::yield_now().await;
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            task.await.expect_err("it was aborted");
        }
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(duration)
    }

    async fn timeout<F>(duration: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        time::timeout(duration, future).await.ok()
    }

    fn run_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> + Send {
        Joined(task::spawn_blocking(job))
    }
}

impl<const MULTI_THREAD: bool> NetPeer for Tokio<MULTI_THREAD> {
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
            let mut stream = BufStream::new(stream);
            let mut buffer = vec![0; server::BUFFER];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                if write_and_flush(&mut stream, &buffer[..count]).await.is_err() {
                    return;
                }
            }
        })
    }

    fn serve_lines() -> impl Future<Output = io::Result<()>> + Send {
        server::accept::<Self, _>(|stream| async {
            let mut stream = BufStream::new(stream);
            let mut line = Vec::new();
            while let Ok(1..) = stream.read_until(b'\n', &mut line).await {
                if write_and_flush(&mut stream, &line).await.is_err() {
                    return;
                }
                line.clear();
            }
        })
    }
}

impl<const MULTI_THREAD: bool> SyncPeer for Tokio<MULTI_THREAD> {
    type Lock = Mutex<usize>;
    type Semaphore = Semaphore;
    type Sender = Sender<usize>;
    type Receiver = Receiver<usize>;
    type Event = Notify;
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
        mpsc::channel(capacity)
    }

    async fn send(sender: &Sender<usize>, number: usize) {
        sender.send(number).await.expect("the receiver lives");
    }

    async fn receive(receiver: &mut Receiver<usize>) -> usize {
        receiver.recv().await.expect("a sender lives")
    }

    fn new_event() -> Notify {
        Notify::new()
    }

    async fn wait(event: &Notify, in_line: impl FnOnce() + Send) {
        let notified = event.notified();
        in_line();
        notified.await;
    }

    fn broadcast(event: &Notify) {
        event.notify_waiters();
    }

    fn new_barrier(parties: usize) -> Barrier {
        Barrier::new(parties)
    }

    async fn arrive(barrier: &Barrier) {
        barrier.wait().await;
    }
}

impl<const MULTI_THREAD: bool> ProcessPeer for Tokio<MULTI_THREAD> {
    async fn run_program(program: &'static str) -> io::Result<bool> {
        Ok(Command::new(program).stdin(Stdio::null()).status().await?.success())
    }

    async fn read_program(program: &'static str, argument: &'static str) -> io::Result<Vec<u8>> {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command.spawn()?.wait_with_output().await?.stdout)
    }
}

async fn write_and_flush(stream: &mut BufStream<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

impl Spawner for Handle {
    fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(future);
    }
}
