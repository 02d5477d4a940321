//! Sockets, with one worker and with two.

mod datagrams;
mod names;
mod sendfile;
mod signals;
mod tcp;
mod tcp_socket;
mod unix;
mod unix_binding;
mod unix_names;

use aioli::{Builder, wait_for};
use std::{
    env, fs,
    future::Future,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test with one worker and with two; one that hangs fails.
fn run<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for workers in [1, 2] {
        let mut runner = Builder::new().workers(workers).build().unwrap();
        runner.run(async { wait_for(test(), LIMIT).await.expect("the test hangs") });
    }
}

/// A directory of the test's own, which goes when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("aioli-net-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
