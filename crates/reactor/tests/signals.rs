//! A signal ends a wait early, without an error.

#![cfg(target_os = "linux")]

use aioli_reactor::{BackendKind, Reactor};
use std::{
    os::unix::thread::JoinHandleExt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn an_interrupted_wait_gives_no_events() {
    // SAFETY: the handler is a function of the right type that does nothing but an atomic addition.
    unsafe { libc::signal(libc::SIGUSR1, count as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    for kind in [BackendKind::Epoll, BackendKind::EpollMillis] {
        let reactor = Reactor::with_backend(kind).unwrap();
        let before = SIGNALS.load(Ordering::SeqCst);
        let waiting = thread::spawn(move || reactor.wait(None).unwrap());
        // A signal that comes before the wait has begun does not end it; so send them until one does.
        while !waiting.is_finished() {
            // SAFETY: the thread has not been joined, so its handle is valid.
            unsafe { libc::pthread_kill(waiting.as_pthread_t(), libc::SIGUSR1) };
            thread::yield_now();
        }
        assert_eq!(waiting.join().unwrap(), 0);
        assert!(SIGNALS.load(Ordering::SeqCst) > before);
    }
}
