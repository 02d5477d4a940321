//! Accepting Unix connections.

use super::{UnixStream, file};
use crate::{
    net::{BACKLOG, reactor},
    task::poll_budget,
};
use aioli_reactor::{Direction, Source};
use futures_core::Stream;
use futures_lite::stream;
use socket2::{Domain, SockRef, Socket, Type};
use std::{
    fmt,
    future::poll_fn,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::{self, SocketAddr},
    },
    path::Path,
    task::{Context, Poll, ready},
};

/// A Unix socket that accepts connections.
///
/// ```
/// use aioli::{io::AsyncReadExt, net::{UnixListener, UnixStream}};
///
/// # aioli::run(async {
/// let path = std::env::temp_dir().join(format!("aioli-example-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let mut client = UnixStream::connect(&path).await?;
/// listener.accept().await?;
/// // The other end has been dropped.
/// assert_eq!(client.read(&mut [0; 8]).await?, 0);
///
/// drop(listener);
/// assert!(!path.exists());
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
pub struct UnixListener {
    /// Before `source`, so that it is dropped before.
    file: Option<file::SocketFile>,
    source: Source<net::UnixListener>,
}

impl UnixListener {
    /// Listens at a path, or at an abstract name as [`unix_address`](super::unix_address) has it.
    ///
    /// A socket that is there already and that nobody has open, left by a program that has died, is removed first. What
    /// this makes is removed when the listener is dropped, unless [`set_cleanup_socket`](Self::set_cleanup_socket) says otherwise. As in
    /// asyncio, which removes the old one in any case.
    ///
    /// The directory is locked (`flock(2)`) for that moment, so that of several who find the same abandoned file one has it, and the others
    /// an error. If somebody else keeps it locked, or it may not be read, that is not certain.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if another socket is open there, or there is something else than a socket;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that [cannot be an address](super::unix_address);
    /// [`NotFound`](io::ErrorKind::NotFound) if the directory does not exist; others of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // What may fail or panic comes before there is a file; from then on, the file goes before the socket does.
        let mut listener = Self::from_std(OwnedFd::from(socket).into())?;
        listener.file = file::bind(&listener, path.as_ref())?;
        SockRef::from(&listener).listen(BACKLOG as i32)?;
        Ok(listener)
    }

    /// Takes over a listener of the standard library, and makes it non-blocking. Its file stays when this is dropped.
    ///
    /// # Errors
    ///
    /// Those of the system.
    ///
    /// # Panics
    ///
    /// If no event loop runs on this thread.
    #[track_caller]
    pub fn from_std(listener: net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            file: None,
            source: reactor().register(listener)?,
        })
    }

    /// Gives the listener to the standard library; it stays non-blocking, and its file stays.
    pub fn into_std(mut self) -> net::UnixListener {
        self.set_cleanup_socket(false);
        self.source.into_inner()
    }

    /// Says whether the socket's file is removed when this is dropped, as it is if [`bind`](Self::bind) has made it. It is left alone if it
    /// is another by then. As asyncio's `cleanup_socket`.
    pub fn set_cleanup_socket(&mut self, yes: bool) {
        if let Some(file) = &mut self.file {
            file.is_removed = yes;
        }
    }

    /// Waits for a connection, and gives it with the peer's address, which mostly is unnamed. Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`; [`TcpListener::accept`](super::super::TcpListener::accept) says what to do about them.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: no connection has been accepted.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        // Clients who come in a crowd do not keep the other tasks waiting.
        poll_fn(poll_budget).await;
        let listener = self.source.get_ref();
        let (stream, peer) = self.source.io(Direction::Read, || listener.accept()).await?;
        Ok((UnixStream::from_std(stream)?, peer))
    }

    /// As [`accept`](Self::accept), for hand-written futures; only the last task to call this is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        ready!(poll_budget(cx));
        let listener = self.source.get_ref();
        let accepted = self.source.poll_io(cx, Direction::Read, || listener.accept());
        accepted.map(|accepted| accepted.and_then(|(stream, peer)| Ok((UnixStream::from_std(stream)?, peer))))
    }

    /// The connections that come, one after the other; it never ends. Each item is what [`accept`](Self::accept) gives, without the
    /// address.
    pub fn incoming(&self) -> impl Stream<Item = io::Result<UnixStream>> + Send + '_ {
        stream::poll_fn(|cx| {
            self.poll_accept(cx)
                .map(|accepted| Some(accepted.map(|(stream, _)| stream)))
        })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}
