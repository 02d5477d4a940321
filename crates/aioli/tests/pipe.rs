//! Pipes: bytes, ends, and who is told of them.

mod common;

use aioli::{
    create_task,
    io::{AsyncReadExt, AsyncWriteExt},
    pipe::{PipeReader, PipeWriter, pipe},
    wait_for,
};
use common::{WORKERS, poll_once};
use std::{
    fs::File,
    future::Future,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    pin::pin,
    sync::Arc,
    task::Poll,
    thread,
    time::Duration,
};

fn run<F: Future>(workers: usize, main: F) -> F::Output {
    const LIMIT: Duration = Duration::from_secs(60);
    common::run(workers, async { wait_for(main, LIMIT).await.expect("the test hangs") })
}

fn on_all<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    for workers in WORKERS {
        run(workers, main()).unwrap();
    }
}

/// More than any pipe holds.
const MUCH: usize = 4 << 20;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// Writes until the pipe takes no more.
async fn fill(writer: &PipeWriter) {
    while let Poll::Ready(result) = poll_once(&mut pin!((&mut &*writer).write(&[0; 4096]))).await {
        result.unwrap();
    }
}

#[test]
fn much_goes_through_in_order() {
    on_all(|| async {
        let (mut reader, mut writer) = pipe()?;
        let sender = create_task(async move { writer.write_all(&pattern(MUCH)).await });
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await?;
        assert!(received == pattern(MUCH));
        sender.await.unwrap()
    });
}

#[test]
fn vectored_operations_move_all_buffers() {
    on_all(|| async {
        let (mut reader, mut writer) = pipe()?;
        let pieces = [io::IoSlice::new(b"one "), io::IoSlice::new(b"two")];
        assert_eq!(writer.write_vectored(&pieces).await?, 7);
        let (mut head, mut tail) = ([0; 2], [0; 9]);
        let mut bufs = [io::IoSliceMut::new(&mut head), io::IoSliceMut::new(&mut tail)];
        assert_eq!(reader.read_vectored(&mut bufs).await?, 7);
        assert_eq!((&head, &tail[..5]), (b"on", &b"e two"[..]));
        Ok(())
    });
}

