//! Files that are sent through sockets.

use super::{Directory, run};
use aioli::{
    create_task,
    io::AsyncReadExt,
    net::{TcpListener, TcpStream, UnixStream, sendfile},
};
use futures_lite::future::poll_once;
use std::{
    fs::{self, File},
    io::{self, Seek},
    net::Shutdown,
    pin::pin,
};

fn file(directory: &Directory, length: usize) -> (File, Vec<u8>) {
    let bytes: Vec<u8> = (0..length).map(|n| (n ^ (n >> 8)) as u8).collect();
    let path = directory.path("file");
    fs::write(&path, &bytes).unwrap();
    (File::open(path).unwrap(), bytes)
}

#[test]
fn a_large_file_arrives_whole_while_the_peer_reads() {
    run(|| async {
        let directory = Directory::new();
        let (file, bytes) = file(&directory, 5_000_000);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let reader = create_task(async move {
            let mut got = Vec::new();
            far.read_to_end(&mut got).await.unwrap();
            got
        });
        let sending = create_task(async move { sendfile(&near, &file, ..).await });
        assert_eq!(sending.await.unwrap().unwrap(), 5_000_000);
        assert!(reader.await.unwrap() == bytes);
    });
}

#[test]
fn parts_are_sent_and_a_short_file_is_no_error() {
    run(|| async {
        let directory = Directory::new();
        let (mut file, bytes) = file(&directory, 1000);
        let (near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(sendfile(&near, &file, 10..20).await.unwrap(), 10);
        assert_eq!(sendfile(&near, &file, 990..).await.unwrap(), 10);
        assert_eq!(sendfile(&near, &file, 995..=2000).await.unwrap(), 5);
        assert_eq!(sendfile(&near, &file, 1000..).await.unwrap(), 0);
        assert_eq!(sendfile(&near, &file, 5000..6000).await.unwrap(), 0);
        assert_eq!(sendfile(&near, &file, 7..7).await.unwrap(), 0);
        // The file's own position is as it was.
        assert_eq!(file.stream_position().unwrap(), 0);
        near.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, [&bytes[10..20], &bytes[990..], &bytes[995..]].concat());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_the_system_does_not_send_are_copied() {
    run(|| async {
        let file = File::open("/proc/self/environ").unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        let sent = sendfile(&near, &file, ..).await.unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got.len() as u64, sent);
        assert_eq!(got, fs::read("/proc/self/environ").unwrap());
    });
}

#[test]
fn what_goes_wrong_is_an_error() {
    run(|| async {
        let directory = Directory::new();
        let (good, _) = file(&directory, 1000);
        let (near, far) = UnixStream::pair().unwrap();
        assert!(sendfile(&near, &File::open(&directory.0).unwrap(), ..).await.is_err());
        let unreadable = File::create(directory.path("new")).unwrap();
        assert!(sendfile(&near, &unreadable, ..).await.is_err());
        drop(far);
        let error = sendfile(&near, &good, ..).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn sending_can_be_given_up() {
    run(|| async {
        let directory = Directory::new();
        let (file, _) = file(&directory, 5_000_000);
        let (near, mut far) = UnixStream::pair().unwrap();
        assert!(poll_once(pin!(sendfile(&near, &file, ..))).await.is_none());
        drop(near);
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert!(!got.is_empty() && got.len() < 5_000_000);
    });
}
