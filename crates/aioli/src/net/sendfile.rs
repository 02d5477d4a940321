//! Files into sockets, without a copy on the way where the system can do that.

use super::stream::{SocketStream, StreamSocket, retry_interrupted};
use crate::task::{JoinError, poll_budget, to_thread};
use aioli_reactor::Direction;
use futures_lite::AsyncWriteExt;
use std::{
    fs::File,
    future::poll_fn,
    io::{self, Read, Write},
    ops::{Bound, Range, RangeBounds},
    os::unix::fs::FileExt,
};

/// The most that one call may send, so that a peer who reads as fast as we send does not keep the other tasks waiting.
#[cfg(any(target_os = "linux", target_os = "android"))]
const AT_ONCE: u64 = 1 << 20;

/// The most that is copied at a time.
const BUFFER: usize = 64 << 10;

/// Sends a part of a file, and gives how many bytes that were; `..` is all of it. As `loop.sock_sendfile()`.
///
/// If the file is shorter than the range, what there is is sent. The file's own position is neither used nor changed, unlike in asyncio.
///
/// On Linux the system moves the bytes by itself (`sendfile(2)`). If they are not in its memory it reads them from the disk, and the
/// other tasks on the thread wait. Elsewhere, and for files that the system cannot send so, they are read on a thread for blocking
/// calls and written from there.
///
/// ```
/// use aioli::{io::AsyncReadExt, net::{UnixStream, sendfile}};
/// use std::{fs::File, net::Shutdown};
///
/// # aioli::run(async {
/// let (near, mut far) = UnixStream::pair()?;
/// let file = File::open("Cargo.toml")?;
/// assert_eq!(sendfile(&near, &file, 1..8).await?, 7);
/// near.shutdown(Shutdown::Write)?;
///
/// let mut text = String::new();
/// far.read_to_string(&mut text).await?;
/// assert_eq!(text, "package");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// Those of the socket and of the file. How much was sent before is not told.
///
/// # Signals
///
/// `sendfile(2)` cannot be told not to raise `SIGPIPE` if the peer is gone. Rust's programs ignore that signal; one that does not (it has
/// been set to its default) is ended by it.
///
/// # Panics
///
/// If no event loop runs on this thread, and bytes have to be copied.
///
/// # Cancel safety
///
/// Dropping it stops the sending, and how much was sent is not known: the connection is good for nothing but to be closed.
pub async fn sendfile<S: StreamSocket>(
    stream: &SocketStream<S>,
    file: &File,
    range: impl RangeBounds<u64>,
) -> io::Result<u64>
where
    for<'a> &'a S: Read + Write,
{
    let range = bounds(range);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(sent) = send(stream, file, range.clone()).await? {
        return Ok(sent);
    }
    copy(stream, file, range).await
}

fn bounds(range: impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

/// `None` if the system cannot do it with this file; then nothing has been sent.
#[cfg(any(target_os = "linux", target_os = "android"))]
async fn send<S: StreamSocket>(stream: &SocketStream<S>, file: &File, range: Range<u64>) -> io::Result<Option<u64>> {
    use rustix::io::Errno;
    let mut offset = range.start;
    while offset < range.end {
        poll_fn(poll_budget).await;
        let wanted = AT_ONCE.min(range.end - offset) as usize;
        let sent = stream
            .source
            .io(Direction::Write, || {
                Ok(rustix::fs::sendfile(stream, file, Some(&mut offset), wanted)?)
            })
            .await;
        match sent {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if offset == range.start => match Errno::from_io_error(&error) {
                Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return Ok(None),
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(Some(offset.saturating_sub(range.start)))
}

async fn copy<S: StreamSocket>(mut stream: &SocketStream<S>, file: &File, range: Range<u64>) -> io::Result<u64>
where
    for<'a> &'a S: Read + Write,
{
    let mut file = file.try_clone()?;
    let mut buffer = vec![0; BUFFER];
    let mut offset = range.start;
    while offset < range.end {
        let wanted = usize::try_from(range.end - offset).unwrap_or(BUFFER).min(BUFFER);
        // They go to the thread and come back, since it may outlive us.
        let read = to_thread(move || {
            let count = retry_interrupted(|| file.read_at(&mut buffer[..wanted], offset));
            (file, buffer, count)
        });
        let count;
        (file, buffer, count) = match read.await {
            Ok(read) => read,
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(JoinError::Cancelled) => {
                return Err(io::Error::other(
                    "the event loop was closed while a file was being sent",
                ));
            }
        };
        match count? {
            0 => break,
            count => {
                stream.write_all(&buffer[..count]).await?;
                offset += count as u64;
            }
        }
    }
    Ok(offset.saturating_sub(range.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::UnixStream;
    use futures_lite::AsyncReadExt;
    use std::net::Shutdown;

    #[test]
    fn copying_gives_what_the_system_gives() {
        let file = File::open("Cargo.toml").unwrap();
        let text = std::fs::read_to_string("Cargo.toml").unwrap();
        let length = text.len() as u64;
        let ranges = [
            (Bound::Unbounded, Bound::Unbounded),
            (Bound::Included(3), Bound::Included(9)),
        ];
        for range in ranges
            .into_iter()
            .chain([(Bound::Excluded(length - 4), Bound::Excluded(length + 99))])
        {
            let (copied, sent) = crate::run(async {
                let (near, mut far) = UnixStream::pair().unwrap();
                let copied = copy(&near, &file, bounds(range)).await.unwrap();
                let sent = sendfile(&near, &file, range).await.unwrap();
                near.shutdown(Shutdown::Write).unwrap();
                let mut got = String::new();
                far.read_to_string(&mut got).await.unwrap();
                let (first, second) = got.split_at(got.len() / 2);
                assert_eq!(first, second);
                assert!(text.contains(first) && first.len() as u64 == copied);
                (copied, sent)
            });
            assert_eq!(copied, sent);
        }
        let none = crate::run(async {
            let (near, _far) = UnixStream::pair().unwrap();
            let backwards = Range { start: 9, end: 3 };
            copy(&near, &file, backwards.clone()).await.unwrap() + sendfile(&near, &file, backwards).await.unwrap()
        });
        assert_eq!(none, 0);
    }
}
