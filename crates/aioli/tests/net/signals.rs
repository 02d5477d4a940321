//! A peer that is gone is an error, and no signal: programs may have `SIGPIPE` end them, as it does unless somebody ignores it.

use aioli::{
    Builder,
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream, UnixDatagram, UnixStream},
};
use std::{
    io::{self, IoSlice},
    mem, thread,
};

/// Runs `test` on a thread that holds `SIGPIPE` back, and gives whether one has come.
fn raises_sigpipe<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) -> bool {
    let run = move || {
        // SAFETY: the sets are filled in before they are used.
        unsafe {
            let mut set = mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGPIPE);
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()), 0);
            // The only worker is this thread.
            Builder::new().workers(1).build().unwrap().run(test());
            libc::sigpending(&mut set);
            libc::sigismember(&set, libc::SIGPIPE) == 1
        }
    };
    thread::spawn(run).join().unwrap()
}

async fn writes_fail(mut stream: impl futures_lite::AsyncWrite + Unpin) {
    let pieces = [IoSlice::new(b"x"), IoSlice::new(b"y")];
    let mut failed = [false; 2];
    // TCP takes what is written until it has heard of the peer's end.
    while failed != [true; 2] {
        for (nth, result) in [stream.write(b"x").await, stream.write_vectored(&pieces).await]
            .into_iter()
            .enumerate()
        {
            let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
            failed[nth] |= result.is_err_and(|error| gone.contains(&error.kind()));
        }
    }
}

#[test]
fn a_write_to_a_peer_that_is_gone_raises_no_signal() {
    assert!(!raises_sigpipe(|| async {
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        writes_fail(near).await;
    }));
    assert!(!raises_sigpipe(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        drop(listener.accept().await.unwrap());
        writes_fail(near).await;
    }));
}

#[test]
fn a_datagram_to_a_peer_that_is_gone_raises_no_signal() {
    assert!(!raises_sigpipe(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        drop(far);
        near.send(b"x").await.unwrap_err();
    }));
}