#[test]
fn a_write_after_the_reader_is_gone_fails_and_so_does_one_that_waits() {
    on_all(|| async {
        let (reader, writer) = pipe()?;
        fill(&writer).await;
        let writer = Arc::new(writer);
        let waiting = create_task({
            let writer = writer.clone();
            async move { (&mut &*writer).write(b"more").await }
        });
        drop(reader);
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let error = (&mut &*writer).write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_writer_hears_that_the_reader_has_gone_and_not_that_it_reads() {
    on_all(|| async {
        let (mut reader, writer) = pipe()?;
        fill(&writer).await;
        let mut broken = pin!(writer.broken());
        assert!(poll_once(&mut broken).await.is_pending());
        reader.read_exact(&mut [0; 8192]).await?;
        assert!(poll_once(&mut broken).await.is_pending());
        drop(reader);
        broken.await;
        writer.broken().await;
        Ok(())
    });
}

#[test]
fn closing_through_a_shared_reference_ends_the_stream_and_all_who_wait() {
    on_all(|| async {
        let (mut reader, writer) = pipe()?;
        fill(&writer).await;
        let writer = Arc::new(writer);
        let [writing, watching] = [true, false].map(|writes| {
            let writer = writer.clone();
            create_task(async move {
                if writes {
                    return (&mut &*writer).write(b"more").await;
                }
                writer.broken().await;
                Ok(0)
            })
        });
        aioli::yield_now().await;
        (&mut &*writer).close().await?;
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        watching.await.unwrap()?;
        // The handle lives; its descriptor does not.
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await?;
        assert!(!rest.is_empty());
        let error = (&mut &*writer).write(b"late").await.unwrap_err();
        assert_eq!(error.to_string(), "written to after the pipe was closed");
        (&mut &*writer).close().await?;
        let writer = Arc::into_inner(writer).unwrap();
        let error = writer.into_blocking_fd().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        Ok(())
    });
}

#[test]
fn a_cancelled_read_takes_nothing() {
    on_all(|| async {
        let (mut reader, mut writer) = pipe()?;
        let mut buf = [0; 8];
        assert!(poll_once(&mut pin!(reader.read(&mut buf))).await.is_pending());
        writer.write_all(b"kept").await?;
        assert_eq!(reader.read(&mut buf).await?, 4);
        Ok(())
    });
}

#[test]
fn descriptors_come_and_go_in_blocking_mode() {
    on_all(|| async {
        let (reader, writer) = pipe()?;
        let (reader, writer) = (reader.into_blocking_fd()?, writer.into_blocking_fd()?);
        // This would fail at once if it did not block.
        let blocking = thread::spawn(move || io::read_to_string(File::from(reader)));
        let mut writer = PipeWriter::from_fd(writer)?;
        writer.write_all(b"across").await?;
        drop(writer);
        assert_eq!(blocking.join().unwrap()?, "across");
        Ok(())
    });
}

#[test]
fn sockets_are_taken_for_pipes() {
    on_all(|| async {
        let (near, mut far) = UnixStream::pair()?;
        let mut reader = PipeReader::from_fd(near.try_clone()?)?;
        far.write_all(b"ping")?;
        let mut buf = [0; 8];
        assert_eq!(reader.read(&mut buf).await?, 4);
        drop(reader);
        let mut writer = PipeWriter::from_fd(near)?;
        writer.write_all(b"pong").await?;
        far.read_exact(&mut buf[..4])?;
        let mut broken = pin!(writer.broken());
        assert!(poll_once(&mut broken).await.is_pending());
        drop(far);
        broken.await;
        Ok(())
    });
}

#[test]
fn what_cannot_be_waited_for_or_is_the_wrong_end_is_refused() {
    on_all(|| async {
        let refused = |result: io::Result<PipeReader>, why: &str| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(why), "{error}");
        };
        refused(PipeReader::from_fd(File::open("Cargo.toml")?), "regular file");
        refused(PipeReader::from_fd(File::open("/")?), "directory");
        refused(PipeReader::from_fd(File::open("/dev/null")?), "cannot wait");
        let (_reader, writer) = pipe()?;
        refused(PipeReader::from_fd(writer.into_blocking_fd()?), "not open for reading");
        let (reader, _writer) = pipe()?;
        let reader: OwnedFd = reader.into_blocking_fd()?;
        let error = PipeWriter::from_fd(reader).unwrap_err();
        assert!(error.to_string().contains("not open for writing"), "{error}");
        Ok(())
    });
}

#[test]
fn a_task_that_is_always_ready_gives_way() {
    run(1, async {
        let (mut reader, mut writer) = pipe().unwrap();
        let other = create_task(async {});
        for _ in 0..200 {
            writer.write_all(b"x").await.unwrap();
            reader.read_exact(&mut [0]).await.unwrap();
        }
        assert!(other.is_finished());
    });
}

/// Each read of such a pipe gives one packet, and a short one does not mean that there is no other.
#[cfg(target_os = "linux")]
#[test]
fn packets_are_read_to_the_last() {
    use rustix::{
        fs::{OFlags, fcntl_setfl},
        pipe::{PipeFlags, pipe_with},
    };
    const PACKETS: [&str; 4] = ["one", "two", "three", "four"];
    async fn read_all(mut reader: PipeReader) -> io::Result<()> {
        let mut buf = [0; 64];
        for packet in PACKETS {
            let length = reader.read(&mut buf).await?;
            assert_eq!(&buf[..length], packet.as_bytes());
        }
        Ok(())
    }
    on_all(|| async {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT)?;
        let reader = PipeReader::from_fd(reader)?;
        for packet in PACKETS {
            rustix::io::write(&writer, packet.as_bytes())?;
        }
        read_all(reader).await
    });
    // Whoever is given the other end may turn it on.
    on_all(|| async {
        let (reader, writer) = pipe()?;
        let writer = writer.into_blocking_fd()?;
        fcntl_setfl(&writer, OFlags::DIRECT)?;
        for packet in PACKETS {
            rustix::io::write(&writer, packet.as_bytes())?;
        }
        read_all(reader).await
    });
}
