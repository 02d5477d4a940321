//! After `run` there are as many threads and descriptors as before. A binary of its own with one test, because it counts
//! those of the process.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use std::{fs::read_dir, thread};

/// How many threads and descriptors the process has; the one that counts them is always among them.
fn threads_and_descriptors() -> (usize, usize) {
    let count = |directory| read_dir(directory).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// A thread that was joined may be in the list for a moment still: the kernel says that it has ended before it takes it out.
fn assert_back_to(before: (usize, usize)) {
    for _ in 0..5000 {
        if threads_and_descriptors() == before {
            return;
        }
        thread::sleep(ms(1));
    }
    assert_eq!(threads_and_descriptors(), before);
}

#[test]
fn after_run_there_are_as_many_threads_and_descriptors_as_before() {
    let before = threads_and_descriptors();
    for workers in WORKERS {
        for _ in 0..20 {
            let threads = run(workers, async {
                for _ in 0..10 {
                    aioli::create_task(aioli::sleep(LONG)).detach();
                    aioli::create_local_task(aioli::sleep(LONG)).detach();
                }
                let calls = aioli::gather((0..3).map(|_| async { aioli::to_thread(|| ()).await.unwrap() }));
                calls.await.unwrap();
                drop(aioli::to_thread(|| ()));
                aioli::sleep(ms(1)).await;
                threads_and_descriptors().0
            });
            assert!(threads >= before.0 + workers, "with a thread for calls");
            assert_back_to(before);
        }
    }
}
