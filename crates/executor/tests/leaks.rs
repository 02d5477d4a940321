//! Nothing leaks: after an executor is gone, so is every byte. A binary of its own with one test, because its allocator counts
//! for the whole process.

mod common;

use aioli_executor::{Handle, Scoped, defer, spawn, spawn_local};
use aioli_primitives::deque::Worker as Deque;
use common::*;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::{Future, pending, poll_fn},
    panic::{set_hook, take_hook},
    pin::pin,
    sync::atomic::{AtomicIsize, Ordering::SeqCst},
    task::Poll,
    thread,
};

/// The system's allocator, with a sum of the bytes that are out.
struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: usize) -> isize {
    isize::try_from(bytes).expect("no layout is larger")
}

// SAFETY: all requests go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(count(layout.size()), SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(count(layout.size()), SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        BYTES.fetch_add(count(size) - count(layout.size()), SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A bit of everything.
fn life_of_an_executor(workers: usize) {
    let outside = executor(workers);
    drop(outside.handle().spawn(async {}));
    drop(outside);
    let mut executor = executor(workers);
    let handle = executor.handle().clone();
    executor
        .run(async {
            for _ in 0..20 {
                spawn(async { vec![0_u8; 100] }).await.unwrap();
                spawn(async { String::from("dropped") }).detach();
                spawn_local(pending::<()>()).detach();
                let _ = spawn(async { panic!("{}", String::from("seen")) }).await;
                let task = spawn(async {
                    let _work = defer(yield_now());
                    pending::<()>().await;
                });
                task.set_name("named");
                yield_now().await;
                task.cancel();
                let _ = task.await;
                let mut join = spawn(pending::<()>()).join();
                let _ = poll_once(&mut join).await;
                drop(join);
                let mut scope = pin!(Scoped::new(async {
                    let _work = defer(yield_now());
                    pending::<()>().await;
                }));
                let _ = poll_fn(|cx| Poll::Ready(scope.as_mut().poll(cx))).await;
            }
            let calls: Vec<_> = (0..5)
                .map(|n| Handle::current().unwrap().spawn_blocking(move || vec![n; 100]))
                .collect();
            for call in calls {
                call.await.unwrap();
            }
        })
        .unwrap();
    drop(executor);
    drop(handle.spawn(async { unreachable!("the executor is closed") }));
}

/// crossbeam-deque frees what its queues have outgrown, and what it keeps for each thread, some time later: when somebody has
/// used its queues often enough, and at the latest when the thread that is to do it ends. Here some threads use them, and end.
fn collect_garbage() {
    for _ in 0..3 {
        let user = thread::spawn(|| {
            let queue = Deque::<u8>::new_fifo();
            for _ in 0..20_000 {
                assert!(queue.stealer().steal().is_empty());
            }
        });
        user.join().unwrap();
    }
}

/// The bytes that are out after so many lives.
fn bytes_after(workers: usize, lives: usize) -> isize {
    thread::spawn(move || (0..lives).for_each(|_| life_of_an_executor(workers)))
        .join()
        .unwrap();
    collect_garbage();
    BYTES.load(SeqCst)
}

#[test]
fn after_the_end_every_byte_is_given_back() {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let grown = WORKERS.map(|workers| {
        // What is made once for the process, or for this thread, is made now.
        let mut before = bytes_after(workers, 50);
        // Garbage may be left over, or collected late, once or twice; a leak is there every time.
        let mut grown = [(); 5].map(|()| {
            let after = bytes_after(workers, 50);
            after - std::mem::replace(&mut before, after)
        });
        grown.sort_unstable();
        (workers, grown)
    });
    set_hook(hook);
    for (workers, grown) in grown {
        assert_eq!(grown[2], 0, "grown by {grown:?} bytes with {workers} workers");
    }
}
