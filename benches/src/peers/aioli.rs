//! aioli itself. One worker means one thread, so `aioli-1` in the table is this peer with one worker.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::DerefMut;
use std::time::Duration;

use ::aioli::net::{TcpListener, TcpStream};
use ::aioli::process::{Command, Stdio};
use ::aioli::sync::{Barrier, Event, Lock, Queue, Semaphore};
use ::aioli::{Builder, EventLoop, Protocol, StreamReader, StreamWriter, Task, Transport, create_server, start_server};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::{Joined, NetPeer, Peer, ProcessPeer, Spawner, SyncPeer};
use crate::server;

/// aioli with a runner per measurement.
pub struct Aioli;

impl Peer for Aioli {
    type Spawner = EventLoop;
    type Join<T: Send + 'static> = Joined<<Task<T> as IntoFuture>::IntoFuture>;

    fn run<F>(workers: usize, main: impl FnOnce(EventLoop) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut runner = Builder::new().workers(workers).build().expect("aioli starts");
        let main = main(runner.event_loop());
        runner.run(async { Self::spawn(main).await })
    }

    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Joined(::aioli::create_task(future).into_future())
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        ::aioli::create_task(future).detach();
    }

    async fn gather<F>(futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        ::aioli::gather(futures)
            .await
            .expect("the tasks of a workload end well")
    }

    async fn cancel_all<F>(futures: Vec<F>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks: Vec<_> = futures.into_iter().map(::aioli::create_task).collect();
        Self::yield_now().await;
        for task in &tasks {
            task.cancel();
        }
        for task in tasks {
            task.await.expect_err("it was cancelled");
        }
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        ::aioli::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        ::aioli::sleep(duration)
    }

    async fn timeout<F>(duration: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        ::aioli::wait_for(future, duration).await.ok()
    }

    async fn run_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
        ::aioli::to_thread(job).await.expect("the jobs of a workload end well")
    }
}

impl NetPeer for Aioli {
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
        serve_with(|mut reader, writer| async move {
            let mut buffer = vec![0; server::BUFFER];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                writer.write(&buffer[..count]);
                if writer.drain().await.is_err() {
                    return;
                }
            }
        })
    }

    fn serve_lines() -> impl Future<Output = io::Result<()>> + Send {
        serve_with(|mut reader, writer| async move {
            while let Ok(line) = reader.readline().await {
                writer.write(&line);
                if line.is_empty() || writer.drain().await.is_err() {
                    return;
                }
            }
        })
    }

    async fn serve_protocol() -> io::Result<()> {
        let server = create_server(Echo::default, (Ipv4Addr::LOCALHOST, 0)).await?;
        server::announce(server.local_addr())?;
        server.serve_forever().await
    }
}

/// Sends back what comes.
#[derive(Default)]
struct Echo(Option<Transport>);

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        self.0 = Some(transport.clone());
    }

    fn data_received(&mut self, data: &[u8]) {
        if let Some(transport) = &self.0 {
            transport.write(data);
        }
    }
}

impl SyncPeer for Aioli {
    type Lock = Lock<usize>;
    type Semaphore = Semaphore;
    type Sender = Queue<usize>;
    type Receiver = Queue<usize>;
    type Event = Event;
    type Barrier = Barrier;

    fn new_lock() -> Lock<usize> {
        Lock::new(0)
    }

    fn lock(lock: &Lock<usize>) -> impl Future<Output: DerefMut<Target = usize> + Send> + Send {
        lock.lock()
    }

    fn new_semaphore(permits: usize) -> Semaphore {
        Semaphore::new(permits)
    }

    fn acquire(semaphore: &Semaphore) -> impl Future<Output: Send> + Send {
        semaphore.acquire()
    }

    fn new_queue(capacity: usize) -> (Queue<usize>, Queue<usize>) {
        let queue = Queue::bounded(capacity);
        (queue.clone(), queue)
    }

    async fn send(sender: &Queue<usize>, number: usize) {
        sender.put(number).await.expect("it is never shut down");
    }

    async fn receive(receiver: &mut Queue<usize>) -> usize {
        receiver.get().await.expect("it is never shut down")
    }

    fn new_event() -> Event {
        Event::new()
    }

    async fn wait(event: &Event, in_line: impl FnOnce() + Send) {
        let pulsed = event.wait();
        in_line();
        pulsed.await;
    }

    fn broadcast(event: &Event) {
        event.pulse();
    }

    fn new_barrier(parties: usize) -> Barrier {
        Barrier::new(parties)
    }

    async fn arrive(barrier: &Barrier) {
        barrier.wait().await.expect("it is never broken");
    }
}

impl ProcessPeer for Aioli {
    async fn run_program(program: &'static str) -> io::Result<bool> {
        Ok(Command::new(program).stdin(Stdio::DEVNULL).status().await?.success())
    }

    async fn read_program(program: &'static str, argument: &'static str) -> io::Result<Vec<u8>> {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::DEVNULL).stdout(Stdio::PIPE);
        let output = command.spawn()?.communicate([]).await?;
        Ok(output.stdout.expect("piped"))
    }
}

/// Serves with this handler until the process ends.
async fn serve_with<H, F>(handler: H) -> io::Result<()>
where
    H: Fn(StreamReader, StreamWriter) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let server = start_server(handler, (Ipv4Addr::LOCALHOST, 0)).await?;
    server::announce(server.local_addr())?;
    server.serve_forever().await
}

impl Spawner for EventLoop {
    fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.create_task(future).detach();
    }
}
