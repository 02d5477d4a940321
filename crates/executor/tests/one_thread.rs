//! With one worker the process gets no thread until a blocking call is made. A binary of its own with one test, because
//! it counts the threads of the process.
#![cfg(target_os = "linux")]

mod common;

use aioli_executor::{Handle, spawn};
use common::*;
use std::{fs::read_dir, thread, time::Duration};

fn threads() -> usize {
    read_dir("/proc/self/task").unwrap().count()
}

/// A thread that was joined may be in the list for a moment still: the kernel says that it has ended before it takes it out.
fn assert_back_to(before: usize) {
    for _ in 0..5000 {
        if threads() == before {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(threads(), before);
}

#[test]
fn one_worker_is_one_thread_until_a_blocking_call_is_made() {
    let before = threads();
    let mut one = executor(1);
    assert_eq!(threads(), before);
    one.run(async {
        for _ in 0..100 {
            spawn(yield_now()).await.unwrap();
        }
        assert_eq!(threads(), before);
        Handle::current().unwrap().spawn_blocking(|| ()).await.unwrap();
        assert_eq!(threads(), before + 1);
    })
    .unwrap();
    drop(one);
    assert_back_to(before);

    let four = executor(4);
    assert_eq!(threads(), before + 3);
    drop(four);
    assert_back_to(before);
}
